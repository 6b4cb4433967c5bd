//! Turn: one job at a time works on a repository, in whatever process.

use super::Say;
use crate::kernel::durable;
use crate::kernel::error::{Error, Result};
use std::fs::{File, TryLockError};
use std::path::Path;

/// Held while a job writes.
pub struct Turn(#[expect(dead_code, reason = "dropping it gives the lock back")] File);

/// Whether a job works on the repository with these receipts, in whatever process.
pub fn is_at_work(receipts: &Path) -> Result<bool> {
    take_turn(receipts).map(|turn| turn.is_none())
}

/// The turn of the repository with these receipts; none while a job works on it, in whatever process.
pub fn take_turn(receipts: &Path) -> Result<Option<Turn>> {
    let unusable = || {
        Error::busy(format!("The folder {} could not be written.", receipts.display()))
            .hint("Look at its permissions and at the free space.")
    };
    durable::create_folder(receipts)?;
    let file = File::create(receipts.join("lock")).say(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Turn(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(cause)) => Err(unusable().because(cause)),
    }
}
