//! Every bound of the product, named with its unit.

use std::time::Duration;

/// Changes that may wait for the writer; one more is answered with `Busy`.
pub const WRITE_QUEUE: usize = 1_024;
/// Changes that share one commit at most.
pub const WRITE_GROUP_MAX: usize = 256;
/// How long a group goes on gathering. The first in it waits for the last.
pub const WRITE_GROUP_HOLD: Duration = Duration::from_millis(20);
/// How long a transaction waits for another process that is writing.
pub const FOREIGN_WRITER_WAIT: Duration = Duration::from_secs(5);
/// How long one read may keep a connection.
pub const READ_DEADLINE: Duration = Duration::from_secs(5);
/// Virtual machine steps between two looks at the clock; about a tenth of a millisecond.
pub const READ_STEPS_PER_CHECK: i32 = 10_000;
/// Page cache of each connection. Decryption happens on a miss only, so this is what makes it cheap.
pub const PAGE_CACHE_KIB: i64 = 16 * 1024;
/// Statements that each connection keeps prepared; the product has some hundreds.
pub const STATEMENTS_KEPT: usize = 512;
/// One remembered refusal per person and permission in this time, in milliseconds.
pub const DENIAL_ENTRY_EVERY_MS: i64 = 60_000;
/// Refusals kept in mind at once; beyond it the memory starts afresh.
pub const DENIALS_REMEMBERED_MAX: usize = 10_000;
/// A session ends after this long without a request, in milliseconds.
pub const SESSION_IDLE_MS: i64 = 12 * 3_600_000;
/// A session ends after this long whatever happens, in milliseconds.
pub const SESSION_MAX_MS: i64 = 7 * 24 * 3_600_000;
/// Entries of the audit trail on one page.
pub const AUDIT_PAGE: i64 = 100;
/// How long a read of a command or a job may keep a connection: verifying, hashing, exporting.
pub const LONG_READ_DEADLINE: Duration = Duration::from_secs(30 * 60);
/// How long a job may hold its lease, in milliseconds; after that another process may try.
pub const JOB_LEASE_MS: i64 = 6 * 3_600_000;
