//! Place: where the program lies, and how another one takes that place.
//!
//! The new file is written beside the old one and takes its name by a rename, so whoever starts the program finds
//! the old one or the new one. The old one stays under another name for the way back. All of it is done as the caller:
//! the program may belong to root, and the data to the account of the server.

use crate::kernel::caller::as_caller;
use crate::kernel::durable::{self, trouble};
use crate::kernel::error::{Error, Result};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Where a program lies.
#[derive(Clone, Debug)]
pub struct Place {
    /// The program itself.
    pub program: PathBuf,
}

impl Place {
    /// The place of a program that is there.
    pub fn of(program: &Path) -> Result<Place> {
        let real = program.canonicalize().map_err(|cause| trouble("find", program, cause))?;
        Ok(Place { program: real })
    }

    /// Under this name lies what was there before.
    pub fn previous(&self) -> PathBuf {
        self.beside("previous")
    }

    /// Under this name the new one waits until it has shown what it can.
    pub fn staged(&self) -> PathBuf {
        self.beside("new")
    }

    /// Copies a file beside the program. Nobody can start it yet.
    ///
    /// Errors: `Forbidden` where the folder belongs to somebody else, such as a package manager.
    pub fn stage(&self, file: &Path) -> Result<PathBuf> {
        let staged = self.staged();
        self.discard()?;
        let mut source = as_caller(|| File::open(file))?.map_err(|cause| trouble("read", file, cause))?;
        let made = as_caller(|| OpenOptions::new().write(true).create_new(true).mode(0o600).open(&staged))?;
        let copied =
            made.and_then(|mut target| io::copy(&mut source, &mut target).and_then(|_| target.sync_all()));
        copied.map_err(|cause| match cause.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Error::forbidden(format!("This user may not exchange {}.", self.program.display())).hint(
                    "Run the command as the user that owns the program; if a package brought it, install the newer package instead.",
                )
            }
            _ => trouble("write", &staged, cause),
        })?;
        Ok(staged)
    }

    /// Lets the staged file be started.
    pub fn permit(&self) -> Result<()> {
        let staged = self.staged();
        as_caller(|| fs::set_permissions(&staged, Permissions::from_mode(0o755)))?
            .map_err(|cause| trouble("change", &staged, cause))
    }

    /// The staged file takes the place of the program.
    pub fn exchange(&self) -> Result<()> {
        let previous = self.previous();
        remove(&previous)?;
        as_caller(|| fs::hard_link(&self.program, &previous))?
            .map_err(|cause| trouble("keep", &previous, cause))?;
        self.take(&self.staged())
    }

    /// What was there before takes its place again.
    pub fn put_back(&self) -> Result<()> {
        let previous = self.previous();
        if !previous.exists() {
            return Err(Error::not_found(format!("There is no {} to go back to.", previous.display()))
                .hint("Install the version that was there before from its package."));
        }
        self.take(&previous)
    }

    /// Takes a staged file away.
    pub fn discard(&self) -> Result<()> {
        remove(&self.staged())
    }

    fn take(&self, from: &Path) -> Result<()> {
        as_caller(|| fs::rename(from, &self.program))?
            .map_err(|cause| trouble("write", &self.program, cause))?;
        durable::sync_folder(self.program.parent().unwrap_or(Path::new("/")))
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.program.file_name().map(OsString::from).unwrap_or_default();
        name.push(".");
        name.push(ending);
        self.program.with_file_name(name)
    }
}

fn remove(path: &Path) -> Result<()> {
    match as_caller(|| fs::remove_file(path))? {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(trouble("remove", path, cause)),
        _ => Ok(()),
    }
}
