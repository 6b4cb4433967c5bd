//! How well the instance is protected, in a colour and in words: each target for itself, and all together.

use super::{Backup, sql};
use crate::keeping::targets::{self, Regions, Target};
use crate::kernel::access::Tx;
use crate::kernel::error::Result;
use crate::kernel::id::TargetId;
use crate::kernel::time::Timestamp;

/// How well the instance is protected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    /// A word of the closed list of statuses: passed, blocked, failed, running or untested.
    pub tone: &'static str,
    /// The state in two or three words.
    pub word: &'static str,
    /// The state and what to do, in a sentence or two.
    pub sentence: String,
}

/// A target and how it stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The target.
    pub target: Target,
    /// Its newest backup, whatever became of it.
    pub newest: Option<Backup>,
    /// Its newest good one.
    pub good: Option<Backup>,
    /// When the next one begins by its schedule.
    pub next_at: Option<Timestamp>,
    /// All of this in words.
    pub health: Health,
}

impl Standing {
    /// Every target of the instance.
    pub fn all(tx: impl Tx) -> Result<Vec<Standing>> {
        let regions = Regions::get(tx)?;
        targets::list(tx)?.into_iter().map(|target| Standing::of(tx, target, &regions)).collect()
    }

    /// One target.
    pub fn one(tx: impl Tx, id: TargetId) -> Result<Standing> {
        Standing::of(tx, targets::get(tx, id)?, &Regions::get(tx)?)
    }

    fn of(tx: impl Tx, target: Target, regions: &Regions) -> Result<Standing> {
        let newest = sql::newest_of(tx, target.id, 1)?.pop();
        let good = sql::newest_good_of(tx, target.id)?;
        let mut health = Health::of(&target, newest.as_ref(), good.as_ref(), tx.now())?;
        if target.is_enabled
            && let Err(refused) = regions.check(&target.region)
        {
            health = Health::new("failed", "Forbidden", refused.sentence());
        }
        let next_at = target.next_at(tx.now())?;
        Ok(Standing { target, newest, good, next_at, health })
    }
}

impl Health {
    fn new(tone: &'static str, word: &'static str, sentence: impl Into<String>) -> Health {
        Health { tone, word, sentence: sentence.into() }
    }

    /// The state at this moment.
    pub fn now(tx: impl Tx) -> Result<Health> {
        let standings = Standing::all(tx)?;
        Ok(Health::together(&standings, super::is_any(tx)?))
    }

    /// The heaviest of all targets that are on.
    pub(super) fn together(standings: &[Standing], is_any: bool) -> Health {
        let on: Vec<&Standing> = standings.iter().filter(|standing| standing.target.is_enabled).collect();
        if on.is_empty() {
            return match is_any {
                true => Health::new(
                    "blocked",
                    "Only by hand",
                    "Nobody makes backups but you: no target is set up.",
                ),
                false => Health::new(
                    "blocked",
                    "Not protected",
                    "There is no backup, and no target is set up for any.",
                ),
            };
        }
        let of = |tone: &str| on.iter().filter(|standing| standing.health.tone == tone).collect::<Vec<_>>();
        for tone in ["failed", "running", "blocked"] {
            if let Some(first) = of(tone).first() {
                let Health { tone, word, sentence } = first.health.clone();
                let sentence = match on.len() {
                    1 => sentence,
                    _ => format!("{}: {sentence}", first.target.name),
                };
                return Health { tone, word, sentence };
            }
        }
        match on.len() {
            1 => on[0].health.clone(),
            count => {
                let said =
                    format!("The last backups to {count} targets were read back from there, byte for byte.");
                Health::new("passed", "Verified", said)
            }
        }
    }

    /// The state that a target and the records of its backups add up to.
    fn of(target: &Target, newest: Option<&Backup>, good: Option<&Backup>, now: Timestamp) -> Result<Health> {
        if !target.is_enabled {
            return Ok(Health::new("untested", "Switched off", "No backup goes there."));
        }
        let Some(newest) = newest else {
            return Ok(Health::new(
                "blocked",
                "No backup yet",
                "There is no backup yet. Make one now, and see that it works.",
            ));
        };
        if newest.state == "running" {
            return Ok(Health::new("running", "Being made", "A backup is being made now."));
        }
        if newest.state == "failed" && !newest.was_stopped {
            let why = newest.message.as_deref().unwrap_or("It did not say why.");
            return Ok(Health::new("failed", "Failed", format!("The last backup failed. {why}")));
        }
        let Some(good) = good else {
            return Ok(Health::new("blocked", "No backup yet", "The only backup was stopped. Make one now."));
        };
        if target.schedule.is_empty() {
            return Ok(Health::new(
                "blocked",
                "Only by hand",
                "Nobody makes backups there but you: the target has no schedule.",
            ));
        }
        if target.has_missed(Some(good.started_at), now)? {
            return Ok(Health::new(
                "blocked",
                "Too old",
                "The last backup is older than twice the time between two. Is the machine up at the hour of the schedule?",
            ));
        }
        if good.verified_at.is_none() {
            return Ok(Health::new(
                "blocked",
                "Not read back",
                "The last backup is there and signed, and was not read back: it was stopped before.",
            ));
        }
        Ok(Health::new("passed", "Verified", "The last backup was read back from its target, byte for byte."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::id::BackupId;

    const HOUR_MS: i64 = 3_600_000;
    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn backup(state: &str, hours_ago: i64) -> Backup {
        let at = Timestamp(NOW.0 - hours_ago * HOUR_MS);
        Backup {
            id: BackupId(1),
            cause: "schedule".into(),
            target: "/mnt/keep".into(),
            target_id: None,
            target_name: None,
            state: state.into(),
            started_at: at,
            finished_at: None,
            receipt: None,
            files: None,
            bytes: None,
            bytes_added: None,
            verified_at: Some(at),
            message: Some("The disk is full.".into()),
            was_stopped: false,
            gone_at: None,
        }
    }

    #[test]
    fn a_missed_or_failed_backup_is_told() {
        let target = |schedule: &str| Target { schedule: schedule.into(), ..Target::sample() };
        let word = |target: &Target, newest: Option<Backup>| {
            let good = newest.clone().filter(|backup| backup.state == "good");
            let health = Health::of(target, newest.as_ref(), good.as_ref(), NOW).unwrap();
            (health.tone, health.word)
        };
        let nightly = target("30 2 * * *");
        assert_eq!(word(&nightly, Some(backup("good", 23))), ("passed", "Verified"));
        assert_eq!(word(&nightly, Some(backup("good", 49))), ("blocked", "Too old"));
        assert_eq!(word(&nightly, Some(backup("failed", 1))), ("failed", "Failed"));
        assert_eq!(word(&nightly, Some(backup("running", 0))), ("running", "Being made"));
        assert_eq!(word(&nightly, None), ("blocked", "No backup yet"));
        assert_eq!(word(&target(""), Some(backup("good", 1))), ("blocked", "Only by hand"));
        let stopped = Backup { was_stopped: true, ..backup("failed", 1) };
        assert_eq!(word(&nightly, Some(stopped)), ("blocked", "No backup yet"));
        let unread = Backup { verified_at: None, ..backup("good", 1) };
        assert_eq!(word(&nightly, Some(unread)), ("blocked", "Not read back"));
        let off = Target { is_enabled: false, ..nightly };
        assert_eq!(word(&off, None), ("untested", "Switched off"));
    }

    #[test]
    fn one_bad_target_outweighs_all_good_ones() {
        let standing = |tone, word| Standing {
            target: Target::sample(),
            newest: None,
            good: None,
            next_at: None,
            health: Health::new(tone, word, "Said."),
        };
        let good = || standing("passed", "Verified");
        assert_eq!(Health::together(&[], false).word, "Not protected");
        assert_eq!(Health::together(&[], true).word, "Only by hand");
        assert_eq!(Health::together(&[good(), good()], true).tone, "passed");
        let mixed = [good(), standing("blocked", "Too old"), standing("failed", "Failed")];
        let health = Health::together(&mixed, true);
        assert_eq!((health.tone, health.sentence.as_str()), ("failed", "Sample: Said."));
    }
}
