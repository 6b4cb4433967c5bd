//! Bounds of the log of the database and of its shipping.

use std::time::Duration;

/// Pages in a log that nobody keeps from which the writer moves them into the file.
pub const LOG_PAGES_UNKEPT: u32 = 1_000;
/// Bytes of the file that the log keeps when it begins anew.
pub const LOG_BYTES_KEPT: i64 = 64 << 20;
/// Bytes of the log from which no read may go on longer than a page may.
pub const LOG_BYTES_PRESSED: u64 = 192 << 20;
/// Time between two looks at the log; so exact is the moment that a restore can name.
pub const LOG_LOOK_EVERY: Duration = Duration::from_millis(200);
/// The longest time between two shipments of the log, in seconds.
pub const LOG_SECONDS_MAX: i64 = 3_600;
/// How long one shipment may take, in milliseconds, for everything to be at the target in time.
pub const LOG_SHIPS_WITHIN_MS: i64 = 1_000;
/// How soon shipping is tried again where not even the settings could be read.
pub const LOG_LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long a stop waits for the last shipment. What is not at its target then waits on the disk for the next start.
pub const LOG_STOP_GRACE: Duration = Duration::from_secs(10);
/// How often the head of a shipped log is written though nothing is new, in milliseconds.
pub const LOG_HEAD_EVERY_MS: i64 = 60_000;
/// Frames in one shipped segment; about 8 MiB.
pub const LOG_SEGMENT_FRAMES_MAX: u32 = 2_000;
/// Frames in the log from which its pages are moved into the file, and after which that is tried again.
pub const LOG_TURN_FRAMES: u32 = 2_000;
/// How long writers wait, for each such number of frames, so that readers of the log can end.
pub const LOG_SETTLE_EACH: Duration = Duration::from_millis(10);
/// How often the log of the database may have begun anew between two places for the one to be taken for a later
/// one in the same shipped log: 8 TiB of changes.
pub const LOG_BEGINNINGS_MAX: u32 = 1 << 20;
/// Bytes of sealed segments that wait for a target; more, and a new backup is cheaper.
pub const LOG_QUEUE_BYTES_MAX: u64 = 512 << 20;
/// How far a shipped log may fall behind before somebody is told, in milliseconds.
pub const LOG_LAG_ALARM_MS: i64 = 60_000;
/// How long a log may be shipped that no backup precedes before somebody is told, in milliseconds.
pub const LOG_BASE_ALARM_MS: i64 = 15 * 60_000;
/// Time between two tries of a backup that a new log begins with.
pub const LOG_BASE_EVERY: Duration = Duration::from_secs(10 * 60);
/// Time between two looks for shipped segments that no backup needs any more.
pub const LOG_PRUNE_EVERY: Duration = Duration::from_secs(60 * 60);
/// Files of evidence that are noted at once for shipping.
pub const LOG_BLOBS_AT_ONCE: i64 = 1_000;
/// Pages of one transaction that a restore keeps in memory; about 32 MiB. The others wait in a file.
pub const LOG_PAGES_HELD: usize = 8_000;
/// Objects of a log that a restore fetches at the same time.
pub const LOG_FETCHES: usize = 8;
