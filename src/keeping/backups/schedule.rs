//! When backups are made and how long they stay: settings of the owner, and the jobs that obey them.

use super::desk::{Desk, KEEP_DEFAULT};
use super::{Cause, PLANNED};
use crate::keeping::backup::Keep;
use crate::kernel::access::{BackupRun, Job, Permission, Tx, Write};
use crate::kernel::audit::Audited;
use crate::kernel::declare::{Running, Scheduled, When};
use crate::kernel::error::{Error, Result};
use crate::kernel::schedule;
use crate::kernel::settings::{Setting, anything};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where backups go.
pub const TARGET: Setting = Setting {
    name: "backup.folder",
    default: "",
    meaning: "Folder that scheduled backups go to; empty while none is chosen.",
    check: anything,
};
/// When backups are made.
pub const PLAN: Setting = Setting {
    name: "backup.schedule",
    default: "30 2 * * *",
    meaning: "When backups are made, as a cron expression of five fields.",
    check: schedule::check,
};
/// How many backups stay.
pub const KEEP: Setting = Setting {
    name: "backup.keep",
    default: "3 14 8 12",
    meaning: "How many backups stay: the newest, and one a day, a week, a month.",
    check: |text| keep(text).map(drop),
};

/// What the owner has decided about backups.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where they go; empty while none is chosen.
    pub folder: PathBuf,
    /// When they are made.
    pub schedule: String,
    /// How many stay.
    pub keep: Keep,
}

impl Plan {
    /// The plan in force.
    pub fn get(tx: impl Tx) -> Result<Plan> {
        let keep = keep(&KEEP.get(tx)?)?;
        Ok(Plan { folder: TARGET.get(tx)?.into(), schedule: PLAN.get(tx)?, keep })
    }

    /// Whether a folder was chosen.
    pub fn has_folder(&self) -> bool {
        !self.folder.as_os_str().is_empty()
    }

    /// Puts another plan into force.
    pub fn set(self, tx: Write<'_, BackupRun>) -> Result<Audited<'_, ()>> {
        if self.has_folder() {
            check_folder(&self.folder)?;
        }
        TARGET.set(tx, &self.folder.display().to_string())?;
        PLAN.set(tx, &self.schedule)?;
        let Keep { last, daily, weekly, monthly } = self.keep;
        KEEP.set(tx, &format!("{last} {daily} {weekly} {monthly}"))?;
        tx.audited(PLANNED.alone(), ())
    }
}

/// Says why a path cannot be that of backups.
pub(super) fn check_folder(folder: &Path) -> Result<()> {
    if folder.is_absolute() {
        return Ok(());
    }
    Err(Error::invalid(format!("“{}” is not a whole path.", folder.display()))
        .hint("Write it from the root, such as /mnt/backup/testkeep."))
}

/// Four numbers: newest, daily, weekly, monthly.
fn keep(text: &str) -> Result<Keep> {
    let numbers: Vec<u32> = text.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [last, daily, weekly, monthly] = numbers[..] else { return Ok(KEEP_DEFAULT) };
    if last == 0 {
        return Err(
            Error::invalid("At least the newest backup stays.").hint("Write 1 or more for the newest.")
        );
    }
    Ok(Keep { last, daily, weekly, monthly })
}

/// Makes the backups of the schedule, and notes how those of people ended.
pub(super) const MAKER: Job = Job {
    name: "backup",
    meaning: "Makes a backup, reads it back and takes away what is past its retention.",
    may: &[BackupRun::INFO],
};
const PRUNER: Job = Job {
    name: "backup-prune",
    meaning: "Returns the space of backups that were taken away.",
    may: &[BackupRun::INFO],
};

/// The backup of the schedule.
pub const BACKUP: Scheduled<Arc<Desk>> = Scheduled { job: &MAKER, when: When::Setting(&PLAN), run: make };

/// Space is returned by a job of its own: never in the same run as a backup, and two-phase, because
/// that delay is what protects a backup that somebody makes meanwhile.
pub const PRUNE: Scheduled<Arc<Desk>> =
    Scheduled { job: &PRUNER, when: When::Cron("15 5 * * SUN"), run: prune };

fn make(desk: Arc<Desk>) -> Running {
    Box::pin(async move {
        let gate = desk.instance.door.job(&MAKER).gate::<BackupRun>(());
        let plan = gate.read(|tx| Plan::get(tx)).await?;
        if !plan.has_folder() {
            return Ok("No folder is chosen, so nothing was backed up.".into());
        }
        let made = desk.make(&gate, Cause::Schedule, &plan.folder).await?;
        let gone = desk.forget(&gate, &plan).await?;
        Ok(format!("Backup {} is made and read back; {gone} were past their retention.", made.receipt.number))
    })
}

fn prune(desk: Arc<Desk>) -> Running {
    Box::pin(async move {
        let gate = desk.instance.door.job(&PRUNER).gate::<BackupRun>(());
        let folder = gate.read(|tx| Plan::get(tx)).await?.folder;
        if !folder.as_path().exists() || folder == Path::new("") {
            return Ok("There is no repository to prune.".into());
        }
        desk.prune(&folder).await?;
        Ok("The space of old backups is returned.".into())
    })
}
