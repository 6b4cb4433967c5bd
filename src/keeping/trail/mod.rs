//! The audit trail on a page and over the API: who did what, when, from where, and is it whole.
//!
//! The trail itself is the kernel's (`kernel::audit`). This slice puts names to its numbers, shows them and
//! hands them out; it can change nothing in it but add that somebody did so.

mod api;
mod asked;
mod checked;
mod events;
mod export;
mod kept;
mod names;
mod pages;
mod sql;

pub use api::Api;
pub use checked::{Checked, verify};
pub use events::all as events;
pub use kept::{Kept, note_exchange};
pub use names::Fact;

use crate::kernel::access::{AuditView, ProjectAudit, Read};
use crate::kernel::audit::{self, Event, Filter, Line, Verdict};
use crate::kernel::error::Result;
use crate::kernel::limits;
use crate::web::routes::Route;

const VERIFIED: Event = Event::new("audit.verified", "The audit trail was checked from its first entry.");
const EXPORTED: Event = Event::new("audit.exported", "Entries of the audit trail were exported.");
/// Events of this slice.
pub const EVENTS: &[Event] = &[VERIFIED, EXPORTED, kept::EXCHANGED];

/// Routes of the pages and of the API.
pub fn routes() -> Vec<Route> {
    pages::routes().into_iter().chain(export::routes()).chain(api::routes()).collect()
}

/// An entry with names where the trail has numbers.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The entry as it stands in the chain.
    pub line: Line,
    /// Name of who acted.
    pub who: String,
    /// What happened, in one sentence without its full stop.
    pub what: &'static str,
    /// What it is about.
    pub facts: Vec<Fact>,
    /// Key of the project, empty outside one.
    pub project: String,
}

/// A page of the whole trail, newest first.
pub fn list(tx: Read<'_, AuditView>, filter: &Filter) -> Result<Vec<Entry>> {
    names::named(tx, audit::list(tx, filter)?)
}

/// A page of one project's trail, newest first.
pub fn list_in_project(tx: Read<'_, ProjectAudit>, filter: &Filter) -> Result<Vec<Entry>> {
    names::named(tx, audit::list_in_project(tx, filter)?)
}

/// How many entries there are: the trail has no gaps.
pub fn length(tx: Read<'_, AuditView>) -> Result<i64> {
    Ok(audit::list(tx, &Filter::default())?.first().map_or(0, |line| line.seq))
}

/// The cursor of the page after this one; none if this is the last.
fn next(entries: &[Entry]) -> Option<i64> {
    let is_full = entries.len() as i64 == limits::AUDIT_PAGE;
    entries.last().filter(|_| is_full).map(|entry| entry.line.seq)
}

/// The verdict in words.
pub fn in_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Whole(head) => {
            format!("The trail is whole: {} entries, none missing, none changed.", head.seq)
        }
        Verdict::BrokenAt(seq) => {
            format!("The trail is broken: entry {seq} was changed, moved or taken out.")
        }
        Verdict::CutShort { should_reach } => {
            format!("The trail was cut short: it once reached entry {should_reach}.")
        }
    }
}
