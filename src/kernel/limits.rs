//! Every bound of the product, named with its unit.

mod care;
mod certificates;
mod exchange;
mod keys;
mod log;
mod standby;
mod storage;

pub use care::*;
pub use certificates::*;
pub use exchange::*;
pub use keys::*;
pub use log::*;
pub use standby::*;
pub use storage::*;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Changes that may wait for the writer; one more is answered with `Busy`.
pub const WRITE_QUEUE: usize = 1_024;
/// Changes that share one commit at most.
pub const WRITE_GROUP_MAX: usize = 256;
/// How long a group goes on gathering. The first in it waits for the last.
pub const WRITE_GROUP_HOLD: Duration = Duration::from_millis(20);
/// How long a transaction waits for another process that is writing.
pub const FOREIGN_WRITER_WAIT: Duration = Duration::from_secs(5);
/// Looks at the lock of a writer of another process before a transaction fails, however long they take.
pub const WRITER_TRIES_MIN: i32 = 1_000;
/// How long one read may keep a connection.
pub const READ_DEADLINE: Duration = Duration::from_secs(5);
/// Virtual machine steps between two looks at the clock; about a tenth of a millisecond.
pub const READ_STEPS_PER_CHECK: i32 = 10_000;
/// Page cache of the connection that writes. Decryption happens on a miss only, so this is what makes it cheap.
pub const WRITER_CACHE_KIB: i64 = 8 * 1024;
/// Page cache of each connection that reads: there are several, and a page looks at few places.
pub const READER_CACHE_KIB: i64 = 4 * 1024;
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
/// How long a person counts as having just proved who they are, in milliseconds.
pub const SESSION_FRESH_MS: i64 = 10 * 60_000;
/// A sign-in that is not finished within this time starts afresh, in milliseconds.
pub const SIGN_IN_MS: i64 = 15 * 60_000;
/// Sessions of one person at once; the oldest ends when another begins.
pub const SESSIONS_PER_USER_MAX: i64 = 20;
/// A one-use link is good for this long, in milliseconds.
pub const LINK_MS: i64 = 24 * 3_600_000;
/// Failures before the next attempt has to wait.
pub const SIGN_IN_FREE_FAILURES: i64 = 5;
/// Failures from one address before the next attempt from there has to wait.
pub const SIGN_IN_FREE_FAILURES_OF_ADDRESS: i64 = 30;
/// The first wait after too many failures, in milliseconds; each further failure doubles it.
pub const SIGN_IN_WAIT_MS: i64 = 2_000;
/// The longest wait: nobody is locked out for good by a stranger, in milliseconds.
pub const SIGN_IN_WAIT_MAX_MS: i64 = 15 * 60_000;
/// Failures are forgotten after this long, in milliseconds.
pub const SIGN_IN_MEMORY_MS: i64 = 24 * 3_600_000;
/// Wrong codes in one sign-in before it starts afresh.
pub const CODES_PER_SIGN_IN_MAX: i64 = 5;
/// Passphrases hashed at the same time: each takes memory and a core.
pub const HASHES_AT_ONCE: usize = 2;
/// Memory of one Argon2id hash, in KiB. At or above the advice of OWASP, as are the next two.
pub const HASH_MEMORY_KIB: u32 = 19 * 1024;
/// Passes of one Argon2id hash.
pub const HASH_PASSES: u32 = 2;
/// Lanes of one Argon2id hash.
pub const HASH_LANES: u32 = 1;
/// Shortest passphrase, in characters.
pub const PASSPHRASE_CHARS_MIN: usize = 12;
/// Longest passphrase, in characters.
pub const PASSPHRASE_CHARS_MAX: usize = 256;
/// Longest name of a person, a service account or a token, in characters.
pub const NAME_CHARS_MAX: usize = 100;
/// Longest e-mail address, in characters.
pub const EMAIL_CHARS_MAX: usize = 254;
/// Longest part of a browser's name for itself that is kept, in characters.
pub const AGENT_CHARS_MAX: usize = 120;
/// Tokens of one account that are in force.
pub const TOKENS_PER_USER_MAX: i64 = 50;
/// A token is good for this many days at most.
pub const TOKEN_DAYS_MAX: i64 = 365;
/// Entries of the audit trail on one page.
pub const AUDIT_PAGE: i64 = 100;
/// Entries of the audit trail that an export reads at once.
pub const AUDIT_EXPORT_CHUNK: i64 = 1_000;
/// How long a read of a command or a job may keep a connection: verifying, hashing, exporting.
pub const LONG_READ_DEADLINE: Duration = Duration::from_secs(30 * 60);
/// How long a job may hold its lease, in milliseconds; after that another process may try.
pub const JOB_LEASE_MS: i64 = 6 * 3_600_000;
/// Memory that one guess at the passphrase of the keyring costs; 64 MiB.
pub const UNLOCK_MEMORY_KIB: u32 = 64 * 1024;
/// Passes over that memory.
pub const UNLOCK_PASSES: u32 = 3;
/// Lanes of that memory.
pub const UNLOCK_LANES: u32 = 1;
/// Memory that a keyring may ask for when it is opened; 1 GiB.
pub const UNLOCK_MEMORY_KIB_MAX: u32 = 1024 * 1024;
/// Passes that a keyring may ask for when it is opened.
pub const UNLOCK_PASSES_MAX: u32 = 16;
/// Lanes that a keyring may ask for when it is opened.
pub const UNLOCK_LANES_MAX: u32 = 16;
/// Bytes of a keyring.
pub const KEYRING_BYTES_MAX: u64 = 1024 * 1024;
/// Bytes of a printed recovery kit that are read; it has about 1,200.
pub const KIT_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of a key file: 64 digits and some white space.
pub const KEY_FILE_BYTES_MAX: u64 = 1024;
/// Answers smaller than this are sent as they are.
pub const COMPRESSED_BYTES_MIN: u64 = 4 * 1_024;
/// The largest form without files, in bytes. A case with two hundred long steps fits.
pub const FORM_BYTES_MAX: usize = 1_024 * 1_024;
/// A form with files names its token in its first part, which ends within so many bytes.
pub const FORM_FIRST_PART_BYTES_MAX: usize = 4 * 1_024;

/// How long a backup tries to hold the database still before it gives up.
pub const PIN_WAIT_MAX: Duration = Duration::from_secs(60);
/// Pages that may be left in the log when writers are asked to wait; more take too long to move.
pub const PIN_BACKLOG_PAGES_MAX: i64 = 2_000;
/// How long one try keeps writers waiting for old readers to end.
pub const PIN_HOLD: Duration = Duration::from_millis(250);
/// Time between two tries, for the writers.
pub const PIN_PAUSE: Duration = Duration::from_millis(50);
/// Time between two looks at the log or at the writers' lock.
pub const PIN_LOOK_EVERY: Duration = Duration::from_millis(1);
/// Bytes of the database in one file of a backup: 256 chunks of 16 KiB.
pub const BACKUP_SLICE_BYTES: u64 = 4 << 20;
/// The largest object read from a backup target at once; packs are 8 MiB, an index may be larger.
pub const BACKUP_OBJECT_BYTES_MAX: u64 = 256 << 20;
/// The largest key file that goes into a backup.
pub const BACKUP_KEYRING_BYTES_MAX: u64 = 1 << 20;
/// The largest manifest that a restore reads into memory; a million blobs need about 160 MB.
pub const BACKUP_MANIFEST_BYTES_MAX: u64 = 512 << 20;
/// The largest order that a restoring process reads from its parent.
pub const RESTORE_ORDER_BYTES_MAX: u64 = 256 << 10;
/// The longest address of a backup target, in characters.
pub const TARGET_ADDRESS_CHARS_MAX: usize = 2_000;
/// How long a connection to a backup target may take to come about, handshake and sign-in included.
pub const TARGET_CONNECT_WAIT: Duration = Duration::from_secs(15);
/// How long a backup target may neither take nor give a byte.
pub const TARGET_SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long a page waits for a backup target to answer.
pub const TARGET_PAGE_WAIT: Duration = Duration::from_secs(5);
/// How long one object may take in all, pauses and attempts included.
pub const TARGET_CALL_MAX: Duration = Duration::from_secs(2 * 3_600);
/// Attempts at one object before a failure that may pass counts.
pub const TARGET_TRIES_MAX: u32 = 5;
/// Pause after the first failed attempt; each further one doubles it.
pub const TARGET_RETRY_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause between two attempts.
pub const TARGET_RETRY_PAUSE_MAX: Duration = Duration::from_secs(10);
/// Time between two looks at the stop button while a backup target works.
pub const TARGET_STOP_LOOK_EVERY: Duration = Duration::from_millis(50);
/// Bytes that go over a line at once: between them the stop button and the bandwidth cap are honoured.
pub const TARGET_CHUNK_BYTES: usize = 64 << 10;
/// The lowest bandwidth cap, in bytes a second: a pack of 8 MiB then takes nine minutes.
pub const TARGET_BYTES_PER_SECOND_MIN: u64 = 16 << 10;
/// An answer of a backup target that is no object, such as one page of a list.
pub const TARGET_ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Objects below one folder of a backup target; a terabyte has about 130,000.
pub const TARGET_OBJECTS_MAX: usize = 5_000_000;
/// How long a signed S3 request is good for: it is sent at once, and clocks differ.
pub const TARGET_SIGNATURE_TIME: Duration = Duration::from_secs(15 * 60);
/// The longest lock that an S3 address may ask for, in days.
pub const TARGET_RETAIN_DAYS_MAX: u32 = 3_650;
/// A private key, a certificate bundle or a password of a backup target, in bytes.
pub const TARGET_SECRET_BYTES_MAX: usize = 64 << 10;
/// Free space that a backup brought back must leave on its disk.
pub const SCRATCH_FREE_BYTES_MIN: u64 = 64 << 20;
/// How long a backup that was brought back to be looked at stays open without being used.
pub const SCRATCH_KEPT: Duration = Duration::from_secs(30 * 60);
/// Drills on their page.
pub const DRILLS_SHOWN: i64 = 50;
/// Rows that are carried from a backup in one transaction; so long does a restore keep other changes waiting.
pub const RESTORE_CHUNK_ROWS: usize = 1_000;
/// Rows of a restore up to which all of them are stored in one transaction.
pub const RESTORE_ONE_TRANSACTION_ROWS: usize = 20_000;
/// Things of one kind that a preview of a restore names one by one.
pub const RESTORE_NAMED_MAX: usize = 200;
/// Characters of a field in the preview of a restore; the rest is cut.
pub const RESTORE_FIELD_CHARS_MAX: usize = 2_000;
/// Restores on their page.
pub const RESTORES_SHOWN: i64 = 20;
/// Free space on the disk of the data below which the doctor says that something is bad.
pub const DISK_FREE_BYTES_BAD: u64 = 256 << 20;
/// Free space on the disk of the data below which the doctor warns.
pub const DISK_FREE_BYTES_WARNING: u64 = 2 << 30;
/// Descriptors that a process of this size should be allowed: two for each connection, and the files.
pub const DESCRIPTORS_MIN: u64 = 4_096;
/// Age of the newest backup from which the doctor warns, in milliseconds.
pub const BACKUP_AGE_WARNING_MS: i64 = 8 * 24 * 3_600_000;
/// Files of evidence that the doctor reads to their end; that the others are there is seen from outside.
pub const BLOBS_SAMPLED: usize = 200;
/// Findings of one kind that a check of the database tells; one broken throughout needs no longer list.
pub const INTEGRITY_FINDINGS_MAX: usize = 100;

/// Worker threads that answer requests, however many cores there are.
pub const WORKERS_MAX: usize = 4;
/// Connections that one worker keeps open; more wait to be accepted.
pub const CONNECTIONS_PER_WORKER: usize = 2_000;
/// Handshakes that one worker does at the same time. Signing is what a stranger can make us pay for.
pub const HANDSHAKES_PER_WORKER: usize = 64;
/// Connections that wait to be accepted.
pub const LISTEN_BACKLOG: i32 = 1_024;
/// How long a handshake may take.
pub const HANDSHAKE_WAIT: Duration = Duration::from_secs(5);
/// How long the head of a request may take.
pub const REQUEST_HEAD_WAIT: Duration = Duration::from_secs(10);
/// How long a connection stays open without a request.
pub const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long a body may fall silent.
pub const BODY_SILENCE_MAX: Duration = Duration::from_secs(15);
/// How long a body may be slower than `BODY_BYTES_PER_SECOND_MIN`.
pub const BODY_SLOW_MAX: Duration = Duration::from_secs(25);
/// Slower than this is not a bad line but an attack.
pub const BODY_BYTES_PER_SECOND_MIN: u64 = 1_024;
/// How long a client may leave its answer unread.
pub const UNREAD_ANSWER_WAIT: Duration = Duration::from_secs(30);
/// A form or a JSON body. Uploads are streamed and have bounds of their own.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How long requests under way may go on after the order to stop.
pub const STOP_GRACE: Duration = Duration::from_secs(30);
/// How long a server that has stopped waits for the calls that nobody needs any more, as one to a silent target.
pub const STOP_LEFTOVERS_WAIT: Duration = Duration::from_secs(2);
/// Time between two looks whether requests are still under way.
pub const STOP_LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long the last bytes may take to reach their sockets.
pub const STOP_SETTLE: Duration = Duration::from_millis(500);

/// Requests a second from one address; a burst may be `THROTTLE_BURST_FACTOR` times that.
pub const REQUESTS_PER_SECOND: u32 = 2_000;
/// Attempts to sign in a minute from one address; a burst may be `THROTTLE_BURST_FACTOR` times that.
pub const SIGN_INS_PER_MINUTE: u32 = 10;
/// How much of its rate an address may save up.
pub const THROTTLE_BURST_FACTOR: u32 = 2;
/// Addresses that the throttle keeps in mind at once.
pub const ADDRESSES_REMEMBERED_MAX: usize = 50_000;
/// Addresses read from one `X-Forwarded-For`.
pub const FORWARDED_HOPS_MAX: usize = 16;

/// How long a certificate that we made ourselves is good for, in days.
pub const OWN_CERTIFICATE_DAYS: i64 = 825;
/// From how many days before its end a certificate is warned of, or renewed if it is our own.
pub const CERTIFICATE_WARNING_DAYS: i64 = 30;
/// Time between two looks at the certificate files.
pub const CERTIFICATE_LOOK_EVERY: Duration = Duration::from_secs(5);
/// One warning about the same certificate in this time, in milliseconds.
pub const CERTIFICATE_WARNING_EVERY_MS: i64 = 24 * 3_600_000;
/// A file of certificates or a key; nobody has one this large.
pub const CERTIFICATE_FILE_BYTES_MAX: u64 = 256 * 1024;
/// The file of boot options.
pub const OPTIONS_FILE_BYTES_MAX: u64 = 64 * 1024;
/// How long a proof of life may take before the service manager goes without.
pub const LIVENESS_WAIT: Duration = Duration::from_secs(5);
/// Less free than this on the disk of the data is told on the page of the instance, in bytes.
pub const DISK_FREE_BYTES_MIN: u64 = 1_024 * 1_024 * 1_024;
/// Future times of a schedule that its page names.
pub const SCHEDULE_TIMES_SHOWN: usize = 5;
/// Targets of backups at most.
pub const TARGETS_MAX: usize = 32;
/// Blackout windows of one target at most.
pub const BLACKOUTS_MAX: usize = 20;
/// Regions that a policy may name.
pub const REGIONS_MAX: usize = 40;
/// How long to wait before a scheduled backup that failed is tried again, in milliseconds: one wait for each try
/// but the last.
pub const BACKUP_RETRY_MS: [i64; 2] = [5 * 60_000, 30 * 60_000];
/// Bytes of the object that a test writes to a target and reads back, to see how fast it is.
pub const TARGET_PROBE_BYTES: usize = 4 << 20;
/// Backups at one target that are held against its retention on a page.
pub const BACKUPS_JUDGED: i64 = 1_000;
/// Backups in the history of one target.
pub const BACKUPS_OF_TARGET_SHOWN: i64 = 20;
/// Backups on their page.
pub const BACKUPS_SHOWN: i64 = 50;
/// Bytes of a JSON body.
pub const JSON_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Characters of a title or a name.
pub const TITLE_CHARS_MAX: usize = 500;
/// Bytes of a description, a precondition or the text of a case.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Steps of one case.
pub const STEPS_MAX: usize = 500;
/// Bytes of all steps of one case together.
pub const STEPS_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of an automation key: those of a report, in any script, fit.
pub const AUTOMATION_KEY_BYTES_MAX: usize = 4 * AUTOMATION_KEY_CHARS_MAX;
/// Suites of one project.
pub const SUITES_MAX: i64 = 20_000;
/// How deep suites may nest.
pub const SUITE_DEPTH_MAX: usize = 16;
/// Words of a search that count; the others are left out.
pub const SEARCH_WORDS_MAX: usize = 12;
/// Rows that one page of a list shows.
pub const PAGE_ROWS: i64 = 100;
/// Cases that one form may change at once.
pub const SELECTED_CASES_MAX: usize = 500;
/// Rows that one answer of the API holds at most.
pub const API_ROWS_MAX: i64 = 1_000;
/// Runs that the overview of a project looks at.
pub const HOME_RUNS: i64 = 20;
/// Results that one call of the API may record.
pub const RESULTS_PER_CALL_MAX: usize = 10_000;
/// Bytes kept of a message of a result; the rest is cut off and the cut is shown. What a report was cut to fits,
/// with the words that show it.
pub const MESSAGE_BYTES_MAX: usize = REPORT_MESSAGE_BYTES_MAX + 64;
/// Bytes kept of a stack or an output of a result; the rest is cut off and the cut is shown.
pub const OUTPUT_BYTES_MAX: usize = REPORT_OUTPUT_BYTES_MAX + 64;
/// The longest time a result may have taken: a year, in milliseconds.
pub const ELAPSED_MS_MAX: i64 = 366 * 24 * 3_600_000;
/// Cases that one form may choose for a run one by one; whole suites have no such bound.
pub const RUN_CASES_CHOSEN_MAX: usize = 1_000;
/// Results of one item that its page shows; the API has the others.
pub const ATTEMPTS_SHOWN: i64 = 30;
/// Runs before this one that the page of an item shows.
pub const HISTORY_SHOWN: usize = 8;
/// Items on either side of the one that is executed.
pub const ITEMS_AROUND: i64 = 20;
/// Items of one run.
pub const ITEMS_MAX: i64 = 1_000_000;
/// How many of the latest runs the history of a case looks at.
pub const HISTORY_RUNS: i64 = 200;
/// Bytes of one file of evidence.
pub const EVIDENCE_BYTES_MAX: u64 = 25 * 1024 * 1024;
/// Files of one upload of evidence.
pub const EVIDENCE_FILES_MAX: usize = 20;
/// Fields beside the files of one upload.
pub const UPLOAD_FIELDS_MAX: usize = 50;
/// Bytes of all evidence of a project.
pub const EVIDENCE_PROJECT_BYTES_MAX: i64 = 20 * 1024 * 1024 * 1024;
/// Characters of a file's name.
pub const FILE_NAME_CHARS_MAX: usize = 200;
/// Characters of a passphrase that opens the instance: whoever steals the folder may try for years.
pub const UNLOCK_PASSPHRASE_CHARS_MIN: usize = 16;
/// Alarms that a page shows.
pub const ALARMS_SHOWN: i64 = 100;
/// Pages that one step of a copy of the database takes: all of them, for nobody else writes then.
pub const COPY_PAGES_A_STEP: i32 = i32::MAX;
/// Bytes that must be free beyond twice the database before its schema changes.
pub const UPGRADE_SPARE_BYTES: u64 = 64 * 1024 * 1024;
/// Shares of an instance that can be printed.
pub const SHARES_MAX: u8 = 16;
/// How long a reader waits for the new key while the database moves to it: the moment after the commit.
pub const KEY_EXCHANGE_WAIT_MAX: Duration = Duration::from_secs(20);
/// Time between two tries of such a reader.
pub const KEY_EXCHANGE_LOOK_EVERY: Duration = Duration::from_millis(5);
/// Time between two looks at what exchanges of keys were ordered.
pub const KEYS_LOOK_EVERY: Duration = Duration::from_secs(2);
/// Tries to empty the log of the database after it has moved to another key, before others may go on.
pub const KEYS_LOG_TRIES: usize = 50;
/// Exchanges of keys on a page.
pub const KEY_CHANGES_SHOWN: i64 = 20;
/// How long an exchange of a key may wait before somebody should look.
pub const KEY_CHANGE_STUCK_MS: i64 = 24 * 3_600_000;
/// Bytes of attached files that are encrypted anew in a second at most.
pub const BLOB_REKEY_BYTES_PER_SECOND: u64 = 64 << 20;
/// Upgrades that a page shows.
pub const UPGRADES_SHOWN: i64 = 50;
/// Bytes of a signature or of the key it is checked with.
pub const SIGNATURE_BYTES_MAX: u64 = 4 * 1024;
/// Bytes that a file is copied or hashed by.
pub const COPY_CHUNK_BYTES: usize = 256 * 1024;
/// How long a new program may take to show on a copy that it works, and then to start.
pub const UPGRADE_WAIT_MAX: Duration = Duration::from_secs(15 * 60);
/// How long no process may hold the data folder before a restart counts as failed.
pub const UPGRADE_ABSENCE_MAX: Duration = Duration::from_secs(20);
/// Time between two looks whether the new program answers.
pub const UPGRADE_LOOK_EVERY: Duration = Duration::from_millis(200);
/// Where a program that is on trial answers: this machine, any free port.
pub const TRIAL_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// How long a page of a program on trial may take.
pub const TRIAL_ANSWER_MAX: Duration = Duration::from_secs(30);
/// Characters of the reason for which the instance is closed.
pub const MAINTENANCE_REASON_CHARS_MAX: usize = 200;
/// Minutes for which the instance may be said to be closed: a week.
pub const MAINTENANCE_MINUTES_MAX: i64 = 7 * 24 * 60;
/// How often a server looks whether a command has closed or opened the instance.
pub const MAINTENANCE_LOOK_EVERY: Duration = Duration::from_secs(1);
/// The shortest time after which whoever met a closed instance is told to come back, in milliseconds.
pub const MAINTENANCE_RETRY_MS_MIN: i64 = 30_000;
