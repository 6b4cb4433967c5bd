//! Keyring: all keys of the instance, wrapped by a master key that several slots can open.
//!
//! The file holds nothing in plain text but the instance's number and which ways there are to open
//! it. Whoever has it and none of the secrets has nothing. This module never makes a key for a
//! database that exists: a lost keyring is an error, not a fresh start.

mod file;
mod kit;
mod past;
mod purpose;
mod slots;
mod vault;

pub use file::default_key_file;
pub use kit::{RecoveryKit, RecoverySecret};
pub use slots::{SlotKind, Unlock};

use super::access::{DatabaseKey, Keys};
use super::audit::ChainKey;
use super::durable;
use super::error::{Error, Result};
use super::layout;
use super::random;
use super::sealing::{self, Key};
use super::secret::Secret;
use super::time::Timestamp;
use data_encoding::HEXLOWER;
use file::{Contents, Slot, WrappedKey};
use purpose::Purpose;
use std::path::{Path, PathBuf};

/// The name under which the service manager hands the key over, in `$CREDENTIALS_DIRECTORY`.
pub const CREDENTIAL_NAME: &str = "testkeep.key";

/// The opened keyring.
#[derive(Debug)]
pub struct Keyring {
    uuid: String,
    created_at: Timestamp,
    master: Key,
    slots: Vec<Slot>,
    keys: Vec<DataKey>,
}

#[derive(Debug)]
struct DataKey {
    purpose: Purpose,
    generation: u32,
    bytes: Secret<Vec<u8>>,
}

/// The keys of the encrypted files.
#[derive(Clone, Debug)]
pub struct BlobKeys {
    pub names: Key,
    /// All generations, the newest last. New files use the newest.
    pub generations: Vec<(u32, Key)>,
}

impl Keyring {
    /// Makes the keys of a new instance and stores them in its data folder, which may be missing.
    ///
    /// A key file that is missing is made too. Errors: `Conflict` where an instance already is.
    pub fn create(data: &Path, unlock: &Unlock, now: Timestamp) -> Result<(Keyring, RecoveryKit)> {
        for taken in [layout::KEYRING_FILE, layout::DATABASE_FILE] {
            if data.join(taken).exists() {
                return Err(occupied(data, taken));
            }
        }
        durable::create_folder(data)?;
        match unlock {
            Unlock::KeyFile(_) => make_key_file(data, unlock)?,
            Unlock::Kit(_) => {
                return Err(Error::invalid("A recovery kit cannot be the everyday key of a new instance.")
                    .hint("Choose a key file, a passphrase or a credential; a kit is made along with it."));
            }
            Unlock::Passphrase(_) | Unlock::Credential(_) => {}
        }
        let secret = RecoverySecret::random();
        let mut keyring = Keyring::random(&secret, now);
        keyring.slots.push(slots::make(&keyring.master, &keyring.uuid, unlock)?);
        keyring.slots.push(slots::make(&keyring.master, &keyring.uuid, &Unlock::Kit(secret.clone()))?);
        if !durable::create(&layout::keyring(data), &keyring.to_json())? {
            return Err(occupied(data, layout::KEYRING_FILE));
        }
        let kit = RecoveryKit { secret, uuid: keyring.uuid.clone(), created_at: now };
        Ok((keyring, kit))
    }

    /// Opens the keyring in a data folder. Never makes one.
    pub fn open(data: &Path, unlock: &Unlock) -> Result<Keyring> {
        Keyring::open_bytes(&file::read(data)?, unlock)
    }

    /// Opens a keyring from elsewhere, such as a backup.
    pub fn open_bytes(json: &[u8], unlock: &Unlock) -> Result<Keyring> {
        let contents = file::parse(json)?;
        let master = slots::open(&contents.slots, &contents.instance, unlock)?;
        Keyring::unwrapped(contents, master)
    }

    fn unwrapped(contents: file::Contents, master: Key) -> Result<Keyring> {
        let keys = contents.keys.iter().map(|wrapped| unwrap(&master, &contents.instance, wrapped));
        let keyring = Keyring {
            keys: keys.collect::<Result<_>>()?,
            uuid: contents.instance,
            created_at: Timestamp(contents.created_at),
            slots: contents.slots,
            master,
        };
        keyring.refuse_incomplete()?;
        Ok(keyring)
    }

    /// The keyring as it is on the disk now, opened by the master key that this one holds.
    pub fn reread(&self, data: &Path) -> Result<Keyring> {
        Keyring::unwrapped(file::parse(&file::read(data)?)?, self.master.clone())
    }

    /// Exchanges the recovery kit, and with it the password of the backup repository. Call `save`.
    ///
    /// Only while nobody has claimed the instance: a repository keeps the password it was made with.
    pub fn renew_kit(&mut self, now: Timestamp) -> Result<RecoveryKit> {
        let secret = RecoverySecret::random();
        self.put_slot(&Unlock::Kit(secret.clone()))?;
        self.put(Purpose::BackupPassword, secret.repository_password().expose().as_bytes());
        Ok(RecoveryKit { secret, uuid: self.uuid.clone(), created_at: now })
    }

    /// Adds another way to open the instance, with a key file made if it is missing. Call `save`.
    pub fn add_slot(&mut self, unlock: &Unlock) -> Result<()> {
        let kind = unlock.kind();
        if self.slots().any(|known| known == kind) {
            return Err(Error::conflict(format!("This instance already opens with {}.", kind.spoken()))
                .hint("Replace that one, or remove it first."));
        }
        self.put_slot(unlock)
    }

    /// Exchanges the secret of a kind: a new key file, a new passphrase. Call `save`.
    pub fn replace_slot(&mut self, unlock: &Unlock) -> Result<()> {
        if let Unlock::Kit(_) = unlock {
            return Err(Error::invalid("The recovery kit of an instance stays the same for good.")
                .hint("The password of its backups comes from the kit."));
        }
        self.put_slot(unlock)
    }

    /// Takes a way to open the instance away. Call `save`.
    ///
    /// Errors: `Conflict` for the recovery kit and for the last way besides it.
    pub fn remove_slot(&mut self, kind: SlotKind) -> Result<()> {
        if !self.slots().any(|known| known == kind) {
            return Err(Error::not_found(format!("This instance does not open with {}.", kind.spoken())));
        }
        if kind == SlotKind::Recovery || self.slots.len() <= 2 {
            return Err(Error::conflict(format!("{} cannot be taken away.", capital(kind.spoken()))).hint(
                "An instance keeps its recovery kit and one more way to open it. Add another one first.",
            ));
        }
        self.slots.retain(|slot| slot.kind != kind);
        Ok(())
    }

    /// The ways to open the instance.
    pub fn slots(&self) -> impl Iterator<Item = SlotKind> {
        self.slots.iter().map(|slot| slot.kind)
    }

    /// Keeps the master key of the backup repository, so that opening it is quick. Call `save`.
    pub fn put_backup_master(&mut self, json: &[u8]) {
        self.put(Purpose::BackupMaster, json);
    }

    /// Stores the keyring in a data folder, in place of the one that is there.
    pub fn save(&self, data: &Path) -> Result<()> {
        durable::replace(&layout::keyring(data), &self.to_json())
    }

    /// The contents of `keyring.json`.
    pub fn to_json(&self) -> Vec<u8> {
        let wrap = |key: &DataKey| WrappedKey {
            purpose: key.purpose.word().into(),
            generation: key.generation,
            key: HEXLOWER.encode(&sealing::seal(
                &self.master,
                &about(&self.uuid, key.purpose, key.generation),
                key.bytes.expose(),
            )),
        };
        let contents = Contents {
            format: file::FORMAT.into(),
            version: file::VERSION,
            instance: self.uuid.clone(),
            created_at: self.created_at.0,
            slots: self.slots.clone(),
            keys: self.keys.iter().map(wrap).collect(),
        };
        let mut json = serde_json::to_vec_pretty(&contents).expect("names and numbers become JSON");
        json.push(b'\n');
        json
    }

    /// The number of the instance.
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    /// When the instance was made. Not protected against whoever can write the file.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// What the door needs.
    pub fn keys(&self) -> Keys {
        Keys { database: self.database(), chain: self.chain(), tokens: self.tokens() }
    }

    /// The key of the database file.
    pub fn database(&self) -> DatabaseKey {
        DatabaseKey(*self.plain(Purpose::Database).expose())
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
        let generations = self.keys.iter().filter(|key| key.purpose == Purpose::Blobs);
        BlobKeys {
            names: self.plain(Purpose::BlobNames),
            generations: generations.map(|key| (key.generation, key.plain())).collect(),
        }
    }

    /// The password of the backup repository; the recovery kit has the same.
    pub fn backup_password(&self) -> Secret<String> {
        let bytes = self.newest(Purpose::BackupPassword).expect(COMPLETE).bytes.expose();
        Secret::new(String::from_utf8(bytes.clone()).expect(COMPLETE))
    }

    /// The seed of the key that signs proofs of backups.
    pub fn backup_signing(&self) -> Key {
        self.plain(Purpose::BackupSigning)
    }

    /// The master key of the backup repository, once `put_backup_master` has stored it.
    pub fn backup_master(&self) -> Option<&Secret<Vec<u8>>> {
        self.newest(Purpose::BackupMaster).map(|key| &key.bytes)
    }

    fn random(kit: &RecoverySecret, now: Timestamp) -> Keyring {
        let mut keyring = Keyring {
            uuid: random_uuid(),
            created_at: now,
            master: Secret::new(random::bytes()),
            slots: Vec::new(),
            keys: Vec::new(),
        };
        for purpose in Purpose::ALL.into_iter().filter(|purpose| purpose.is_plain_key()) {
            keyring.put(purpose, Secret::new(random::bytes::<32>()).expose());
        }
        keyring.put(Purpose::BackupPassword, kit.repository_password().expose().as_bytes());
        keyring
    }

    /// Adds a key as the next generation of its purpose; earlier ones are kept. Private, because a
    /// new key for the database alone would lock the instance.
    fn put(&mut self, purpose: Purpose, bytes: &[u8]) {
        let newest = self.newest(purpose).map_or(0, |key| key.generation);
        let bytes = Secret::new(bytes.to_vec());
        self.keys.push(DataKey { purpose, generation: newest + 1, bytes });
    }

    fn put_slot(&mut self, unlock: &Unlock) -> Result<()> {
        if let Unlock::KeyFile(path) = unlock {
            file::create_key(path)?;
        }
        let slot = slots::make(&self.master, &self.uuid, unlock)?;
        self.slots.retain(|known| known.kind != slot.kind);
        self.slots.push(slot);
        Ok(())
    }

    fn newest(&self, purpose: Purpose) -> Option<&DataKey> {
        self.keys.iter().filter(|key| key.purpose == purpose).max_by_key(|key| key.generation)
    }

    fn plain(&self, purpose: Purpose) -> Key {
        self.newest(purpose).expect(COMPLETE).plain()
    }

    /// Makes the accessors above safe.
    fn refuse_incomplete(&self) -> Result<()> {
        for purpose in Purpose::ALL {
            let found = self.newest(purpose);
            let is_there = purpose.may_be_missing() || found.is_some();
            let mut all = self.keys.iter().filter(|key| key.purpose == purpose);
            let is_shaped = all.all(|key| match purpose {
                Purpose::BackupMaster => true,
                Purpose::BackupPassword => std::str::from_utf8(key.bytes.expose()).is_ok(),
                _ => key.bytes.expose().len() == 32,
            });
            if !is_there || !is_shaped {
                return Err(file::damaged(format!("its key for {} is missing or cut", purpose.word())));
            }
        }
        Ok(())
    }
}

const COMPLETE: &str = "a keyring is refused unless its keys are complete";

impl DataKey {
    fn plain(&self) -> Key {
        Secret::new(self.bytes.expose().as_slice().try_into().expect(COMPLETE))
    }
}

fn unwrap(master: &Key, uuid: &str, wrapped: &WrappedKey) -> Result<DataKey> {
    let word = &wrapped.purpose;
    let purpose = Purpose::ALL.into_iter().find(|purpose| purpose.word() == word);
    let purpose =
        purpose.ok_or_else(|| file::damaged(format!("it has a key for {word}, which is nothing")))?;
    let about = about(uuid, purpose, wrapped.generation);
    let bytes = sealing::unseal(master, &about, &file::hex(&wrapped.key)?);
    let bytes = bytes.ok_or_else(|| file::damaged(format!("its key for {word} was changed")))?;
    Ok(DataKey { purpose, generation: wrapped.generation, bytes })
}

fn about(uuid: &str, purpose: Purpose, generation: u32) -> String {
    format!("testkeep keyring v1|{uuid}|{}|{generation}", purpose.word())
}

fn occupied(data: &Path, by: &str) -> Error {
    Error::conflict(format!("There is already an instance in {}: it holds {by}.", data.display()))
        .hint("Choose an empty folder for a new instance. Nothing was changed.")
}

/// Refuses a key file inside of the data folder, which may be one that is still to be made.
pub fn refuse_inside(data: &Path, key_file: &Path) -> Result<()> {
    let real =
        |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).map_err(Error::internal);
    let folder = key_file.parent().filter(|parent| !parent.as_os_str().is_empty()).map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| ".".into());
    if real(&folder)?.starts_with(real(data)?) {
        return Err(Error::invalid("The key file must not lie inside the data folder.")
            .hint("Whoever copies the folder would have the data and its key. Choose a place outside it."));
    }
    Ok(())
}

/// A number of version 4 after RFC 9562.
/// Makes the key file of a new instance, if that is what opens it and it is not there yet.
pub fn make_key_file(data: &Path, unlock: &Unlock) -> Result<()> {
    let Unlock::KeyFile(path) = unlock else { return Ok(()) };
    refuse_inside(data, path)?;
    file::create_key(path)
}

fn random_uuid() -> String {
    let mut bytes = random::bytes::<16>();
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let hex = HEXLOWER.encode(&bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// The ways in which the instance in a data folder opens, as its keyring says in the clear.
pub fn slots_of(data: &Path) -> Result<Vec<SlotKind>> {
    Ok(file::parse(&file::read(data)?)?.slots.into_iter().map(|slot| slot.kind).collect())
}
