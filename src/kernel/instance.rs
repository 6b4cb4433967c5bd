//! The opened instance: its folder, its keys, its door and its files, as one thing that parts can share.
//!
//! Opening needs a way to unlock; making a new one is another function, so that nothing is ever made by accident.

use super::access::{Door, Shell, Tuning};
use super::blobs::Blobs;
use super::db::migrate::Holding;
use super::error::{Error, Result};
use super::hold::Held;
use super::keyring::{Keyring, RecoveryKit, Unlock};
use super::layout;
use super::secret::Secret;
use super::time::Clock;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// An instance that is open.
pub struct Instance {
    /// Folder that holds everything.
    pub data: PathBuf,
    /// The door to its database.
    pub door: Door,
    /// Its encrypted files.
    pub blobs: Blobs,
    keyring: Mutex<Keyring>,
}

impl Instance {
    /// Opens the instance in a data folder.
    pub fn open(data: &Path, unlock: &Unlock, clock: Clock) -> Result<(Instance, Shell)> {
        Instance::open_with(data, unlock, clock, &Tuning::default())
    }

    /// The same for whoever holds the data folder already, as the server does.
    pub fn open_held(data: &Path, unlock: &Unlock, clock: Clock, _: &Held) -> Result<(Instance, Shell)> {
        let tuning = Tuning { holding: Holding::Already, ..Tuning::default() };
        Instance::open_with(data, unlock, clock, &tuning)
    }

    fn open_with(data: &Path, unlock: &Unlock, clock: Clock, tuning: &Tuning) -> Result<(Instance, Shell)> {
        let keyring = Keyring::open(data, unlock)?;
        let (door, shell) = Door::open(&layout::database(data), keyring.keys(), clock, tuning)?;
        Instance::of(data, keyring, door).map(|instance| (instance, shell))
    }

    /// Opens a copy of an instance, such as one from a backup, with keys that were found for it.
    pub fn open_copy(data: &Path, keyring: Keyring, clock: Clock) -> Result<(Instance, Shell)> {
        let (door, shell) = Door::open(&layout::database(data), keyring.keys(), clock, &Tuning::default())?;
        Instance::of(data, keyring, door).map(|instance| (instance, shell))
    }

    /// Makes a new instance in an empty folder, with the kit that recovers it. Shown once: print it.
    pub fn create(data: &Path, unlock: &Unlock, clock: Clock) -> Result<(Instance, Shell, RecoveryKit)> {
        let (keyring, kit) = Keyring::create(data, unlock, clock.now())?;
        let (door, shell) = Door::create(&layout::database(data), keyring.keys(), clock, &Tuning::default())?;
        Instance::of(data, keyring, door).map(|instance| (instance, shell, kit))
    }

    fn of(data: &Path, keyring: Keyring, door: Door) -> Result<Instance> {
        let blobs = Blobs::open(&layout::blobs(data), keyring.blobs())?;
        Ok(Instance { data: data.to_owned(), door, blobs, keyring: Mutex::new(keyring) })
    }

    /// The keyring as it is on the disk now: another process may have added a way to open it.
    pub fn keyring(&self) -> Result<MutexGuard<'_, Keyring>> {
        let mut keyring = self.keyring.lock().expect("nobody panics while holding it");
        *keyring = keyring.reread(&self.data)?;
        Ok(keyring)
    }

    /// Changes the keyring and stores it.
    pub fn change_keyring<T>(&self, with: impl FnOnce(&mut Keyring) -> Result<T>) -> Result<T> {
        let mut keyring = self.keyring()?;
        let value = with(&mut keyring)?;
        keyring.save(&self.data)?;
        Ok(value)
    }

    /// Seals a small secret that is to lie in the database. `about` says whose it is and must be given again.
    pub fn seal(&self, about: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let mut keyring = self.keyring()?;
        if keyring.make_vault() {
            keyring.save(&self.data)?;
        }
        keyring.seal(about, plain).ok_or_else(|| Error::internal("the vault has no key"))
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
