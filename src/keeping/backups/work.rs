//! The work of the desk that blocks: it runs on threads of its own.

use super::desk::Order;
use crate::keeping::backup::turn::is_at_work;
use crate::keeping::backup::{Engine, Ledger, Parts, Receipt};
use crate::keeping::targets::Goal;
use crate::kernel::access::Pin;
use crate::kernel::error::{Error, Result};
use crate::kernel::instance::Instance;
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::secret::Secret;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// A backup that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its signed receipt.
    pub receipt: Receipt,
    /// Whether it was read back from its target.
    pub is_verified: bool,
    /// What is untidy at the target, in words.
    pub warnings: Vec<String>,
    /// How long it took; nothing where that was not seen.
    pub took: Took,
}

/// How long the two halves of a backup took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Took {
    /// Reading, sealing and writing.
    pub writing: Duration,
    /// Reading it back from its target, every byte.
    pub reading_back: Duration,
}

impl Made {
    /// One whose making nobody watched: what it brings back tells of it.
    pub(super) fn at_another_time(receipt: &Receipt) -> Made {
        Made { receipt: receipt.clone(), is_verified: true, warnings: Vec::new(), took: Took::default() }
    }

    /// Number of the receipt.
    pub fn receipt_number(&self) -> i64 {
        i64::try_from(self.receipt.number).unwrap_or(i64::MAX)
    }

    /// Bytes of the backup before compression.
    pub fn bytes(&self) -> i64 {
        i64::try_from(self.receipt.bytes).unwrap_or(i64::MAX)
    }
}

/// The engine blocks: it works on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(Error::internal(panic)))
}

/// Refuses while another process works on the repository with these receipts.
pub(super) async fn refuse_busy(receipts: PathBuf) -> Result<()> {
    if blocking(move || is_at_work(&receipts)).await? {
        return Err(
            Error::busy("Another program is at work on this target.").hint("Wait until it has finished.")
        );
    }
    Ok(())
}

/// A master key that is new to the instance, if there is one, comes with what was made.
pub(super) fn write_and_read_back(
    instance: &Instance,
    engine: &Engine,
    goal: &Goal,
    pin: Pin,
    order: &Order,
) -> Result<(Made, Option<Secret<Vec<u8>>>)> {
    let master = engine.init_if_absent()?;
    if instance.keyring()?.backup_master().is_none() {
        instance.change_keyring(|keyring| {
            keyring.put_backup_master(master.expose());
            Ok(())
        })?;
    }
    let (blobs, keyring) = (layout::blobs(&instance.data), layout::keyring(&instance.data));
    let parts = Parts { pin: &pin, blobs: &blobs, keyring: &keyring };
    let (log, start) = (layout::log_of_database(&instance.data), Instant::now());
    let receipt = while_log_fits(&log, limits::LOG_BYTES_PINNED, &order.ledger, || {
        engine.backup(parts, &order.ledger)
    })?;
    let writing = start.elapsed();
    // Writers need not wait for the reading back.
    drop(pin);
    order.is_written.store(true, Relaxed);
    let proof = match engine.verify_made(&receipt, &order.ledger) {
        // It is there and signed; that somebody did not wait for the reading back does not undo it.
        Err(_) if order.ledger.go_on().is_err() => {
            let warnings = vec!["It was stopped before it was read back.".to_owned()];
            let took = Took { writing, ..Took::default() };
            return Ok((Made { receipt, is_verified: false, warnings, took }, None));
        }
        read => read?,
    };
    if let Some(error) = proof.findings.errors.first() {
        return Err(Error::invalid(format!("The backup was written and could not be read back: {error}"))
            .hint(
                "Look at the health of the target's disk; `testkeep verify` says all that is wrong there.",
            ));
    }
    let took = Took { writing, reading_back: start.elapsed() - writing };
    let is_known = goal.master.as_ref().is_some_and(|known| known == &master);
    let made = Made { receipt, is_verified: true, warnings: proof.findings.warnings, took };
    Ok((made, (!is_known).then_some(master)))
}

/// Works while the log of the database stays within a length. As long as a backup holds the file still, all that
/// is stored meanwhile stays in the log; one to a slow target would fill the disk.
fn while_log_fits<T>(
    log: &Path,
    bytes_max: u64,
    ledger: &Ledger,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let (done, ended) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while ended.recv_timeout(limits::LOG_PINNED_LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                if std::fs::metadata(log).is_ok_and(|log| log.len() > bytes_max) {
                    let grown = bytesize::ByteSize(bytes_max);
                    ledger.give_up(
                        Error::busy(format!(
                            "While it was written, more than {grown} were stored in the instance; to hold the \
                             database still for longer would fill the disk."
                        ))
                        .hint("What was sent is not sent again. Raise the rate of the target, or begin at a quieter hour."),
                    );
                    return;
                }
            }
        });
        let outcome = work();
        drop(done);
        outcome
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f08_a_backup_that_lets_the_log_grow_too_long_ends_with_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let (log, ledger) = (folder.path().join("log"), Ledger::default());
        std::fs::write(&log, [0; 1_000]).unwrap();
        // As an upload does that is asked to go on at each piece.
        let upload = |at_most: u32| {
            for _ in 0..at_most {
                ledger.go_on()?;
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
            Ok(())
        };
        while_log_fits(&log, 1_000, &ledger, || upload(12)).unwrap();
        let refused = while_log_fits(&log, 999, &ledger, || upload(100)).unwrap_err();
        assert!(refused.sentence().contains("would fill the disk"), "{refused:?}");
        assert!(!ledger.is_cancelled(), "it failed, and nobody stopped it");
    }
}
