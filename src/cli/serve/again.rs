//! Again: the server begins anew in its own process, with the same arguments.
//!
//! The service manager sees one process that goes on; sockets, files and memory of the old one are gone.

use crate::kernel::error::{Error, Result};
use crate::kernel::keyring::Unlock;
use crate::kernel::secret::Secret;
use crate::server::sandbox;
use rustix::io::{FdFlags, fcntl_setfd};
use std::ffi::OsString;
use std::io::Write as _;
use std::os::fd::{IntoRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

/// The flag that names the descriptor of the passphrase.
const PASSPHRASE_FLAG: &str = "--passphrase-fd";

/// The program as it was called.
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    /// Where the program lies now, and how it was called.
    pub fn at_its_place() -> Result<Program> {
        let path = std::env::current_exe().map_err(Error::internal)?;
        Ok(Program { path, arguments: std::env::args_os().skip(1).collect() })
    }

    /// Puts the program that lies there now in our place. Comes back only with the reason why it could not.
    pub fn begin_anew(self, unlock: &Unlock) -> Error {
        let mut command = Command::new(&self.path);
        match unlock {
            Unlock::Passphrase(passphrase) => match handed_on(passphrase) {
                Ok(descriptor) => {
                    command.args(without_descriptor(self.arguments));
                    command.env("TESTKEEP_PASSPHRASE_FD", descriptor.into_raw_fd().to_string());
                }
                Err(reason) => return reason,
            },
            _ => {
                command.args(self.arguments);
            }
        }
        // The filter of system calls goes along, and one is enough.
        command.envs(sandbox::handed_on());
        let cause = command.exec();
        Error::internal(format!("{} could not begin anew: {cause}", self.path.display()))
    }
}

/// A pipe that holds the passphrase: whoever typed it has left, and its first descriptor was read to its end.
fn handed_on(passphrase: &Secret<String>) -> Result<OwnedFd> {
    let (reading, mut writing) = std::io::pipe().map_err(Error::internal)?;
    // Shorter than what a pipe holds, so nobody has to read meanwhile.
    writing.write_all(passphrase.expose().as_bytes()).map_err(Error::internal)?;
    fcntl_setfd(&reading, FdFlags::empty()).map_err(Error::internal)?;
    Ok(reading.into())
}

/// The arguments without the descriptor of the old process; the environment names the new one.
fn without_descriptor(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if argument == PASSPHRASE_FLAG {
            arguments.next();
        } else if !argument.to_string_lossy().starts_with(&format!("{PASSPHRASE_FLAG}=")) {
            kept.push(argument);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_descriptor_is_left_out() {
        let given = ["serve", "--passphrase-fd", "3", "--data", "x", "--passphrase-fd=4"];
        let kept = without_descriptor(given.map(OsString::from).to_vec());
        assert_eq!(kept, ["serve", "--data", "x"].map(OsString::from));
    }
}
