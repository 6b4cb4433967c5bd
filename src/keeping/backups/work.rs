//! The work of the desk that blocks: it runs on threads of its own.

use super::desk::{Made, Order};
use crate::keeping::backup::engine::is_at_work;
use crate::keeping::backup::{Engine, Parts};
use crate::keeping::targets::Goal;
use crate::kernel::access::Pin;
use crate::kernel::error::{Error, Result};
use crate::kernel::instance::Instance;
use crate::kernel::layout;
use crate::kernel::secret::Secret;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;

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
    let receipt = engine.backup(Parts { pin: &pin, blobs: &blobs, keyring: &keyring }, &order.ledger)?;
    // Writers need not wait for the reading back.
    drop(pin);
    order.is_written.store(true, Relaxed);
    let proof = match engine.verify_latest_with(&order.ledger) {
        // It is there and signed; that somebody did not wait for the reading back does not undo it.
        Err(_) if order.ledger.go_on().is_err() => {
            let warnings = vec!["It was stopped before it was read back.".to_owned()];
            return Ok((Made { receipt, is_verified: false, warnings }, None));
        }
        read => read?,
    };
    if let Some(error) = proof.findings.errors.first() {
        return Err(Error::internal(error.clone()).hint(
            "The backup was written but could not be read back. Look at the health of the target's disk.",
        ));
    }
    let is_known = goal.master.as_ref().is_some_and(|known| known == &master);
    let made = Made { receipt, is_verified: true, warnings: proof.findings.warnings };
    Ok((made, (!is_known).then_some(master)))
}
