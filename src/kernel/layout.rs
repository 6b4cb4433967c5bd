//! Names in the data folder. Nothing else decides where a file of the instance lies.

use std::path::{Path, PathBuf};

/// The keyring; see `docs/formats/keyring.md`.
pub const KEYRING_FILE: &str = "keyring.json";
/// The database.
pub const DATABASE_FILE: &str = "testkeep.db";
/// The folder of encrypted files; see `docs/formats/blob.md`.
pub const BLOBS_FOLDER: &str = "blobs";

/// The keyring of the instance in this data folder.
pub fn keyring(data: &Path) -> PathBuf {
    data.join(KEYRING_FILE)
}

/// The database of the instance in this data folder.
pub fn database(data: &Path) -> PathBuf {
    data.join(DATABASE_FILE)
}

/// The encrypted files of the instance in this data folder.
pub fn blobs(data: &Path) -> PathBuf {
    data.join(BLOBS_FOLDER)
}
