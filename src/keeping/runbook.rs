//! The runbook: what to do after a disaster, with the values of this instance, to be printed and kept elsewhere.
//!
//! Holds no secret: it says where the kit and the key file lie, and never what is in them.

use crate::keeping::backups::{self, Backup, Desk, Plan};
use crate::keeping::drills::{self, Drill, Goals};
use crate::keeping::overview::About;
use crate::kernel::access::{BackupRun, BackupView, Gate, Read, Tx, Write};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::error::Result;
use crate::kernel::settings::{Setting, anything};
use crate::kernel::time::Timestamp;
use crate::people;
use crate::people::setup;
use crate::web::filters;
use crate::web::forms::Form;
use crate::web::layout::{At, Frame, VERSION};
use crate::web::respond::{Page, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

const CHANGED: Event = Event::new("runbook.changed", "The contact in the runbook was changed.");

/// Events of this slice.
pub const EVENTS: &[Event] = &[CHANGED];

const PAGE: &str = "/instance/backups/runbook";

/// Whom to call.
pub const CONTACT: Setting = Setting {
    name: "runbook.contact",
    default: "",
    meaning: "Who is to be called after a disaster, as the runbook prints it.",
    check: anything,
};

/// Routes of the page.
pub fn routes() -> Vec<Route> {
    vec![get(PAGE, show), post(PAGE, change)]
}

/// What to do after one kind of disaster.
pub struct Chapter {
    /// What happened.
    pub head: &'static str,
    /// What to do, in order.
    pub steps: Vec<Step>,
}

/// One step of it.
pub struct Step {
    /// What to do.
    pub text: String,
    /// The command for it; empty for none.
    pub command: String,
}

/// Everything that the runbook says.
pub struct Runbook {
    /// Name of the instance.
    pub name: String,
    /// Its number.
    pub uuid: String,
    /// Version of the program.
    pub version: &'static str,
    /// Its data folder.
    pub data: String,
    /// Where backups go.
    pub target: String,
    /// When they are made.
    pub schedule: String,
    /// The last good one.
    pub backup: Option<Backup>,
    /// The last one that was brought back and proven.
    pub drill: Option<Drill>,
    /// Ways in which the instance opens.
    pub ways: Vec<&'static str>,
    /// Whom to call.
    pub contact: String,
    /// When this was written.
    pub at: Timestamp,
    /// The disasters.
    pub chapters: Vec<Chapter>,
}

#[derive(Template)]
#[template(path = "keeping/runbook/show.html")]
struct RunbookPage {
    frame: Frame,
    may_run: bool,
    address: String,
    book: Runbook,
    goals: Goals,
}

#[derive(Deserialize)]
struct ContactForm {
    contact: String,
}

async fn show(
    gate: Gate<BackupView>,
    visit: Visit,
    desk: Data<Desk>,
    about: Data<About>,
) -> Result<Page<RunbookPage>> {
    let address = about.address.clone();
    let view = gate.read(move |tx: Read<'_, BackupView>| {
        Ok(RunbookPage {
            frame: Frame::instance(tx, visit, people::seen(tx)?).at(At::Backups).here("Runbook"),
            may_run: tx.may::<BackupRun>(),
            address,
            book: write(tx, &desk)?,
            goals: Goals::get(tx)?,
        })
    });
    Ok(Page::new(view.await?))
}

async fn change(gate: Gate<BackupRun>, Form(form): Form<ContactForm>) -> Result<Redirect> {
    gate.write(move |tx| set_contact(tx, form.contact.trim())).await?;
    Ok(Redirect::to(PAGE).saying("The contact is saved. Print the runbook again."))
}

fn set_contact<'t>(tx: Write<'t, BackupRun>, contact: &str) -> Result<Audited<'t, ()>> {
    CONTACT.set(tx, contact)?;
    tx.audited(CHANGED.alone(), ())
}

/// Writes the runbook as of this moment.
pub fn write(tx: impl Tx, desk: &Desk) -> Result<Runbook> {
    let plan = Plan::get(tx)?;
    let keyring = desk.instance.keyring()?;
    let shown = std::path::absolute(&desk.instance.data).unwrap_or_else(|_| desk.instance.data.clone());
    let (data, target) = (shown.display().to_string(), plan.folder.display().to_string());
    let name = setup::instance(tx)?.map(|instance| instance.name).filter(|name| !name.is_empty());
    Ok(Runbook {
        name: name.unwrap_or_else(|| people::UNNAMED.to_owned()),
        uuid: keyring.uuid().to_owned(),
        version: VERSION,
        schedule: plan.schedule,
        backup: backups::newest_good(tx)?,
        drill: drills::newest_good(tx)?,
        ways: keyring.slots().map(|kind| kind.spoken()).collect(),
        contact: CONTACT.get(tx)?,
        at: tx.now(),
        chapters: chapters(&quoted(&data), &quoted(&target)),
        data,
        target,
    })
}

fn step(text: &str, command: impl Into<String>) -> Step {
    Step { text: text.to_owned(), command: command.into() }
}

fn chapters(data: &str, target: &str) -> Vec<Chapter> {
    let verify = format!("testkeep verify --from {target} --kit-file kit.txt");
    let bring = format!("testkeep restore --from {target} --into {data} --kit-file kit.txt");
    let start = format!("testkeep serve --data {data}");
    let mut all = of_the_instance(data, &verify, &bring, &start);
    all.extend(of_parts(target));
    all
}

fn of_the_instance(data: &str, verify: &str, bring: &str, start: &str) -> Vec<Chapter> {
    vec![
        Chapter {
            head: "The machine is lost",
            steps: vec![
                step(
                    "Install the same version of Testkeep, or a newer one, on another machine, and attach the target there.",
                    "",
                ),
                step(
                    "Type the fifteen groups of the recovery kit into a file kit.txt that only you can read, and see that the newest backup is good.",
                    verify,
                ),
                step(
                    "Bring the instance back. The folder must not exist; it appears whole or not at all, with an everyday key beside it.",
                    bring,
                ),
                step(
                    "Start it, sign in, and compare the number of the instance with the one above. Then lead the name of the service to this machine.",
                    start,
                ),
                step(
                    "Delete kit.txt, keep a copy of the new key file elsewhere, and make a backup.",
                    "testkeep backup",
                ),
            ],
        },
        Chapter {
            head: "The key file is lost",
            steps: vec![
                step(
                    "Nothing else is lost: the data folder opens with the recovery kit. Type it into kit.txt and make a new everyday key.",
                    format!("testkeep key --help --data {data}"),
                ),
                step(
                    "If that does not work, put the data folder aside and bring the newest backup back with the kit.",
                    bring,
                ),
                step("Start the instance and keep a copy of the new key file elsewhere.", start),
            ],
        },
        Chapter {
            head: "The database is damaged",
            steps: vec![
                step(
                    "Stop the instance and copy the data folder as it is: it may hold what no backup has.",
                    format!("cp -a {data} {data}-damaged"),
                ),
                step("See what is wrong.", format!("testkeep doctor --data {data}")),
                step("Put the folder aside and bring the newest backup back into its place.", bring),
                step("Start it, and find out what the disk says about itself.", start),
            ],
        },
    ]
}

fn of_parts(target: &str) -> Vec<Chapter> {
    vec![
        Chapter {
            head: "A project, a case or a run was deleted or spoilt",
            steps: vec![
                step(
                    "Look first at what would come back. Put --backup and a number behind it for an older one.",
                    format!("testkeep restore --from {target} --project KEY --dry-run"),
                ),
                step(
                    "Bring it back; what is there stays as it is.",
                    format!("testkeep restore --from {target} --project KEY"),
                ),
                step(
                    "The page Instance, Backups, Restore does the same, and brings the whole instance back as well.",
                    "",
                ),
            ],
        },
        Chapter {
            head: "Somebody got into a target of backups",
            steps: vec![
                step(
                    "What lies there is encrypted: without the kit nobody reads it. Whoever can write there can delete it. Exchange the credentials of the target at its owner.",
                    "",
                ),
                step(
                    "See whether the chain of signed receipts and every byte are still there.",
                    format!("testkeep verify --from {target}"),
                ),
                step(
                    "Make a backup into another place now, and hold a drill with it.",
                    "testkeep backup --to /mnt/other",
                ),
                step("Delete nothing at the old target until you know who wrote there.", ""),
            ],
        },
    ]
}

/// A path as a shell reads it.
fn quoted(path: &str) -> String {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    if is_plain && !path.is_empty() { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

impl Runbook {
    /// The runbook as plain text.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} after a disaster\nWritten {} by Testkeep {}\n\nInstance  {}\nData      {}\nTarget    {}\nOpens     {}\nContact   {}\n",
            self.name,
            self.at,
            self.version,
            self.uuid,
            self.data,
            self.target,
            self.ways.join(", "),
            self.contact
        );
        if let Some(backup) = &self.backup {
            let number = backup.receipt.unwrap_or_default();
            text.push_str(&format!("Backup    {number}, {}\n", backup.started_at));
        }
        if let Some(drill) = &self.drill {
            let number = drill.receipt.unwrap_or_default();
            text.push_str(&format!("Proven    backup {number}, {}\n", drill.started_at));
        }
        for chapter in &self.chapters {
            text.push_str(&format!("\n{}\n", chapter.head));
            for (number, step) in (1..).zip(&chapter.steps) {
                text.push_str(&format!("  {number}. {}\n", step.text));
                if !step.command.is_empty() {
                    text.push_str(&format!("     $ {}\n", step.command));
                }
            }
        }
        text
    }
}
