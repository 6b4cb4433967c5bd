//! How many backups stay, and which those are.

use super::{now, reported};
use crate::kernel::error::{Error, Result};
use jiff::tz::TimeZone;
use rustic_core::KeepOptions;
use rustic_core::repofile::SnapshotFile;
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

/// Which of the backups made at these times (in milliseconds since 1970) would stay, by the very rules that `forget` goes by.
pub fn would_stay(keep: &Keep, made_at_ms: &[i64]) -> Result<Vec<bool>> {
    let at = |ms: i64| jiff::Timestamp::from_millisecond(ms).map_err(Error::internal);
    let mut snapshots = Vec::new();
    for (place, ms) in made_at_ms.iter().enumerate() {
        let time = at(*ms)?.to_zoned(TimeZone::UTC);
        snapshots.push(SnapshotFile { time, label: place.to_string(), ..SnapshotFile::default() });
    }
    let mut stay = vec![false; made_at_ms.len()];
    for judged in keep.options().apply(snapshots, &now().to_zoned(TimeZone::UTC)).map_err(reported)? {
        if let Some(place) = judged.snapshot.label.parse::<usize>().ok().and_then(|at| stay.get_mut(at)) {
            *place = judged.keep;
        }
    }
    Ok(stay)
}

impl Keep {
    pub(super) fn options(&self) -> KeepOptions {
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
