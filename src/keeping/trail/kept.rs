//! The end of the trail that is kept elsewhere: in the signed receipts of backups.
//!
//! A trail that was cut short looks like a younger one; the newest receipt tells them apart. Where another state took
//! the place of the instance since, its trail is another one from there on, and only receipts from after it count.

use super::sql;
use crate::keeping::backup::home;
use crate::keeping::backup::manifest::Anchor;
use crate::kernel::access::{InstanceKeep, Tx, Write};
use crate::kernel::audit::{Audited, Event, Head, Quiet};
use crate::kernel::error::Result;
use crate::kernel::instance::Instance;
use crate::kernel::layout;
use crate::kernel::swap;
use ed25519_dalek::{SigningKey, VerifyingKey};
use std::path::PathBuf;

pub(super) const EXCHANGED: Event =
    Event::new("instance.exchanged", "Another state took the place of the one that stood here.");

/// Where the receipts of an instance lie at home, and who signs them.
pub struct Kept {
    data: PathBuf,
    key: VerifyingKey,
}

impl Kept {
    /// Those of this instance.
    pub fn of(instance: &Instance) -> Result<Kept> {
        let key = SigningKey::from_bytes(instance.keyring()?.backup_signing().expose()).verifying_key();
        Ok(Kept { data: instance.data.clone(), key })
    }

    /// The end that the newest of them names, if it is of this trail. Reads files: for long reads.
    pub fn end(&self, tx: impl Tx) -> Result<Option<Head>> {
        let since = sql::exchanged_at(tx)?.max(last_exchange(&self.data)?);
        let end = home::newest_end(&layout::receipts(&self.data), &self.key, since)?;
        end.as_ref().map(Anchor::head).transpose()
    }
}

/// When the last exchange was ordered whose former state is still there, in milliseconds since 1970.
fn last_exchange(data: &std::path::Path) -> Result<i64> {
    Ok(swap::kept(data)?.first().map_or(0, |kept| kept.at))
}

/// Notes in the trail itself that another state took the place of the one before, at the first start with it: what
/// was put aside may be deleted, and the command that goes back after an upgrade writes no entry.
pub fn note_exchange<'t>(tx: Write<'t, InstanceKeep>, data: &std::path::Path) -> Result<Audited<'t, ()>> {
    let last = last_exchange(data)?;
    if last <= sql::exchanged_at(tx)? {
        return Ok(tx.quiet(Quiet::Unchanged, ()));
    }
    tx.audited(EXCHANGED.alone().count("at", last), ())
}
