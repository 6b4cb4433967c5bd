//! Copies: what is put aside before a schema changes does not stay for ever. It fills the disk, and holds what was
//! deleted for good since.

use super::COPIES_GONE;
use crate::keeping::backups::{self, Desk};
use crate::kernel::access::{BackupView, InstanceKeep, Job, Permission, Tx};
use crate::kernel::declare::{Running, Scheduled, When};
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use crate::kernel::upgrade;
use std::sync::Arc;

const SWEEPER: Job = Job {
    name: "upgrade-copies",
    meaning: "Deletes copies from before an upgrade, once their time is over.",
    may: &[InstanceKeep::INFO, BackupView::INFO],
};

/// Deletes copies a week after they were made if a backup was read back since, and in any case after four weeks.
pub const SWEEP: Scheduled<Arc<Desk>> =
    Scheduled { job: &SWEEPER, when: When::Cron("40 5 * * *"), run: sweep };

fn sweep(desk: Arc<Desk>) -> Running {
    Box::pin(async move {
        let caller = desk.instance.door.job(&SWEEPER);
        let gate = caller.gate::<BackupView>(());
        let (good, now) = gate.read(|tx| Ok((backups::newest_good(tx)?, tx.now()))).await?;
        let proven = good.filter(|good| good.verified_at.is_some()).map(|good| good.started_at);
        let mut gone = 0;
        for copy in upgrade::leftovers(&desk.instance.data)? {
            if is_over(copy.at, proven, now) {
                copy.delete()?;
                gone += 1;
            }
        }
        if gone > 0 {
            let gate = caller.gate::<InstanceKeep>(());
            gate.write(move |tx| tx.audited(COPIES_GONE.alone().count("copies", gone), ())).await?;
        }
        Ok(format!("{gone} copies from before an upgrade are deleted."))
    })
}

fn is_over(made: Timestamp, proven: Option<Timestamp>, now: Timestamp) -> bool {
    let age_ms = now.0 - made.0;
    age_ms > limits::UPGRADE_COPY_MS_MAX
        || age_ms > limits::UPGRADE_COPY_MS_MIN && proven.is_some_and(|proven| proven > made)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 24 * 3_600_000;

    #[test]
    fn a_copy_stays_a_week_and_then_until_a_backup_is_proven_or_four_weeks_are_over() {
        let day = |days: i64| Timestamp(days * DAY_MS);
        assert!(!is_over(day(0), Some(day(1)), day(6)), "somebody may want to go back");
        assert!(is_over(day(0), Some(day(1)), day(8)));
        assert!(!is_over(day(1), Some(day(0)), day(9)) && !is_over(day(0), None, day(27)));
        assert!(is_over(day(0), None, day(29)), "no backup is no reason to keep it for ever");
        assert!(!is_over(day(400), None, day(0)), "f20: of a clock that was a year ahead");
    }
}
