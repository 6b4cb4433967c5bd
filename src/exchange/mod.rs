//! Other people's dialects: what comes in from their tools and goes out to them.
//!
//! Translates, then calls `library` and `running`; knows no rules of its own about cases and runs.

pub mod demo;
pub mod ingest;

pub mod uploads;

use crate::kernel::audit::Event;

/// Every kind of entry that exchange with other tools causes.
pub fn events() -> Vec<&'static Event> {
    uploads::EVENTS.iter().collect()
}
