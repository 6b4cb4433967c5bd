//! Upgrade: another version of the program takes over, after it has shown that it can.
//!
//! Here is what is written down of it, how a release is told from a forgery, and how one program takes the place
//! of another on the disk. The schema is the kernel's business, the order of the steps that of the command.

mod place;
mod release;
mod sql;

pub use place::Place;
pub use release::{Release, verified};

use crate::kernel::access::{InstanceKeep, InstanceView, Job, Permission, Read, Write};
use crate::kernel::audit::{Audited, Event, Quiet};
use crate::kernel::build;
use crate::kernel::error::Result;
use crate::kernel::id::UpgradeId;
use crate::kernel::time::Timestamp;
use crate::kernel::upgrade::SCHEMA;

const TAKEN_OVER: Event = Event::new("instance.upgraded", "Another version of the program took over.");

/// Events of this slice.
pub const EVENTS: &[Event] = &[TAKEN_OVER];

/// Notes which program starts; may do nothing else.
pub const NOTER: Job = Job {
    name: "upgrade",
    meaning: "Notes which version of the program took over.",
    may: &[InstanceKeep::INFO],
};

/// A version that took over.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The version before it; none for the first that kept such notes.
    pub from: Option<String>,
    /// The version.
    pub to: String,
    /// The schema it brought.
    pub schema: i64,
    /// When it first started.
    pub at: Timestamp,
}

/// Notes that this program starts, if it is another one than last time.
pub fn note(tx: Write<'_, InstanceKeep>) -> Result<Audited<'_, ()>> {
    let last = sql::newest(tx)?;
    if last.as_ref().is_some_and(|last| last.to == build::VERSION && last.schema == SCHEMA) {
        return Ok(tx.quiet(Quiet::Unchanged, ()));
    }
    let is_first = last.is_none();
    let id: UpgradeId = sql::insert(tx, last.map(|last| last.to), build::VERSION, SCHEMA)?;
    if is_first {
        // Nobody took anything over: the list begins.
        return Ok(tx.quiet(Quiet::Nothing, ()));
    }
    tx.audited(TAKEN_OVER.of(id).count("schema", SCHEMA), ())
}

/// The versions that took over, the newest first.
pub fn history(tx: Read<'_, InstanceView>) -> Result<Vec<Taken>> {
    sql::all(tx)
}
