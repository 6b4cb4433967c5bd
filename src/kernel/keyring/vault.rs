//! Vault: seals small secrets that lie in the database, such as those of backup targets.
//!
//! Its key is one of the keyring, made when it is first needed. Whoever has the database alone has none of them.

use super::purpose::Purpose;
use super::{Keyring, State, random};
use crate::kernel::sealing;
use crate::kernel::secret::Secret;
use crate::kernel::time::Timestamp;

impl Keyring {
    /// Makes the key of the vault unless there is one; answers whether it did. Call `save` then.
    pub fn make_vault(&mut self, now: Timestamp) -> bool {
        let is_missing = self.current(Purpose::Vault).is_none();
        if is_missing {
            self.put(Purpose::Vault, Secret::new(random::bytes::<32>()).expose(), now);
        }
        is_missing
    }

    /// Seals a small secret under the newest key of the vault, its generation in front. None without such a key.
    pub fn seal(&self, about: &str, plain: &[u8]) -> Option<Vec<u8>> {
        let key = self.current(Purpose::Vault)?;
        let sealed = sealing::seal(&key.plain(), &self.in_vault(about), plain);
        Some([&key.generation.to_be_bytes()[..], &sealed].concat())
    }

    /// The secret that `seal` was given; none if it was changed or is about something else.
    pub fn unseal(&self, about: &str, sealed: &[u8]) -> Option<Secret<Vec<u8>>> {
        let (generation, sealed) = sealed.split_first_chunk::<4>()?;
        let generation = u32::from_be_bytes(*generation);
        let mut keys = self.keys.iter().filter(|key| key.purpose == Purpose::Vault);
        let key = keys.find(|key| key.generation == generation)?;
        sealing::unseal(&key.plain(), &self.in_vault(about), sealed)
    }

    /// Whether something was sealed under an earlier key than the one in use.
    pub fn is_sealed_by_an_older_key(&self, sealed: &[u8]) -> bool {
        let generation = sealed.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
        generation != self.current(Purpose::Vault).map(|key| key.generation)
    }

    /// Forgets the keys of the vault that are not in use; answers how many. Call `save`.
    ///
    /// For when nothing is sealed under them any more. A backup of before brings its own along.
    pub fn forget_older_vaults(&mut self) -> usize {
        let before = self.keys.len();
        self.keys.retain(|key| key.purpose != Purpose::Vault || key.state == State::Current);
        before - self.keys.len()
    }

    fn in_vault(&self, about: &str) -> String {
        format!("testkeep vault v1|{}|{about}", self.uuid)
    }
}
