//! Integrity: the instance checks itself, names what is damaged, and mends just that.
//!
//! The kernel reads pages and files; this slice decides when, remembers what came of it, and raises the
//! alarm. Whole restores are `recovery`'s.

mod api;
mod checks;
mod pages;
mod repair;
mod sql;
mod watch;

pub use api::Api;
pub use checks::{begin_all, check, check_all, go_through};
pub use repair::{Mending, Plan as RepairPlan, plan, repair};
pub use watch::{CHECK, NIGHTS, at_start, watch};

use crate::kernel::access::{StorageKeep, Tx, Write};
use crate::kernel::alarms::{self, Alarm};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::blobs::BlobName;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::CheckId;
use crate::kernel::integrity::Finding;
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use crate::kernel::words::words;
use crate::web::routes::Route;

const CHECKED: Event = Event::new("integrity.checked", "A check of what is stored came to its end.");
const REPAIRED: Event =
    Event::new("integrity.repaired", "What was damaged was mended, as far as it could be.");
const PLANNED: Event = Event::new("integrity.planned", "The time within which files are read was changed.");
/// Events of this slice.
pub const EVENTS: &[Event] = &[CHECKED, REPAIRED, PLANNED];

/// The pages of storage, with their words.
pub const TABS: [(&str, &str); 5] = [
    ("/instance/storage", "Space"),
    ("/instance/storage/checks", "Checks"),
    ("/instance/storage/retention", "Retention"),
    ("/instance/storage/holds", "Legal holds"),
    ("/instance/storage/certificates", "Deletions"),
];

/// Routes of the pages and of the API.
pub fn routes() -> Vec<Route> {
    pages::routes().into_iter().chain(api::routes()).collect()
}

words! {
    /// What a check looks at.
    Kind = "kind of check" {
        /// Every page of the database, the order in it, and what refers to what.
        Database = "database",
        /// Files of evidence, against their digests.
        Files = "files",
        /// The chain of the audit trail.
        Trail = "trail",
        /// The key ring on the disk.
        Keys = "keys",
        /// Counts that are kept beside what they count.
        Sums = "sums",
    }
}

impl Kind {
    /// The words on a page.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Database => "Database",
            Kind::Files => "Files of evidence",
            Kind::Trail => "Audit trail",
            Kind::Keys => "Key ring",
            Kind::Sums => "Counts",
        }
    }

    /// What it looks at, in one sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Kind::Database => "Every page against its tag, the order within, and what refers to what.",
            Kind::Files => {
                "Files against their digests: a share every night, each one within the time below."
            }
            Kind::Trail => "Whether every entry follows from the one before.",
            Kind::Keys => "Whether the key ring on the disk reads as the one that opened the instance.",
            Kind::Sums => "Whether stored counts are those of the rows they count.",
        }
    }
}

words! {
    /// Why a check was made.
    Cause = "cause of a check" {
        /// It was due.
        Schedule = "schedule",
        /// Somebody pressed the button.
        Person = "person",
        /// Somebody ran the command.
        Command = "command",
        /// The program had not been stopped in good order before.
        Start = "start",
        /// Somebody's read met damage.
        Damage = "damage",
    }
}

impl Cause {
    /// The words on a page.
    pub fn said(self) -> &'static str {
        match self {
            Cause::Schedule => "Schedule",
            Cause::Person => "By hand",
            Cause::Command => "Command line",
            Cause::Start => "After a hard stop",
            Cause::Damage => "Damage was met",
        }
    }
}

/// The record of one check.
#[derive(Clone, Debug)]
pub struct Check {
    /// Its number.
    pub id: CheckId,
    /// What it looked at.
    pub kind: Kind,
    /// Why it was made.
    pub cause: Cause,
    /// `running`, `good`, `bad` or `failed`.
    pub state: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How much it looked at.
    pub looked: i64,
    /// How much was wrong.
    pub findings: i64,
    /// Why it failed.
    pub message: Option<String>,
}

/// Something that is still wrong.
#[derive(Clone, Debug)]
pub struct Open {
    /// What found it.
    pub kind: Kind,
    /// What it is about.
    pub object: String,
    /// What is wrong.
    pub sentence: String,
    /// Since when it is known.
    pub found_at: Timestamp,
}

/// A damaged file, and where it belongs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DamagedFile {
    /// Its name in the store.
    pub blob: BlobName,
    /// What it is called where it is attached; empty if it is attached nowhere.
    pub name: String,
    /// Where it is attached, such as `SHOP-C3` or `SHOP-C3 in SHOP-R4`.
    pub place: String,
    /// The page of that place; empty if there is none.
    pub url: String,
}

/// The newest checks first.
pub fn list(tx: impl Tx) -> Result<Vec<Check>> {
    sql::newest(tx)
}

/// The last check of each kind that came to an end.
pub fn last_of_each(tx: impl Tx) -> Result<Vec<(Kind, Option<Check>)>> {
    Kind::ALL.iter().map(|kind| Ok((*kind, sql::last(tx, *kind)?))).collect()
}

/// What is wrong now.
pub fn open(tx: impl Tx) -> Result<Vec<Open>> {
    sql::open(tx)
}

/// Damaged files, with where they belong.
pub fn damaged_files(tx: impl Tx) -> Result<Vec<DamagedFile>> {
    sql::damaged_files(tx)
}

/// Whether a check is being made at this moment.
pub fn is_running(tx: impl Tx) -> Result<bool> {
    sql::is_running(tx, Timestamp(tx.now().0 - limits::JOB_LEASE_MS))
}

/// Begins the record of a check. One of a kind at a time.
fn start(tx: Write<'_, StorageKeep>, kind: Kind, cause: Cause) -> Result<Audited<'_, CheckId>> {
    if sql::runs(tx, kind, Timestamp(tx.now().0 - limits::JOB_LEASE_MS))? {
        return Err(Error::conflict("This check is being made already.").hint("Wait until it is done."));
    }
    sql::fail_abandoned(tx, kind)?;
    let id = sql::insert(tx, kind, cause)?;
    // The entry is that of its end; a check changes nothing that an auditor asks for.
    Ok(tx.quiet(crate::kernel::audit::Quiet::JobHeartbeat, id))
}

/// Ends the record of a check, keeps what it found, and raises or clears the alarm.
fn finish<'t>(
    tx: Write<'t, StorageKeep>,
    id: CheckId,
    kind: Kind,
    looked: i64,
    found: &[Finding],
) -> Result<Audited<'t, i64>> {
    // Files are noted one by one while they are read: a night's share says nothing of the others.
    if kind != Kind::Files {
        sql::note(tx, kind, found)?;
    }
    let open = sql::count_open(tx, kind)?;
    sql::finish(tx, id, looked, if kind == Kind::Files { open } else { found.len() as i64 })?;
    ring(tx, kind)?;
    tx.audited(CHECKED.of(id).count("looked", looked).count("findings", open), open)
}

/// Raises the alarm of a kind, or clears it.
fn ring(tx: Write<'_, StorageKeep>, kind: Kind) -> Result<()> {
    let open = sql::open_of(tx, kind)?;
    let Some(first) = open.first() else { return alarms::clear(tx, Alarm::Corruption, kind.word()) };
    let first = match kind {
        Kind::Files => sql::damaged_files(tx)?.first().map_or(first.sentence.clone(), DamagedFile::sentence),
        _ => first.sentence.clone(),
    };
    let more = match open.len() {
        1 => String::new(),
        count => format!(" There are {} more findings.", count - 1),
    };
    alarms::raise(tx, Alarm::Corruption, kind.word(), &format!("{first}{more}"))
}

impl DamagedFile {
    /// What is wrong, in one sentence.
    pub fn sentence(&self) -> String {
        match self.place.is_empty() {
            true => format!("The file {} is damaged; it is attached nowhere.", self.blob),
            false => format!("The file {} of {} is damaged and not handed out.", self.name, self.place),
        }
    }
}
