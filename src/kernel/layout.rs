//! Names in the data folder. Nothing else decides where a file of the instance lies.

use std::path::{Path, PathBuf};

/// The keyring; see `docs/formats/keyring.md`.
pub const KEYRING_FILE: &str = "keyring.json";
/// The database.
pub const DATABASE_FILE: &str = "testkeep.db";
/// The folder of encrypted files; see `docs/formats/blob.md`.
pub const BLOBS_FOLDER: &str = "blobs";
/// The folder of the certificate that the instance makes itself.
pub const TLS_FOLDER: &str = "tls";
/// Held by the server as long as it runs.
pub const SERVE_LOCK: &str = "serve.lock";
/// Boot options, if somebody wrote any.
pub const OPTIONS_FILE: &str = "testkeep.toml";

/// Says that a folder holds a standby: it follows an instance and is none itself yet.
pub const STANDBY_FILE: &str = "standby.json";

/// The keyring of the instance in this data folder.
pub fn keyring(data: &Path) -> PathBuf {
    data.join(KEYRING_FILE)
}

/// What a process holds while it changes the keyring.
pub fn keyring_lock(data: &Path) -> PathBuf {
    data.join("keyring.lock")
}

/// The database of the instance in this data folder.
pub fn database(data: &Path) -> PathBuf {
    data.join(DATABASE_FILE)
}

/// The log of that database.
pub fn log_of_database(data: &Path) -> PathBuf {
    database(data).with_extension("db-wal")
}

/// The encrypted files of the instance in this data folder.
pub fn blobs(data: &Path) -> PathBuf {
    data.join(BLOBS_FOLDER)
}

/// The certificate that the instance in this data folder made itself, and its key.
pub fn tls(data: &Path) -> PathBuf {
    data.join(TLS_FOLDER)
}

/// What the server of this data folder holds as long as it runs.
pub fn serve_lock(data: &Path) -> PathBuf {
    data.join(SERVE_LOCK)
}

/// The file of boot options in this data folder.
pub fn options(data: &Path) -> PathBuf {
    data.join(OPTIONS_FILE)
}

/// The folder of the copies that are taken before the schema changes.
pub fn before_upgrade(data: &Path) -> PathBuf {
    data.join("before-upgrade")
}

/// What a server leaves that stopped in good order, see `stopped`; it is gone while one runs.
pub fn clean_mark(data: &Path) -> PathBuf {
    data.join("stopped")
}

/// The folder of the copies at home of the signed receipts of backups.
pub fn receipts(data: &Path) -> PathBuf {
    data.join("receipts")
}

/// The folder in which backups are brought back to be looked at; what lies there is wiped.
pub fn scratch(data: &Path) -> PathBuf {
    data.join("scratch")
}

/// The folder of such copies where somebody chose another disk for them: ours alone, whatever else lies there.
pub fn scratch_in(chosen: &Path) -> PathBuf {
    chosen.join("testkeep-scratch")
}

/// Tells a start that another state of the instance is to take the place of this one.
pub fn swap(data: &Path) -> PathBuf {
    data.join("swap.json")
}

/// The folder of the shipped log: what waits for its targets, and how far it is.
pub fn log(data: &Path) -> PathBuf {
    data.join("log")
}

/// How far the log was shipped. As long as it is there, nobody but the server moves pages out of the log.
pub fn log_state(data: &Path) -> PathBuf {
    log(data).join("state.json")
}

/// What a standby in this folder is, and how far.
pub fn standby(data: &Path) -> PathBuf {
    data.join(STANDBY_FILE)
}
