//! How many backups stay, and which those are.

use super::{now, reported};
use crate::kernel::error::{Error, Result};
use jiff::tz::TimeZone;
use rustic_core::repofile::SnapshotFile;
use rustic_core::{ForgetSnapshot, KeepOptions};
use serde::{Deserialize, Serialize};

/// How many backups stay: the newest, and one for each of the last days, weeks and months.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    /// The newest ones, however close together.
    pub last: u32,
    /// Days with a backup.
    pub daily: u32,
    /// Weeks with a backup.
    pub weekly: u32,
    /// Months with a backup.
    pub monthly: u32,
}

/// Which of the backups made at these times (in milliseconds since 1970, the newest by its receipt first)
/// would stay, by the very rules that `forget` goes by.
pub fn would_stay(keep: &Keep, made_at_ms: &[i64]) -> Result<Vec<bool>> {
    let at = |ms: i64| jiff::Timestamp::from_millisecond(ms).map_err(Error::internal);
    let mut snapshots = Vec::new();
    for (place, ms) in made_at_ms.iter().enumerate() {
        let time = at(*ms)?.to_zoned(TimeZone::UTC);
        snapshots.push(SnapshotFile { time, label: place.to_string(), ..SnapshotFile::default() });
    }
    // The first of them is the newest.
    let number = |snapshot: &SnapshotFile| u64::MAX - snapshot.label.parse::<u64>().unwrap_or(u64::MAX);
    let mut stay = vec![false; made_at_ms.len()];
    for judged in keep.judged(snapshots, number)? {
        if let Some(place) = judged.snapshot.label.parse::<usize>().ok().and_then(|at| stay.get_mut(at)) {
            *place = judged.keep;
        }
    }
    Ok(stay)
}

impl Keep {
    /// Judges backups by their times, and keeps the newest by its receipt whatever the clock said: after a day on
    /// which it stood years ahead, every backup from then on would go as soon as it is made.
    pub(super) fn judged(
        &self,
        found: Vec<SnapshotFile>,
        number: impl Fn(&SnapshotFile) -> u64,
    ) -> Result<Vec<ForgetSnapshot>> {
        let newest = found.iter().map(&number).max();
        let judged = self.options().apply(found, &now().to_zoned(TimeZone::UTC)).map_err(reported)?;
        // Rules that keep none are for the caller to refuse.
        let keeps_some = judged.iter().any(|judged| judged.keep);
        let is_asked_for =
            |judged: &ForgetSnapshot| judged.keep || keeps_some && Some(number(&judged.snapshot)) == newest;
        Ok(judged
            .into_iter()
            .map(|judged| ForgetSnapshot { keep: is_asked_for(&judged), ..judged })
            .collect())
    }

    fn options(&self) -> KeepOptions {
        let some = |count: u32| (count > 0).then(|| i32::try_from(count).unwrap_or(i32::MAX));
        let mut options = KeepOptions::default();
        options.keep_last = some(self.last);
        options.keep_daily = some(self.daily);
        options.keep_weekly = some(self.weekly);
        options.keep_monthly = some(self.monthly);
        // Without any rule the engine refuses to judge; keeping none is refused by us, and says so.
        if [self.last, self.daily, self.weekly, self.monthly] == [0; 4] {
            options.keep_last = Some(0);
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f20_the_newest_backup_stays_though_one_before_was_made_when_the_clock_stood_years_ahead() {
        let (now, year) = (now().as_millisecond(), 365 * 24 * 3_600_000_i64);
        for keep in [
            Keep { last: 1, daily: 0, weekly: 0, monthly: 0 },
            Keep { last: 0, daily: 0, weekly: 0, monthly: 1 },
        ] {
            let stay = would_stay(&keep, &[now, now - 1, now + 4 * year, now - 2]).unwrap();
            assert_eq!(stay, [true, false, true, false]);
        }
    }
}
