//! The house: an instance with its keys found and its door open. The server and every command start here.

use crate::keeping::keys::kms::{KeyService, Patience};
use crate::kernel::access::Shell;
use crate::kernel::caller;
use crate::kernel::error::{Error, Result};
use crate::kernel::hold::{self, Held};
use crate::kernel::instance::Instance;
use crate::kernel::keyring::{self, CREDENTIAL_NAME, RecoveryKit, Unlock, default_key_file};
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::options::Options;
use crate::kernel::secret::Secret;
use crate::kernel::swap;
use crate::kernel::time::Clock;
use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;
use tracing::info;

/// An opened instance, with the right to act in it as the person at the machine.
pub struct House {
    /// The instance: its keys, its door, its files.
    pub instance: Arc<Instance>,
    /// The right to act as the person at the machine.
    pub shell: Shell,
    /// The recovery kit, if the instance was made just now: it is never to be had again.
    pub kit: Option<RecoveryKit>,
}

impl House {
    /// Opens the instance in the data folder; never makes one.
    pub fn open(options: &Options, unlock: &Unlock, clock: Clock) -> Result<House> {
        caller::act_as_owner_of(&options.data)?;
        finish_swap(options)?;
        let (instance, shell) = Instance::open(&options.data, unlock, clock)?;
        Ok(House { instance: Arc::new(instance), shell, kit: None })
    }

    /// Opens the instance for whoever only looks: nothing is changed, made or finished.
    ///
    /// Errors: `Conflict` where its schema is an older one.
    pub fn look(options: &Options, unlock: &Unlock, clock: Clock) -> Result<House> {
        caller::act_as_owner_of(&options.data)?;
        let (instance, shell) = Instance::look(&options.data, unlock, clock)?;
        Ok(House { instance: Arc::new(instance), shell, kit: None })
    }

    /// Opens the instance in a data folder that the caller holds. Makes one only where there is no trace of another.
    pub fn serve(options: &Options, unlock: &Unlock, clock: Clock, held: &Held) -> Result<House> {
        if !is_there(options) {
            return House::open_or_make(options, unlock, clock);
        }
        let (instance, shell) = Instance::open_held(&options.data, unlock, clock, held)?;
        Ok(House { instance: Arc::new(instance), shell, kit: None })
    }

    /// Opens the instance in the data folder. Makes one only where there is no trace of another.
    pub fn open_or_make(options: &Options, unlock: &Unlock, clock: Clock) -> Result<House> {
        if is_there(options) {
            return House::open(options, unlock, clock);
        }
        let (instance, shell, kit) = Instance::create(&options.data, unlock, clock)?;
        info!("made a new instance in {}", options.data.display());
        Ok(House { instance: Arc::new(instance), shell, kit: Some(kit) })
    }

    /// Finishes the changes that wait, then closes.
    pub async fn close(&self) {
        self.instance.door.shut_down().await;
    }
}

/// Whether the data folder holds an instance, or what is left of one. One that is being exchanged for another
/// state of itself may lack both files for a moment.
pub fn is_there(options: &Options) -> bool {
    let (keyring, database) = (layout::keyring(&options.data), layout::database(&options.data));
    keyring.exists() || database.exists() || swap::is_ordered(&options.data)
}

/// Finishes an exchange that was cut off before a start could. Refused while a server holds the folder: that
/// one does it.
pub fn finish_swap(options: &Options) -> Result<()> {
    if swap::is_ordered(&options.data) {
        let _held = hold::hold(&options.data)?;
        swap::resume_at_start(&options.data)?;
    }
    Ok(())
}

/// What opens the instance: said outright, else the key service if the instance is bound to one, else handed over
/// by the service manager, else the file beside the data folder.
pub fn unlock(options: &Options, patience: Patience) -> Result<Unlock> {
    let handed_over = options.credentials.as_ref().map(|folder| folder.join(CREDENTIAL_NAME));
    match (&options.key_file, options.passphrase_fd) {
        (Some(_), Some(_)) => Err(Error::invalid(
            "Both `key_file` and `passphrase_fd` are set; an instance opens with one of them.",
        )
        .hint("Unset the other.")),
        (Some(path), None) => Ok(Unlock::KeyFile(path.clone())),
        (None, Some(number)) => passphrase(number).map(Unlock::Passphrase),
        (None, None) => match by_key_service(options, patience)? {
            Some(unlock) => Ok(unlock),
            None => Ok(match handed_over.filter(|path| path.exists()) {
                Some(path) => Unlock::Credential(path),
                None => Unlock::KeyFile(default_key_file(&options.data)),
            }),
        },
    }
}

/// Has the key service decrypt its part, where there is one and the instance is bound to it.
fn by_key_service(options: &Options, patience: Patience) -> Result<Option<Unlock>> {
    let Some(kms) = options.kms.as_ref().filter(|_| layout::keyring(&options.data).exists()) else {
        return Ok(None);
    };
    let Some(note) = keyring::kms_of(&options.data)? else { return Ok(None) };
    let secret = KeyService::new(kms, options.credentials.as_deref(), patience)?.secret(&note)?;
    Ok(Some(Unlock::Kms(secret, note)))
}

/// Reads the first line of a descriptor that was handed to us: neither argv nor the environment is private.
fn passphrase(number: i32) -> Result<Secret<String>> {
    let unreadable = |reason: std::io::Error| {
        Error::invalid(format!("The passphrase cannot be read from descriptor {number}: {reason}."))
            .hint("Hand it over like this: `testkeep serve --passphrase-fd 3 3< /path/to/passphrase`.")
    };
    let bound = limits::PASSPHRASE_CHARS_MAX as u64 * 4 + 2;
    let mut text = String::new();
    let file = File::open(format!("/proc/self/fd/{number}")).map_err(unreadable)?;
    file.take(bound).read_to_string(&mut text).map_err(unreadable)?;
    let line = text.lines().next().unwrap_or_default().to_owned();
    zeroize::Zeroize::zeroize(&mut text);
    Ok(Secret::new(line))
}
