//! Backups as the owner sees them: made now or by schedule, read back, recorded, thinned out.
//!
//! The engine (`keeping::backup`) knows repositories and receipts; this slice knows the instance, its
//! settings and its records.

mod api;
mod desk;
mod health;
mod pages;
mod reading;
mod schedule;
mod sql;

pub use api::{Api, no_folder};
pub use desk::{Desk, Made};
pub use health::Health;
pub use reading::SCRATCH;
pub use schedule::{BACKUP, KEEP, PLAN, PRUNE, Plan, TARGET};

use crate::keeping::backup::Receipt;
use crate::kernel::access::{BackupRun, BackupView, Read, Tx, Write};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::error::Result;
use crate::kernel::id::BackupId;
use crate::kernel::time::Timestamp;
use crate::web::routes::Route;

const STARTED: Event = Event::new("backup.started", "A backup was started.");
const MADE: Event = Event::new("backup.made", "A backup was made, read back and signed.");
const FAILED: Event = Event::new("backup.failed", "A backup failed; nothing of it counts.");
const VERIFIED: Event = Event::new("backup.verified", "A backup was read back from its target.");
const PLANNED: Event = Event::new("backup.planned", "Target, schedule or retention of backups were changed.");
const PRUNED: Event = Event::new("backup.pruned", "Backups past their retention were taken away.");

const STOPPED: Event = Event::new("backup.stopped", "Somebody stopped a backup.");

/// Events of this slice.
pub const EVENTS: &[Event] = &[STARTED, MADE, FAILED, STOPPED, VERIFIED, PLANNED, PRUNED];

/// Routes of the page and of the API.
pub fn routes() -> Vec<Route> {
    pages::routes().into_iter().chain(api::routes()).collect()
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
    /// Folder it went to.
    pub target: String,
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

fn start(tx: Write<'_, BackupRun>, cause: Cause, target: String) -> Result<Audited<'_, BackupId>> {
    // A process that was killed left its record running; it is no backup.
    sql::fail_abandoned(tx)?;
    let id = sql::insert(tx, cause.word(), &target)?;
    tx.audited(STARTED.of(id), id)
}

fn finish(tx: Write<'_, BackupRun>, id: BackupId, made: Made) -> Result<Audited<'_, Made>> {
    sql::finish(tx, id, &made)?;
    let entry = MADE.of(id).count("receipt", made.receipt_number()).count("bytes", made.bytes());
    tx.audited(entry, made)
}

/// Settles the record of the backup from which this instance came back: at the moment of its pin it was
/// still running. The caller writes the entry.
pub fn settle(tx: Write<'_, BackupRun>, receipt: &Receipt) -> Result<()> {
    match sql::running(tx)? {
        Some(id) => {
            sql::finish(tx, id, &Made { receipt: receipt.clone(), is_verified: true, warnings: Vec::new() })
        }
        None => Ok(()),
    }
}

fn fail<'t>(tx: Write<'t, BackupRun>, id: BackupId, message: &str) -> Result<Audited<'t, ()>> {
    sql::fail(tx, id, message)?;
    tx.audited(FAILED.of(id), ())
}

fn note_verified(tx: Write<'_, BackupRun>, receipt: i64) -> Result<Audited<'_, ()>> {
    sql::set_verified(tx, receipt)?;
    tx.audited(VERIFIED.alone().count("receipt", receipt), ())
}
