//! What the opened keyring gives out: each key to the part that it is for.

use super::file::State;
use super::purpose::Purpose;
use super::{COMPLETE, DataKey, Keyring};
use crate::kernel::access::{DatabaseKey, Keys};
use crate::kernel::audit::ChainKey;
use crate::kernel::sealing::Key;
use crate::kernel::secret::Secret;

/// The keys of the encrypted files.
#[derive(Clone, Debug)]
pub struct BlobKeys {
    pub names: Key,
    /// All generations, the newest last. New files use the newest.
    pub generations: Vec<(u32, Key)>,
}

impl Keyring {
    /// What the door needs.
    pub fn keys(&self) -> Keys {
        let older = self.of(Purpose::Tokens).filter(|key| key.state != State::Current);
        let chain = self.of(Purpose::Chain).map(|key| (key.generation, ChainKey(*key.plain().expose())));
        Keys {
            database: self.database(),
            chain: chain.collect(),
            tokens: self.tokens(),
            tokens_before: older.map(|key| *key.plain().expose()).collect(),
        }
    }

    /// The key of the database file.
    pub fn database(&self) -> DatabaseKey {
        DatabaseKey(*self.plain(Purpose::Database).expose())
    }

    /// Every key that may open the database file, the likeliest first: the one in use, the one that a change
    /// to it may have reached already, then those of older backups.
    pub fn database_keys(&self) -> Vec<(u32, DatabaseKey)> {
        let mut keys: Vec<&DataKey> = self.of(Purpose::Database).collect();
        keys.sort_by_key(|key| (order(key.state), u32::MAX - key.generation));
        keys.into_iter().map(|key| (key.generation, DatabaseKey(*key.plain().expose()))).collect()
    }

    /// The key that binds the audit trail.
    pub fn chain(&self) -> ChainKey {
        ChainKey(*self.plain(Purpose::Chain).expose())
    }

    /// The key of the digests of tokens and cookies.
    pub fn tokens(&self) -> [u8; 32] {
        *self.plain(Purpose::Tokens).expose()
    }

    /// The keys of the encrypted files.
    pub fn blobs(&self) -> BlobKeys {
        let mut generations: Vec<(u32, Key)> =
            self.of(Purpose::Blobs).map(|key| (key.generation, key.plain())).collect();
        generations.sort_by_key(|(generation, _)| *generation);
        BlobKeys { names: self.plain(Purpose::BlobNames), generations }
    }

    /// The password of the backup repository; the recovery kit has the same.
    pub fn backup_password(&self) -> Secret<String> {
        let bytes = self.current(Purpose::BackupPassword).expect(COMPLETE).bytes.expose();
        Secret::new(String::from_utf8(bytes.clone()).expect(COMPLETE))
    }

    /// The seed of the first key that signs proofs of backups: it says whose repository it is, for good.
    pub fn backup_signing(&self) -> Key {
        let first = self.of(Purpose::BackupSigning).min_by_key(|key| key.generation);
        first.expect(COMPLETE).plain()
    }

    /// The seeds of the keys that took its place, the oldest first. Each is vouched for by a receipt under
    /// the one before.
    pub fn backup_signing_successors(&self) -> Vec<Key> {
        let mut keys: Vec<&DataKey> = self.of(Purpose::BackupSigning).collect();
        keys.sort_by_key(|key| key.generation);
        keys.into_iter().skip(1).map(DataKey::plain).collect()
    }

    /// The master key of the backup repository, once `put_backup_master` has stored it.
    pub fn backup_master(&self) -> Option<&Secret<Vec<u8>>> {
        self.current(Purpose::BackupMaster).map(|key| &key.bytes)
    }

    fn of(&self, purpose: Purpose) -> impl Iterator<Item = &DataKey> {
        self.keys.iter().filter(move |key| key.purpose == purpose)
    }
}

fn order(state: State) -> u8 {
    match state {
        State::Current => 0,
        State::Pending => 1,
        State::Retired => 2,
    }
}
