//! Shipping: what is committed between two backups goes to the target as well, every few seconds, so that a
//! restore can go to any moment.
//!
//! `record` seals commits into a queue on the disk, `ship` brings the queue to a target, `keep` does both
//! for ever and asks for the backup that a log needs before it is worth anything, `replay` brings a log back
//! on top of a backup, `reach` tells to which moments that can go. The kernel sees to it that no commit leaves the database's own log unseen.
//! An instance never waits for a target.

mod api;
pub mod follow;
mod keep;
pub mod moment;
mod pages;
mod reach;
mod record;
pub mod replay;
pub mod segment;
mod ship;
mod site;
mod sql;
mod state;
mod watch;
mod writing;

pub use api::Api;
pub use reach::{Reach, Span};

use crate::keeping::backups::Desk;
use crate::keeping::targets::{self, Target};
use crate::kernel::access::{BackupRun, InstanceKeep, Job, Permission, Read, Tx, Write};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::TargetId;
use crate::kernel::limits;
use crate::kernel::settings::Setting;
use crate::kernel::time::Timestamp;
use crate::web::routes::Route;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

const PLANNED: Event = Event::new("log.planned", "Shipping of the log was switched on or off.");
const CHOSEN: Event = Event::new("log.chosen", "Whether the log goes to a target was changed.");
const BEGUN: Event = Event::new("log.begun", "A new log was begun; the next backup can be followed by it.");

/// Events of this slice.
pub const EVENTS: &[Event] = &[PLANNED, CHOSEN, BEGUN];

/// Whether the log is shipped.
pub const LOG: Setting = Setting {
    name: "backup.log",
    default: "off",
    meaning: "Whether what is committed between two backups goes to the target as well: on or off.",
    check: |text| match text {
        "on" | "off" => Ok(()),
        _ => Err(Error::invalid(format!("“{text}” is neither on nor off."))),
    },
};

/// Ships the log, and asks for the backup that it needs.
const SHIPPER: Job = Job {
    name: "log",
    meaning: "Ships what was committed, and makes the backup that a new log needs.",
    may: &[BackupRun::INFO, InstanceKeep::INFO],
};

/// Seconds between two shipments.
pub const EVERY: Setting = Setting {
    name: "backup.log_seconds",
    default: "5",
    meaning: "Seconds between two shipments of the log, 1 to 3600.",
    check: |text| Switch { is_on: true, seconds: text.parse().unwrap_or(0) }.check(),
};

/// What the owner has decided about shipping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Switch {
    /// Whether the log is shipped.
    pub is_on: bool,
    /// Seconds between two shipments.
    pub seconds: i64,
}

impl Switch {
    /// What holds now.
    pub fn get(tx: impl Tx) -> Result<Switch> {
        let seconds = EVERY.get(tx)?.parse().map_err(Error::internal)?;
        Ok(Switch { is_on: LOG.get(tx)? == "on", seconds })
    }

    /// From the beginning of one shipment to that of the next, in milliseconds: so much less than the seconds
    /// that everything is at its target within them.
    fn pause_ms(self) -> i64 {
        let whole = self.seconds * 1_000;
        whole - (whole / 5).min(limits::LOG_SHIPS_WITHIN_MS)
    }

    /// Says why it cannot be.
    pub fn check(&self) -> Result<()> {
        if (1..=limits::LOG_SECONDS_MAX).contains(&self.seconds) {
            return Ok(());
        }
        Err(Error::invalid(format!("Between two shipments lie 1 to {} seconds.", limits::LOG_SECONDS_MAX)))
    }

    /// Puts it into force.
    pub fn set(self, tx: Write<'_, BackupRun>) -> Result<Audited<'_, ()>> {
        LOG.set(tx, if self.is_on { "on" } else { "off" })?;
        EVERY.set(tx, &self.seconds.to_string())?;
        tx.audited(PLANNED.alone().count("on", i64::from(self.is_on)), ())
    }
}

/// A target, and whether the log goes there once it is shipped at all.
pub struct Chosen {
    /// The target.
    pub target: Target,
    /// Whether somebody wants the log there.
    pub has_log: bool,
}

impl Chosen {
    /// Whether the log can go there: a rest-server takes nothing but what restic writes.
    pub fn is_able(&self) -> bool {
        self.target.is_enabled && !self.target.address.starts_with("rest+")
    }
}

/// All targets.
pub fn chosen(tx: impl Tx) -> Result<Vec<Chosen>> {
    let chosen = sql::chosen(tx)?;
    let known = |target: Target| Chosen { has_log: chosen.contains(&target.id), target };
    Ok(targets::list(tx)?.into_iter().map(known).collect())
}

/// Says whether the log goes to a target.
pub fn choose(tx: Write<'_, BackupRun>, target: TargetId, has_log: bool) -> Result<Audited<'_, ()>> {
    targets::get(tx, target)?;
    sql::choose(tx, target, has_log)?;
    tx.audited(CHOSEN.of(target).count("on", i64::from(has_log)), ())
}

/// Routes of the page and of the API.
pub fn routes() -> Vec<Route> {
    pages::routes().into_iter().chain(api::routes()).collect()
}

fn begun(tx: Write<'_, BackupRun>) -> Result<Audited<'_, i64>> {
    let newest = sql::newest_blob(tx)?;
    tx.audited(BEGUN.alone(), newest)
}

fn blobs_after(tx: Read<'_, BackupRun>, id: i64) -> Result<Vec<sql::Blob>> {
    sql::blobs_after(tx, id)
}

/// Bytes of sealed segments that wait in the data folder.
pub fn waiting(data: &Path) -> Result<u64> {
    Ok(state::Queue::of(data).segments()?.values().sum())
}

/// How far the log is at one target.
#[derive(Clone, Debug)]
pub struct Place {
    /// The target.
    pub id: TargetId,
    /// What people call it.
    pub name: String,
    /// Everything that was committed by then is there.
    pub reached: Option<Timestamp>,
    /// Whether a backup is there that the log follows: without one it is worth nothing.
    pub has_base: bool,
    /// Segments that wait.
    pub waiting: u32,
    /// Why it does not go on.
    pub trouble: Option<String>,
    /// Whether another machine has taken the instance over, as its mark there says.
    pub is_left_behind: bool,
    /// When its head was written, and whether nothing was new then.
    head: Option<(Timestamp, bool)>,
    /// Since when it is shipped to by this process.
    since: Timestamp,
}

impl Place {
    /// How far it is behind, in milliseconds. What it reached by a clock that was set back since is not near.
    pub fn lag_ms(&self, now: Timestamp) -> Option<i64> {
        self.reached.map(|reached| (now.0 - reached.0).abs())
    }

    /// Whether its head says enough as it is: nothing came since, and the head is not old.
    fn is_told(&self, now: Timestamp) -> bool {
        self.head.is_some_and(|(at, is_quiet)| is_quiet && (now.0 - at.0).abs() < limits::LOG_HEAD_EVERY_MS)
    }

    /// Whether somebody should look at it.
    fn is_late(&self, now: Timestamp) -> bool {
        let is_worthless = !self.has_base && (now.0 - self.since.0).abs() > limits::LOG_BASE_ALARM_MS;
        is_worthless || (now.0 - self.reached.unwrap_or(self.since).0).abs() > limits::LOG_LAG_ALARM_MS
    }

    /// A sentence on how far it is.
    pub fn sentence(&self, now: Timestamp) -> String {
        match (&self.trouble, self.lag_ms(now)) {
            (Some(trouble), _) => trouble.clone(),
            (None, _) if !self.has_base => "The backup that the log begins with is not made yet.".into(),
            (None, Some(lag)) => format!("{} s behind.", lag / 1_000),
            (None, None) => "Nothing was shipped yet.".into(),
        }
    }
}

/// The shipping of one instance.
pub struct Shipping {
    desk: Arc<Desk>,
    places: Mutex<BTreeMap<TargetId, Place>>,
    lines: Mutex<BTreeMap<TargetId, Arc<site::Line>>>,
    /// Set once a target has more of the log than there is here.
    is_overtaken: AtomicBool,
    is_started: AtomicBool,
    is_stopping: AtomicBool,
    nudge: Notify,
    stopped: Notify,
}

impl Shipping {
    /// Shipping for the instance of this desk; nothing happens before `start`.
    pub fn new(desk: Arc<Desk>) -> Arc<Shipping> {
        Arc::new(Shipping {
            desk,
            places: Mutex::default(),
            lines: Mutex::default(),
            is_overtaken: AtomicBool::new(false),
            is_started: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            nudge: Notify::new(),
            stopped: Notify::new(),
        })
    }

    /// Begins to ship, in the runtime that this is called in.
    pub fn start(self: &Arc<Self>) {
        if !self.is_started.swap(true, SeqCst) {
            tokio::spawn(Arc::clone(self).keep_on());
        }
    }

    /// How far each target is; empty while nothing is shipped.
    pub fn places(&self) -> Vec<Place> {
        self.known().values().cloned().collect()
    }

    /// How far the slowest target is behind, in milliseconds. None while nothing is shipped.
    pub fn lag_ms(&self, now: Timestamp) -> Option<i64> {
        self.known().values().map(|place| place.lag_ms(now).unwrap_or(i64::MAX)).max()
    }

    /// Looks at the settings at once.
    pub fn nudge(&self) {
        self.nudge.notify_one();
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<TargetId, Place>> {
        self.places.lock().expect("nobody panics while holding it")
    }
}
