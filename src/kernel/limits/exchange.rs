//! Bounds of report uploads and of what a report may hold.

use std::time::Duration;

/// Report uploads on their page.
pub const UPLOADS_SHOWN: i64 = 30;
/// Report files of one upload.
pub const UPLOAD_FILES_MAX: usize = 500;
/// One report file, in bytes.
pub const UPLOAD_FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// All report files of one upload, in bytes.
pub const UPLOAD_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Results of an upload that are stored in one transaction; more come in chunks.
pub const UPLOAD_ONE_TRANSACTION: u64 = 20_000;
/// Results that an upload may add to a run that exists: they are stored in one transaction.
pub const UPLOAD_INTO_RUN_MAX: u64 = 50_000;
/// Results in one chunk: so long does a large upload keep other changes waiting.
pub const UPLOAD_CHUNK_RESULTS: usize = 1_000;
/// Text in one chunk, in bytes.
pub const UPLOAD_CHUNK_BYTES: usize = 1024 * 1024;
/// Results of an upload that are kept in memory between counting and storing; more are read twice.
pub const UPLOAD_KEPT_RESULTS: usize = 2_000;
/// Text of an upload that is kept in memory between counting and storing, in bytes.
pub const UPLOAD_KEPT_BYTES: usize = 2 * 1024 * 1024;
/// Notes of the reader that are kept with an upload.
pub const UPLOAD_NOTES_MAX: usize = 100;
/// The name that a program gives an upload, in characters.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 200;
/// How long an upload waits for the same one that is under way.
pub const UPLOAD_WAIT_MAX: Duration = Duration::from_secs(10 * 60);
/// Time between two looks whether it is done.
pub const UPLOAD_LOOK_EVERY: Duration = Duration::from_millis(100);
/// An upload that is still under way after this long was cut off, in milliseconds.
pub const UPLOAD_STALE_MS: i64 = 3_600_000;
/// Rows that are taken away in one transaction after an upload was cut off.
pub const UPLOAD_SWEEP_ROWS: i64 = 2_000;

/// Elements of an XML report inside one another.
pub const REPORT_DEPTH_MAX: usize = 64;
/// One tag, comment or declaration of an XML report, in bytes.
pub const REPORT_MARKUP_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Attributes of one element of an XML report.
pub const REPORT_ATTRIBUTES_MAX: usize = 256;
/// The name of an entity in an XML report, such as `amp`, in bytes.
pub const REPORT_ENTITY_BYTES_MAX: usize = 64;
/// Decoded text that an XML reader holds at once, in bytes.
pub const REPORT_BUFFER_BYTES: usize = 64 * 1024;
/// Checks in one report file.
pub const REPORT_CASES_MAX: u64 = 1_000_000;
/// Name, class and file of a check, and names of its suites, in characters; the rest is cut.
pub const REPORT_NAME_CHARS_MAX: usize = 1_000;
/// Message of a check, in bytes; the rest is cut.
pub const REPORT_MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// Stack of a check, in bytes; the rest is cut.
pub const REPORT_STACK_BYTES_MAX: usize = 64 * 1024;
/// What a check printed, in bytes; the rest is cut.
pub const REPORT_OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// Earlier attempts of one check in a report; further ones are not kept.
pub const REPORT_ATTEMPTS_MAX: usize = 32;
/// An explicit reference to a case in a report, in bytes; the rest is cut.
pub const REPORT_REFERENCE_BYTES_MAX: usize = 256;
/// An automation key, in characters; a longer one ends in a digest of the whole.
pub const AUTOMATION_KEY_CHARS_MAX: usize = 1_000;
/// A duration that is still believed, in milliseconds: a year.
pub const REPORT_ELAPSED_MS_MAX: i64 = 366 * 24 * 3_600_000;
