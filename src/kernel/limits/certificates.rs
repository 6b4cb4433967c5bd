//! Bounds of certificates: how long they live, when they are renewed, what a directory may take.

use std::time::Duration;

/// From how many days on the words about a near end change, the most first.
pub const CERTIFICATE_ALARM_DAYS: [i64; 4] = [30, 14, 7, 1];
/// From how many days before its end a certificate is a danger.
pub const CERTIFICATE_DANGER_DAYS: i64 = 7;
/// How long the authority of an instance is good for, in days.
pub const AUTHORITY_DAYS: i64 = 3_650;
/// How long a server certificate of that authority is good for, in days.
pub const AUTHORITY_LEAF_DAYS: i64 = 90;
/// How long a client certificate is good for at most, in days.
pub const CLIENT_CERTIFICATE_DAYS_MAX: i64 = 825;
/// How long a client certificate is good for unless somebody says otherwise, in days.
pub const CLIENT_CERTIFICATE_DAYS: i64 = 365;
/// Client certificates that the page lists.
pub const CLIENT_CERTIFICATES_SHOWN: i64 = 500;
/// How long a directory may take for one answer.
pub const ACME_ANSWER_WAIT: Duration = Duration::from_secs(30);
/// Bytes of an answer of a directory; a long chain has a tenth.
pub const ACME_ANSWER_BYTES_MAX: usize = 256 * 1024;
/// How long a directory may take to look at challenges, and again to issue.
pub const ACME_WAIT_MAX: Duration = Duration::from_secs(120);
/// How long an order may take in all.
pub const ACME_ORDER_MAX: Duration = Duration::from_secs(300);
/// Characters of what a directory says when it refuses.
pub const ACME_REASON_CHARS: usize = 400;
/// Pause after the first failed renewal, in milliseconds; it doubles with each further one. Public directories look
/// at a name five times an hour.
pub const RENEWAL_WAIT_MS: i64 = 15 * 60_000;
/// Pause between failed renewals at most, in milliseconds.
pub const RENEWAL_WAIT_MS_MAX: i64 = 12 * 3_600_000;
/// Pause that a directory may ask for at most, in milliseconds.
pub const RENEWAL_ASKED_WAIT_MS_MAX: i64 = 7 * 24 * 3_600_000;
/// Connections that the plain listener for challenges keeps open.
pub const PLAIN_CONNECTIONS_MAX: usize = 256;
/// How far ahead the clock of whoever issues a certificate may be, in milliseconds.
pub const CERTIFICATE_CLOCK_MS: i64 = 5 * 60_000;
