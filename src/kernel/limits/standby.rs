//! Bounds of a standby.

use std::time::Duration;

/// Seconds between two looks at the log of the instance that is followed, unless somebody says otherwise.
pub const STANDBY_EVERY_SECONDS: i64 = 5;
/// The most that somebody may say.
pub const STANDBY_EVERY_SECONDS_MAX: i64 = 3_600;
/// Seconds that a copy may be behind, unless somebody says otherwise: a quiet instance speaks once a minute.
pub const STANDBY_LAG_SECONDS: i64 = 120;
/// The most that somebody may say: a week.
pub const STANDBY_LAG_SECONDS_MAX: i64 = 7 * 24 * 3_600;
/// Time between two looks at all names at the target: files of evidence, new logs, new backups.
pub const STANDBY_LIST_EVERY: Duration = Duration::from_secs(30);
/// Segments that are fetched before they are written into the copy.
pub const STANDBY_BATCH: u32 = 512;
/// The longest pause while the target is away, in milliseconds.
pub const STANDBY_PAUSE_MS_MAX: i64 = 60_000;
/// Time between two proofs of a copy to which something came.
pub const STANDBY_PROOF_EVERY: Duration = Duration::from_secs(60 * 60);
/// How long a file of evidence lies here that nothing in the copy speaks of, before it counts as deleted.
pub const STANDBY_STRAY_AGE: Duration = Duration::from_secs(60 * 60);
/// Time before a backup is tried again that could not be begun with.
pub const STANDBY_BASE_AGAIN: Duration = Duration::from_secs(10 * 60);
/// How long whoever takes over waits for the process that follows to let go.
pub const STANDBY_LETS_GO_WITHIN: Duration = Duration::from_secs(20);
/// Time between two looks whether it has.
pub const STANDBY_LOOK_EVERY: Duration = Duration::from_millis(50);
/// Marks of a takeover that are read at a target.
pub const TAKEOVERS_MAX: usize = 1_000;
/// Bytes of one.
pub const TAKEOVER_BYTES_MAX: u64 = 16 << 10;
