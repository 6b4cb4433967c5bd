//! The keys of a copy: the keyring that opens what lies in a backup, made of the one that is open now.
//!
//! A backup holds its keyring as it was. Its master key may be another one by now, and so may each data
//! key; then the generation that the backup names is looked for among those that this keyring kept.

use super::file::{self, WrappedKey};
use super::purpose::Purpose;
use super::{DataKey, Keyring, unwrap};
use crate::kernel::error::{Error, Result};

impl Keyring {
    /// The keys as they were when `json` was written, with the ways to open them that hold now.
    ///
    /// Keys of the backup repository and of the vault stay those of now: they belong to what lies outside of
    /// the copy, and a repository keeps the password it was made with.
    /// Errors: `Conflict` where the keyring is that of another instance, or where a key of then is gone.
    pub fn as_of(&self, json: &[u8]) -> Result<Keyring> {
        let then = file::parse(json)?;
        if then.instance != self.uuid {
            return Err(Error::conflict(format!("This backup is of another instance ({}).", then.instance))
                .hint("Bring that one back with its own recovery kit, into a folder of its own."));
        }
        let mut keys = Vec::new();
        for wrapped in &then.keys {
            keys.push(self.key_of_then(wrapped)?);
        }
        let newest = |purpose: Purpose| {
            let of_then = keys.iter().filter(|key| key.purpose == purpose);
            of_then.map(|key| key.generation).max().unwrap_or(0)
        };
        let is_needed = |key: &&DataKey| match key.purpose {
            // The copy is encrypted, bound and named under the newest keys of then.
            Purpose::Database | Purpose::Chain | Purpose::Tokens | Purpose::BlobNames => {
                key.generation <= newest(key.purpose)
            }
            _ => true,
        };
        let is_known = |key: &&DataKey| {
            !keys.iter().any(|known| known.purpose == key.purpose && known.generation == key.generation)
        };
        let more: Vec<DataKey> = self.keys.iter().filter(is_needed).filter(is_known).map(copied).collect();
        keys.extend(more);
        // The newest of a purpose stands last.
        keys.sort_by_key(|key| key.generation);
        let keyring = Keyring { keys, ..self.copy() };
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
        }
    }

    fn key_of_then(&self, wrapped: &WrappedKey) -> Result<DataKey> {
        if let Ok(key) = unwrap(&self.master, &self.uuid, wrapped) {
            return Ok(key);
        }
        let kept = self
            .keys
            .iter()
            .find(|key| key.purpose.word() == wrapped.purpose && key.generation == wrapped.generation);
        kept.map(copied).ok_or_else(|| {
            Error::conflict(format!(
                "The key of this backup for {} (generation {}) is not in the keyring any more.",
                wrapped.purpose, wrapped.generation
            ))
            .hint("Bring it back with the recovery kit that was in force when it was made.")
        })
    }
}

fn copied(key: &DataKey) -> DataKey {
    DataKey { purpose: key.purpose, generation: key.generation, bytes: key.bytes.clone() }
}
