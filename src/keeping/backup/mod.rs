//! Backup of one instance: the pinned database, the blobs and the key ring, in a restic repository.
//!
//! `kernel` holds the database file still, `source` feeds it to the engine in slices, `target`
//! stores objects, `engine` turns a run into a signed receipt or an error, `verify` reads back what
//! a receipt promised, `restore` brings a snapshot back through a process of its own (`child`), `scratch` opens what came
//! back beside the instance, `prove` shows that it is what was backed up.
//! A snapshot without a receipt is not a backup.
//! This module knows no schedule and no settings. It blocks: call it from a thread of its own.

pub mod child;
pub mod engine;
pub mod fetch;
pub mod files;
pub mod home;
pub mod keep;
pub mod locks;
pub mod manifest;
mod mark;
pub mod prove;
pub mod reader;
pub mod receipt;
pub mod restore;
pub mod scratch;
pub mod source;
pub mod staging;
pub mod storage;
pub mod target;
pub mod turn;
pub mod verify;

pub use engine::{Engine, Listed};
pub use keep::Keep;
pub use locks::{Leftover, Papers};
pub use reader::Ledger;
pub use receipt::{Chain, Identity, Receipt};
pub use scratch::{Bench, Scratch};
pub use source::Parts;
pub use target::Target;
pub use verify::{Findings, Proof};

use crate::kernel::error::{Error, Result};
use crate::kernel::secret::Secret;
use crate::kernel::time::Clock;
use rustic_core::RusticError;
use rustic_core::repofile::MasterKey;
use std::error::Error as StdError;

/// Gives a foreign failure a sentence; what it said itself goes beneath, for the log.
trait Say<T> {
    fn say(self, error: impl FnOnce() -> Error) -> Result<T>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> Say<T> for Result<T, E> {
    fn say(self, error: impl FnOnce() -> Error) -> Result<T> {
        self.map_err(|cause| error().because(cause))
    }
}

/// Runs work of the engine on a thread of its own, where a panic becomes an error: it is known to
/// panic on damaged trees. The server is therefore built to unwind.
fn caught<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|_| {
        Err(Error::invalid("The backup engine stopped in the middle: the repository may be damaged.")
            .hint("Run `testkeep verify` to see what is wrong with it."))
    })
}

/// The error of ours that lies beneath what the engine reports: the place itself failed.
fn own(cause: &RusticError) -> Option<Error> {
    let mut beneath: Option<&(dyn StdError + 'static)> = cause.source();
    while let Some(found) = beneath {
        if let Some(own) = found.downcast_ref::<Error>() {
            return Some(own.clone());
        }
        beneath = found.source();
    }
    None
}

/// Turns what the engine reports into one of our errors. If one of ours lies beneath, that one.
fn reported(cause: Box<RusticError>) -> Error {
    if let Some(own) = own(&cause) {
        return own;
    }
    let error = if cause.is_incorrect_password() {
        Error::conflict("The backup repository was made with another password.")
            .hint("Choose an empty folder, or use the recovery kit of the instance that made it.")
    } else {
        Error::invalid("The backup engine could not work with the repository.")
            .hint("Run `testkeep verify` to see whether it is damaged; the log has the engine's own words.")
    };
    error.because(cause)
}

/// The present moment; its text is RFC 3339 in UTC.
fn now() -> jiff::Timestamp {
    let now = jiff::Timestamp::from_millisecond(Clock::System.now().0);
    now.expect("the clock shows a year below 9999")
}

/// A master key as the key ring keeps it.
fn sealed(master: &MasterKey) -> Result<Secret<Vec<u8>>> {
    serde_json::to_vec(master).map(Secret::new).map_err(Error::internal)
}
