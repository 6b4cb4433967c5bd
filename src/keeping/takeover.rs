//! Takeover: the mark at a target that says that another machine has taken the instance over.
//!
//! Both machines have the same keys, so a mark cannot tell them apart by who signed it. Each has a random number of
//! its own, and the instance that left it notes that number in its database: a copy of the instance that does not
//! know the newest number is one that was left behind, and writes nothing there any more. This is as much as a
//! common place can do. Two machines that do not both reach it know nothing of each other.

use super::backup::storage::Storage;
use crate::kernel::access::{BackupRun, Tx, Write};
use crate::kernel::audit::Event;
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::keyring::Keyring;
use crate::kernel::limits;
use crate::kernel::random;
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::kernel::time::Timestamp;
use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::error::Error as StdError;
use std::fmt;
use std::fs;
use tracing::warn;

/// The copy of the instance that a mark had left behind was told to go on.
pub const RECLAIMED: Event =
    Event::new("standby.reclaimed", "This machine goes on although another one had taken over.");

/// Events of this slice.
pub const EVENTS: &[Event] = &[RECLAIMED];

/// The layout this program writes; it refuses others.
const VERSION: u32 = 1;
const FORMAT: &str = "testkeep takeover";
/// Where marks lie, each under a number of its own: a place that only appends takes the next one too.
const FOLDER: &str = "takeovers";

/// What a mark says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mark {
    format: String,
    version: u32,
    /// The instance that was taken over.
    pub instance: String,
    /// Its random number, 32 hex digits.
    pub id: String,
    /// The name of the machine that took over.
    pub machine: String,
    /// When, in milliseconds since 1970 in UTC.
    pub at: i64,
    /// Everything that was committed by then came along, in milliseconds since 1970.
    pub reached: i64,
}

/// The signed text travels as it was signed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    body: String,
    signature: String,
}

impl Mark {
    /// A mark of this machine.
    pub fn new(instance: &str, at: Timestamp, reached: Timestamp) -> Mark {
        Mark {
            format: FORMAT.into(),
            version: VERSION,
            instance: instance.into(),
            id: HEXLOWER.encode(&random::bytes::<16>()),
            machine: machine(),
            at: at.0,
            reached: reached.0,
        }
    }

    /// The same for a copy that goes up to another moment.
    pub fn reaching(self, reached: Timestamp) -> Mark {
        Mark { reached: reached.0, ..self }
    }

    /// What a copy that was left behind is told.
    fn refusal(&self, place: &str) -> Error {
        let Mark { machine, at, reached, .. } = self;
        let (at, reached) = (Timestamp(*at), Timestamp(*reached));
        Error::of_kind(
            Kind::Forbidden,
            format!(
                "The machine {machine} took this instance over at {at}, with everything up to {reached}. Nothing \
                 of this machine goes to {place} any more."
            ),
        )
        .hint(
            "If that is right, stop this machine: what is stored here since is nowhere else. If this one is to go \
             on, stop the other and say `testkeep standby reclaim` here.",
        )
        .because(LeftBehind)
    }
}

/// Beneath a refusal: another machine took over.
#[derive(Debug)]
struct LeftBehind;

impl fmt::Display for LeftBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another machine took over")
    }
}

impl StdError for LeftBehind {}

/// What this machine calls itself.
pub fn machine() -> String {
    let said = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain: String = said.trim().chars().filter(|letter| !letter.is_control()).take(64).collect();
    if plain.is_empty() { "without a name".to_owned() } else { plain }
}

/// The marks at a target that the instance of this keyring signed, the oldest first, and the number for the next.
/// One that somebody else laid down says nothing.
pub fn marks(storage: &dyn Storage, keyring: &Keyring) -> Result<(Vec<Mark>, u64)> {
    let mut names: Vec<(u64, String, u64)> = storage.list(FOLDER)?.into_iter().filter_map(numbered).collect();
    names.sort_unstable();
    let next = names.last().map_or(1, |(number, ..)| number + 1);
    let public = signing(keyring).verifying_key();
    let mut found = Vec::new();
    for (_, name, bytes) in names.iter().rev().take(limits::TAKEOVERS_MAX) {
        let mark = (*bytes <= limits::TAKEOVER_BYTES_MAX).then(|| storage.get(name)).transpose()?;
        match mark.and_then(|bytes| read(&bytes, &public)).filter(|mark| mark.instance == keyring.uuid()) {
            Some(mark) => found.insert(0, mark),
            None => warn!(name, "a mark of a takeover is not one of this instance"),
        }
    }
    Ok((found, next))
}

/// Leaves a mark, unless it is the newest there already; answers under which name.
pub fn leave(storage: &dyn Storage, keyring: &Keyring, mark: &Mark) -> Result<String> {
    let (there, next) = marks(storage, keyring)?;
    if there.last().is_some_and(|newest| newest.id == mark.id) {
        return Ok(name_of(next - 1));
    }
    let body = serde_json::to_string(mark).map_err(Error::internal)?;
    let signature = HEXLOWER.encode(&signing(keyring).sign(body.as_bytes()).to_bytes());
    let sealed = serde_json::to_vec_pretty(&Sealed { body, signature }).map_err(Error::internal)?;
    let name = name_of(next);
    storage.put(&name, &[sealed.into()])?;
    Ok(name)
}

/// Refuses where another machine took over whose mark is not among those of `lineage`. `known` marks were looked at
/// before and found right; the number of them now is the answer.
///
/// Errors: `Forbidden` with the name of the machine; see `is_taken_over`.
pub fn refuse_left_behind(
    storage: &dyn Storage,
    keyring: &Keyring,
    lineage: &str,
    known: u64,
) -> Result<u64> {
    if known > 0 && storage.stat(&name_of(known))?.is_none() {
        return Ok(known);
    }
    let (marks, next) = marks(storage, keyring)?;
    match marks.iter().rev().find(|mark| !holds(lineage, &mark.id)) {
        Some(mark) => Err(mark.refusal(&storage.location())),
        None => Ok(next),
    }
}

/// Notes takeovers as part of the history of this copy of the instance.
pub fn adopt(tx: Write<'_, BackupRun>, ids: &[String]) -> Result<()> {
    ids.iter().try_for_each(|id| {
        let values = named_params! { ":id": id, ":now": tx.now() };
        tx.run("INSERT INTO takeovers (id, noted_at) VALUES (:id, :now) ON CONFLICT DO NOTHING", values)
            .map(drop)
    })
}

/// The takeovers that this copy of the instance knows, with spaces between.
pub fn lineage(tx: impl Tx) -> Result<String> {
    let known: Vec<Id> = tx.rows("SELECT id FROM takeovers ORDER BY noted_at", [])?;
    Ok(known.into_iter().map(|Id(id)| id).collect::<Vec<_>>().join(" "))
}

struct Id(String);

impl FromRow for Id {
    fn from_row(row: &Row<'_>) -> sql::Result<Id> {
        row.get("id").map(Id)
    }
}

/// Whether an error says that another machine took over.
pub fn is_taken_over(reason: &Error) -> bool {
    reason.source().is_some_and(|cause| cause.is::<LeftBehind>())
}

fn holds(lineage: &str, id: &str) -> bool {
    lineage.split_whitespace().any(|known| known == id)
}

fn read(bytes: &[u8], public: &VerifyingKey) -> Option<Mark> {
    let sealed: Sealed = serde_json::from_slice(bytes).ok()?;
    let signature = HEXLOWER.decode(sealed.signature.as_bytes()).ok()?;
    public.verify_strict(sealed.body.as_bytes(), &Signature::from_slice(&signature).ok()?).ok()?;
    let mark: Mark = serde_json::from_str(&sealed.body).ok()?;
    (mark.format == FORMAT && mark.version == VERSION).then_some(mark)
}

/// The first key that signed backups: both machines have it, whatever was exchanged since.
fn signing(keyring: &Keyring) -> SigningKey {
    SigningKey::from_bytes(keyring.backup_signing().expose())
}

fn name_of(number: u64) -> String {
    format!("{FOLDER}/{number:08}.json")
}

fn numbered((name, bytes): (String, u64)) -> Option<(u64, String, u64)> {
    let number = name.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()?;
    Some((number, name, bytes))
}
