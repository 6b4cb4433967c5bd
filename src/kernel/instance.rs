//! The opened instance: its folder, its keys, its door and its files, as one thing that parts can share.
//!
//! Opening needs a way to unlock; making a new one is another function, so that nothing is ever made by accident.

use super::access::{Door, Shell, Tuning};
use super::blobs::Blobs;
use super::db::migrate::Holding;
use super::durable::trouble;
use super::error::{Error, Result};
use super::hold::Held;
use super::keyring::{Keyring, Purpose, RecoveryKit, Unlock};
use super::layout;
use super::secret::Secret;
use super::time::Clock;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// An instance that is open.
pub struct Instance {
    /// Folder that holds everything.
    pub data: PathBuf,
    /// The door to its database.
    pub door: Door,
    /// Its encrypted files.
    pub blobs: Blobs,
    keyring: Mutex<Keyring>,
    clock: Clock,
}

/// How many secrets got another key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Resealed {
    /// So many did.
    pub changed: usize,
    /// So many open under no key.
    pub unreadable: usize,
}

impl Instance {
    /// Opens the instance in a data folder. Finds out which key its database has, should a change of it have
    /// been cut off.
    pub fn open(data: &Path, unlock: &Unlock, clock: Clock) -> Result<(Instance, Shell)> {
        Instance::open_with(data, unlock, clock, &Tuning::default())
    }

    /// The same for whoever holds the data folder already, as the server does.
    pub fn open_held(data: &Path, unlock: &Unlock, clock: Clock, _: &Held) -> Result<(Instance, Shell)> {
        let tuning = Tuning { holding: Holding::Already, ..Tuning::default() };
        Instance::open_with(data, unlock, clock, &tuning)
    }

    fn open_with(data: &Path, unlock: &Unlock, clock: Clock, tuning: &Tuning) -> Result<(Instance, Shell)> {
        let mut keyring = Keyring::open(data, unlock)?;
        let database = layout::database(data);
        let generation = Door::which(&database, &keyring.database_keys())?;
        if keyring.settle_database(generation, clock.now()) {
            let _lock = held(data)?;
            keyring = keyring.reread(data)?;
            if keyring.settle_database(generation, clock.now()) {
                keyring.save(data)?;
            }
        }
        let (door, shell) = Door::open(&database, keyring.keys(), clock.clone(), tuning)?;
        Instance::of(data, keyring, door, clock).map(|instance| (instance, shell))
    }

    /// Opens a copy of an instance, such as one from a backup, with keys that were found for it.
    pub fn open_copy(data: &Path, keyring: Keyring, clock: Clock) -> Result<(Instance, Shell)> {
        Instance::open_as_it_is(data, keyring, clock, &Tuning::default())
    }

    /// Opens the instance for whoever only looks: nothing is brought up to date, and nothing that was cut off is
    /// finished.
    ///
    /// Errors: `Conflict` where the database has the schema of an older program.
    pub fn look(data: &Path, unlock: &Unlock, clock: Clock) -> Result<(Instance, Shell)> {
        let tuning = Tuning { holding: Holding::Never, ..Tuning::default() };
        Instance::open_as_it_is(data, Keyring::open(data, unlock)?, clock, &tuning)
    }

    /// Finds out which key the database has, and leaves the keyring on the disk as it is.
    fn open_as_it_is(
        data: &Path,
        mut keyring: Keyring,
        clock: Clock,
        tuning: &Tuning,
    ) -> Result<(Instance, Shell)> {
        let database = layout::database(data);
        keyring.settle_database(Door::which(&database, &keyring.database_keys())?, clock.now());
        let (door, shell) = Door::open(&database, keyring.keys(), clock.clone(), tuning)?;
        Instance::of(data, keyring, door, clock).map(|instance| (instance, shell))
    }

    /// Makes a new instance in an empty folder, with the kit that recovers it. Shown once: print it.
    pub fn create(data: &Path, unlock: &Unlock, clock: Clock) -> Result<(Instance, Shell, RecoveryKit)> {
        let (keyring, kit) = Keyring::create(data, unlock, clock.now())?;
        let database = layout::database(data);
        let (door, shell) = Door::create(&database, keyring.keys(), clock.clone(), &Tuning::default())?;
        Instance::of(data, keyring, door, clock).map(|instance| (instance, shell, kit))
    }

    fn of(data: &Path, keyring: Keyring, door: Door, clock: Clock) -> Result<Instance> {
        let blobs = Blobs::open(&layout::blobs(data), keyring.blobs())?;
        Ok(Instance { data: data.to_owned(), door, blobs, keyring: Mutex::new(keyring), clock })
    }

    /// The keyring as it is on the disk now: another process may have added a way to open it.
    pub fn keyring(&self) -> Result<MutexGuard<'_, Keyring>> {
        let mut keyring = self.keyring.lock().expect("nobody panics while holding it");
        *keyring = keyring.reread(&self.data)?;
        Ok(keyring)
    }

    /// Changes the keyring, stores it, and takes its keys into use. One process at a time.
    pub fn change_keyring<T>(&self, with: impl FnOnce(&mut Keyring) -> Result<T>) -> Result<T> {
        let _lock = held(&self.data)?;
        let mut keyring = self.keyring()?;
        let value = with(&mut keyring)?;
        keyring.save(&self.data)?;
        self.door.use_keys(keyring.keys());
        self.blobs.use_keys(keyring.blobs());
        Ok(value)
    }

    /// Moves the database to a new key. The keyring knows it before the file has it, so that whatever happens
    /// in between, the instance opens.
    pub async fn rekey_database(self: &Arc<Self>) -> Result<()> {
        let (key, generation) = self.change_keyring(|keyring| {
            let key = keyring.prepare_database(self.clock.now());
            Ok((key, keyring.pending_database().unwrap_or_default()))
        })?;
        let own = Arc::clone(self);
        let settle = move || {
            own.change_keyring(|keyring| {
                keyring.settle_database(generation, own.clock.now());
                Ok(())
            })
        };
        self.door.rekey(key, settle).await
    }

    /// Seals a small secret that is to lie in the database. `about` says whose it is and must be given again.
    pub fn seal(&self, about: &str, plain: &[u8]) -> Result<Vec<u8>> {
        if self.keyring()?.generation(Purpose::Vault) == 0 {
            self.change_keyring(|keyring| Ok(keyring.make_vault(self.clock.now())))?;
        }
        self.keyring()?.seal(about, plain).ok_or_else(|| Error::internal("the vault has no key"))
    }

    /// The same secret under the key of the vault that is in use; none if it lies under that one already, or
    /// opens under none.
    pub fn reseal(&self, about: &str, sealed: &[u8], tally: &mut Resealed) -> Result<Option<Vec<u8>>> {
        if !self.keyring()?.is_sealed_by_an_older_key(sealed) {
            return Ok(None);
        }
        let Ok(plain) = self.unseal(about, sealed) else {
            tally.unreadable += 1;
            return Ok(None);
        };
        tally.changed += 1;
        self.seal(about, plain.expose()).map(Some)
    }

    /// A secret that `seal` sealed.
    pub fn unseal(&self, about: &str, sealed: &[u8]) -> Result<Secret<Vec<u8>>> {
        let unsealed = self.keyring()?.unseal(about, sealed);
        unsealed.ok_or_else(|| {
            Error::invalid(format!("The stored secret of {about} cannot be opened: it was changed."))
                .hint("Enter it again.")
        })
    }
}

/// Keeps other processes from changing the keyring meanwhile.
fn held(data: &Path) -> Result<File> {
    let path = layout::keyring_lock(data);
    let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|cause| trouble("open", &path, cause))?;
    file.lock().map_err(|cause| trouble("lock", &path, cause))?;
    Ok(file)
}
