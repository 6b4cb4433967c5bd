//! Folder: a storage on a disk of this machine, or on one that is mounted here.

use super::access::Limits;
use super::line::Line;
use super::{Storage, check_name};
use crate::keeping::backup::reader::Ledger;
use crate::kernel::durable;
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::limits;
use bytes::Bytes;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A folder on this machine.
///
/// An object is written in `tmp/`, synced, renamed, and its directory synced. `tmp/` lies inside
/// because a rename is only atomic within one file system.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    next: AtomicU64,
    /// A cap on bytes; a folder may lie on a mounted network disk.
    line: Option<Arc<Line>>,
}

impl Folder {
    /// Names the folder; touches nothing yet.
    pub fn new(root: &Path) -> Folder {
        Folder { root: root.to_owned(), next: AtomicU64::new(0), line: None }
    }

    /// The same with a bandwidth cap, if there is one in these limits.
    pub(super) fn within(root: &Path, limits: Limits) -> Folder {
        let line = limits.bytes_per_second.map(|_| Line::new(limits, root.display().to_string()));
        Folder { line, ..Folder::new(root) }
    }

    /// Waits for the cap; without one it costs nothing.
    fn pass(&self, bytes: usize) -> Result<()> {
        let Some(line) = &self.line else { return Ok(()) };
        line.call(&Ledger::default(), move |beat| async move {
            for from in (0..bytes).step_by(limits::TARGET_CHUNK_BYTES) {
                beat.pass(limits::TARGET_CHUNK_BYTES.min(bytes - from)).await;
            }
            Ok(())
        })
    }

    fn path(&self, name: &str) -> Result<PathBuf> {
        check_name(name).map(|()| self.root.join(name))
    }

    fn failed(&self, verb: &str, name: &str, cause: io::Error) -> Error {
        let error = durable::trouble(verb, &self.root.join(name), cause);
        if error.kind() != Kind::Internal {
            return error;
        }
        Error::busy(format!("The backup target {} could not {verb} `{name}`.", self.root.display()))
            .hint("Look at the health of its disk and whether it is mounted; then try again.")
            .because(error)
    }

    fn write(&self, half: &Path, path: &Path, content: &[Bytes]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(half)?;
        for part in content {
            file.write_all(part)?;
        }
        file.sync_all()?;
        let folder = path.parent().unwrap_or(&self.root);
        self.make(folder)?;
        fs::rename(half, path)?;
        sync_dir(folder)
    }

    /// Makes a folder below the root, never the root itself: if that is gone, the disk is not mounted.
    fn make(&self, folder: &Path) -> io::Result<()> {
        if folder == self.root || folder.exists() {
            return Ok(());
        }
        let above = folder.parent().unwrap_or(&self.root);
        self.make(above)?;
        match fs::create_dir(folder) {
            // Another writer was quicker.
            Err(there) if there.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made.and_then(|()| sync_dir(above)),
        }
    }

    fn gather(&self, folder: &Path, found: &mut Vec<(String, u64)>) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let (entry, kind) = entry.and_then(|entry| entry.file_type().map(|kind| (entry, kind)))?;
            if kind.is_dir() {
                self.gather(&entry.path(), found)?;
            } else if let Some(name) = entry.path().strip_prefix(&self.root).ok().and_then(Path::to_str) {
                found.push((name.to_owned(), entry.metadata()?.len()));
            }
        }
        Ok(())
    }
}

impl Storage for Folder {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn prepare(&self) -> Result<()> {
        let shards = (0..=255).map(|shard| format!("data/{shard:02x}"));
        let kinds = ["keys", "index", "snapshots", "locks", "receipts", "tmp"].map(String::from);
        let make = |folder: String| fs::create_dir_all(self.root.join(folder));
        let made = shards.chain(kinds).try_for_each(make);
        let synced =
            made.and_then(|()| sync_dir(&self.root.join("data"))).and_then(|()| sync_dir(&self.root));
        synced.map_err(|cause| self.failed("create", "data", cause))
    }

    fn sweep(&self) -> Result<()> {
        let sweep = || match fs::read_dir(self.root.join("tmp")) {
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => fs::create_dir(self.root.join("tmp")),
            found => found?.try_for_each(|half| fs::remove_file(half?.path())),
        };
        sweep().map_err(|cause| self.failed("sweep", "tmp", cause))
    }

    fn put(&self, name: &str, content: &[Bytes]) -> Result<()> {
        let path = self.path(name)?;
        let number = self.next.fetch_add(1, Relaxed);
        let half = self.root.join(format!("tmp/{}-{number}", std::process::id()));
        self.pass(content.iter().map(Bytes::len).sum())?;
        self.write(&half, &path, content).map_err(|cause| {
            // Best effort: the next run sweeps.
            let _ = fs::remove_file(&half);
            self.failed("write", name, cause)
        })
    }

    fn get(&self, name: &str) -> Result<Bytes> {
        let path = self.path(name)?;
        let mut content = Vec::new();
        let bound = limits::BACKUP_OBJECT_BYTES_MAX + 1;
        let read = File::open(path).and_then(|file| file.take(bound).read_to_end(&mut content));
        if read.map_err(|cause| self.failed("read", name, cause))? as u64 == bound {
            return Err(Error::too_large(format!("`{name}` in the backup target is larger than 256 MiB.")));
        }
        self.pass(content.len())?;
        Ok(content.into())
    }

    fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes> {
        let path = self.path(name)?;
        if length > limits::BACKUP_OBJECT_BYTES_MAX {
            return Err(Error::too_large(format!("A part of `{name}` is larger than 256 MiB.")));
        }
        let mut content = vec![0; usize::try_from(length).map_err(Error::internal)?];
        let read = File::open(path).and_then(|file| file.read_exact_at(&mut content, offset));
        read.map_err(|cause| self.failed("read", name, cause))?;
        self.pass(content.len())?;
        Ok(content.into())
    }

    fn list(&self, folder: &str) -> Result<Vec<(String, u64)>> {
        let (path, mut found) = (self.path(folder)?, Vec::new());
        match self.gather(&path, &mut found) {
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed.map_err(|cause| self.failed("list", folder, cause)).map(|()| found),
        }
    }

    fn stat(&self, name: &str) -> Result<Option<u64>> {
        match fs::metadata(self.path(name)?) {
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(None),
            found => Ok(Some(found.map_err(|cause| self.failed("find", name, cause))?.len())),
        }
    }

    fn delete(&self, name: &str) -> Result<()> {
        let path = self.path(name)?;
        let gone = fs::remove_file(&path).and_then(|()| sync_dir(path.parent().unwrap_or(&self.root)));
        gone.map_err(|cause| self.failed("delete", name, cause))
    }
}

/// Makes the names inside a directory durable.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
