//! Staging: the folder beside a destination in which an instance is put together.
//!
//! Beside, because a rename is only atomic within one file system. It goes with its owner; what one that was killed
//! left, a whole instance perhaps, goes when the next one begins there.

use crate::kernel::durable::trouble;
use crate::kernel::error::Result;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::path::Path;
use tempfile::TempDir;

/// Prefix of these folders.
pub const PREFIX: &str = ".testkeep-restore-";

/// Such a folder, taken away when dropped. The system lets go of its lock even after `kill -9`.
pub struct Staging {
    folder: TempDir,
    _lock: File,
}

impl Staging {
    /// A new one in `parent`, after those there that belong to nobody are gone.
    pub fn beside(parent: &Path) -> Result<Staging> {
        let broken = |cause| trouble("write in", parent, cause);
        let alone = File::open(parent).map_err(broken)?;
        // Nobody takes a new folder away before it is locked. Where the file system knows no such locks, none of
        // the folders can be locked either, and all are left alone.
        let _ = flock(&alone, FlockOperation::LockExclusive);
        for entry in fs::read_dir(parent).map_err(broken)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                take_away(&entry.path());
            }
        }
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent).map_err(broken)?;
        let lock = File::open(folder.path()).map_err(broken)?;
        let _ = flock(&lock, FlockOperation::NonBlockingLockExclusive);
        Ok(Staging { folder, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// What cannot be taken away is in nobody's way, and stays.
fn take_away(folder: &Path) {
    let Ok(lock) = File::open(folder) else { return };
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
        && let Err(cause) = fs::remove_dir_all(folder)
    {
        tracing::warn!(folder = %folder.display(), ?cause, "what a killed restore left could not be taken away");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_one_left_is_taken_away_and_one_at_work_stays() {
        let place = tempfile::tempdir().unwrap();
        let left = place.path().join(format!("{PREFIX}left"));
        fs::create_dir_all(left.join("data")).unwrap();
        fs::write(left.join("data/testkeep.db"), "half").unwrap();
        let first = Staging::beside(place.path()).unwrap();
        assert!(!left.exists());
        let second = Staging::beside(place.path()).unwrap();
        assert!(first.path().exists() && second.path().exists());
        drop((first, second));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
