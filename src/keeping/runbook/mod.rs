//! The runbook: what to do after a disaster, with the values of this instance, to be printed and kept elsewhere.
//!
//! Holds no secret: it says where the kit, the key file and the secrets of targets are found, and never what is in
//! them.

mod chapters;
mod pages;
mod sites;
mod text;

pub use chapters::{Chapter, Step};
pub use sites::Site;

use crate::keeping::backups::{self, Backup, Desk};
use crate::keeping::drills::{self, Drill, Goals};
use crate::keeping::targets::{self, shell_word as quoted};
use crate::kernel::access::{BackupRun, Tx, Write};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::build;
use crate::kernel::error::Result;
use crate::kernel::keyring::{Keyring, Purpose};
use crate::kernel::options::Value;
use crate::kernel::settings::{Setting, anything};
use crate::kernel::time::Timestamp;
use crate::people;
use crate::people::setup;
use crate::web::routes::Route;

const CHANGED: Event = Event::new("runbook.changed", "The contact in the runbook was changed.");

/// Events of this slice.
pub const EVENTS: &[Event] = &[CHANGED];

/// Whom to call.
pub const CONTACT: Setting = Setting {
    name: "runbook.contact",
    default: "",
    meaning: "Who is to be called after a disaster, as the runbook prints it.",
    check: anything,
};

/// Routes of the page.
pub fn routes() -> Vec<Route> {
    pages::routes()
}

/// What only the process itself knows.
pub struct Program {
    /// Where people find the instance.
    pub address: String,
    /// The digest of the executable.
    pub sha256: String,
    /// The boot options that somebody set, and what they are. None of them is a secret: those lie in files.
    pub options: Vec<(&'static str, String)>,
}

impl Program {
    /// This process, with its options.
    pub fn of(address: &str, options: &[Value]) -> Program {
        let is_said = |value: &&Value| !value.words.is_empty();
        let options = options.iter().filter(is_said).map(|value| (value.row.name, value.words.clone()));
        let sha256 = build::sha256().unwrap_or_else(|_| "that could not be read".to_owned());
        Program { address: address.to_owned(), sha256, options: options.collect() }
    }
}

/// The recovery kit that opens everything.
pub struct Kit {
    /// 1, 2, 3 …
    pub generation: u32,
    /// When it was made.
    pub made_at: Timestamp,
}

/// Everything that the runbook says.
pub struct Runbook {
    /// Name of the instance.
    pub name: String,
    /// Its number.
    pub uuid: String,
    /// Version of the program.
    pub version: &'static str,
    /// The process that wrote this.
    pub program: Program,
    /// Its data folder.
    pub data: String,
    /// The kit in force.
    pub kit: Kit,
    /// Where backups go.
    pub sites: Vec<Site>,
    /// The last good one.
    pub backup: Option<Backup>,
    /// The last one that was brought back and proven.
    pub drill: Option<Drill>,
    /// How old the data may be, in minutes.
    pub rpo_minutes: i64,
    /// How long it may take, in minutes.
    pub rto_minutes: i64,
    /// Ways in which the instance opens.
    pub ways: Vec<&'static str>,
    /// Whom to call.
    pub contact: String,
    /// When this was written.
    pub at: Timestamp,
    /// The disasters.
    pub chapters: Vec<Chapter>,
}

fn set_contact<'t>(tx: Write<'t, BackupRun>, contact: &str) -> Result<Audited<'t, ()>> {
    CONTACT.set(tx, contact)?;
    tx.audited(CHANGED.alone(), ())
}

/// Writes the runbook as of this moment.
pub fn write(tx: impl Tx, desk: &Desk, program: Program) -> Result<Runbook> {
    // Let go at once: the secrets of targets are opened by the same ring.
    let (uuid, kit, ways) = {
        let keyring = desk.instance.keyring()?;
        (keyring.uuid().to_owned(), kit(&keyring), keyring.slots().map(|kind| kind.spoken()).collect())
    };
    let shown = std::path::absolute(&desk.instance.data).unwrap_or_else(|_| desk.instance.data.clone());
    let data = shown.display().to_string();
    let name = setup::instance(tx)?.map(|instance| instance.name).filter(|name| !name.is_empty());
    let Goals { rpo_minutes, rto_minutes, .. } = Goals::get(tx)?;
    let sites = targets::list(tx)?;
    let site = |target| Site::of(tx, &desk.instance, target, &quoted(&data));
    let sites = sites.iter().map(site).collect::<Result<Vec<_>>>()?;
    // The one that commands without a target take.
    let first = backups::chosen(tx, &desk.instance, None, None).ok().and_then(|chosen| chosen.goal.id);
    let first = sites.iter().find(|site| Some(site.id) == first).or(sites.first());
    Ok(Runbook {
        name: name.unwrap_or_else(|| people::UNNAMED.to_owned()),
        uuid,
        version: build::VERSION,
        program,
        kit,
        backup: backups::newest_good(tx)?,
        drill: drills::newest_good(tx)?,
        rpo_minutes,
        rto_minutes,
        ways,
        contact: CONTACT.get(tx)?,
        at: tx.now(),
        chapters: chapters::all(&quoted(&data), first),
        sites,
        data,
    })
}

/// The password of the backups is made with the kit, so its generation is that of the kit.
fn kit(keyring: &Keyring) -> Kit {
    let lines = keyring.lines();
    let newest = lines.iter().filter(|line| line.purpose == Some(Purpose::BackupPassword));
    let newest = newest.max_by_key(|line| line.generation);
    newest.map_or(Kit { generation: 1, made_at: keyring.created_at() }, |line| Kit {
        generation: line.generation,
        made_at: line.made_at,
    })
}
