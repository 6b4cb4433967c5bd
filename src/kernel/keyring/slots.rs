//! Unlock slots: the master key, wrapped once for each way to open the instance.

use super::file::{self, PassphraseCost, Slot};
use super::kit::RecoverySecret;
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::random;
use crate::kernel::sealing::{self, Key};
use crate::kernel::secret::Secret;
use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A way to open an instance, with what it takes.
#[derive(Clone, Debug)]
pub enum Unlock {
    /// A file outside the data folder with 64 hex digits, readable by its owner only.
    KeyFile(PathBuf),
    Passphrase(Secret<String>),
    /// The same kind of file, handed over by the service manager.
    Credential(PathBuf),
    /// The secret of the recovery kit.
    Kit(RecoverySecret),
}

/// What kind of secret a slot takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotKind {
    KeyFile,
    Passphrase,
    Credential,
    Recovery,
}

impl SlotKind {
    /// The word in `keyring.json`.
    pub fn word(self) -> &'static str {
        match self {
            SlotKind::KeyFile => "key_file",
            SlotKind::Passphrase => "passphrase",
            SlotKind::Credential => "credential",
            SlotKind::Recovery => "recovery",
        }
    }

    /// The words in a sentence.
    pub fn spoken(self) -> &'static str {
        match self {
            SlotKind::KeyFile => "a key file",
            SlotKind::Passphrase => "a passphrase",
            SlotKind::Credential => "a credential of the service manager",
            SlotKind::Recovery => "the recovery kit",
        }
    }
}

impl Unlock {
    /// The kind of slot that this makes.
    pub fn kind(&self) -> SlotKind {
        match self {
            Unlock::KeyFile(_) => SlotKind::KeyFile,
            Unlock::Passphrase(_) => SlotKind::Passphrase,
            Unlock::Credential(_) => SlotKind::Credential,
            Unlock::Kit(_) => SlotKind::Recovery,
        }
    }

    /// The kinds of slot that this may open, the best first. A key file that the service manager
    /// hands over is still that key file.
    fn opens(&self) -> &'static [SlotKind] {
        match self {
            Unlock::KeyFile(_) => &[SlotKind::KeyFile, SlotKind::Credential],
            Unlock::Credential(_) => &[SlotKind::Credential, SlotKind::KeyFile],
            Unlock::Passphrase(_) => &[SlotKind::Passphrase],
            Unlock::Kit(_) => &[SlotKind::Recovery],
        }
    }

    /// Reads what has to be read. A passphrase stays as it is: stretching it needs the slot.
    fn material(&self) -> Result<Material> {
        Ok(match self {
            Unlock::KeyFile(path) => Material::Bytes(file::read_key(path, file::Guarded::ByItsMode)?),
            Unlock::Credential(path) => Material::Bytes(file::read_key(path, file::Guarded::ByTheManager)?),
            Unlock::Passphrase(text) => Material::Text(text.clone()),
            Unlock::Kit(secret) => Material::Ready(secret.slot_key()),
        })
    }
}

enum Material {
    Bytes(Key),
    Text(Secret<String>),
    Ready(Key),
}

impl Material {
    /// The key that wraps the master in this slot.
    fn key(&self, kind: SlotKind, cost: Option<&PassphraseCost>) -> Result<Key> {
        match self {
            Material::Bytes(bytes) => {
                Ok(sealing::derive(bytes.expose(), &format!("testkeep keyring v1|{}", kind.word())))
            }
            Material::Ready(key) => Ok(key.clone()),
            Material::Text(text) => {
                let cost = cost.ok_or_else(|| file::damaged("a passphrase slot without its cost"))?;
                stretch(text, cost)
            }
        }
    }

    /// Eight hex digits that tell which file or kit belongs here. Only for secrets of full
    /// strength: of a passphrase it would be something to guess against cheaply.
    fn fingerprint(&self) -> Option<String> {
        let bytes = match self {
            Material::Bytes(key) | Material::Ready(key) => key.expose(),
            Material::Text(_) => return None,
        };
        let digest = sealing::derive(bytes, "testkeep keyring v1|fingerprint");
        Some(HEXLOWER.encode(&digest.expose()[..4]))
    }
}

/// Wraps the master key for this way to open.
pub(super) fn make(master: &Key, uuid: &str, unlock: &Unlock) -> Result<Slot> {
    if let Unlock::Passphrase(text) = unlock {
        let least = limits::PASSPHRASE_CHARS_MIN;
        if text.expose().chars().count() < least {
            return Err(Error::invalid(format!("A passphrase needs at least {least} characters."))
                .hint("Five or six words picked at random are easy to type and hard to guess."));
        }
    }
    let (kind, material) = (unlock.kind(), unlock.material()?);
    let cost = matches!(material, Material::Text(_)).then(PassphraseCost::fresh);
    let key = material.key(kind, cost.as_ref())?;
    let sealed = sealing::seal(&key, &about(uuid, kind), master.expose());
    let fingerprint = material.fingerprint();
    Ok(Slot { kind, fingerprint, argon2id: cost, master: HEXLOWER.encode(&sealed) })
}

/// The master key, if this opens one of the slots.
pub(super) fn open(slots: &[Slot], uuid: &str, unlock: &Unlock) -> Result<Key> {
    let material = unlock.material()?;
    let mut missed = None;
    for kind in unlock.opens() {
        for slot in slots.iter().filter(|slot| slot.kind == *kind) {
            let key = material.key(*kind, slot.argon2id.as_ref())?;
            let sealed = file::hex(&slot.master)?;
            if let Some(master) = sealing::unseal(&key, &about(uuid, *kind), &sealed) {
                let master = <[u8; 32]>::try_from(master.expose().as_slice());
                return master.map(Secret::new).map_err(|_| file::damaged("a master key of another length"));
            }
            let fingerprint = material.fingerprint();
            if fingerprint.is_some() && fingerprint == slot.fingerprint {
                return Err(file::damaged("the right key does not open its slot"));
            }
            missed.get_or_insert(slot);
        }
    }
    Err(match missed {
        Some(slot) => does_not_fit(unlock, &material, slot),
        None => no_such_slot(slots, unlock),
    })
}

fn about(uuid: &str, kind: SlotKind) -> String {
    format!("testkeep keyring v1|{uuid}|{}", kind.word())
}

fn does_not_fit(unlock: &Unlock, material: &Material, slot: &Slot) -> Error {
    let prints = |path: &Path| {
        let (found, asked) = (material.fingerprint().unwrap_or_default(), slot.fingerprint.as_deref());
        let asked = asked.unwrap_or("unknown");
        let path = path.display();
        Error::unauthenticated(format!("The key in {path} is not the one of this instance.")).hint(format!(
            "Its fingerprint is {found} and the instance asks for {asked}. Put the right file there, or open \
             the instance with its recovery kit. Nothing was changed."
        ))
    };
    match unlock {
        Unlock::KeyFile(path) | Unlock::Credential(path) => prints(path),
        Unlock::Passphrase(_) => Error::unauthenticated("This passphrase does not open the instance.")
            .hint("Check the keyboard layout and the caps lock, or open the instance with its recovery kit."),
        Unlock::Kit(_) => Error::unauthenticated("This recovery kit belongs to another instance.")
            .hint("The number printed on the kit must be the number of this instance."),
    }
}

fn no_such_slot(slots: &[Slot], unlock: &Unlock) -> Error {
    let known: Vec<&str> = slots.iter().map(|slot| slot.kind.spoken()).collect();
    let asked = unlock.kind().spoken();
    Error::conflict(format!("This instance does not open with {asked}."))
        .hint(format!("It opens with {}.", known.join(" or ")))
}

/// Makes guessing a passphrase expensive.
fn stretch(passphrase: &Secret<String>, cost: &PassphraseCost) -> Result<Key> {
    let (memory, passes, lanes) = (cost.memory_kib, cost.passes, cost.lanes);
    let bounds = limits::UNLOCK_MEMORY_KIB_MAX;
    // A file that asks for all memory of the machine was not written by us.
    if memory > bounds || passes > limits::UNLOCK_PASSES_MAX || lanes > limits::UNLOCK_LANES_MAX {
        return Err(file::damaged("the cost of its passphrase is out of bounds"));
    }
    let params = Params::new(memory, passes, lanes, Some(32));
    let params = params.map_err(|_| file::damaged("the cost of its passphrase is out of bounds"))?;
    let salt = file::hex(&cost.salt)?;
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose().as_bytes(), &salt, &mut key)
        .map_err(|_| file::damaged("the salt of its passphrase"))?;
    Ok(Secret::new(key))
}

impl PassphraseCost {
    fn fresh() -> PassphraseCost {
        PassphraseCost {
            memory_kib: limits::UNLOCK_MEMORY_KIB,
            passes: limits::UNLOCK_PASSES,
            lanes: limits::UNLOCK_LANES,
            salt: HEXLOWER.encode(&random::bytes::<16>()),
        }
    }
}
