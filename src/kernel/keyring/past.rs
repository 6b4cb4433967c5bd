//! The keys of a copy: the keyring that opens what lies in a backup, made of the one that is open now.
//!
//! A backup holds its keyring as it was. Its master key may be another one by now, and so may each data
//! key; then the generation that the backup names is looked for among those that this keyring kept.

use super::file::{self, State, WrappedKey};
use super::purpose::Purpose;
use super::{DataKey, Keyring, wire};
use crate::kernel::error::{Error, Result};

impl Keyring {
    /// The keys with which the copy that `json` came with opens, with the ways to open them that hold now.
    ///
    /// Keys of the backup repository stay those of now: a repository keeps the password it was made with.
    /// Errors: `Conflict` where the keyring is that of another instance, or where a key of then is gone.
    pub fn as_of(&self, json: &[u8]) -> Result<Keyring> {
        let then = file::parse(json)?;
        if then.instance != self.uuid {
            return Err(Error::conflict(format!("This backup is of another instance ({}).", then.instance))
                .hint("Bring that one back with its own recovery kit, into a folder of its own."));
        }
        let (newest, mut keyring) = (then.newest(), self.copy());
        for wrapped in &then.keys {
            match wire::unwrap(&self.master.key, &then, &newest, wrapped) {
                Ok(key) => keyring.take_in(key),
                Err(_) => keyring.refuse_unknown(wrapped)?,
            }
        }
        keyring.refuse_incomplete()?;
        Ok(keyring)
    }

    /// The same keys once more, for work that goes on while the keyring may change.
    pub fn copy(&self) -> Keyring {
        Keyring {
            uuid: self.uuid.clone(),
            created_at: self.created_at,
            master: self.master.clone(),
            slots: self.slots.clone(),
            keys: self.keys.iter().map(copied).collect(),
            opened_by: self.opened_by.clone(),
        }
    }

    /// A key of then: what it sealed lies in the copy, so its bytes count; what is in use stays so.
    fn take_in(&mut self, key: DataKey) {
        if matches!(key.purpose, Purpose::BackupPassword | Purpose::BackupMaster | Purpose::Slots) {
            return;
        }
        let is_same =
            |known: &&mut DataKey| known.purpose == key.purpose && known.generation == key.generation;
        match self.keys.iter_mut().find(is_same) {
            Some(known) => known.bytes = key.bytes,
            None => self.keys.push(DataKey { state: State::Retired, ..key }),
        }
    }

    fn refuse_unknown(&self, wrapped: &WrappedKey) -> Result<()> {
        let is_kept =
            |key: &DataKey| key.purpose.word() == wrapped.purpose && key.generation == wrapped.generation;
        // What it sealed are credentials of then, and everything else opens without it. A keyring that the master
        // key of now opens has brought it along.
        if self.keys.iter().any(is_kept) || wrapped.purpose == Purpose::Vault.word() {
            return Ok(());
        }
        Err(Error::conflict(format!(
            "The key of this backup for {} (generation {}) is not in the keyring any more.",
            wrapped.purpose, wrapped.generation
        ))
        .hint("Bring it back with the recovery kit that was in force when it was made."))
    }
}

fn copied(key: &DataKey) -> DataKey {
    DataKey { bytes: key.bytes.clone(), ..*key }
}
