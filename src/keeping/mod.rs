//! Tier 7: the instance looks after itself.

pub mod certificates;

pub mod backup;

pub mod takeover;

pub mod targets;

pub mod backups;

pub mod shipping;

pub mod keys;

pub mod recovery;

pub mod drills;

pub mod restores;

pub mod standby;

pub mod trail;

pub mod upgrade;

pub mod maintenance;

pub mod integrity;

pub mod retention;

pub mod storage;

pub mod overview;

pub mod runbook;

pub use crate::kernel::alarms;

use crate::kernel::audit::Event;

/// Every kind of entry that this area causes.
pub fn events() -> Vec<&'static Event> {
    [
        alarms::EVENTS,
        certificates::EVENTS,
        takeover::EVENTS,
        targets::EVENTS,
        backups::EVENTS,
        shipping::EVENTS,
        keys::EVENTS,
        recovery::EVENTS,
        drills::EVENTS,
        restores::EVENTS,
        standby::EVENTS,
        runbook::EVENTS,
        trail::EVENTS,
        upgrade::EVENTS,
        maintenance::EVENTS,
        overview::EVENTS,
        integrity::EVENTS,
        retention::EVENTS,
    ]
    .into_iter()
    .flatten()
    .collect()
}
