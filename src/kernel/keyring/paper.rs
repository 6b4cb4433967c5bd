//! Paper: what opens an instance, and its backups, when nothing else is left: the recovery kit, or enough shares.
//!
//! The kit is exchanged as a whole: slot, master key and password of the backup repository change in one step, so
//! at every moment one kit opens the keyring. What a backup target knows follows; `keeping::keys` sees to that.

use super::file::{self, Contents};
use super::kit::{RecoveryKit, RecoverySecret};
use super::purpose::Purpose;
use super::shares::SharedSecret;
use super::{Keyring, SlotKind, State, Unlock};
use crate::kernel::error::{Error, Result};
use crate::kernel::secret::Secret;
use crate::kernel::time::Timestamp;

/// What somebody brings on paper.
#[derive(Clone, Debug)]
pub enum Paper {
    /// The recovery kit, which is the password of the repository too.
    Kit(RecoverySecret),
    /// Enough shares; the password of the repository lies in the keyring that they open.
    Shares(SharedSecret),
}

impl Paper {
    /// As a way to open a keyring.
    pub fn unlock(&self) -> Unlock {
        match self {
            Paper::Kit(secret) => Unlock::Kit(secret.clone()),
            Paper::Shares(secret) => Unlock::Shares(secret.clone()),
        }
    }

    /// The words in a sentence.
    pub fn spoken(&self) -> &'static str {
        match self {
            Paper::Kit(_) => "this recovery kit",
            Paper::Shares(_) => "these shares",
        }
    }
}

impl Keyring {
    /// Another recovery kit for this instance. Nothing changes yet: somebody has to hold it first.
    pub fn new_kit(&self, now: Timestamp) -> RecoveryKit {
        RecoveryKit { secret: RecoverySecret::random(), uuid: self.uuid().to_owned(), created_at: now }
    }

    /// Puts this recovery kit in the place of the one before: from then on the old one opens neither this keyring
    /// nor, with what it once opened, any later state of it. Call `save`.
    ///
    /// Errors: `Conflict` as long as the master key cannot change, because a slot is of the first format.
    pub fn exchange_kit(&mut self, kit: &RecoverySecret, now: Timestamp) -> Result<()> {
        self.put_slot(&Unlock::Kit(kit.clone()), now)?;
        // Whoever once opened a copy with the old kit knows the master key of then.
        self.renew_master(now)?;
        self.put(Purpose::BackupPassword, kit.repository_password().expose().as_bytes(), now);
        Ok(())
    }

    /// The passwords that repositories may still have, the newest first: those of kits of before.
    pub fn backup_passwords_before(&self) -> Vec<Secret<String>> {
        let is_older =
            |key: &&super::DataKey| key.purpose == Purpose::BackupPassword && key.state != State::Current;
        let mut older: Vec<_> = self.keys.iter().filter(is_older).collect();
        older.sort_by_key(|key| u32::MAX - key.generation);
        let text = |key: &super::DataKey| String::from_utf8(key.bytes.expose().clone());
        older.into_iter().map(|key| Secret::new(text(key).expect(super::COMPLETE))).collect()
    }
}

/// A keyring as it lies in the open beside backups: with those ways only that are on paper, for each of which
/// somebody would have to guess 256 bits.
pub fn deposit(json: &[u8]) -> Result<Vec<u8>> {
    let mut contents: Contents = file::parse(json)?;
    contents.slots.retain(|slot| matches!(slot.kind, SlotKind::Recovery | SlotKind::Shares));
    serde_json::to_vec(&contents).map_err(Error::internal)
}
