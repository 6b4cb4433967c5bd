//! Keeping the store: examining many blobs, putting one back from a backup, taking away what nothing names.
//!
//! Which blobs are named by something is in the database; this module is told.

use super::{BlobName, Blobs, Verdict, blocking};
use crate::kernel::durable::{self, trouble};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use tempfile::NamedTempFile;

impl Blobs {
    /// Reads blobs to their end, away from the async threads, and tells how each was found.
    pub async fn examine(&self, names: Vec<BlobName>) -> Result<Vec<(BlobName, Verdict)>> {
        let blobs = self.clone();
        blocking(move || {
            names.into_iter().map(|name| blobs.verify(&name).map(|verdict| (name, verdict))).collect()
        })
        .await
    }

    /// Puts a sealed file from a backup in the place of one that is damaged or missing. What comes is read to
    /// its end before it replaces anything, so a wrong file changes nothing. Blocks.
    pub fn put_back(&self, name: &BlobName, sealed: &[u8]) -> Result<Verdict> {
        let (path, folder) = (self.path(name), self.tmp());
        let failed = |cause| trouble("write", &path, cause);
        let mut file = NamedTempFile::new_in(&folder).map_err(failed)?;
        file.write_all(sealed).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        let verdict = self.verify_file(name, file.path())?;
        if verdict == Verdict::Whole {
            let parent = path.parent().expect("a blob lies in a folder");
            durable::create_folder(parent)?;
            durable::sync_folder(&self.0.folder)?;
            file.persist(&path).map_err(|cause| failed(cause.error))?;
            durable::sync_folder(parent)?;
        }
        Ok(verdict)
    }

    /// Takes a blob away that nothing names, unless somebody stored the same content lately; answers how many
    /// bytes that returned.
    pub async fn remove(&self, name: BlobName, now: Timestamp) -> Result<Option<u64>> {
        let blobs = self.clone();
        blocking(move || {
            let path = blobs.path(&name);
            let _shelf = blobs.0.shelf.lock().expect("nobody panics while holding it");
            let meta = match fs::metadata(&path) {
                Err(gone) if gone.kind() == ErrorKind::NotFound => return Ok(Some(0)),
                found => found.map_err(|cause| trouble("find", &path, cause))?,
            };
            if now.0 - meta.mtime() * 1_000 < limits::BLOB_IDLE_MS {
                return Ok(None);
            }
            fs::remove_file(&path).map_err(|cause| trouble("delete", &path, cause))?;
            Ok(Some(meta.len()))
        })
        .await
    }

    /// Bytes of all sealed files, and how many there are.
    pub async fn weigh(&self) -> Result<(u64, u64)> {
        let blobs = self.clone();
        blocking(move || {
            let names = blobs.names()?;
            let size = |name: &BlobName| fs::metadata(blobs.path(name)).map_or(0, |meta| meta.len());
            Ok((names.iter().map(size).sum(), names.len() as u64))
        })
        .await
    }
}

/// Notes that somebody wants this content, so that nobody takes it away before a row names it.
pub(super) fn touch(path: &Path) -> Result<()> {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    utimensat(CWD, path, &times, AtFlags::empty()).map_err(Error::internal)
}
