//! How well the instance is protected, in a colour and in words.

use super::{Backup, Plan};
use crate::kernel::access::Tx;
use crate::kernel::error::Result;
use crate::kernel::schedule;
use crate::kernel::time::Timestamp;

/// How well the instance is protected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    /// A word of the closed list of statuses: passed, blocked, failed or running.
    pub tone: &'static str,
    /// The state in two or three words.
    pub word: &'static str,
    /// The state and what to do, in a sentence or two.
    pub sentence: String,
}

impl Health {
    fn new(tone: &'static str, word: &'static str, sentence: impl Into<String>) -> Health {
        Health { tone, word, sentence: sentence.into() }
    }

    /// The state at this moment.
    pub fn now(tx: impl Tx) -> Result<Health> {
        let newest = super::sql::newest(tx)?;
        let good = super::newest_good(tx)?;
        Health::of(&Plan::get(tx)?, newest.first(), good.as_ref(), tx.now())
    }

    /// The state that a plan and the records of its backups add up to.
    pub(super) fn of(
        plan: &Plan,
        newest: Option<&Backup>,
        good: Option<&Backup>,
        now: Timestamp,
    ) -> Result<Health> {
        let Some(newest) = newest else {
            return Ok(if plan.has_folder() {
                Health::new(
                    "blocked",
                    "No backup yet",
                    "There is no backup yet. Make one now, and see that it works.",
                )
            } else {
                Health::new(
                    "blocked",
                    "Not protected",
                    "There is no backup, and no folder is chosen for any.",
                )
            });
        };
        if newest.state == "running" {
            return Ok(Health::new("running", "Being made", "A backup is being made now."));
        }
        if newest.state == "failed" {
            let why = newest.message.as_deref().unwrap_or("It did not say why.");
            return Ok(Health::new("failed", "Failed", format!("The last backup failed. {why}")));
        }
        if !plan.has_folder() || plan.schedule.is_empty() {
            return Ok(Health::new(
                "blocked",
                "Only by hand",
                "Nobody makes backups but you: there is no folder or no schedule for them.",
            ));
        }
        let last = good.map_or(newest.started_at, |good| good.started_at);
        if missed_twice(&plan.schedule, last, now)? {
            return Ok(Health::new(
                "blocked",
                "Too old",
                "The last backup is older than twice the time between two. Is the machine up at the hour of the schedule?",
            ));
        }
        Ok(Health::new("passed", "Verified", "The last backup was read back from its folder, byte for byte."))
    }
}

/// Whether the second backup that should have followed is due as well.
fn missed_twice(expression: &str, last: Timestamp, now: Timestamp) -> Result<bool> {
    let Some(first) = schedule::next(expression, last)? else { return Ok(false) };
    Ok(schedule::next(expression, first)?.is_some_and(|second| second <= now))
}

#[cfg(test)]
mod tests {
    use super::super::desk::KEEP_DEFAULT;
    use super::*;
    use crate::kernel::id::BackupId;

    const HOUR_MS: i64 = 3_600_000;
    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn backup(state: &str, hours_ago: i64) -> Backup {
        Backup {
            id: BackupId(1),
            cause: "schedule".into(),
            target: "/mnt/keep".into(),
            state: state.into(),
            started_at: Timestamp(NOW.0 - hours_ago * HOUR_MS),
            finished_at: None,
            receipt: None,
            files: None,
            bytes: None,
            bytes_added: None,
            verified_at: None,
            message: Some("The disk is full.".into()),
        }
    }

    #[test]
    fn a_missed_or_failed_backup_is_told() {
        let plan = |folder: &str, schedule: &str| Plan {
            folder: folder.into(),
            schedule: schedule.into(),
            keep: KEEP_DEFAULT,
        };
        let word = |plan: &Plan, newest: Option<Backup>| {
            let health = Health::of(plan, newest.as_ref(), newest.as_ref(), NOW).unwrap();
            (health.tone, health.word)
        };
        let nightly = plan("/mnt/keep", "30 2 * * *");
        assert_eq!(word(&nightly, Some(backup("good", 23))), ("passed", "Verified"));
        assert_eq!(word(&nightly, Some(backup("good", 49))), ("blocked", "Too old"));
        assert_eq!(word(&nightly, Some(backup("failed", 1))), ("failed", "Failed"));
        assert_eq!(word(&nightly, Some(backup("running", 0))), ("running", "Being made"));
        assert_eq!(word(&nightly, None), ("blocked", "No backup yet"));
        assert_eq!(word(&plan("", "30 2 * * *"), None), ("blocked", "Not protected"));
        assert_eq!(word(&plan("", "30 2 * * *"), Some(backup("good", 1))), ("blocked", "Only by hand"));
        assert_eq!(word(&plan("/mnt/keep", ""), Some(backup("good", 1))), ("blocked", "Only by hand"));
    }
}
