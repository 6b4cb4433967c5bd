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
/// The flags that name a file of shares.
const SHARES_FLAGS: [&str; 2] = ["--shares-file", "--shares"];

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
        let handed = match unlock {
            Unlock::Passphrase(passphrase) => Some((passphrase.clone(), &[PASSPHRASE_FLAG][..])),
            Unlock::Shares(shares) => Some((shares.handed_on(), &SHARES_FLAGS[..])),
            _ => None,
        };
        match handed {
            Some((secret, flags)) => {
                let descriptor = match handed_on(&secret) {
                    Ok(descriptor) => descriptor.into_raw_fd().to_string(),
                    Err(reason) => return reason,
                };
                command.args(without(self.arguments, flags));
                match unlock {
                    Unlock::Shares(_) => {
                        command.args([SHARES_FLAGS[0].to_owned(), format!("/proc/self/fd/{descriptor}")])
                    }
                    _ => command.env("TESTKEEP_PASSPHRASE_FD", descriptor),
                };
            }
            None => {
                command.args(self.arguments);
            }
        }
        // The filter of system calls goes along, and one is enough.
        command.envs(sandbox::handed_on());
        let cause = command.exec();
        // As where a service may run one file alone and another one has taken its place.
        Error::busy(format!("{} could not begin anew in this process: {cause}.", self.path.display()))
            .hint("A service manager starts it again by itself; without one, start it.")
    }
}

/// A pipe that holds a secret: whoever typed it has left, and its first descriptor was read to its end.
fn handed_on(secret: &Secret<String>) -> Result<OwnedFd> {
    let (reading, mut writing) = std::io::pipe().map_err(Error::internal)?;
    // Shorter than what a pipe holds, so nobody has to read meanwhile.
    writing.write_all(secret.expose().as_bytes()).map_err(Error::internal)?;
    fcntl_setfd(&reading, FdFlags::empty()).map_err(Error::internal)?;
    Ok(reading.into())
}

/// The arguments without these flags and their values: what they named was of the old process.
fn without(arguments: Vec<OsString>, flags: &[&str]) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let words = argument.to_string_lossy();
        if flags.iter().any(|flag| words == *flag) {
            arguments.next();
        } else if !flags.iter().any(|flag| words.starts_with(&format!("{flag}="))) {
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
        let kept = without(given.map(OsString::from).to_vec(), &[PASSPHRASE_FLAG]);
        assert_eq!(kept, ["serve", "--data", "x"].map(OsString::from));
        let given = ["serve", "--shares", "-", "--shares-file=x", "--log", "warn"];
        let kept = without(given.map(OsString::from).to_vec(), &SHARES_FLAGS);
        assert_eq!(kept, ["serve", "--log", "warn"].map(OsString::from));
    }
}
