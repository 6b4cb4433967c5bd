//! The steps of an upgrade, each with what it proves.

use super::super::health;
use super::trial::{Findings, TRIAL, handed_over};
use super::{Opener, Told};
use crate::app::House;
use crate::keeping::backups::{Cause, Desk};
use crate::keeping::targets::{self, Goal};
use crate::keeping::upgrade::{Place, verified};
use crate::kernel::access::BackupRun;
use crate::kernel::build;
use crate::kernel::caller::as_caller;
use crate::kernel::durable::{self, trouble};
use crate::kernel::error::{Error, Result};
use crate::kernel::hold;
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::options::Options;
use crate::kernel::swap;
use crate::kernel::upgrade;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;
use tokio::time::sleep;

/// What a program says of itself with `version --json`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Candidate {
    pub version: String,
    pub schema: i64,
}

/// Whether the staged file is a release, and one that can take these data over.
pub(super) fn examine(
    place: &Place,
    signature: &Path,
    options: &Options,
    told: &mut Told,
) -> Result<Candidate> {
    let verified = || verified(&place.staged(), signature, options.upgrade_key.as_deref());
    let release = as_caller(verified)??;
    told.step(format!("The signature is good: it is release {}.", release.version));
    place.permit()?;
    let candidate = ask_version(&place.staged())?;
    if candidate.version != release.version {
        return Err(Error::invalid(format!(
            "The signature says version {}, and the program says {}.",
            release.version, candidate.version
        ))
        .hint("Do not install it, and tell whoever gave it to you."));
    }
    if candidate.version == build::VERSION {
        return Err(Error::conflict(format!("Version {} is installed already.", candidate.version)));
    }
    if candidate.schema < upgrade::SCHEMA {
        return Err(Error::conflict(format!(
            "Version {} knows schemas up to {}, and these data have schema {}: it could not read them.",
            candidate.version,
            candidate.schema,
            upgrade::SCHEMA
        ))
        .hint("Nothing was changed. To go back to the version from before an upgrade, use --roll-back."));
    }
    Ok(candidate)
}

/// What a program says of itself.
pub(super) fn ask_version(program: &Path) -> Result<Candidate> {
    let foreign = || Error::invalid(format!("{} is not a Testkeep for this machine.", program.display()));
    let answer = Command::new(program).args(["version", "--json"]).env_clear().output();
    let answer = answer.map_err(|cause| foreign().because(cause))?;
    serde_json::from_slice(&answer.stdout).map_err(|cause| foreign().because(cause))
}

/// The new program opens a copy of the database, brings its schema up to date, checks all of it, and serves it.
pub(super) async fn try_on_a_copy(
    place: &Place,
    candidate: &Candidate,
    opener: &Opener<'_>,
    told: &mut Told,
) -> Result<()> {
    let folder = layout::before_upgrade(&opener.options.data);
    durable::create_folder(&folder)?;
    let scratch = tempfile::Builder::new().prefix("trial-").tempdir_in(&folder);
    let scratch = scratch.map_err(|cause| trouble("write in", &folder, cause))?;
    let data = scratch.path().join("data");
    durable::create_folder(&data)?;
    let house = opener.house()?;
    let copied = async {
        let gate = house.shell.operator().gate::<BackupRun>(());
        gate.copy(&layout::database(&data)).await?;
        durable::replace(&layout::keyring(&data), &house.instance.keyring()?.to_json())
    };
    let copied = copied.await;
    house.close().await;
    copied?;
    let mut child = Command::new(place.staged());
    child.arg(TRIAL).env_clear().env("TESTKEEP_DATA", &data);
    let found = Findings::of(handed_over(child, &opener.unlock)?)?;
    if let Some(worst) = found.findings.first() {
        return Err(Error::conflict(format!(
            "Version {} does not work on these data: {worst}",
            candidate.version
        ))
        .hint("Nothing was changed. Tell whoever made this release."));
    }
    told.step(format!(
        "It works on a copy of the data: schema {}, {} entries of the audit trail, {} results.",
        found.schema, found.entries, found.results
    ));
    Ok(())
}

/// A backup that the old program can bring back, if there is a target.
pub(super) async fn back_up(opener: &Opener<'_>, told: &mut Told) -> Result<()> {
    let house = opener.house()?;
    let made = made_before(&house).await;
    house.close().await;
    let made = made?;
    if made.is_empty() {
        told.step("There is no backup target; the copy that is taken before the schema changes has to do.");
    }
    let mut failed = None;
    let mut count = 0;
    for (name, outcome) in made {
        match outcome {
            Ok(number) => {
                count += 1;
                told.step(format!("Backup {number} is made to {name} and read back."));
            }
            Err(reason) => {
                told.step(format!("No backup is made to {name}: {}", reason.sentence()));
                failed = Some(reason);
            }
        }
    }
    failed.filter(|_| count == 0).map_or(Ok(()), Err)
}

/// A backup to each target of the instance that is on: its name, and the number of the receipt.
async fn made_before(house: &House) -> Result<Vec<(String, Result<u64>)>> {
    let gate = house.shell.operator().gate::<BackupRun>(());
    let instance = Arc::clone(&house.instance);
    let goals = gate.read(move |tx| {
        let on = targets::list(tx)?.into_iter().filter(|target| target.is_enabled);
        Ok(on.map(|target| (Goal::of(tx, &instance, &target), target.name)).collect::<Vec<_>>())
    });
    let (desk, mut made) = (Desk::new(Arc::clone(&house.instance)), Vec::new());
    for (goal, name) in goals.await? {
        let outcome = match goal {
            Ok(goal) => desk.make(&gate, Cause::Command, goal).await,
            Err(reason) => Err(reason),
        };
        made.push((name, outcome.map(|made| made.receipt.number)));
    }
    Ok(made)
}

/// The new program takes the real data over: in the server that runs, or here where none does.
pub(super) async fn take_over(
    place: &Place,
    version: &str,
    server: Option<u32>,
    opener: &Opener<'_>,
    told: &mut Told,
) -> Result<()> {
    match server {
        Some(process) if begins_anew(process, version, opener.options).await? => {
            told.step("The server began anew and answers.");
            Ok(())
        }
        Some(_) => {
            open_the_data(place, opener, told)?;
            told.step("The server has stopped, and nobody starts it again: start it now.");
            Ok(())
        }
        None => open_the_data(place, opener, told),
    }
}

/// The new program opens the data itself, where no server does.
fn open_the_data(place: &Place, opener: &Opener<'_>, told: &mut Told) -> Result<()> {
    let mut child = Command::new(&place.program);
    child
        .arg(TRIAL)
        .env_clear()
        .env("TESTKEEP_DATA", std::path::absolute(&opener.options.data).map_err(Error::internal)?);
    let found = Findings::of(handed_over(child, &opener.unlock)?)?;
    if let Some(worst) = found.findings.first() {
        return Err(Error::conflict(worst.clone()));
    }
    told.step(format!("It opened the data: schema {}.", found.schema));
    Ok(())
}

/// Whether the server goes on as the new program. `false` if it has ended and nobody starts it.
async fn begins_anew(process: u32, version: &str, options: &Options) -> Result<bool> {
    signal(process, Signal::HUP)?;
    let (began, mut absent) = (Instant::now(), None);
    while began.elapsed() < limits::UPGRADE_WAIT_MAX {
        sleep(limits::UPGRADE_LOOK_EVERY).await;
        match hold::holder(&options.data) {
            Some(_) if is_held_by(version, options) && health::ask(options).await.is_ok() => return Ok(true),
            Some(_) => absent = None,
            None => {
                let since = *absent.get_or_insert_with(Instant::now);
                if since.elapsed() > limits::UPGRADE_ABSENCE_MAX {
                    return Ok(false);
                }
            }
        }
    }
    Err(Error::conflict("its server did not answer in time."))
}

/// Puts program and data back as they were.
///
/// The way back of the data is ordered before the program is exchanged: cut off in between, the new program finds
/// data that it changes again; afterwards, the start of the old one carries the order out.
pub(super) async fn undo(place: &Place, schema: i64, server: Option<u32>, opener: &Opener<'_>) -> Result<()> {
    let options = opener.options;
    let ordered = order_data_back(schema, opener);
    place.put_back()?;
    let is_ordered = match ordered {
        Ok(true) => true,
        // The new program may have changed the schema until now, and no later.
        _ => order_data_back(schema, opener)?,
    };
    if !is_ordered {
        if let (Some(_), Some(holder)) = (server, hold::holder(&options.data)) {
            signal(holder, Signal::HUP)?;
        }
        return Ok(());
    }
    if let Some(holder) = hold::holder(&options.data).filter(|_| swap::is_ordered(&options.data)) {
        signal(holder, Signal::TERM)?;
    }
    let began = Instant::now();
    // A service manager may start the old program first, and that start does it.
    while swap::is_ordered(&options.data) {
        match hold::hold(&options.data) {
            Ok(_held) => return swap::resume_at_start(&options.data).map(drop),
            Err(reason) if began.elapsed() > limits::UPGRADE_ABSENCE_MAX => return Err(reason),
            Err(_) => sleep(limits::UPGRADE_LOOK_EVERY).await,
        }
    }
    Ok(())
}

/// Orders that the copy from before takes the place of the database, if its schema is newer than this program.
fn order_data_back(schema: i64, opener: &Opener<'_>) -> Result<bool> {
    let options = opener.options;
    if !upgrade::copies(&options.data).iter().any(|(copy, _)| *copy == schema) {
        return Ok(false);
    }
    match opener.house() {
        // Opened and let go: the schema is one that this program knows.
        Ok(_) => Ok(false),
        Err(reason) if upgrade::is_newer(&reason) => {
            upgrade::order_back(&options.data, schema).map(|()| true)
        }
        // Whether its schema changed cannot be seen, and what was stored since is not left behind on a guess.
        Err(reason) => Err(Error::of_kind(
            reason.kind(),
            format!("The program is as before, but its data do not open: {}", reason.sentence()),
        )
        .hint(reason.hint_text().unwrap_or("See docs/admin/upgrade.md.").to_owned())
        .because(reason)),
    }
}

fn signal(process: u32, signal: Signal) -> Result<()> {
    let id = i32::try_from(process).ok().and_then(Pid::from_raw);
    id.ok_or_else(|| Error::internal("no such process")).and_then(|id| {
        kill_process(id, signal).map_err(|cause| {
            Error::forbidden(format!("The server, process {process}, could not be told: {cause}."))
                .hint("Run the command as root or as the user of the server.")
        })
    })
}

/// Whether a server of this version holds the data folder.
fn is_held_by(version: &str, options: &Options) -> bool {
    hold::noted(&options.data).is_some_and(|noted| noted.version == version)
}
