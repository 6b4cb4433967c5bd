//! Promoting: the copy becomes the data folder of an instance. What it cannot undo comes last: the mark at the
//! target, which stops the machine that was followed from going on there, after the copy was proven; opening the
//! copy, after which no log fits on top of it, after the last of the log was fetched.

use super::copy::Growing;
use super::follow::{Order, wipe};
use super::proof::{self, missing};
use super::safe::Safe;
use super::state::{Copy, Promoting, State};
use super::{PROMOTED, hold, status};
use crate::keeping::backup::Target;
use crate::keeping::backups;
use crate::keeping::shipping::follow::Listed;
use crate::keeping::takeover::{self, Mark};
use crate::kernel::access::{InstanceKeep, InstanceView, Shell};
use crate::kernel::durable::{self, trouble};
use crate::kernel::error::{Error, Result};
use crate::kernel::instance::Instance;
use crate::kernel::integrity;
use crate::kernel::keyring::{Paper, Unlock};
use crate::kernel::layout;
use crate::kernel::time::{Clock, Timestamp};
use crate::people::sessions;
use serde::Serialize;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tracing::warn;

/// How to take over.
#[derive(Clone, Default)]
pub struct Terms {
    /// With what is here, though the target cannot be asked or marked.
    pub is_as_it_is: bool,
    /// When the machine that was followed stopped, if somebody knows.
    pub down_since: Option<Timestamp>,
    /// The paper in force, if it was exchanged since.
    pub paper: Option<Paper>,
}

/// A standby that took over.
#[derive(Clone, Debug, Serialize)]
pub struct Promoted {
    /// The data folder.
    pub into: PathBuf,
    /// The instance that it is.
    pub instance: String,
    /// Everything that was committed by then is in it.
    pub reached: String,
    /// From there to the moment at which the other machine stopped, or to now where nobody said when that was. No
    /// more than this is lost.
    pub lost_seconds_max: f64,
    /// The backup that the copy began with.
    pub backup: u64,
    /// Segments of the log that were written into it.
    pub segments: u64,
    /// Files of evidence that the database speaks of and that are not here.
    pub files_missing: Vec<String>,
    /// The mark at the target; none if it could not be left.
    pub mark: Option<String>,
    /// Whether the machine that was followed still shipped its log meanwhile.
    pub was_alive: bool,
    /// What did not work out, and was accepted.
    pub warnings: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

/// What was done at the target.
#[derive(Default)]
struct Marked {
    name: Option<String>,
    was_alive: bool,
    warnings: Vec<String>,
}

/// Makes the standby in a folder the instance. Cut off in the middle, it is finished by doing it again.
pub async fn promote(folder: &Path, unlock: &Unlock, terms: Terms, clock: Clock) -> Result<Promoted> {
    let (began, now) = (Instant::now(), clock.now());
    if !hold::is_standby(folder) {
        return Err(status::none_here(folder));
    }
    let _held = hold::take_over(folder).await?;
    let mut state = State::load(folder)?.ok_or_else(|| status::none_here(folder))?;
    let mut copy = state.copy.clone().ok_or_else(|| {
        Error::conflict("There is no copy yet, so nothing can take over.")
            .hint("Restore on this machine instead: testkeep restore --from TARGET --into NEWDIR --kit-file kit.txt.")
    })?;
    let mut marked = Marked::default();
    if state.promoting.is_none() {
        let mut order = Safe::open(folder, unlock, now)?.get()?.ok_or_else(|| status::none_here(folder))?;
        order.paper = terms.paper.clone().unwrap_or(order.paper);
        let mut mark = Mark::new(&state.instance, now, Timestamp(copy.reached));
        // Known here before it lies there: cut off in between, the next try is not left behind by its own mark.
        mark.id = state.mark.get_or_insert(mark.id).clone();
        state.save(folder)?;
        let mut growing = Growing { folder, copy: &mut copy, paper: &order.paper };
        marked = fetch_and_mark(&mut growing, &order, &terms, mark.clone(), &clock).await?;
        let mut keyring = growing.keyring()?;
        keyring.replace_slot(unlock)?;
        keyring.save(&growing.copy.data(folder))?;
        let lost_ms = (terms.down_since.unwrap_or(now).0 - copy.reached).max(0);
        state.promoting = Some(Promoting { mark: mark.id, lost_ms });
        state.copy = Some(copy.clone());
        state.save(folder)?;
    }
    let Some(promoting) = state.promoting.clone() else { return Err(status::none_here(folder)) };
    let files_missing = match layout::keyring(&copy.data(folder)).exists() {
        true => opened(folder, &copy, unlock, &promoting, clock).await?,
        // It was cut off while its parts were moved.
        false => Vec::new(),
    };
    move_out(folder, &copy.data(folder))?;
    wipe(folder)?;
    Ok(Promoted {
        into: folder.to_owned(),
        instance: state.instance,
        reached: Timestamp(copy.reached).to_string(),
        lost_seconds_max: status::seconds(promoting.lost_ms),
        backup: copy.receipt.number,
        segments: copy.segments,
        files_missing,
        mark: marked.name,
        was_alive: marked.was_alive,
        warnings: marked.warnings,
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// Brings the last of the log here, proves the copy, leaves the mark, and brings here what came meanwhile.
async fn fetch_and_mark(
    growing: &mut Growing<'_>,
    order: &Order,
    terms: &Terms,
    mark: Mark,
    clock: &Clock,
) -> Result<Marked> {
    growing.settle()?;
    let mut marked = Marked::default();
    let mut accepted = |reason: Error, what: &str| match terms.is_as_it_is {
        true => {
            warn!(?reason, "{what}");
            marked.warnings.push(format!("{what}: {}", reason.sentence()));
            Ok(())
        }
        false => Err(Error::of_kind(reason.kind(), format!("{what}: {}", reason.sentence())).hint(
            "See that the target answers and can be written to, or take over with what is here: --as-it-is.",
        )),
    };
    let target = order.reach.open()?;
    if let Err(reason) = fetched(growing, &target) {
        accepted(reason, "The last of the log could not be fetched")?;
    }
    let looked = proof::prepare(growing)?.look(clock.clone()).await?;
    looked.proof.refuse_bad()?;
    growing.copy.proof = Some(looked.proof);
    let (keyring, before) = (growing.keyring()?, growing.copy.reached);
    let mark = mark.reaching(Timestamp(before));
    let lineage = format!("{} {}", looked.lineage, mark.id);
    let left = takeover::refuse_left_behind(target.storage(), &keyring, &lineage, 0)
        .and_then(|_| takeover::leave(target.storage(), &keyring, &mark));
    let name = match left {
        Ok(name) => Some(name),
        Err(reason) => {
            accepted(reason, "The mark at the target could not be left")?;
            None
        }
    };
    if name.is_some()
        && let Err(reason) = fetched(growing, &target)
    {
        accepted(reason, "The last of the log could not be fetched")?;
    }
    marked.was_alive = growing.copy.reached > before;
    Ok(Marked { name, ..marked })
}

fn fetched(growing: &mut Growing<'_>, target: &Target) -> Result<()> {
    if growing.copy.place.is_none() {
        return Ok(());
    }
    let storage = target.storage();
    growing.catch_up(storage)?;
    growing.fetch_files(storage, &Listed::at(storage)?).map(drop)
}

/// Opens the copy as a start will do it, and notes in it that it took over. Answers which files it lacks.
async fn opened(
    folder: &Path,
    copy: &Copy,
    unlock: &Unlock,
    promoting: &Promoting,
    clock: Clock,
) -> Result<Vec<String>> {
    let data = copy.data(folder);
    let (instance, shell) = Instance::open(&data, unlock, clock)?;
    let noted = noted(&shell, copy, promoting).await;
    let named = shell.operator().gate::<InstanceView>(()).read_at_length(integrity::blobs).await;
    instance.door.shut_down().await;
    noted?;
    Ok(missing(&layout::blobs(&data), &named?))
}

async fn noted(shell: &Shell, copy: &Copy, promoting: &Promoting) -> Result<()> {
    let lineage = shell.operator().gate::<InstanceView>(()).read(|tx| takeover::lineage(tx)).await?;
    if lineage.split_whitespace().any(|id| id == promoting.mark) {
        return Ok(());
    }
    let mut findings = Vec::new();
    proof::trail(shell, copy, &mut findings).await?;
    if let Some(first) = findings.first() {
        return Err(Error::invalid(first.clone()).hint("Restore from a backup instead."));
    }
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let entry = PROMOTED
        .alone()
        .count("backup", count(copy.receipt.number))
        .count("segments", count(copy.segments))
        .count("reached_ms", copy.reached)
        .count("lost_seconds_max", promoting.lost_ms / 1_000);
    let (receipt, mark) = (copy.receipt.clone(), promoting.mark.clone());
    let gate = shell.operator().gate::<InstanceKeep>(());
    gate.write(move |tx| {
        // Whoever held a session or a link need not be who holds it now.
        sessions::end_for_everybody(tx)?;
        backups::settle(tx.also()?, &receipt)?;
        takeover::adopt(tx.also()?, &[mark])?;
        tx.audited(entry, ())
    })
    .await
}

/// Moves the parts of the copy to where an instance has them, the keyring last: without it nothing is an instance.
fn move_out(folder: &Path, data: &Path) -> Result<()> {
    let parts = [
        layout::BLOBS_FOLDER,
        "testkeep.db-wal",
        "testkeep.db-shm",
        layout::DATABASE_FILE,
        layout::KEYRING_FILE,
    ];
    for part in parts {
        let (from, to) = (data.join(part), folder.join(part));
        match fs::rename(&from, &to) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(trouble("move", &from, cause)),
            _ => durable::sync_folder(folder)?,
        }
    }
    Ok(())
}
