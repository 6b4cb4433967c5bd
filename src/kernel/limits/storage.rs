//! Bounds of checks, repair, retention, trash and growth.

use std::time::Duration;

/// A file of evidence that nothing names stays this long after somebody last stored the same content, in
/// milliseconds: its row may be about to be written.
pub const BLOB_IDLE_MS: i64 = 3_600_000;
/// How long after it was found unused a file of evidence is taken away, in milliseconds.
pub const BLOB_UNUSED_MS: i64 = 24 * 3_600_000;
/// A file that was attached to nothing and never given to a result goes after this long, in milliseconds.
pub const EVIDENCE_LOOSE_MS: i64 = 7 * 24 * 3_600_000;
/// Files of evidence that one step of a check or of a clearing looks at.
pub const BLOBS_PER_STEP: i64 = 100;
/// Findings on their page.
pub const FINDINGS_SHOWN: i64 = 200;
/// Checks on their page.
pub const CHECKS_SHOWN: i64 = 40;
/// One check of the database after damage was met in this time, in milliseconds.
pub const DISTRESS_EVERY_MS: i64 = 10 * 60_000;
/// Results that one step of counting anew reads.
pub const RECOUNT_STEP: i64 = 20_000;
/// Summaries of cases that one transaction of counting anew writes.
pub const RECOUNT_WRITES: usize = 500;
/// Rows that one transaction of purging takes away: so long does it keep other changes waiting.
pub const PURGE_ROWS: i64 = 2_000;
/// Pages that one step returns to the disk.
pub const PAGES_PER_STEP: i64 = 2_000;
/// The largest database that is written anew as a whole: its copy lies in memory meanwhile.
pub const REBUILD_BYTES_MAX: i64 = 2 << 30;
/// An older database up to this size is written anew at the start, so that it can return space.
pub const REBUILD_UNASKED_BYTES_MAX: u64 = 64 << 20;
/// Days of samples that a forecast is drawn from.
pub const FORECAST_DAYS: i64 = 42;
/// Samples without which nothing is forecast.
pub const FORECAST_SAMPLES_MIN: usize = 7;
/// A disk that will be full within so many days is an alarm.
pub const DISK_FULL_DAYS: i64 = 30;
/// Days of samples that the page of storage draws.
pub const GROWTH_DAYS_SHOWN: i64 = 90;
/// Characters of the reason of a legal hold.
pub const REASON_CHARS_MAX: usize = 500;
/// The longest retention that can be set, in days: a hundred years.
pub const RETENTION_DAYS_MAX: i64 = 36_525;
/// How long a change waits for its cases to be counted anew; the job does what is left.
pub const RECOUNT_WAIT: Duration = Duration::from_secs(2);
