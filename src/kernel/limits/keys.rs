//! Bounds of keys: services that open an instance, the recovery kit, and what opens a repository.

use std::time::Duration;

/// How long a connection to a key service may take to come about.
pub const KMS_CONNECT_WAIT: Duration = Duration::from_secs(5);
/// How long a key service may be silent before it is asked once more.
pub const KMS_SILENCE_MAX: Duration = Duration::from_secs(10);
/// Pause after the first failed question; each further one doubles it, up to `TARGET_RETRY_PAUSE_MAX`.
pub const KMS_RETRY_PAUSE: Duration = Duration::from_millis(500);
/// How long a command goes on asking a key service that is not there.
pub const KMS_COMMAND_WAIT: Duration = Duration::from_secs(5);
/// How long a server that starts goes on asking: the service may start at the same time.
pub const KMS_START_WAIT: Duration = Duration::from_secs(120);
/// An answer of a key service, in bytes.
pub const KMS_ANSWER_BYTES_MAX: u64 = 64 << 10;
/// A token or a secret id, in bytes.
pub const KMS_TOKEN_BYTES_MAX: u64 = 8 << 10;
/// Rounds over what is sealed before others may go on: each ends the older keys unless something was sealed meanwhile.
pub const KEYS_VAULT_ROUNDS: usize = 20;
/// How long a backup target that did not learn a new recovery kit is left alone, in milliseconds.
pub const KIT_RETRY_MS: i64 = 5 * 60_000;
/// How long a recovery kit that was shown may be typed back, in milliseconds.
pub const KIT_OFFER_MS: i64 = 60 * 60_000;
/// Keys of one repository that one password may open before something is wrong with it.
pub const REPOSITORY_KEYS_MAX: usize = 16;
/// Keyrings beside a repository that are tried with a paper, the newest first.
pub const KEYRINGS_TRIED: usize = 16;
