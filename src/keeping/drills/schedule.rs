//! When drills are held and what they are held against: settings of the owner, and the jobs that obey them.

use super::{PLANNED, run, sql, turn};
use crate::keeping::alarms::{self, Alarm};
use crate::keeping::backups::{Cause, Desk, SCRATCH};
use crate::keeping::targets::{self, Goal, Target};
use crate::kernel::access::{BackupRun, Job, Permission, Tx, Write};
use crate::kernel::audit::{Audited, Quiet};
use crate::kernel::declare::{Running, Scheduled, When};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
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
        let instance = Arc::clone(&desk.instance);
        let next = gate.read(move |tx| {
            turn::next(tx)?.map(|target| Goal::even_if_off(tx, &instance, &target)).transpose()
        });
        let Some(goal) = next.await? else {
            return Ok("No target holds a backup, so there is nothing to bring back.".into());
        };
        let proof = run(&desk, &gate, Cause::Schedule, &goal).await?;
        Ok(format!("{}: backup {} came back and was proven.", goal.name, proof.receipt))
    })
}

fn watch(desk: Arc<Desk>) -> Running {
    Box::pin(async move {
        let gate = desk.instance.door.job(&WATCHER).gate::<BackupRun>(());
        let missed = gate.write(|tx| {
            match is_year_over(last(tx)?, tx.now()) {
                true => alarms::raise(
                    tx,
                    Alarm::DrillOverdue,
                    "",
                    "For a year no backup was brought back and proven. Hold a drill now, and choose a schedule for the next ones.",
                )?,
                false => alarms::clear(tx, Alarm::DrillOverdue, "")?,
            }
            let missed = missed(tx)?;
            let is_missed = |name: &str| missed.iter().any(|target| target.name == name);
            for raised in alarms::open(tx)? {
                if raised.alarm == Alarm::DrillMissed && !is_missed(&raised.subject) {
                    alarms::clear(tx, Alarm::DrillMissed, &raised.subject)?;
                }
            }
            for target in &missed {
                alarms::raise(
                    tx,
                    Alarm::DrillMissed,
                    &target.name,
                    "No drill of it was good for twice the time between two. Hold one now, and see why none was.",
                )?;
            }
            Ok(tx.quiet(Quiet::JobHeartbeat, missed.len()))
        });
        let missed = missed.await?;
        Ok(match missed {
            0 => "Drills are held as planned.".into(),
            count => format!("Drills of {count} targets were missed."),
        })
    })
}

/// The targets that had no good drill for too long. Counts from the first backup where no drill was ever good.
fn missed(tx: impl Tx) -> Result<Vec<Target>> {
    let (expression, targets, mut missed) = (PLAN.get(tx)?, turn::on(tx)?, Vec::new());
    if expression.is_empty() {
        return Ok(missed);
    }
    let count = targets.len();
    for target in targets {
        let last = match sql::newest_good_at(tx, &target.address)? {
            Some(drill) => Some(drill.started_at),
            None => sql::first_backup(tx, &target.address)?,
        };
        if let Some(last) = last
            && is_missed(&expression, count, last, tx.now())?
        {
            missed.push(target);
        }
    }
    Ok(missed)
}

/// Whether a target that is one of so many missed its turn twice.
fn is_missed(expression: &str, targets: usize, last: Timestamp, now: Timestamp) -> Result<bool> {
    let Some(mut at) = schedule::known(last, now) else { return Ok(true) };
    for _ in 0..targets * 2 {
        let Some(next) = schedule::next(expression, at)? else { return Ok(false) };
        at = next;
    }
    Ok(at <= now)
}

/// When a drill was last good; where none ever was, when the first backup was made.
fn last(tx: impl Tx) -> Result<Option<Timestamp>> {
    if let Some(drill) = sql::newest_good(tx)? {
        return Ok(Some(drill.started_at));
    }
    let mut first = None;
    for target in targets::list(tx)? {
        first = [first, sql::first_backup(tx, &target.address)?].into_iter().flatten().min();
    }
    Ok(first)
}

/// Whether the last drill is a year ago, whatever the schedule says and even if there is none.
fn is_year_over(last: Option<Timestamp>, now: Timestamp) -> bool {
    last.is_some_and(|last| {
        schedule::known(last, now).is_none_or(|last| now.0 - last.0 > limits::DRILL_AGE_MS_MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
    const NOW: Timestamp = Timestamp(1_767_312_000_000);

    #[test]
    fn each_of_several_targets_has_its_turn_twice_before_it_is_missed() {
        let begin = Timestamp(1_767_312_000_000);
        let after = |targets: usize, days: i64| {
            is_missed("0 4 * * *", targets, begin, Timestamp(begin.0 + days * DAY_MS)).unwrap()
        };
        assert!(!after(1, 1) && after(1, 2));
        assert!(!after(3, 5) && after(3, 6));
    }

    fn ago(days: i64) -> Option<Timestamp> {
        Some(Timestamp(NOW.0 - days * DAY_MS))
    }

    #[test]
    fn p_l5_4_a_year_without_a_good_drill_is_over_whatever_the_schedule_says() {
        assert!(!is_year_over(None, NOW), "without a backup there is nothing to bring back");
        assert!(!is_year_over(ago(1), NOW) && !is_year_over(ago(364), NOW));
        assert!(is_year_over(ago(366), NOW));
        assert!(is_year_over(ago(-400), NOW), "f20: nobody knows when that was");
    }
}
