//! The desk where backups are made: one at a time, with progress that a page and a command can show.

use super::schedule::MAKER;
use super::{Cause, Plan};
use crate::keeping::backup::{Bench, Engine, Identity, Keep, Ledger, Parts, Proof, Receipt, Target};
use crate::kernel::access::{BackupRun, Gate, Pin};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::BackupId;
use crate::kernel::instance::Instance;
use crate::kernel::layout;
use crate::kernel::limits;
use ed25519_dalek::SigningKey;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};
use tracing::{error, warn};

/// Name under which snapshots are written: the machine's own name is nobody's business.
const HOST: &str = "testkeep";

/// Makes the backups of one instance.
pub struct Desk {
    /// The instance they are of.
    pub instance: Arc<Instance>,
    /// Where backups are brought back to be looked at.
    pub bench: Arc<Bench>,
    current: Current,
    /// Where work goes on when whoever asked for it has left.
    pub(super) runtime: Handle,
}

/// The backup that runs now, if one does.
type Current = Arc<Mutex<Option<Arc<Ledger>>>>;

/// The right to make the one backup of this moment; passes on when it is dropped.
pub struct Turn {
    current: Current,
    ledger: Arc<Ledger>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.current.lock().expect("nobody panics while holding it") = None;
    }
}

/// A backup that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its signed receipt.
    pub receipt: Receipt,
    /// Whether it was read back from its target.
    pub is_verified: bool,
    /// What is untidy at the target, in words.
    pub warnings: Vec<String>,
}

impl Made {
    /// Number of the receipt.
    pub fn receipt_number(&self) -> i64 {
        i64::try_from(self.receipt.number).unwrap_or(i64::MAX)
    }

    /// Bytes of the backup before compression.
    pub fn bytes(&self) -> i64 {
        i64::try_from(self.receipt.bytes).unwrap_or(i64::MAX)
    }
}

impl Desk {
    /// A desk for this instance. What is begun at it goes on in the runtime that this is called in.
    pub fn new(instance: Arc<Instance>) -> Desk {
        Desk { instance, bench: Arc::default(), current: Current::default(), runtime: Handle::current() }
    }

    /// Bytes done and bytes in all of the backup that runs now.
    pub fn progress(&self) -> Option<(u64, u64)> {
        let current = self.current.lock().expect("nobody panics while holding it");
        current.as_ref().map(|ledger| (ledger.bytes_done.load(Relaxed), ledger.bytes_total.load(Relaxed)))
    }

    /// Stops the backup that runs now, if one does.
    pub fn cancel(&self) {
        if let Some(ledger) = &*self.current.lock().expect("nobody panics while holding it") {
            ledger.cancel();
        }
    }

    /// Stops the backup that runs now and waits until it has, but not for ever.
    pub async fn close(&self) {
        self.cancel();
        self.bench.stop();
        let stopped = async {
            while self.progress().is_some() || self.bench.progress().is_some() {
                sleep(limits::STOP_LOOK_EVERY).await;
            }
        };
        if timeout(limits::STOP_GRACE, stopped).await.is_err() {
            warn!("a backup took too long to stop and is cut short");
        }
        self.bench.clear();
    }

    /// Makes a backup in a folder, reads it back and records it. One at a time.
    pub async fn make(&self, gate: &Gate<BackupRun>, cause: Cause, folder: &Path) -> Result<Made> {
        let turn = self.take_turn()?;
        let id = noted(gate, cause, folder).await?;
        self.carry_out(gate, id, folder, &turn.ledger).await
    }

    /// Begins a backup and leaves it to itself: its record tells how it went.
    pub async fn begin(
        self: Arc<Self>,
        gate: Gate<BackupRun>,
        cause: Cause,
        folder: PathBuf,
    ) -> Result<BackupId> {
        let turn = self.take_turn()?;
        let id = noted(&gate, cause, &folder).await?;
        self.runtime.clone().spawn(async move {
            if let Err(reason) = self.carry_out(&gate, id, &folder, &turn.ledger).await {
                error!(backup = id.0, ?reason, "backup {} failed", id.0);
            }
            drop(turn);
        });
        Ok(id)
    }

    /// Keeps backups from beginning until what it gives is dropped.
    ///
    /// Errors: `Conflict` while one is being made.
    pub fn pause(&self) -> Result<Turn> {
        self.take_turn()
    }

    fn take_turn(&self) -> Result<Turn> {
        let mut current = self.current.lock().expect("nobody panics while holding it");
        if current.is_some() {
            return Err(
                Error::conflict("A backup is being made already.").hint("Wait until it is done, or stop it.")
            );
        }
        let ledger = Arc::<Ledger>::default();
        *current = Some(Arc::clone(&ledger));
        Ok(Turn { current: Arc::clone(&self.current), ledger })
    }

    async fn carry_out(
        &self,
        gate: &Gate<BackupRun>,
        id: BackupId,
        folder: &Path,
        ledger: &Arc<Ledger>,
    ) -> Result<Made> {
        match self.work(gate, folder, ledger).await {
            Ok(made) => {
                let own = made.clone();
                if gate.write(move |tx| super::finish(tx, id, own)).await.is_err() {
                    // Whoever asked for it may have signed out meanwhile; the backup is there all the same.
                    let (gate, own) = (self.instance.door.job(&MAKER).gate::<BackupRun>(()), made.clone());
                    gate.write(move |tx| super::finish(tx, id, own)).await?;
                }
                Ok(made)
            }
            Err(reason) => {
                let said = reason.sentence().to_owned();
                let gate = self.instance.door.job(&MAKER).gate::<BackupRun>(());
                gate.write(move |tx| super::fail(tx, id, &said)).await?;
                Err(reason)
            }
        }
    }

    async fn work(&self, gate: &Gate<BackupRun>, folder: &Path, ledger: &Arc<Ledger>) -> Result<Made> {
        let (instance, engine) = (Arc::clone(&self.instance), self.engine(folder)?);
        let pin = gate.pin().await?;
        let ledger = Arc::clone(ledger);
        blocking(move || write_and_read_back(&instance, &engine, pin, &ledger)).await
    }

    /// Reads the newest backup at a folder back, every byte of it, and notes that.
    pub async fn verify(&self, gate: &Gate<BackupRun>, folder: &Path) -> Result<Proof> {
        let engine = self.engine(folder)?;
        let proof = blocking(move || engine.verify_latest()).await?;
        if proof.findings.errors.is_empty() {
            let receipt = i64::try_from(proof.receipt.number).unwrap_or(i64::MAX);
            gate.write(move |tx| super::note_verified(tx, receipt)).await?;
        }
        Ok(proof)
    }

    /// Takes away what is past its retention; space is returned by `prune`.
    pub async fn forget(&self, gate: &Gate<BackupRun>, plan: &Plan) -> Result<usize> {
        let (engine, keep) = (self.engine(&plan.folder)?, plan.keep);
        let gone = blocking(move || engine.forget(&keep)).await?;
        if gone > 0 {
            let count = i64::try_from(gone).unwrap_or(i64::MAX);
            gate.write(move |tx| tx.audited(super::PRUNED.alone().count("backups", count), ())).await?;
        }
        Ok(gone)
    }

    /// Returns the space of what was forgotten.
    pub async fn prune(&self, folder: &Path) -> Result<()> {
        let engine = self.engine(folder)?;
        blocking(move || engine.prune()).await
    }

    /// Says why a folder cannot be that of backups.
    pub fn check_folder(&self, folder: &Path) -> Result<()> {
        super::schedule::check_folder(folder)?;
        outside(&self.instance.data, folder).map(drop)
    }

    /// Whether a broken disk would take the data and the folder together, as far as the system tells.
    pub fn is_on_same_disk(&self, folder: &Path) -> bool {
        let disk =
            |path: &Path| path.ancestors().find_map(|found| std::fs::metadata(found).ok()).map(|at| at.dev());
        disk(folder).is_some() && disk(folder) == disk(&self.instance.data)
    }

    pub(super) fn engine(&self, folder: &Path) -> Result<Engine> {
        let folder = outside(&self.instance.data, folder)?;
        let keyring = self.instance.keyring()?;
        let successors = keyring.backup_signing_successors();
        let successors = successors.iter().map(|seed| SigningKey::from_bytes(seed.expose())).collect();
        let identity = Identity {
            instance: keyring.uuid().to_owned(),
            host: HOST.to_owned(),
            signing: SigningKey::from_bytes(keyring.backup_signing().expose()),
        };
        Ok(Engine::new(
            Target::folder(&folder),
            keyring.backup_password(),
            keyring.backup_master(),
            identity,
            &layout::receipts(&self.instance.data),
        )
        .signing_later_with(successors))
    }
}

/// A backup inside the data folder would be lost with it.
fn outside(data: &Path, folder: &Path) -> Result<PathBuf> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(Error::internal);
    let (data, folder) = (absolute(data)?, absolute(folder)?);
    if folder.starts_with(&data) {
        return Err(Error::invalid(format!("{} lies inside the data folder.", folder.display())).hint(
            "Choose a folder outside of it, best on another disk: it must survive what it protects against.",
        ));
    }
    Ok(folder)
}

/// Writes the record of a backup that begins.
async fn noted(gate: &Gate<BackupRun>, cause: Cause, folder: &Path) -> Result<BackupId> {
    let target = folder.display().to_string();
    gate.write(move |tx| super::start(tx, cause, target)).await
}

fn write_and_read_back(instance: &Instance, engine: &Engine, pin: Pin, ledger: &Arc<Ledger>) -> Result<Made> {
    let master = engine.init_if_absent()?;
    if instance.keyring()?.backup_master().is_none() {
        instance.change_keyring(|keyring| {
            keyring.put_backup_master(master.expose());
            Ok(())
        })?;
    }
    let (blobs, keyring) = (layout::blobs(&instance.data), layout::keyring(&instance.data));
    let receipt = engine.backup(Parts { pin: &pin, blobs: &blobs, keyring: &keyring }, ledger)?;
    // Writers need not wait for the reading back.
    drop(pin);
    let proof = engine.verify_latest()?;
    if let Some(error) = proof.findings.errors.first() {
        return Err(Error::internal(error.clone()).hint(
            "The backup was written but could not be read back. Look at the health of the target's disk.",
        ));
    }
    Ok(Made { receipt, is_verified: true, warnings: proof.findings.warnings })
}

/// The engine blocks: it works on a thread of its own.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(Error::internal(panic)))
}

/// The retention of a plan that keeps everything that counts.
pub(super) const KEEP_DEFAULT: Keep = Keep { last: 3, daily: 14, weekly: 8, monthly: 12 };
