//! Upgrade: another version of the program takes over, after it has shown that it can.
//!
//! Here is what is written down of it, how long its copies stay, how a release is told from a forgery, and how one program takes the place
//! of another on the disk. The schema is the kernel's business, the order of the steps that of the command.

mod copies;
mod place;
mod release;
mod sql;

pub use copies::SWEEP;
pub use place::Place;
pub use release::{Release, verified};

use crate::kernel::access::{InstanceKeep, Job, Permission, Tx, Write};
use crate::kernel::audit::{Audited, Event, Quiet};
use crate::kernel::build;
use crate::kernel::error::Result;
use crate::kernel::id::UpgradeId;
use crate::kernel::time::Timestamp;
use crate::kernel::upgrade::SCHEMA;
use serde::Serialize;

const BEGUN: Event = Event::new("instance.upgrade_begun", "Somebody began to let another version take over.");
const TAKEN_OVER: Event = Event::new("instance.upgraded", "Another version of the program took over.");
const FAILED: Event = Event::new("instance.upgrade_failed", "Another version could not take over.");
const ROLLED_BACK: Event =
    Event::new("instance.upgrade_rolled_back", "The version from before an upgrade came back.");
const COPIES_GONE: Event =
    Event::new("instance.upgrade_copies_deleted", "Copies from before an upgrade were deleted.");

/// Events of this slice.
pub const EVENTS: &[Event] = &[BEGUN, TAKEN_OVER, FAILED, ROLLED_BACK, COPIES_GONE];

/// Notes which program starts; may do nothing else.
pub const NOTER: Job = Job {
    name: "upgrade",
    meaning: "Notes which version of the program took over.",
    may: &[InstanceKeep::INFO],
};

/// How an upgrade ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The other version took over.
    Good,
    /// It never did: a step before the exchange failed.
    Failed,
    /// It did, and the one before came back.
    RolledBack,
}

impl Outcome {
    const ALL: [Outcome; 3] = [Outcome::Good, Outcome::Failed, Outcome::RolledBack];

    fn word(self) -> &'static str {
        match self {
            Outcome::Good => "good",
            Outcome::Failed => "failed",
            Outcome::RolledBack => "rolled_back",
        }
    }

    fn event(self) -> &'static Event {
        match self {
            Outcome::Good => &TAKEN_OVER,
            Outcome::Failed => &FAILED,
            Outcome::RolledBack => &ROLLED_BACK,
        }
    }
}

/// An upgrade: one that took over, one that failed, or one that is under way.
#[derive(Clone, Debug, Serialize)]
pub struct Taken {
    /// Its number.
    #[serde(skip)]
    pub id: UpgradeId,
    /// The version before it; none for the first that kept such notes.
    pub from: Option<String>,
    /// The version; none where nobody could tell what the file was.
    pub to: Option<String>,
    /// The schema it brought.
    pub schema: i64,
    /// Who began it, as the audit trail names them; the job that found it done where no command did.
    pub actor: String,
    /// When it began.
    #[serde(serialize_with = "as_ms")]
    pub at: Timestamp,
    /// How long it took, in milliseconds; none where only its end is known, or it is under way.
    pub took_ms: Option<i64>,
    /// How it ended; none while it is under way.
    pub outcome: Option<Outcome>,
    /// Why it failed or went back.
    pub message: Option<String>,
}

fn as_ms<S: serde::Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_i64(at.0)
}

impl Taken {
    /// The version in words.
    pub fn version(&self) -> &str {
        self.to.as_deref().unwrap_or("Not known")
    }

    /// Who began it, in words.
    pub fn who(&self) -> &'static str {
        match self.actor.as_str() {
            "operator" => "A command at the machine",
            _ => "A package, or by hand",
        }
    }

    /// How it ended, in words.
    pub fn how(&self) -> &'static str {
        match self.outcome {
            None => "Under way",
            Some(Outcome::Good) => "Took over",
            Some(Outcome::Failed) => "Failed",
            Some(Outcome::RolledBack) => "Went back",
        }
    }

    /// A word of the closed list of statuses.
    pub fn tone(&self) -> &'static str {
        match self.outcome {
            None => "running",
            Some(Outcome::Good) => "passed",
            Some(Outcome::Failed) => "failed",
            Some(Outcome::RolledBack) => "blocked",
        }
    }
}

/// Notes that somebody begins to let another version take over; `to` is its version, if it could be told.
pub fn begin(tx: Write<'_, InstanceKeep>, to: Option<String>, schema: i64) -> Result<Audited<'_, UpgradeId>> {
    let id = sql::insert(tx, Some(build::VERSION.to_owned()), to, schema)?;
    tx.audited(BEGUN.of(id).count("schema", schema), id)
}

/// Notes how an upgrade ended, and why if it did not work out.
pub fn end<'t>(
    tx: Write<'t, InstanceKeep>,
    id: UpgradeId,
    outcome: Outcome,
    message: Option<&str>,
) -> Result<Audited<'t, ()>> {
    sql::finish(tx, id, outcome, message)?;
    tx.audited(outcome.event().of(id), ())
}

/// Notes that this program starts: the end of an upgrade that a command began, or one that no command did.
pub fn note(tx: Write<'_, InstanceKeep>) -> Result<Audited<'_, ()>> {
    let is_this = |taken: &Taken| taken.to.as_deref() == Some(build::VERSION) && taken.schema == SCHEMA;
    if let Some(open) = sql::unfinished(tx)? {
        return match is_this(&open) {
            true => end(tx, open.id, Outcome::Good, None),
            false => {
                end(tx, open.id, Outcome::RolledBack, Some("The version from before it has started again."))
            }
        };
    }
    let last = sql::newest_good(tx)?;
    if last.as_ref().is_some_and(is_this) {
        return Ok(tx.quiet(Quiet::Unchanged, ()));
    }
    let is_first = last.is_none();
    let from = last.and_then(|last| last.to);
    let id = sql::insert(tx, from, Some(build::VERSION.to_owned()), SCHEMA)?;
    sql::finish(tx, id, Outcome::Good, None)?;
    if is_first {
        // Nobody took anything over: the list begins.
        return Ok(tx.quiet(Quiet::Nothing, ()));
    }
    tx.audited(TAKEN_OVER.of(id).count("schema", SCHEMA), ())
}

/// Notes that somebody goes back to the version from before the newest upgrade, where the data stay as they are.
pub fn go_back(tx: Write<'_, InstanceKeep>) -> Result<Audited<'_, ()>> {
    match sql::newest_good(tx)? {
        Some(last) if last.from.is_some() => {
            end(tx, last.id, Outcome::RolledBack, Some("Somebody went back to the version from before."))
        }
        _ => Ok(tx.quiet(Quiet::Nothing, ())),
    }
}

/// Since when this version has been at work here; none before its server has started.
pub fn since(tx: impl Tx) -> Result<Option<Timestamp>> {
    let good = sql::newest_good(tx)?;
    Ok(good.filter(|good| good.to.as_deref() == Some(build::VERSION)).map(|good| good.at))
}

/// Every upgrade, the newest first.
pub fn history(tx: impl Tx) -> Result<Vec<Taken>> {
    sql::all(tx)
}
