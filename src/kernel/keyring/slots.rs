//! Unlock slots: the master key, wrapped once for each way to open the instance.

use super::file::{self, KmsNote, MasterMark, PassphraseCost, Recipient, Slot};
use super::kit::RecoverySecret;
use super::recipient;
use super::shares::SharedSecret;
use super::stretch::stretch;
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::sealing::{self, Key};
use crate::kernel::secret::Secret;
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
    /// The secret that enough shares gave.
    Shares(SharedSecret),
    /// The secret that a key service decrypted, and what it was asked to decrypt.
    Kms(Secret<[u8; 32]>, KmsNote),
}

/// What kind of secret a slot takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotKind {
    KeyFile,
    Passphrase,
    Credential,
    Recovery,
    Shares,
    Kms,
}

impl SlotKind {
    /// The word in `keyring.json`.
    pub fn word(self) -> &'static str {
        match self {
            SlotKind::KeyFile => "key_file",
            SlotKind::Passphrase => "passphrase",
            SlotKind::Credential => "credential",
            SlotKind::Recovery => "recovery",
            SlotKind::Shares => "shares",
            SlotKind::Kms => "kms",
        }
    }

    /// The words in a sentence.
    pub fn spoken(self) -> &'static str {
        match self {
            SlotKind::KeyFile => "a key file",
            SlotKind::Passphrase => "a passphrase",
            SlotKind::Credential => "a credential of the service manager",
            SlotKind::Recovery => "the recovery kit",
            SlotKind::Shares => "shares",
            SlotKind::Kms => "a key service",
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
            Unlock::Shares(_) => SlotKind::Shares,
            Unlock::Kms(..) => SlotKind::Kms,
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
            Unlock::Shares(_) => &[SlotKind::Shares],
            Unlock::Kms(..) => &[SlotKind::Kms],
        }
    }

    /// Reads what has to be read. A passphrase stays as it is: stretching it needs the slot.
    fn material(&self) -> Result<Material> {
        Ok(match self {
            Unlock::KeyFile(path) => Material::Bytes(file::read_key(path, file::Guarded::ByItsMode)?),
            Unlock::Credential(path) => Material::Bytes(file::read_key(path, file::Guarded::ByTheManager)?),
            Unlock::Passphrase(text) => Material::Text(text.clone()),
            Unlock::Kit(secret) => Material::Ready(secret.slot_key()),
            Unlock::Shares(secret) => Material::Ready(secret.slot_key()),
            Unlock::Kms(secret, _) => {
                Material::Ready(sealing::derive(secret.expose(), "testkeep keyring v1|kms"))
            }
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
        Some(fingerprint_of(bytes))
    }
}

/// Eight hex digits that tell which secret this is.
pub(super) fn fingerprint_of(bytes: &[u8]) -> String {
    let digest = sealing::derive(bytes, "testkeep keyring v1|fingerprint");
    HEXLOWER.encode(&digest.expose()[..4])
}

/// The master key and what goes into its wraps.
#[derive(Clone, Debug)]
pub(super) struct Master {
    pub key: Key,
    pub mark: MasterMark,
    pub anchor: Key,
}

/// Which slot was opened, and by what: enough to bring that slot up to the newest format.
#[derive(Clone, Debug)]
pub(super) struct OpenedBy {
    kind: SlotKind,
    key: Key,
}

/// Wraps the master key for this way to open.
pub(super) fn make(master: &Master, uuid: &str, unlock: &Unlock, made_at: i64) -> Result<Slot> {
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
    let fingerprint = material.fingerprint();
    let shares = match unlock {
        Unlock::Shares(secret) => Some(secret.count),
        _ => None,
    };
    let kms = match unlock {
        Unlock::Kms(_, note) => Some(note.clone()),
        _ => None,
    };
    let (made_at, master_hex) = (Some(made_at), String::new());
    let mut slot =
        Slot { kind, made_at, fingerprint, argon2id: cost, shares, kms, recipient: None, master: master_hex };
    receive(&mut slot, master, uuid, &key);
    Ok(slot)
}

/// Brings a slot whose secret is there to format 2 and wraps the master key for it.
fn receive(slot: &mut Slot, master: &Master, uuid: &str, key: &Key) {
    let secret = recipient_secret(key);
    let anchor = sealing::seal(&anchor_key(key), &about_anchor(uuid, slot.kind), master.anchor.expose());
    let public = HEXLOWER.encode(&recipient::public(&secret));
    slot.recipient = Some(Recipient { public, anchor: HEXLOWER.encode(&anchor) });
    let wrapped = wrap(slot, master, uuid).expect("the slot has just got a public key");
    slot.master = wrapped;
}

/// The master key as this slot can unwrap it, its secret not being there; `None` for a slot of format 1.
pub(super) fn wrap(slot: &Slot, master: &Master, uuid: &str) -> Option<String> {
    let public = HEXLOWER.decode(slot.recipient.as_ref()?.public.as_bytes()).ok()?;
    let public = public.try_into().ok()?;
    let about = about_master(uuid, slot.kind, master.mark);
    let sealed = recipient::seal(&public, &master.anchor, &about, master.key.expose());
    Some(HEXLOWER.encode(&sealed))
}

/// Brings the slot that was opened to format 2, if it is still of format 1.
pub(super) fn upgrade(slots: &mut [Slot], master: &Master, uuid: &str, by: &OpenedBy) {
    let older = slots.iter_mut().filter(|slot| slot.kind == by.kind && slot.recipient.is_none());
    older.for_each(|slot| receive(slot, master, uuid, &by.key));
}

/// The master key, if this opens one of the slots.
pub(super) fn open(slots: &[Slot], uuid: &str, mark: MasterMark, unlock: &Unlock) -> Result<(Key, OpenedBy)> {
    let material = unlock.material()?;
    let mut missed = None;
    for kind in unlock.opens() {
        for slot in slots.iter().filter(|slot| slot.kind == *kind) {
            let key = material.key(*kind, slot.argon2id.as_ref())?;
            if let Some(master) = unwrap(slot, uuid, mark, &key)? {
                return Ok((master, OpenedBy { kind: *kind, key }));
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

/// The same by what opened it before: another process may have exchanged the master key.
pub(super) fn reopen(slots: &[Slot], uuid: &str, mark: MasterMark, by: &OpenedBy) -> Result<Option<Key>> {
    for slot in slots.iter().filter(|slot| slot.kind == by.kind) {
        if let Some(master) = unwrap(slot, uuid, mark, &by.key)? {
            return Ok(Some(master));
        }
    }
    Ok(None)
}

fn unwrap(slot: &Slot, uuid: &str, mark: MasterMark, key: &Key) -> Result<Option<Key>> {
    let sealed = file::hex(&slot.master)?;
    let master = match &slot.recipient {
        None => sealing::unseal(key, &about(uuid, slot.kind), &sealed),
        Some(recipient) => {
            let about = about_anchor(uuid, slot.kind);
            let anchor = sealing::unseal(&anchor_key(key), &about, &file::hex(&recipient.anchor)?);
            anchor.map(whole).transpose()?.and_then(|anchor| {
                let about = about_master(uuid, slot.kind, mark);
                recipient::unseal(&recipient_secret(key), &anchor, &about, &sealed)
            })
        }
    };
    master.map(whole).transpose()
}

fn whole(bytes: Secret<Vec<u8>>) -> Result<Key> {
    let key = <[u8; 32]>::try_from(bytes.expose().as_slice());
    key.map(Secret::new).map_err(|_| file::damaged("a master key of another length"))
}

fn recipient_secret(key: &Key) -> Key {
    sealing::derive(key.expose(), "testkeep keyring v2|x25519")
}

fn anchor_key(key: &Key) -> Key {
    sealing::derive(key.expose(), "testkeep keyring v2|anchor")
}

fn about(uuid: &str, kind: SlotKind) -> String {
    format!("testkeep keyring v1|{uuid}|{}", kind.word())
}

fn about_anchor(uuid: &str, kind: SlotKind) -> String {
    format!("testkeep keyring v2|{uuid}|{}|anchor", kind.word())
}

fn about_master(uuid: &str, kind: SlotKind, mark: MasterMark) -> String {
    let MasterMark { generation, made_at } = mark;
    format!("testkeep keyring v2|{uuid}|{}|{generation}|{made_at}", kind.word())
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
            .hint("The number printed on the kit must be the number of this instance, and no newer kit may have been made."),
        Unlock::Shares(_) => Error::unauthenticated("These shares do not open the instance.")
            .hint("They may be of an older set: printing new shares makes those before worthless."),
        Unlock::Kms(..) => Error::unauthenticated("What the key service gave does not open the instance.")
            .hint("Check that `kms` is the service that this instance was bound to."),
    }
}

fn no_such_slot(slots: &[Slot], unlock: &Unlock) -> Error {
    let known: Vec<&str> = slots.iter().map(|slot| slot.kind.spoken()).collect();
    let asked = unlock.kind().spoken();
    Error::conflict(format!("This instance does not open with {asked}."))
        .hint(format!("It opens with {}.", known.join(" or ")))
}
