//! Bounds of what goes on by itself: the clock that it goes by, backups and drills, copies from upgrades.

/// How soon it is tried again to note how a job ended, where the disk took no writes.
pub const JOB_NOTE_AGAIN: std::time::Duration = std::time::Duration::from_secs(20);
/// How far the clock goes back when it is set right, in milliseconds; what was noted later than this from now
/// was noted by a clock that was wrong.
pub const CLOCK_STEP_MS: i64 = 10 * 60_000;
/// Newest entries of the audit trail that are asked whether the clock was set back.
pub const CLOCK_ENTRIES: i64 = 1_000;
/// Newest receipts that are compared with those at the target each time; all are once a week.
pub const RECEIPTS_COMPARED: usize = 16;
/// How long ago the last good drill may be before it is a danger, in milliseconds: a year.
pub const DRILL_AGE_MS_MAX: i64 = 365 * 24 * 3_600_000;
/// Bytes that the log of the database may grow to while a backup holds the file still.
pub const LOG_BYTES_PINNED: u64 = 1 << 30;
/// Time between two looks at it.
pub const LOG_PINNED_LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(1);
/// How long a restore goes on listing what it brought back, in milliseconds.
pub const RESTORE_TEXT_MS: i64 = 7 * 24 * 3_600_000;
/// How long a copy from before an upgrade stays once a backup of the new schema was read back, in milliseconds.
pub const UPGRADE_COPY_MS_MIN: i64 = 7 * 24 * 3_600_000;
/// How long it stays at most, in milliseconds.
pub const UPGRADE_COPY_MS_MAX: i64 = 28 * 24 * 3_600_000;
/// Days after which the doctor asks whether there is a newer version.
pub const VERSION_DAYS_MAX: i64 = 180;
