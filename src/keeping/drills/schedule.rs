//! When drills are held and what they are held against: settings of the owner, and the jobs that obey them.

use super::{PLANNED, run, sql};
use crate::keeping::alarms::{self, Alarm};
use crate::keeping::backups::{Cause, Desk, Plan, SCRATCH};
use crate::kernel::access::{BackupRun, Job, Permission, Tx, Write};
use crate::kernel::audit::{Audited, Quiet};
use crate::kernel::declare::{Running, Scheduled, When};
use crate::kernel::error::{Error, Result};
use crate::kernel::schedule;
use crate::kernel::settings::Setting;
use crate::kernel::time::Timestamp;
use std::sync::Arc;

const MINUTE_MS: i64 = 60_000;

/// When drills are held.
pub const PLAN: Setting = Setting {
    name: "drill.schedule",
    default: "10 4 * * SAT",
    meaning: "When a drill is held, as a cron expression of five fields; empty for never.",
    check: schedule::check,
};
/// How old data from a backup may be.
pub const RPO_GOAL: Setting = Setting {
    name: "drill.rpo_minutes",
    default: "1500",
    meaning: "How old the data of the newest backup may be, in minutes.",
    check: |text| minutes(text).map(drop),
};
/// How long bringing it back may take.
pub const RTO_GOAL: Setting = Setting {
    name: "drill.rto_minutes",
    default: "60",
    meaning: "How long it may take until a backup is brought back and proven, in minutes.",
    check: |text| minutes(text).map(drop),
};

fn minutes(text: &str) -> Result<i64> {
    text.parse::<i64>().ok().filter(|minutes| (1..=5_256_000).contains(minutes)).ok_or_else(|| {
        Error::invalid(format!("“{text}” is no number of minutes.")).hint("Write a number from 1 on.")
    })
}

/// What the owner wants of drills.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Goals {
    /// When they are held; empty for never.
    pub schedule: String,
    /// How old the data may be, in minutes.
    pub rpo_minutes: i64,
    /// How long it may take, in minutes.
    pub rto_minutes: i64,
    /// Folder for scratch copies; empty for the data folder.
    pub scratch: String,
}

impl Goals {
    /// What holds now.
    pub fn get(tx: impl Tx) -> Result<Goals> {
        Ok(Goals {
            schedule: PLAN.get(tx)?,
            rpo_minutes: minutes(&RPO_GOAL.get(tx)?)?,
            rto_minutes: minutes(&RTO_GOAL.get(tx)?)?,
            scratch: SCRATCH.get(tx)?,
        })
    }

    /// Puts other ones into force.
    pub fn set(self, tx: Write<'_, BackupRun>) -> Result<Audited<'_, ()>> {
        PLAN.set(tx, &self.schedule)?;
        RPO_GOAL.set(tx, &self.rpo_minutes.to_string())?;
        RTO_GOAL.set(tx, &self.rto_minutes.to_string())?;
        SCRATCH.set(tx, &self.scratch)?;
        tx.audited(PLANNED.alone(), ())
    }

    /// How old the data may be, in milliseconds.
    pub fn rpo_ms(&self) -> i64 {
        self.rpo_minutes.saturating_mul(MINUTE_MS)
    }

    /// How long it may take, in milliseconds.
    pub fn rto_ms(&self) -> i64 {
        self.rto_minutes.saturating_mul(MINUTE_MS)
    }
}

/// Holds the drills of the schedule, and keeps the records of all.
pub(super) const DRILLER: Job = Job {
    name: "drill",
    meaning: "Brings the newest backup back beside the instance and proves it.",
    may: &[BackupRun::INFO],
};
const WATCHER: Job = Job {
    name: "drill-watch",
    meaning: "Raises an alarm when no drill was good for too long.",
    may: &[BackupRun::INFO],
};

/// The drill of the schedule.
pub const DRILL: Scheduled<Arc<Desk>> = Scheduled { job: &DRILLER, when: When::Setting(&PLAN), run: hold };
/// Finds out that drills were missed.
pub const WATCH: Scheduled<Arc<Desk>> =
    Scheduled { job: &WATCHER, when: When::Cron("25 * * * *"), run: watch };

fn hold(desk: Arc<Desk>) -> Running {
    Box::pin(async move {
        let gate = desk.instance.door.job(&DRILLER).gate::<BackupRun>(());
        let plan = gate.read(|tx| Plan::get(tx)).await?;
        if !plan.has_folder() {
            return Ok("No target is chosen, so there is nothing to bring back.".into());
        }
        let proof = run(&desk, &gate, Cause::Schedule, &plan.folder).await?;
        Ok(format!("Backup {} came back and was proven.", proof.receipt))
    })
}

fn watch(desk: Arc<Desk>) -> Running {
    Box::pin(async move {
        let gate = desk.instance.door.job(&WATCHER).gate::<BackupRun>(());
        let is_missed = gate.write(|tx| {
            let is_missed = is_missed(tx)?;
            match is_missed {
                true => alarms::raise(
                    tx,
                    Alarm::DrillMissed,
                    "",
                    "No drill was good for twice the time between two. Hold one now, and see why none was.",
                )?,
                false => alarms::clear(tx, Alarm::DrillMissed, "")?,
            }
            Ok(tx.quiet(Quiet::JobHeartbeat, is_missed))
        });
        let is_missed = is_missed.await?;
        Ok(if is_missed { "Drills were missed." } else { "Drills are held as planned." }.into())
    })
}

/// Whether the second drill that should have followed the last good one is due as well. Counts from the first
/// backup where no drill was ever good.
fn is_missed(tx: impl Tx) -> Result<bool> {
    let expression = PLAN.get(tx)?;
    if expression.is_empty() || !Plan::get(tx)?.has_folder() {
        return Ok(false);
    }
    let last = match sql::newest_good(tx)? {
        Some(drill) => Some(drill.started_at),
        None => sql::first_backup(tx)?,
    };
    let Some(last) = last else { return Ok(false) };
    missed_twice(&expression, last, tx.now())
}

fn missed_twice(expression: &str, last: Timestamp, now: Timestamp) -> Result<bool> {
    let Some(first) = schedule::next(expression, last)? else { return Ok(false) };
    Ok(schedule::next(expression, first)?.is_some_and(|second| second <= now))
}
