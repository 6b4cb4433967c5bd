//! Tier 4: what is to be checked. Knows nothing of runs and results.

pub mod holds;
pub mod references;
pub mod text;
pub mod verdicts;

pub mod projects;

pub mod suites;

pub mod evidence;

pub mod cases;

use crate::kernel::audit::Event;

/// Every kind of entry that this area causes.
pub fn events() -> Vec<&'static Event> {
    [projects::EVENTS, suites::EVENTS, cases::EVENTS, evidence::EVENTS].into_iter().flatten().collect()
}
