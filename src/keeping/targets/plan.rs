//! When a target is due: its schedule, its zone, its blackout windows, and what happened last.
//!
//! What was missed while the program was down is caught up once. What is due inside a blackout window waits for
//! its end. What failed is tried again a few times, with growing pauses, and then left to the next night.

use super::Target;
use crate::kernel::error::Result;
use crate::kernel::limits;
use crate::kernel::schedule::{self, Zone};
use crate::kernel::time::Timestamp;

impl Target {
    /// The zone in which its schedule is read. One that this program does not know is that of the server.
    pub fn zone(&self) -> Zone {
        Zone::of(&self.zone).unwrap_or_default()
    }

    /// Whether a backup by schedule should begin now.
    pub fn is_due(&self, now: Timestamp) -> Result<bool> {
        Ok(self.next_at(now)?.is_some_and(|at| at <= now))
    }

    /// When the next backup by schedule begins; `now` if it is overdue.
    pub fn next_at(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        if !self.is_enabled || self.schedule.is_empty() {
            return Ok(None);
        }
        let planned = match self.counts_from(self.tried_at, now) {
            Some(from) => schedule::next_in(&self.schedule, self.zone(), from)?,
            None => Some(now),
        };
        let soonest = [planned, self.retry_at].into_iter().flatten().min();
        Ok(soonest.map(|at| self.blackouts.allowed_from(self.zone(), at.max(now))))
    }

    /// The next times at which a backup is due, blackout windows considered.
    pub fn upcoming(&self, now: Timestamp) -> Result<Vec<Timestamp>> {
        if !self.is_enabled {
            return Ok(Vec::new());
        }
        let count = limits::SCHEDULE_TIMES_SHOWN;
        let mut times = Vec::new();
        // Several that fall into one window become one.
        for at in schedule::upcoming(&self.schedule, self.zone(), now, count * 4)? {
            let at = self.blackouts.allowed_from(self.zone(), at);
            if times.last() != Some(&at) && times.len() < count {
                times.push(at);
            }
        }
        Ok(times)
    }

    /// Whether the newest good backup is older than the schedule allows: the second one that should have
    /// followed it is due as well.
    pub fn has_missed(&self, good: Option<Timestamp>, now: Timestamp) -> Result<bool> {
        if !self.is_enabled || self.schedule.is_empty() {
            return Ok(false);
        }
        let Some(from) = self.counts_from(good, now) else { return Ok(true) };
        let due = schedule::upcoming(&self.schedule, self.zone(), from, 2)?;
        Ok(due.get(1).is_some_and(|second| self.blackouts.allowed_from(self.zone(), *second) <= now))
    }

    /// When to try again after a backup by schedule failed; none when it was tried often enough.
    pub fn retry_after_failure(&self, now: Timestamp) -> Option<Timestamp> {
        let wait_ms = usize::try_from(self.tries).ok().and_then(|tries| limits::BACKUP_RETRY_MS.get(tries));
        wait_ms.map(|wait_ms| Timestamp(now.0 + wait_ms))
    }

    /// The schedule in words.
    pub fn schedule_words(&self) -> String {
        if self.schedule.is_empty() {
            return "By hand only.".into();
        }
        schedule::describe(&self.schedule).unwrap_or_else(|_| self.schedule.clone())
    }

    /// The moment from which the schedule counts; none where the clock was set back and nobody knows.
    fn counts_from(&self, noted: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let noted = [noted, Some(self.planned_at)].into_iter().flatten();
        noted.filter_map(|noted| schedule::known(noted, now)).max()
    }
}

#[cfg(test)]
mod tests {
    use super::super::blackout::Blackouts;
    use super::*;

    const MINUTE_MS: i64 = 60_000;
    const HOUR_MS: i64 = 60 * MINUTE_MS;
    /// Friday 2026-01-02 00:00 UTC.
    const FRIDAY: Timestamp = Timestamp(1_767_312_000_000);

    fn at(hours: i64) -> Timestamp {
        Timestamp(FRIDAY.0 + hours * HOUR_MS)
    }

    fn nightly() -> Target {
        Target { schedule: "30 2 * * *".into(), zone: "UTC".into(), planned_at: at(0), ..Target::sample() }
    }

    #[test]
    fn what_was_missed_is_caught_up_once() {
        let mut target = nightly();
        assert!(!target.is_due(at(2)).unwrap());
        assert!(target.is_due(at(3)).unwrap());
        assert!(target.is_due(at(100)).unwrap(), "down for four days");
        target.tried_at = Some(at(100));
        assert!(!target.is_due(at(101)).unwrap(), "and that was it");
        assert_eq!(target.next_at(at(101)).unwrap(), Some(Timestamp(at(122).0 + 30 * MINUTE_MS)));
        target.is_enabled = false;
        assert!(!target.is_due(at(200)).unwrap());
    }

    #[test]
    fn a_blackout_postpones_to_its_end_and_several_become_one() {
        let target = Target {
            schedule: "0 * * * *".into(),
            blackouts: Blackouts::parse("Fri 08:00-18:00").unwrap(),
            planned_at: at(8),
            ..nightly()
        };
        assert!(!target.is_due(at(12)).unwrap());
        assert_eq!(target.next_at(at(12)).unwrap(), Some(at(18)));
        assert!(target.is_due(at(18)).unwrap());
        assert_eq!(target.upcoming(at(12)).unwrap(), [at(18), at(19), at(20), at(21), at(22)]);
    }

    #[test]
    fn a_failed_one_is_tried_three_times_with_growing_pauses() {
        let mut target = Target { tried_at: Some(at(3)), ..nightly() };
        let first = target.retry_after_failure(at(3));
        assert_eq!(first, Some(Timestamp(at(3).0 + 5 * MINUTE_MS)));
        target.retry_at = first;
        assert!(!target.is_due(at(3)).unwrap() && target.is_due(at(4)).unwrap());
        target.tries = 1;
        assert_eq!(target.retry_after_failure(at(4)), Some(Timestamp(at(4).0 + 30 * MINUTE_MS)));
        target.tries = 2;
        assert_eq!(target.retry_after_failure(at(5)), None);
    }

    #[test]
    fn f20_a_record_of_a_clock_that_was_a_year_ahead_keeps_no_backup_from_being_made() {
        const YEAR: i64 = 365 * 24;
        let mut target = Target { tried_at: Some(at(YEAR)), ..nightly() };
        assert!(target.is_due(at(3)).unwrap(), "the schedule counts from what is known");
        assert!(target.has_missed(Some(at(YEAR)), at(27)).unwrap(), "nobody knows how old the newest is");
        target.planned_at = at(YEAR);
        assert!(target.is_due(at(3)).unwrap() && target.has_missed(Some(at(YEAR)), at(3)).unwrap());
        target.tried_at = Some(at(3));
        assert!(!target.is_due(at(4)).unwrap(), "and that was it");
        assert!(target.is_due(at(27)).unwrap() && !target.has_missed(Some(at(3)), at(4)).unwrap());
    }

    #[test]
    fn a_backup_is_missed_when_the_second_after_it_is_due() {
        let target = nightly();
        assert!(!target.has_missed(Some(at(3)), at(27)).unwrap());
        assert!(target.has_missed(Some(at(3)), at(51)).unwrap());
        assert!(!target.has_missed(None, at(3)).unwrap() && target.has_missed(None, at(27)).unwrap());
    }
}
