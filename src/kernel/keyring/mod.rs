//! Keyring: all keys of the instance, wrapped by a master key that several slots can open.
//!
//! The file holds nothing in plain text but the instance's number and which ways there are to open
//! it. Whoever has it and none of the secrets has nothing. This module never makes a key for a
//! database that exists: a lost keyring is an error, not a fresh start.

mod file;
mod groups;
mod keys;
mod kit;
mod log;
mod paper;
mod past;
mod purpose;
mod recipient;
mod rotate;
mod shares;
mod slots;
mod stretch;
mod vault;
mod wire;

pub use file::{KmsNote, ShareCount, State, default_key_file};
pub use keys::BlobKeys;
pub use kit::{RecoveryKit, RecoverySecret};
pub use log::LogKey;
pub use paper::{Paper, deposit};
pub use purpose::Purpose;
pub use rotate::{Line, Way};
pub use shares::{Share, SharedSecret};
pub use slots::{SlotKind, Unlock};

use super::durable;
use super::error::{Error, Result};
use super::layout;
use super::random;
use super::sealing::Key;
use super::secret::Secret;
use super::time::{Clock, Timestamp};
use data_encoding::HEXLOWER;
use file::{Contents, MasterMark, Slot};
use slots::{Master, OpenedBy};
use std::path::{Path, PathBuf};

/// The name under which the service manager hands the key over, in `$CREDENTIALS_DIRECTORY`.
pub const CREDENTIAL_NAME: &str = "testkeep.key";

/// The opened keyring.
#[derive(Debug)]
pub struct Keyring {
    uuid: String,
    created_at: Timestamp,
    master: Master,
    slots: Vec<Slot>,
    keys: Vec<DataKey>,
    opened_by: Option<OpenedBy>,
}

#[derive(Debug)]
struct DataKey {
    purpose: Purpose,
    generation: u32,
    state: State,
    made_at: Timestamp,
    retired_at: Option<Timestamp>,
    bytes: Secret<Vec<u8>>,
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
        if layout::standby(data).exists() {
            return Err(Error::conflict(format!(
                "{} holds a standby, which follows another instance.",
                data.display()
            ))
            .hint(
                "Let it take over: testkeep standby promote. For a new instance, choose an empty folder.",
            ));
        }
        durable::create_folder(data)?;
        match unlock {
            Unlock::KeyFile(_) => make_key_file(data, unlock)?,
            Unlock::Kit(_) => {
                return Err(Error::invalid("A recovery kit cannot be the everyday key of a new instance.")
                    .hint("Choose a key file, a passphrase or a credential; a kit is made along with it."));
            }
            Unlock::Shares(_) | Unlock::Kms(..) => {
                return Err(Error::invalid(
                    "A new instance is made with a key file, a passphrase or a credential.",
                )
                .hint("Shares and a key service are added to it afterwards."));
            }
            Unlock::Passphrase(_) | Unlock::Credential(_) => {}
        }
        let secret = RecoverySecret::random();
        let mut keyring = Keyring::random(&secret, now);
        keyring.put_slot(unlock, now)?;
        keyring.put_slot(&Unlock::Kit(secret.clone()), now)?;
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
        let mark = contents.mark();
        let (master, by) = slots::open(&contents.slots, &contents.instance, mark, unlock)?;
        Keyring::unwrapped(contents, master, Some(by))
    }

    fn unwrapped(contents: Contents, master: Key, opened_by: Option<OpenedBy>) -> Result<Keyring> {
        let newest = contents.newest();
        let keys = contents.keys.iter().map(|wrapped| wire::unwrap(&master, &contents, &newest, wrapped));
        let keys = keys.collect::<Result<Vec<DataKey>>>()?;
        let mark = contents.mark();
        let mut keyring = Keyring {
            keys,
            uuid: contents.instance,
            created_at: Timestamp(contents.created_at),
            slots: contents.slots,
            master: Master { key: master, mark, anchor: Secret::new([0; 32]) },
            opened_by,
        };
        keyring.refuse_incomplete()?;
        keyring.upgrade();
        Ok(keyring)
    }

    /// What format 2 has and a keyring of format 1 lacks, as far as the secrets for it are there. It lies on
    /// the disk with the next change.
    fn upgrade(&mut self) {
        if self.current(Purpose::Slots).is_none() {
            self.put(Purpose::Slots, Secret::new(random::bytes::<32>()).expose(), self.created_at);
        }
        self.master.anchor = self.plain(Purpose::Slots);
        if let Some(by) = &self.opened_by {
            slots::upgrade(&mut self.slots, &self.master, &self.uuid, by);
        }
    }

    /// The keyring as it is on the disk now, opened by what this one holds: another process may have changed it.
    pub fn reread(&self, data: &Path) -> Result<Keyring> {
        let contents = file::parse(&file::read(data)?)?;
        let by = self.opened_by.clone();
        let ours =
            by.as_ref().map(|by| slots::reopen(&contents.slots, &contents.instance, contents.mark(), by));
        let master = ours.transpose()?.flatten().unwrap_or_else(|| self.master.key.clone());
        Keyring::unwrapped(contents, master, by)
    }

    /// Exchanges the recovery kit, and with it the password of the backup repository. Call `save`.
    ///
    /// Where there are backups, their repositories must learn the new password before.
    pub fn renew_kit(&mut self, now: Timestamp) -> Result<RecoveryKit> {
        let secret = RecoverySecret::random();
        self.put_slot(&Unlock::Kit(secret.clone()), now)?;
        self.put(Purpose::BackupPassword, secret.repository_password().expose().as_bytes(), now);
        Ok(RecoveryKit { secret, uuid: self.uuid.clone(), created_at: now })
    }

    /// Adds another way to open the instance, with a key file made if it is missing. Call `save`.
    pub fn add_slot(&mut self, unlock: &Unlock) -> Result<()> {
        let kind = unlock.kind();
        if self.slots().any(|known| known == kind) {
            return Err(Error::conflict(format!("This instance already opens with {}.", kind.spoken()))
                .hint("Replace that one, or remove it first."));
        }
        self.put_slot(unlock, Clock::System.now())
    }

    /// Exchanges the secret of a kind: a new key file, a new passphrase. Call `save`.
    pub fn replace_slot(&mut self, unlock: &Unlock) -> Result<()> {
        if let Unlock::Kit(_) = unlock {
            return Err(Error::invalid("A recovery kit is not set, it is exchanged.")
                .hint("The password of backups comes from it: testkeep key renew-kit."));
        }
        self.put_slot(unlock, Clock::System.now())
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
        self.put(Purpose::BackupMaster, json, Clock::System.now());
    }

    /// Stores the keyring in a data folder, in place of the one that is there.
    pub fn save(&self, data: &Path) -> Result<()> {
        durable::replace(&layout::keyring(data), &self.to_json())
    }

    /// The number of the instance.
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    /// When the instance was made. Not protected against whoever can write the file.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    fn random(kit: &RecoverySecret, now: Timestamp) -> Keyring {
        let mut keyring = Keyring {
            uuid: random_uuid(),
            created_at: now,
            master: Master {
                key: Secret::new(random::bytes()),
                mark: MasterMark { generation: 1, made_at: now.0 },
                anchor: Secret::new([0; 32]),
            },
            slots: Vec::new(),
            keys: Vec::new(),
            opened_by: None,
        };
        for purpose in Purpose::ALL.into_iter().filter(|purpose| purpose.is_plain_key()) {
            keyring.put(purpose, Secret::new(random::bytes::<32>()).expose(), now);
        }
        keyring.put(Purpose::BackupPassword, kit.repository_password().expose().as_bytes(), now);
        keyring.master.anchor = keyring.plain(Purpose::Slots);
        keyring
    }

    /// Adds a key as the next generation of its purpose; the one before is kept and retired. Private,
    /// because a new key for the database alone would lock the instance.
    fn put(&mut self, purpose: Purpose, bytes: &[u8], now: Timestamp) {
        let mut newest = 0;
        for key in self.keys.iter_mut().filter(|key| key.purpose == purpose) {
            newest = newest.max(key.generation);
            if key.state == State::Current {
                (key.state, key.retired_at) = (State::Retired, Some(now));
            }
        }
        let (generation, bytes) = (newest + 1, Secret::new(bytes.to_vec()));
        let (state, retired_at) = (State::Current, None);
        self.keys.push(DataKey { purpose, generation, state, made_at: now, retired_at, bytes });
    }

    fn put_slot(&mut self, unlock: &Unlock, now: Timestamp) -> Result<()> {
        if let Unlock::KeyFile(path) = unlock {
            file::create_key(path)?;
        }
        let slot = slots::make(&self.master, &self.uuid, unlock, now.0)?;
        self.slots.retain(|known| known.kind != slot.kind);
        self.slots.push(slot);
        Ok(())
    }

    fn current(&self, purpose: Purpose) -> Option<&DataKey> {
        self.keys.iter().find(|key| key.purpose == purpose && key.state == State::Current)
    }

    fn plain(&self, purpose: Purpose) -> Key {
        self.current(purpose).expect(COMPLETE).plain()
    }

    /// Makes the accessors above safe.
    fn refuse_incomplete(&self) -> Result<()> {
        for purpose in Purpose::ALL {
            let found = self.current(purpose);
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

/// What a key service is to decrypt to open the instance in a data folder, if that is one of its ways.
pub fn kms_of(data: &Path) -> Result<Option<KmsNote>> {
    Ok(file::parse(&file::read(data)?)?.slots.into_iter().find_map(|slot| slot.kms))
}

/// The ways in which the instance in a data folder opens, as its keyring says in the clear.
pub fn slots_of(data: &Path) -> Result<Vec<SlotKind>> {
    Ok(file::parse(&file::read(data)?)?.slots.into_iter().map(|slot| slot.kind).collect())
}
