//! Reading from a target: which backups lie there, and one of them brought back beside the instance.

use super::desk::{Desk, engine};
use super::work::blocking;
use crate::keeping::backup::manifest::Manifest;
use crate::keeping::backup::restore::{self, Job};
use crate::keeping::backup::scratch::{self, Errand, Task};
use crate::keeping::backup::storage::Place;
use crate::keeping::backup::{Engine, Receipt, Scratch};
use crate::keeping::targets::{self, Goal};
use crate::kernel::access::{BackupRun, Gate, Tx};
use crate::kernel::error::{Error, Result};
use crate::kernel::layout;
use crate::kernel::settings::Setting;
use ed25519_dalek::SigningKey;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where scratch copies are made.
pub const SCRATCH: Setting = Setting {
    name: "restore.scratch",
    default: "",
    meaning: "Folder for copies of backups that drills and restores bring back; empty for one in the data folder.",
    check: |text| match text {
        "" => Ok(()),
        text => Place::folder(Path::new(text)).map(drop),
    },
};

/// The folder that drills bring backups back from: the first target that is one and is on.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its path; empty while there is none.
    pub folder: PathBuf,
    /// When backups go there, as a cron expression.
    pub schedule: String,
}

impl Plan {
    /// The folder at this moment.
    pub fn get(tx: impl Tx) -> Result<Plan> {
        for target in targets::list(tx)?.into_iter().filter(|target| target.is_enabled) {
            let place: Option<Place> = target.address.parse().ok();
            if let Some(folder) = place.as_ref().and_then(Place::as_folder) {
                return Ok(Plan { folder: folder.to_owned(), schedule: target.schedule });
            }
        }
        Ok(Plan { folder: PathBuf::new(), schedule: String::new() })
    }

    /// Whether there is one.
    pub fn has_folder(&self) -> bool {
        !self.folder.as_os_str().is_empty()
    }
}

impl Desk {
    /// The target at a folder, or the folder alone where it is none.
    pub async fn goal_at(&self, gate: &Gate<BackupRun>, folder: &Path) -> Result<Goal> {
        let (place, instance) = (Place::folder(folder)?, Arc::clone(&self.instance));
        gate.read(move |tx| {
            let address = place.to_string();
            match targets::list(tx)?.iter().find(|target| target.address == address) {
                Some(target) => Goal::even_if_off(tx, &instance, target),
                None => Goal::at(&instance, place, None),
            }
        })
        .await
    }

    /// The engine at a folder.
    fn engine(&self, folder: &Path) -> Result<Engine> {
        engine(&self.instance, &Goal::at(&self.instance, Place::folder(folder)?, None)?)
    }

    /// The backups of a target that its chain of receipts proves, oldest first. Those past their retention are
    /// among them: they have a receipt and no data any more.
    pub async fn receipts(&self, folder: &Path) -> Result<Vec<Receipt>> {
        let engine = self.engine(folder)?;
        blocking(move || engine.chain().map(|chain| chain.receipts)).await
    }

    /// Backups of a target that can be brought back, oldest first.
    pub async fn restorable(&self, folder: &Path) -> Result<Vec<Receipt>> {
        let engine = self.engine(folder)?;
        let listed = blocking(move || engine.list()).await?;
        let mut receipts: Vec<Receipt> = listed.into_iter().filter_map(|listed| listed.receipt).collect();
        receipts.sort_by_key(|receipt| receipt.number);
        Ok(receipts)
    }

    /// The newest backup that was ever made into a target, or the one of this number.
    pub async fn receipt(&self, folder: &Path, number: Option<u64>) -> Result<Receipt> {
        let mut receipts = self.receipts(folder).await?;
        let newest = receipts.last().map_or(0, |receipt| receipt.number);
        let wanted = number.unwrap_or(newest);
        let found = receipts.iter().position(|receipt| receipt.number == wanted);
        match found {
            Some(at) => Ok(receipts.swap_remove(at)),
            None if newest == 0 => {
                Err(Error::not_found(format!("There is no backup in {}.", folder.display()))
                    .hint("Make one, or name another target."))
            }
            None => Err(Error::not_found(format!("There is no backup {wanted}; the newest is {newest}."))),
        }
    }

    /// The backup of this number, and what its manifest says.
    pub async fn manifest(&self, folder: &Path, number: u64) -> Result<(Receipt, Manifest)> {
        let (receipt, engine) = (self.receipt(folder, Some(number)).await?, self.engine(folder)?);
        blocking(move || Ok((receipt.clone(), engine.manifest(&receipt)?))).await
    }

    /// Brings a backup back beside the instance, or takes the copy that was kept of it.
    pub async fn scratch(
        &self,
        folder: &Path,
        number: Option<u64>,
        task: &Arc<Task>,
    ) -> Result<Arc<Scratch>> {
        task.stage("Finding the backup", 0);
        let receipt = self.receipt(folder, number).await?;
        let target = folder.display().to_string();
        if let Some(kept) = self.bench.kept(&target, receipt.number) {
            return Ok(kept);
        }
        self.bench.clear();
        let place = self.scratch_place().await?;
        self.brought(folder, receipt, place, task).await
    }

    /// The same within the data folder, whatever place was chosen: from there it can take the place of the present.
    pub async fn scratch_within(&self, folder: &Path, number: u64, task: &Arc<Task>) -> Result<Arc<Scratch>> {
        let receipt = self.receipt(folder, Some(number)).await?;
        self.brought(folder, receipt, layout::scratch(&self.instance.data), task).await
    }

    async fn brought(
        &self,
        folder: &Path,
        receipt: Receipt,
        place: PathBuf,
        task: &Arc<Task>,
    ) -> Result<Arc<Scratch>> {
        let errand = Errand {
            job: self.reading_job(folder)?,
            receipt,
            target: folder.display().to_string(),
            keyring: self.instance.keyring()?.copy(),
            place,
        };
        let (program, task) = (std::env::current_exe().map_err(Error::internal)?, Arc::clone(task));
        blocking(move || Scratch::open(&program, errand, &task)).await.map(Arc::new)
    }

    /// Wipes what processes left behind that are gone.
    pub async fn sweep_scratch(&self) -> Result<usize> {
        let place = self.scratch_place().await?;
        blocking(move || scratch::sweep(&place)).await
    }

    async fn scratch_place(&self) -> Result<PathBuf> {
        let gate = self.instance.door.job(&super::schedule::MAKER).gate::<BackupRun>(());
        let chosen = gate.read(|tx| SCRATCH.get(tx)).await?;
        Ok(if chosen.is_empty() { layout::scratch(&self.instance.data) } else { chosen.into() })
    }

    fn reading_job(&self, folder: &Path) -> Result<Job> {
        let keyring = self.instance.keyring()?;
        // By password: each repository has a master key of its own, and the key ring knows one of them.
        let public_key = SigningKey::from_bytes(keyring.backup_signing().expose()).verifying_key();
        restore::find(folder, &keyring.backup_password(), Some(&public_key)).map(|found| found.job)
    }

    /// Where work goes on when whoever asked for it has left.
    pub fn go_on(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }
}
