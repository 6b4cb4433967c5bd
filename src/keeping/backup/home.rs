//! Home: our own copies of receipts, in the data folder. They tell when a target lost some, and what came before.

use super::Say;
use super::manifest::Anchor;
use super::receipt::{name_of, number_of, verify};
use super::storage::Storage;
use crate::kernel::durable;
use crate::kernel::error::{Error, Result};
use bytes::Bytes;
use ed25519_dalek::VerifyingKey;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use tracing::warn;

/// The newest end of the audit trail that our own copies of receipts name, of all targets, if it was signed after a
/// moment in milliseconds since 1970. A chain that does not verify names none: its target tells why.
pub fn newest_end(receipts: &Path, key: &VerifyingKey, after: i64) -> Result<Option<Anchor>> {
    let homes = match fs::read_dir(receipts) {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(None),
        listed => listed.say(|| unreadable(receipts))?,
    };
    let homes = homes.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
    let mut newest: Option<(i64, Anchor)> = None;
    for home in homes.chain([receipts.to_owned()]) {
        let stored = stored_at_home(&home).say(|| unreadable(&home))?;
        let found = match verify(&stored, key) {
            Ok((found, _)) => found,
            Err(reason) => {
                warn!(?reason, home = %home.display(), "these receipts cannot vouch for the audit trail");
                continue;
            }
        };
        for receipt in found {
            let at = receipt.finished_at.parse().map(jiff::Timestamp::as_millisecond).unwrap_or_default();
            if let Some(end) = receipt.audit.filter(|_| at > after) {
                newest = newest.filter(|(known, _)| *known >= at).or(Some((at, end)));
            }
        }
    }
    Ok(newest.map(|(_, end)| end))
}

/// Copies the receipts that lay in one folder for all targets, if they are those of this one.
pub fn adopt(old: &Path, home: &Path, target: &dyn Storage) -> Result<()> {
    let first = name_of(1);
    if home.join(&first).exists() || !old.join(&first).exists() {
        return Ok(());
    }
    let known = stored_at_home(old).say(|| unreadable(old))?;
    let theirs = format!("receipts/{first}");
    let is_theirs = target.stat(&theirs)?.is_some() && known.get(&1) == Some(&target.get(&theirs)?);
    if is_theirs {
        durable::create_folder(home)?;
        // The first comes last: with it the copy is whole.
        known
            .iter()
            .rev()
            .try_for_each(|(number, bytes)| durable::replace(&home.join(name_of(*number)), bytes))?;
    }
    Ok(())
}

/// Every receipt that lies there, by its number.
pub(super) fn stored_at_home(home: &Path) -> io::Result<BTreeMap<u64, Bytes>> {
    let mut stored = BTreeMap::new();
    let found = match fs::read_dir(home) {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(stored),
        found => found?,
    };
    for entry in found {
        let entry = entry?;
        if let Some(number) = entry.file_name().to_str().and_then(number_of) {
            stored.insert(number, fs::read(entry.path())?.into());
        }
    }
    Ok(stored)
}

/// What is said when that folder cannot be read.
pub(super) fn unreadable(home: &Path) -> Error {
    Error::busy(format!("The receipts in {} could not be read.", home.display()))
        .hint("Look at the permissions of this folder and at the health of the disk.")
}
