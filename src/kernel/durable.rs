//! Durable files: whole or absent after a power cut, and readable by their owner only.

use super::error::{Error, Result};
use super::reach;
use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use tempfile::NamedTempFile;

/// Puts the bytes in place of whatever has that name.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = write_beside(path, bytes)?;
    written.persist(path).map_err(|failed| trouble("write", path, failed.error))?;
    sync_folder(folder_of(path))
}

/// Puts the bytes in a new file; answers `false` and touches nothing if the name is taken.
pub fn create(path: &Path, bytes: &[u8]) -> Result<bool> {
    let written = write_beside(path, bytes)?;
    match written.persist_noclobber(path) {
        Ok(_) => sync_folder(folder_of(path)).map(|()| true),
        Err(failed) if failed.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(failed) => Err(trouble("write", path, failed.error)),
    }
}

/// Makes a folder that only its owner may enter, and those above it that are missing.
pub fn create_folder(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|cause| trouble("create", path, cause))
}

/// Makes renames and new names in a folder survive a power cut.
pub fn sync_folder(path: &Path) -> Result<()> {
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(|cause| trouble("write", path, cause))
}

/// A failure of the file system in words for whoever runs the instance.
pub fn trouble(verb: &str, path: &Path, cause: std::io::Error) -> Error {
    let (whole, path) = (path, path.display());
    match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Error::full(format!("There is no space left to {verb} {path}."))
                .hint("Free some space on this disk; nothing was changed.")
        }
        ErrorKind::ReadOnlyFilesystem => {
            Error::busy(format!("Cannot {verb} {path}: the file system is read-only."))
                .hint("Mount it for writing; a disk that turned read-only by itself may be failing.")
        }
        ErrorKind::PermissionDenied => reach::refusal(whole).unwrap_or_else(|| {
            Error::forbidden(format!("The system does not let this program {verb} {path}."))
                .hint("Check who owns it and under which user this program runs.")
        }),
        ErrorKind::NotFound => Error::not_found(format!("Cannot {verb} {path}: it is not there.")),
        _ => Error::internal(format!("cannot {verb} {path}: {cause}")),
    }
    .because(cause)
}

/// The folder a file lies in; `.` for a bare name.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes to a temporary neighbour, mode 0600, down to the disk.
fn write_beside(path: &Path, bytes: &[u8]) -> Result<NamedTempFile> {
    let written = NamedTempFile::new_in(folder_of(path)).and_then(|mut file| {
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(file)
    });
    written.map_err(|cause| trouble("write", path, cause))
}
