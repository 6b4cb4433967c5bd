//! Safe: what a standby needs to go on by itself, sealed under its everyday key: the address of the target and what
//! opens it, and the recovery kit.
//!
//! The kit and not a key made from it, because only the kit opens backups that are made after keys were exchanged.
//! The everyday key lies outside of the folder, like that of every instance; the folder alone opens nothing.

use super::follow::Order;
use crate::keeping::backup::storage::Reach;
use crate::kernel::durable::{self, trouble};
use crate::kernel::error::{Error, Result};
use crate::kernel::keyring::{self, Keyring, Paper, RecoverySecret, SharedSecret, Unlock};
use crate::kernel::layout;
use crate::kernel::secret::Secret;
use crate::kernel::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What the sealed bytes are about.
const ABOUT: &str = "standby order";

/// The opened safe of a standby.
pub(super) struct Safe {
    file: PathBuf,
    keyring: Keyring,
}

/// What lies in it.
#[derive(Serialize, Deserialize)]
struct Stored {
    reach: Reach,
    is_kit: bool,
    paper: String,
}

impl Safe {
    /// Opens the safe in the folder of a standby; makes one where there is none, and a key file if that is what
    /// opens it.
    pub fn open(folder: &Path, unlock: &Unlock, now: Timestamp) -> Result<Safe> {
        let place = folder.join("safe");
        let file = place.join("order");
        if layout::keyring(&place).exists() {
            let keyring = Keyring::open(&place, unlock)?;
            return Ok(Safe { file, keyring });
        }
        if let Unlock::KeyFile(path) = unlock {
            keyring::refuse_inside(folder, path)?;
        }
        // Its own kit is never shown to anybody: whoever loses the everyday key follows anew.
        let (mut keyring, _) = Keyring::create(&place, unlock, now)?;
        keyring.make_vault(now);
        keyring.save(&place)?;
        Ok(Safe { file, keyring })
    }

    /// What was put in; none in a new one.
    pub fn get(&self) -> Result<Option<Order>> {
        if !self.file.exists() {
            return Ok(None);
        }
        let sealed = fs::read(&self.file).map_err(|cause| trouble("read", &self.file, cause))?;
        let plain = self.keyring.unseal(ABOUT, &sealed).ok_or_else(|| {
            Error::invalid("What this standby knows of its target cannot be opened: it was changed.")
                .hint("Say --from, and what opens it, once more.")
        })?;
        let stored: Stored = serde_json::from_slice(plain.expose()).map_err(Error::internal)?;
        let paper = match stored.is_kit {
            true => Paper::Kit(RecoverySecret::parse(&stored.paper)?),
            false => Paper::Shares(SharedSecret::parse(&stored.paper)?),
        };
        Ok(Some(Order { reach: stored.reach, paper }))
    }

    /// Puts this in, in the place of what was there.
    pub fn put(&self, order: &Order) -> Result<()> {
        let paper: Secret<String> = match &order.paper {
            Paper::Kit(kit) => kit.print(),
            Paper::Shares(shares) => shares.handed_on(),
        };
        let stored = Stored {
            reach: order.reach.clone(),
            is_kit: matches!(order.paper, Paper::Kit(_)),
            paper: paper.expose().clone(),
        };
        let plain = Zeroizing::new(serde_json::to_vec(&stored).map_err(Error::internal)?);
        let sealed =
            self.keyring.seal(ABOUT, &plain).ok_or_else(|| Error::internal("the vault has no key"))?;
        durable::replace(&self.file, &sealed)
    }
}
