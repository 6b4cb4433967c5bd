//! Tier 5: what was checked.

pub mod runs;

pub mod results;

pub mod trash;

pub mod home;

use crate::kernel::audit::Event;

/// Every kind of entry that this area causes.
pub fn events() -> Vec<&'static Event> {
    [runs::EVENTS, results::EVENTS].into_iter().flatten().collect()
}
