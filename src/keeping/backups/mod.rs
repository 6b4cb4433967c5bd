//! Backups as the owner sees them: made now or by schedule, read back, recorded, thinned out.
//!
//! The engine (`keeping::backup`) knows repositories and receipts; this slice knows the instance, its
//! settings and its records.

mod api;
mod copies;
mod desk;
mod fetch;
mod health;
mod pages;
mod probe;
mod reading;
mod schedule;
mod sql;
mod targets_api;
mod targets_form;
mod targets_pages;
mod watch;
mod weekly;
mod work;

pub use api::{Api, no_target};
pub use copies::Copies;
pub use desk::{Desk, Progress, Step};
pub use fetch::{BroughtBack, Pause};
pub use health::{Health, Standing};
pub use probe::{Probe, is_off_machine};
pub use reading::{Chosen, SCRATCH, at, chosen, goal_at, is_any_at};
pub use schedule::{BACKUP, LOOK, PRUNE};
pub use sql::Sums;
pub use targets_api::Api as TargetsApi;
pub use weekly::READ;
pub use work::Made;

use crate::keeping::alarms::{self, Alarm};
use crate::keeping::backup::keep::would_stay;
use crate::keeping::backup::{Keep, Receipt};
use crate::keeping::targets;
use crate::kernel::access::{BackupRun, BackupView, Info, Permission, Read, RestoreView, Tx, Write};
use crate::kernel::audit::{Audited, Event, Quiet};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{BackupId, TargetId};
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use crate::people::setup;
use crate::web::routes::Route;

const STARTED: Event = Event::new("backup.started", "A backup was started.");
const MADE: Event = Event::new("backup.made", "A backup was made, read back and signed.");
const FAILED: Event = Event::new("backup.failed", "A backup failed; nothing of it counts.");
const VERIFIED: Event = Event::new("backup.verified", "A backup was read back from its target.");
/// Written by 0.1.0, which knew one folder; targets have events of their own.
const PLANNED: Event = Event::new("backup.planned", "Target, schedule or retention of backups were changed.");
const PRUNED: Event = Event::new("backup.pruned", "Backups past their retention were taken away.");

const STOPPED: Event = Event::new("backup.stopped", "Somebody stopped a backup.");

/// Events of this slice.
pub const EVENTS: &[Event] = &[STARTED, MADE, FAILED, STOPPED, VERIFIED, PLANNED, PRUNED];

/// The pages about backups: address, word, and who is led there.
pub const TABS: [(&str, &str, Info); 5] = [
    ("/instance/backups", "Backups", BackupView::INFO),
    ("/instance/backups/drills", "Drills", BackupView::INFO),
    ("/instance/backups/restore", "Restore", RestoreView::INFO),
    ("/instance/backups/log", "Point in time", BackupView::INFO),
    ("/instance/backups/runbook", "Runbook", BackupView::INFO),
];

/// Routes of the page and of the API.
pub fn routes() -> Vec<Route> {
    [pages::routes(), targets_pages::routes(), api::routes(), targets_api::routes()]
        .into_iter()
        .flatten()
        .collect()
}

/// Why a backup was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// It was due.
    Schedule,
    /// Somebody pressed the button.
    Person,
    /// Somebody ran the command.
    Command,
}

impl Cause {
    /// The word in the tables.
    pub fn word(self) -> &'static str {
        match self {
            Cause::Schedule => "schedule",
            Cause::Person => "person",
            Cause::Command => "command",
        }
    }
}

/// The record of one backup.
#[derive(Clone, Debug)]
pub struct Backup {
    /// Its number in the instance.
    pub id: BackupId,
    /// `schedule`, `person` or `command`.
    pub cause: String,
    /// Address of the place it went to.
    pub target: String,
    /// The target that this was, if it was one of the instance.
    pub target_id: Option<TargetId>,
    /// What people call that.
    pub target_name: Option<String>,
    /// `running`, `good` or `failed`.
    pub state: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Number of its signed receipt.
    pub receipt: Option<i64>,
    /// Files in it.
    pub files: Option<i64>,
    /// Bytes in it, before compression.
    pub bytes: Option<i64>,
    /// Bytes it added to the target.
    pub bytes_added: Option<i64>,
    /// When it was last read back without an error.
    pub verified_at: Option<Timestamp>,
    /// Why it failed.
    pub message: Option<String>,
    /// Whether it ended because somebody stopped it.
    pub was_stopped: bool,
    /// When its retention took it away from its target.
    pub gone_at: Option<Timestamp>,
}

/// The newest records first.
pub fn list(tx: Read<'_, BackupView>) -> Result<Vec<Backup>> {
    sql::newest(tx)
}

/// Whether a backup was ever begun.
pub fn is_any(tx: impl Tx) -> Result<bool> {
    sql::newest(tx).map(|records| !records.is_empty())
}

/// The newest good one, if there is any.
pub fn newest_good(tx: impl Tx) -> Result<Option<Backup>> {
    sql::newest_good(tx)
}

/// What happened at a target in all.
pub fn sums(tx: impl Tx, target: TargetId) -> Result<Sums> {
    sql::sums(tx, target)
}

/// The newest records of one target.
pub fn history(tx: impl Tx, target: TargetId) -> Result<Vec<Backup>> {
    sql::newest_of(tx, target, limits::BACKUPS_OF_TARGET_SHOWN)
}

/// The newest good one at a target.
pub fn newest_good_of(tx: impl Tx, target: TargetId) -> Result<Option<Backup>> {
    sql::newest_good_of(tx, target)
}

/// Good backups that are still at a target, newest first, and whether each would stay under this retention.
pub fn judged(tx: impl Tx, target: TargetId, keep: &Keep) -> Result<Vec<(Backup, bool)>> {
    let there = sql::there(tx, target)?;
    let times: Vec<i64> = there.iter().map(|backup| backup.started_at.0).collect();
    let stay = would_stay(keep, &times)?;
    Ok(there.into_iter().zip(stay).collect())
}

/// How a backup failed.
struct Failure {
    is_scheduled: bool,
    was_stopped: bool,
    /// The name of the target at which another machine is found to have taken over.
    left_behind: Option<String>,
    said: String,
}

fn start(
    tx: Write<'_, BackupRun>,
    cause: Cause,
    target: Option<TargetId>,
    place: String,
) -> Result<Audited<'_, BackupId>> {
    refuse_unclaimed(tx)?;
    // A process that was killed left its record running; it is no backup.
    settle_abandoned(tx, &place)?;
    let id = sql::insert(tx, cause.word(), target, &place)?;
    if let (Cause::Schedule, Some(target)) = (cause, target) {
        targets::note_tried(tx, target)?;
    }
    tx.audited(STARTED.of(id), id)
}

/// The password of the repository comes from the kit, and the kit is shown when the instance is claimed.
fn refuse_unclaimed(tx: impl Tx) -> Result<()> {
    if setup::instance(tx)?.is_some_and(|instance| instance.claimed_at.is_some()) {
        return Ok(());
    }
    Err(Error::conflict("Nobody has set this instance up yet, so nobody has the kit that opens its backups.")
        .hint("Open the link that `testkeep serve` prints, or run `testkeep setup`."))
}

/// Closes the records of backups to a place where nobody works any more. One by schedule is tried again.
fn settle_abandoned(tx: Write<'_, BackupRun>, place: &str) -> Result<usize> {
    let cut = sql::abandoned(tx, place)?;
    for backup in &cut {
        let failure = Failure {
            is_scheduled: backup.cause == Cause::Schedule.word(),
            was_stopped: false,
            left_behind: None,
            said: "The program ended in the middle.".into(),
        };
        note_failed(tx, backup.id, backup.target_id, &failure)?;
    }
    Ok(cut.len())
}

/// Its turn has come.
fn begin(tx: Write<'_, BackupRun>, id: BackupId) -> Result<Audited<'_, ()>> {
    sql::set_begun(tx, id)?;
    Ok(tx.quiet(Quiet::JobHeartbeat, ()))
}

fn finish(
    tx: Write<'_, BackupRun>,
    id: BackupId,
    target: Option<TargetId>,
    made: Made,
) -> Result<Audited<'_, Made>> {
    sql::finish(tx, id, &made)?;
    if let Some(target) = target {
        targets::note_good(tx, target)?;
    }
    let entry = MADE.of(id).count("receipt", made.receipt_number()).count("bytes", made.bytes());
    tx.audited(entry, made)
}

/// Settles the record of the backup from which this instance came back: at the moment of its pin it was
/// still running, unless its log was followed to its end. The caller writes the entry.
pub fn settle(tx: Write<'_, BackupRun>, receipt: &Receipt) -> Result<()> {
    if sql::is_noted(tx, &receipt.snapshot)? {
        return Ok(());
    }
    match sql::running(tx)? {
        Some(id) => sql::finish(tx, id, &Made::at_another_time(receipt)),
        None => Ok(()),
    }
}

fn fail<'t>(
    tx: Write<'t, BackupRun>,
    id: BackupId,
    target: Option<TargetId>,
    failure: &Failure,
) -> Result<Audited<'t, ()>> {
    note_failed(tx, id, target, failure)?;
    if let Some(name) = &failure.left_behind {
        alarms::raise(tx, Alarm::TakenOver, name, &failure.said)?;
    }
    tx.audited(FAILED.of(id), ())
}

fn note_failed(
    tx: Write<'_, BackupRun>,
    id: BackupId,
    target: Option<TargetId>,
    failure: &Failure,
) -> Result<()> {
    sql::fail(tx, id, &failure.said, failure.was_stopped)?;
    match target {
        // What somebody stopped is no failure: nobody needs an alarm, and it is not tried again.
        Some(target) if !failure.was_stopped => {
            targets::note_failed(tx, target, failure.is_scheduled, &failure.said)
        }
        _ => Ok(()),
    }
}

fn note_gone<'t>(
    tx: Write<'t, BackupRun>,
    target: TargetId,
    snapshots: &[String],
) -> Result<Audited<'t, ()>> {
    snapshots.iter().try_for_each(|snapshot| sql::set_gone(tx, target, snapshot))?;
    let count = i64::try_from(snapshots.len()).unwrap_or(i64::MAX);
    tx.audited(PRUNED.of(target).count("backups", count), ())
}

fn note_verified<'t>(tx: Write<'t, BackupRun>, receipt: i64, place: &str) -> Result<Audited<'t, ()>> {
    sql::set_verified(tx, receipt, place)?;
    tx.audited(VERIFIED.alone().count("receipt", receipt), ())
}
