//! Upgrade: what a newer program needs to know of the database before it lets go of the older one, and what lies
//! about when it has.

pub use super::db::aside::{copies, order_back, put_back};
pub use super::db::migrate::{NEWEST as SCHEMA, is_newer};

use super::durable::trouble;
use super::error::Result;
use super::layout;
use super::time::Timestamp;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A file or folder that an upgrade left: a copy of the database, or a trial that was cut off.
#[derive(Clone, Debug)]
pub struct Leftover {
    path: PathBuf,
    /// When it was put there.
    pub at: Timestamp,
}

/// What upgrades have left in a data folder.
pub fn leftovers(data: &Path) -> Result<Vec<Leftover>> {
    let folder = layout::before_upgrade(data);
    let entries = match fs::read_dir(&folder) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|cause| trouble("list", &folder, cause))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|cause| trouble("list", &folder, cause))?.path();
        // A rename leaves the time of its last change alone, and notes its own.
        if let Ok(about) = fs::symlink_metadata(&path) {
            found.push(Leftover { at: Timestamp(about.mtime().max(about.ctime()) * 1_000), path });
        }
    }
    Ok(found)
}

impl Leftover {
    /// Deletes it.
    pub fn delete(&self) -> Result<()> {
        let deleted =
            if self.path.is_dir() { fs::remove_dir_all(&self.path) } else { fs::remove_file(&self.path) };
        deleted.map_err(|cause| trouble("delete", &self.path, cause))
    }
}
