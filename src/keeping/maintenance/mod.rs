//! Maintenance: the owner closes the instance to its people for a while, with a word about why and how long.
//!
//! The pages of the instance, signing in and the status stay open, so that whoever closed it can open it again.
//! Scheduled work and commands go on.

mod api;
mod pages;

pub use api::Api;

use crate::kernel::access::{InstanceKeep, Tx, Write};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::closure::Closed;
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::settings::{Setting, anything};
use crate::kernel::time::Timestamp;
use crate::web::routes::Route;

const CLOSED: Event = Event::new("instance.closed", "The instance was closed for maintenance.");
const OPENED: Event = Event::new("instance.opened", "The instance was opened again after maintenance.");

/// Events of this slice.
pub const EVENTS: &[Event] = &[CLOSED, OPENED];

/// Why and until when the instance is closed.
pub const MODE: Setting = Setting {
    name: "maintenance.mode",
    default: "",
    meaning: "When the instance is expected to open again, in milliseconds since 1970, and why it is closed; empty while it is open.",
    check: anything,
};

/// Routes of the page and of the API.
pub fn routes() -> Vec<Route> {
    pages::routes().into_iter().chain(api::routes()).collect()
}

/// Why the instance is closed, if it is.
pub fn now(tx: impl Tx) -> Result<Option<Closed>> {
    let text = MODE.get(tx)?;
    let Some((until, reason)) = text.split_once(' ') else { return Ok(None) };
    Ok(until.parse().ok().map(|until| Closed { reason: reason.to_owned(), until: Timestamp(until) }))
}

/// Closes the instance for so many minutes. It stays closed until somebody opens it.
pub fn close<'t>(tx: Write<'t, InstanceKeep>, minutes: i64, reason: &str) -> Result<Audited<'t, Closed>> {
    let reason = reason.trim();
    if reason.chars().count() > limits::MAINTENANCE_REASON_CHARS_MAX || reason.chars().any(char::is_control) {
        return Err(Error::invalid("This reason does not fit.")
            .hint(format!("Write up to {} characters on one line.", limits::MAINTENANCE_REASON_CHARS_MAX)));
    }
    if !(1..=limits::MAINTENANCE_MINUTES_MAX).contains(&minutes) {
        return Err(Error::invalid("Say how long it will take.")
            .hint(format!("Write 1 to {} minutes.", limits::MAINTENANCE_MINUTES_MAX)));
    }
    let closed = Closed { reason: reason.to_owned(), until: Timestamp(tx.now().0 + minutes * 60_000) };
    MODE.set(tx, &format!("{} {}", closed.until.0, closed.reason))?;
    tx.audited(CLOSED.alone().count("minutes", minutes), closed)
}

/// Opens it again.
pub fn open(tx: Write<'_, InstanceKeep>) -> Result<Audited<'_, ()>> {
    MODE.set(tx, "")?;
    tx.audited(OPENED.alone(), ())
}
