//! Drills: the newest backup of a target brought back and proven, by schedule or by button, with a record of it.
//!
//! How a backup comes back and what is looked at belongs to `keeping::backup`. This slice knows when, keeps the
//! records, measures how old the data was and how long it took, and raises the alarms.

mod api;
mod evidence;
mod pages;
mod run;
mod schedule;
mod sql;
mod turn;

pub use api::Api;
pub use evidence::Evidence;
pub use run::{begin, run};
pub use schedule::{DRILL, Goals, PLAN, RPO_GOAL, RTO_GOAL, WATCH};
pub use turn::{Proven, in_turn, named, proofs};

use crate::keeping::alarms::{self, Alarm};
use crate::keeping::backup::Receipt;
use crate::kernel::access::{BackupRun, BackupView, Read, Tx, Write};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::DrillId;
use crate::kernel::time::Timestamp;
use crate::web::routes::Route;

const STARTED: Event = Event::new("drill.started", "A drill was started: the newest backup is brought back.");
const PROVEN: Event = Event::new("drill.proven", "A drill brought the newest backup back and proved it.");
const FAILED: Event = Event::new("drill.failed", "A drill could not bring the newest backup back.");
const STOPPED: Event = Event::new("drill.stopped", "Somebody stopped a drill.");
const PLANNED: Event = Event::new("drill.planned", "The schedule or the goals of drills were changed.");

/// Events of this slice.
pub const EVENTS: &[Event] = &[STARTED, PROVEN, FAILED, STOPPED, PLANNED];

/// Routes of the page and of the API.
pub fn routes() -> Vec<Route> {
    pages::routes().into_iter().chain(api::routes()).collect()
}

/// The record of one drill.
#[derive(Clone, Debug)]
pub struct Drill {
    /// Its number in the instance.
    pub id: DrillId,
    /// `schedule`, `person` or `command`.
    pub cause: String,
    /// Address of the place where the backup lay.
    pub target: String,
    /// What people call the target that is there now.
    pub target_name: Option<String>,
    /// `running`, `good`, `failed` or `stopped`.
    pub state: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Number of the backup.
    pub receipt: Option<i64>,
    /// How old the data in it was, in milliseconds.
    pub rpo_ms: Option<i64>,
    /// How long it took until everything was proven, in milliseconds.
    pub rto_ms: Option<i64>,
    /// One hash over all user data in it.
    pub digest: Option<String>,
    /// The signed record.
    pub evidence: Option<String>,
    /// Why it failed.
    pub message: Option<String>,
}

impl Drill {
    /// What people call the target, or its address where it is none.
    pub fn shown_target(&self) -> &str {
        self.target_name.as_deref().unwrap_or(&self.target)
    }

    /// What was looked at, out of the signed record.
    pub fn proof(&self) -> Option<Evidence> {
        self.evidence.as_deref().and_then(Evidence::parse)
    }
}

/// The newest records first.
pub fn list(tx: Read<'_, BackupView>) -> Result<Vec<Drill>> {
    sql::newest(tx)
}

/// The last good one with a backup from this address.
pub fn newest_good_at(tx: impl Tx, address: &str) -> Result<Option<Drill>> {
    sql::newest_good_at(tx, address)
}

/// One of them.
pub fn get(tx: Read<'_, BackupView>, id: DrillId) -> Result<Drill> {
    sql::of(tx, id)?.ok_or_else(|| Error::not_found("There is no drill of this number."))
}

/// The last one that was good, whatever the target.
pub fn newest_good(tx: impl Tx) -> Result<Option<Drill>> {
    sql::newest_good(tx)
}

fn start<'t>(tx: Write<'t, BackupRun>, cause: &str, place: &str) -> Result<Audited<'t, DrillId>> {
    // A process that was killed left its record running; it is no proof.
    sql::fail_abandoned(tx)?;
    let id = sql::insert(tx, cause, place)?;
    tx.audited(STARTED.of(id), id)
}

fn finish<'t>(
    tx: Write<'t, BackupRun>,
    id: DrillId,
    name: &str,
    proof: &Evidence,
    sealed: &str,
) -> Result<Audited<'t, ()>> {
    sql::finish(tx, id, proof, sealed)?;
    alarms::clear(tx, Alarm::DrillFailed, name)?;
    alarms::clear(tx, Alarm::DrillMissed, name)?;
    let entry = PROVEN.of(id).count("receipt", signed(proof.receipt)).count("rto_ms", proof.rto_ms);
    tx.audited(entry, ())
}

fn fail<'t>(
    tx: Write<'t, BackupRun>,
    id: DrillId,
    name: &str,
    receipt: Option<&Receipt>,
    message: &str,
) -> Result<Audited<'t, ()>> {
    sql::fail(tx, id, "failed", receipt.map(|receipt| signed(receipt.number)), message)?;
    alarms::raise(tx, Alarm::DrillFailed, name, message)?;
    tx.audited(FAILED.of(id), ())
}

fn stopped(tx: Write<'_, BackupRun>, id: DrillId) -> Result<Audited<'_, ()>> {
    sql::fail(tx, id, "stopped", None, "Somebody stopped it.")?;
    tx.audited(STOPPED.of(id), ())
}

/// Numbers of receipts fit.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
