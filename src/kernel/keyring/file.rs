//! Files of the keyring: `keyring.json` in the data folder, and the key file outside it.

use super::slots::SlotKind;
use crate::kernel::caller;
use crate::kernel::durable::{self, trouble};
use crate::kernel::error::{Error, Result};
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::random;
use crate::kernel::sealing::Key;
use crate::kernel::secret::Secret;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What the file says it is.
pub(super) const FORMAT: &str = "testkeep keyring";
/// The version of the format that this program writes. It reads version 1 too.
pub(super) const VERSION: u32 = 2;

/// `keyring.json`; see `docs/formats/keyring.md`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents {
    pub format: String,
    pub version: u32,
    pub instance: String,
    pub created_at: i64,
    /// Absent in version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master: Option<MasterMark>,
    pub slots: Vec<Slot>,
    pub keys: Vec<WrappedKey>,
}

impl Contents {
    /// Which master key it wraps.
    pub(super) fn mark(&self) -> MasterMark {
        self.master.unwrap_or(MasterMark { generation: 1, made_at: self.created_at })
    }

    /// The highest generation of each purpose.
    pub(super) fn newest(&self) -> BTreeMap<String, u32> {
        let mut newest = BTreeMap::new();
        for key in &self.keys {
            let known = newest.entry(key.purpose.clone()).or_default();
            *known = key.generation.max(*known);
        }
        newest
    }
}

/// Which master key this is; bound to every wrap of it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MasterMark {
    pub generation: u32,
    pub made_at: i64,
}

/// One way to open the instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Slot {
    pub kind: SlotKind,
    /// When this secret was set; not authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argon2id: Option<PassphraseCost>,
    /// For shares: how many there are and how many open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares: Option<ShareCount>,
    /// For a key service: what it is asked to decrypt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms: Option<KmsNote>,
    /// The two of format 2, which a slot lacks until its secret is there once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Recipient>,
    /// The wrapped master key in hex.
    pub master: String,
}

/// How a slot receives a new master key while its secret is not there.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipient {
    /// X25519, in hex.
    pub public: String,
    /// The anchor, wrapped under the secret of the slot, in hex.
    pub anchor: String,
}

/// How many shares were printed and how many of them open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareCount {
    /// All that were printed.
    pub of: u8,
    /// So many open the instance.
    pub need: u8,
}

/// What a key service keeps for us: the secret of its slot, encrypted under a key that it never gives out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KmsNote {
    /// Name of the key there.
    pub key: String,
    /// What it gave for our secret, such as `vault:v1:…`.
    pub ciphertext: String,
}

/// How a passphrase is stretched.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PassphraseCost {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
    pub salt: String,
}

/// One data key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrappedKey {
    pub purpose: String,
    pub generation: u32,
    /// This and the two after it are absent in version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<i64>,
    /// The wrapped key in hex.
    pub key: String,
}

/// Whether a key is in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// New things are made with it.
    Current,
    /// A change to it has begun: it may open the database already.
    Pending,
    /// It opens what was made with it, such as older backups.
    Retired,
}

impl State {
    /// The word in `keyring.json`.
    pub fn word(self) -> &'static str {
        match self {
            State::Current => "current",
            State::Pending => "pending",
            State::Retired => "retired",
        }
    }
}

/// What every version of the format starts with.
#[derive(Deserialize)]
struct Preface {
    format: String,
    version: u32,
}

/// The contents of a keyring, if this program knows their version.
pub(super) fn parse(json: &[u8]) -> Result<Contents> {
    let preface: Preface = serde_json::from_slice(json).map_err(damaged)?;
    if preface.format != FORMAT {
        return Err(damaged("it does not say that it is one"));
    }
    if preface.version > VERSION {
        let found = preface.version;
        return Err(Error::conflict(format!(
            "The keyring of this instance has version {found}; this Testkeep knows versions up to {VERSION}."
        ))
        .hint("It was written by a newer Testkeep. Install that version; nothing was changed."));
    }
    serde_json::from_slice(json).map_err(damaged)
}

/// Reads `keyring.json`, or says what its absence means.
pub(super) fn read(data: &Path) -> Result<Vec<u8>> {
    let path = layout::keyring(data);
    match bounded(&path, limits::KEYRING_BYTES_MAX) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(damaged("it is larger than a keyring can be")),
        Err(cause) if cause.kind() != ErrorKind::NotFound => Err(trouble("read", &path, cause)),
        Err(_) if layout::database(data).exists() => {
            let (keyring, data) = (layout::KEYRING_FILE, data.display());
            Err(Error::conflict(format!("The database in {data} cannot be opened: {keyring} is missing."))
                .hint("Copy that file back from a backup of the folder, or restore the instance with its recovery kit. No other file can open this database; nothing was changed."))
        }
        Err(_) => Err(Error::not_found(format!("There is no Testkeep instance in {}.", data.display()))
            .hint("Check the path of the data folder. A new instance is made only when asked for.")),
    }
}

/// A sentence about `keyring.json` as such.
pub(super) fn damaged(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    let cause = cause.into();
    Error::invalid(format!("{} is damaged: {cause}.", layout::KEYRING_FILE))
        .hint(
            "Put an undamaged copy back, or restore the instance with its recovery kit. Nothing was changed.",
        )
        .because(cause)
}

/// Bytes from hex digits, as the keyring writes them.
pub(super) fn hex(text: &str) -> Result<Vec<u8>> {
    HEXLOWER.decode(text.as_bytes()).map_err(|_| damaged("a value in it is not hex"))
}

/// Where the key file of an instance lies unless somebody says otherwise: beside the data folder,
/// with `.key` added to its name. It must not lie inside: a copy of the folder would hold both.
pub fn default_key_file(data: &Path) -> PathBuf {
    let ends_in_a_name =
        data.components().next_back().is_some_and(|last| matches!(last, std::path::Component::Normal(_)));
    // `.` and `..` have no name to add to. A folder that is not there yet cannot be one of them.
    let data = if ends_in_a_name { data.to_owned() } else { data.canonicalize().unwrap_or(data.to_owned()) };
    let mut name = data.file_name().unwrap_or("testkeep".as_ref()).to_owned();
    name.push(".key");
    data.with_file_name(name)
}

/// What keeps others from reading a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Guarded {
    /// Its permission bits.
    ByItsMode,
    /// The service manager, by means of its own: on a file with an access list the bits for the
    /// group say nothing.
    ByTheManager,
}

/// Reads a key of 64 hex digits, as whoever called the program.
pub(super) fn read_key(path: &Path, guarded: Guarded) -> Result<Key> {
    caller::as_caller(|| key_in(path, guarded))?
}

fn key_in(path: &Path, guarded: Guarded) -> Result<Key> {
    let shown = path.display();
    let text = bounded(path, limits::KEY_FILE_BYTES_MAX).map_err(|cause| match cause.kind() {
        ErrorKind::NotFound => Error::not_found(format!("The key file {shown} is missing."))
            .hint("Put it back from where you keep its copy, or set another one with the recovery kit: testkeep key set-file PATH --kit-file KIT. Without one of them the data stays closed; nothing was changed."),
        _ => trouble("read", path, cause),
    })?;
    if guarded == Guarded::ByItsMode {
        let mode = fs::metadata(path).map_err(|cause| trouble("read", path, cause))?.permissions().mode();
        if mode & 0o077 != 0 {
            let mode = mode & 0o777;
            return Err(Error::conflict(format!("Others may read the key file {shown} (mode {mode:03o})."))
                .hint(format!("Close it with: chmod 600 {shown}")));
        }
    }
    let text = text.map(Zeroizing::new);
    let digits = text.as_ref().map(|text| text.trim_ascii()).unwrap_or_default();
    let mut key = Zeroizing::new([0; 32]);
    let is_read = digits.len() == 64 && HEXLOWER_PERMISSIVE.decode_mut(digits, &mut *key).is_ok();
    if !is_read {
        return Err(Error::unauthenticated(format!(
            "{shown} is not a key file: it must hold 64 hex digits."
        ))
        .hint(
            "It may have been cut or changed by an editor. Put back the copy you keep; nothing was changed.",
        ));
    }
    Ok(Secret::new(*key))
}

/// Makes a key file unless there is one already.
pub(super) fn create_key(path: &Path) -> Result<()> {
    if path.exists() {
        return read_key(path, Guarded::ByItsMode).map(drop);
    }
    let digits = Zeroizing::new(HEXLOWER.encode(&*Zeroizing::new(random::bytes::<32>())) + "\n");
    match durable::create(path, digits.as_bytes())? {
        true => Ok(()),
        // Somebody was faster; what counts is what lies there now.
        false => read_key(path, Guarded::ByItsMode).map(drop),
    }
}

/// A whole small file; `None` if it is larger than it can be.
fn bounded(path: &Path, bytes_max: u64) -> std::io::Result<Option<Vec<u8>>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len().min(bytes_max);
    // Enough room at once: growing would leave a copy of a key behind.
    let mut bytes = Vec::with_capacity(usize::try_from(length + 2).unwrap_or_default());
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= bytes_max).then_some(bytes))
}
