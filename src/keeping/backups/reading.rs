//! Reading from a target: which backups lie there, and one of them brought back beside the instance.

use super::desk::{Desk, engine};
use super::work::blocking;
use super::{no_target, sql};
use crate::keeping::backup::manifest::Manifest;
use crate::keeping::backup::restore::Job;
use crate::keeping::backup::scratch::{self, Errand, Task};
use crate::keeping::backup::storage::{Place, Storage};
use crate::keeping::backup::{Engine, Receipt, Scratch};
use crate::keeping::targets::{self, Goal};
use crate::kernel::access::{BackupRun, Gate, Tx};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::TargetId;
use crate::kernel::instance::Instance;
use crate::kernel::keyring::Keyring;
use crate::kernel::layout;
use crate::kernel::settings::Setting;
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

/// A backup to be brought back: where it is, and its number. The newest that was read back unless somebody chose.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The target.
    pub goal: Goal,
    /// Number of the backup; the newest there without one.
    pub number: Option<u64>,
}

/// The backup of this number at this target; without a target, at the one with the newest that was read back.
///
/// Errors: `Conflict` if there is no target at all.
pub fn chosen(
    tx: impl Tx,
    instance: &Instance,
    target: Option<TargetId>,
    number: Option<u64>,
) -> Result<Chosen> {
    let target = match target {
        Some(id) => targets::get(tx, id)?,
        None => {
            let newest = sql::newest_verified(tx)?.map(|backup| backup.target);
            let mut all = targets::list(tx)?;
            // Without any record, as after a restore: one that is on, or any.
            let at = all.iter().position(|target| Some(&target.address) == newest.as_ref());
            let at = at.or_else(|| all.iter().position(|target| target.is_enabled));
            match at {
                Some(at) => all.swap_remove(at),
                None => all.into_iter().next().ok_or_else(no_target)?,
            }
        }
    };
    at(tx, Goal::even_if_off(tx, instance, &target)?, number)
}

/// The backup of this number there, or the newest that was read back.
pub fn at(tx: impl Tx, goal: Goal, number: Option<u64>) -> Result<Chosen> {
    let proven = sql::newest_verified_at(tx, &goal.place.to_string())?;
    let number = number.or_else(|| proven.and_then(|receipt| u64::try_from(receipt).ok()));
    Ok(Chosen { goal, number })
}

/// The target at an address that a record names, or the place alone where it needs no secret.
pub fn goal_at(tx: impl Tx, instance: &Instance, address: &str) -> Result<Goal> {
    Goal::named(tx, instance, "", address.parse(), None)
}

/// Whether a good backup was ever made to this address.
pub fn is_any_at(tx: impl Tx, address: &str) -> Result<bool> {
    sql::is_any_good_at(tx, address)
}

impl Desk {
    /// Where the present may be backed up before another state takes its place: the same target if backups may go
    /// there, else the first that they may go to.
    pub async fn goal_for_present(&self, gate: &Gate<BackupRun>, first: &Goal) -> Result<Goal> {
        let (instance, first) = (Arc::clone(&self.instance), first.clone());
        gate.read(move |tx| {
            let all = targets::list(tx)?;
            let Some(own) = all.iter().find(|target| Some(target.id) == first.id) else { return Ok(first) };
            let refused = match Goal::of(tx, &instance, own) {
                Ok(goal) => return Ok(goal),
                Err(refused) => refused,
            };
            all.iter().find_map(|target| Goal::of(tx, &instance, target).ok()).ok_or(refused)
        })
        .await
    }

    /// The backups of a target that its chain of receipts proves, oldest first. Those past their retention are
    /// among them: they have a receipt and no data any more.
    async fn receipts(&self, goal: &Goal) -> Result<Vec<Receipt>> {
        self.with_engine(goal, |engine| engine.chain().map(|chain| chain.receipts)).await
    }

    /// Backups of a target that can be brought back, oldest first.
    pub async fn restorable(&self, goal: &Goal) -> Result<Vec<Receipt>> {
        self.with_engine(goal, Engine::restorable).await
    }

    /// Looks at the storage of a target, given the backups that can be brought back from there, oldest first.
    pub async fn look_at<T: Send + 'static>(
        &self,
        goal: &Goal,
        look: impl FnOnce(&dyn Storage, &[Receipt]) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.with_engine(goal, |engine| look(engine.storage(), &engine.restorable()?)).await
    }

    /// The newest backup that was ever made into a target, or the one of this number.
    pub async fn receipt(&self, goal: &Goal, number: Option<u64>) -> Result<Receipt> {
        let mut receipts = self.receipts(goal).await?;
        let newest = receipts.last().map_or(0, |receipt| receipt.number);
        let wanted = number.unwrap_or(newest);
        let found = receipts.iter().position(|receipt| receipt.number == wanted);
        match found {
            Some(at) => Ok(receipts.swap_remove(at)),
            None if newest == 0 => Err(Error::not_found(format!("There is no backup in {}.", goal.place))
                .hint("Make one, or name another target.")),
            None => Err(Error::not_found(format!(
                "There is no backup {wanted} in {}; the newest is {newest}.",
                goal.place
            ))),
        }
    }

    /// The backup of this number, or the newest one, and what its manifest says.
    pub async fn manifest(&self, chosen: &Chosen) -> Result<(Receipt, Manifest)> {
        let receipt = self.receipt(&chosen.goal, chosen.number).await?;
        self.with_engine(&chosen.goal, move |engine| Ok((receipt.clone(), engine.manifest(&receipt)?))).await
    }

    /// Brings a backup back beside the instance, or takes the copy that was kept of it.
    pub async fn scratch(&self, chosen: &Chosen, task: &Arc<Task>) -> Result<Arc<Scratch>> {
        task.stage("Finding the backup", 0);
        let receipt = self.receipt(&chosen.goal, chosen.number).await?;
        if let Some(kept) = self.bench.kept(&chosen.goal.place.to_string(), receipt.number) {
            return Ok(kept);
        }
        self.bench.clear();
        let place = self.scratch_place().await?;
        self.brought(&chosen.goal, receipt, place, task).await
    }

    /// The same within the data folder, whatever place was chosen: from there it can take the place of the present.
    pub async fn scratch_within(
        &self,
        goal: &Goal,
        receipt: Receipt,
        task: &Arc<Task>,
    ) -> Result<Arc<Scratch>> {
        self.brought(goal, receipt, layout::scratch(&self.instance.data), task).await
    }

    /// The same; before it is opened, `follow` brings what came after the backup into its folder, out of the same
    /// storage and with the keys of its time.
    pub async fn scratch_followed<T: Send + 'static>(
        &self,
        goal: &Goal,
        receipt: Receipt,
        task: &Arc<Task>,
        follow: impl FnOnce(&dyn Storage, &Keyring, &Path) -> Result<T> + Send + 'static,
    ) -> Result<(Arc<Scratch>, T)> {
        let place = layout::scratch(&self.instance.data);
        let (scratch, told) = self
            .opened(goal, receipt, place, task, move |engine, program, errand, task| {
                let follow = |keyring: &Keyring, data: &Path| follow(engine.storage(), keyring, data);
                Scratch::open_followed(program, errand, task, follow)
            })
            .await?;
        Ok((Arc::new(scratch), told))
    }

    async fn brought(
        &self,
        goal: &Goal,
        receipt: Receipt,
        place: PathBuf,
        task: &Arc<Task>,
    ) -> Result<Arc<Scratch>> {
        let opened = self.opened(goal, receipt, place, task, |_, program, errand, task| {
            Scratch::open(program, errand, task)
        });
        opened.await.map(Arc::new)
    }

    async fn opened<T: Send + 'static>(
        &self,
        goal: &Goal,
        receipt: Receipt,
        place: PathBuf,
        task: &Arc<Task>,
        open: impl FnOnce(&Engine, &Path, Errand, &Task) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reach, target) = (goal.reach(), goal.place.to_string());
        let keyring = self.instance.keyring()?.copy();
        let (program, task) = (std::env::current_exe().map_err(Error::internal)?, Arc::clone(task));
        self.with_engine(goal, move |engine| {
            let job = Job { reach, master: engine.master()? };
            open(engine, &program, Errand { job, receipt, target, keyring, place }, &task)
        })
        .await
    }

    /// Works with the engine at a target, on a thread that may block.
    async fn with_engine<T: Send + 'static>(
        &self,
        goal: &Goal,
        work: impl FnOnce(&Engine) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (instance, goal) = (Arc::clone(&self.instance), goal.clone());
        blocking(move || {
            // Without its key a server is not asked for anything: what is sent to it is secret.
            goal.refuse_unconfirmed()?;
            work(&engine(&instance, &goal)?)
        })
        .await
    }

    /// Wipes what processes left behind that are gone.
    pub async fn sweep_scratch(&self) -> Result<usize> {
        let place = self.scratch_place().await?;
        blocking(move || scratch::sweep(&place)).await
    }

    async fn scratch_place(&self) -> Result<PathBuf> {
        let gate = self.instance.door.job(&super::schedule::MAKER).gate::<BackupRun>(());
        let chosen = gate.read(|tx| SCRATCH.get(tx)).await?;
        Ok(if chosen.is_empty() {
            layout::scratch(&self.instance.data)
        } else {
            layout::scratch_in(chosen.as_ref())
        })
    }

    /// Where work goes on when whoever asked for it has left.
    pub fn go_on(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }
}
