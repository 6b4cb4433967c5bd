//! `testkeep backup`, `verify` and `restore`: away from the machine, proven there, and back.

use super::access::{Access, place_of};
use super::bring::{self, Part};
use super::output::Output;
use super::restored::{Followed, Restored, until};
use super::target::goal_of;
use super::{progress, unlock};
use crate::app::{self, House};
use crate::keeping::backup::storage::Reach;
use crate::keeping::backup::{Proof, Receipt};
use crate::keeping::backups::{self, Cause, Desk, Step};
use crate::keeping::recovery::{self, Order};
use crate::keeping::shipping::replay::{Shortfall, Until};
use crate::keeping::targets::{self, Goal};
use crate::kernel::access::{BackupRun, Gate};
use crate::kernel::error::{Error, Result};
use crate::kernel::keyring::{Paper, default_key_file};
use crate::kernel::options::Options;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Time between two looks at how far a backup is.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Backs everything up to targets or into a folder, reads it back and signs the receipts.
#[derive(Args, Debug)]
#[command(after_help = "The instance goes on working meanwhile. Later backups to the same place store \
    what changed. Without --target and --to, every target that is on gets one, one after the other.\n\n  \
    testkeep backup --target \"Off the box\"\n  testkeep backup --to /mnt/keep\n  testkeep verify --from /mnt/keep")]
pub struct Backup {
    /// Name or number of a target of the instance; may be said several times.
    #[arg(long, value_name = "NAME", conflicts_with = "to")]
    target: Vec<String>,
    /// A folder that is no target, best on another disk and made if it does not exist, or another address.
    #[arg(long, value_name = "DIR|ADDRESS")]
    to: Option<String>,
    #[command(flatten)]
    access: Access,
}

/// Reads the newest backup back, every byte, and checks all receipts.
#[derive(Args, Debug)]
#[command(
    after_help = "With the instance at hand its own keys open the backups; anywhere else the recovery \
    kit does, or enough shares:\n\n  testkeep verify --from /mnt/keep --kit-file kit.txt"
)]
pub struct Verify {
    /// Folder or address of the backups, or the name of a target of the instance.
    #[arg(long, value_name = "DIR|ADDRESS|NAME")]
    from: String,
    #[command(flatten)]
    access: Access,
    /// File with the recovery kit, or with its secret only.
    #[arg(long, visible_alias = "kit", value_name = "FILE")]
    kit_file: Option<PathBuf>,
    /// File with enough shares, one on each line, in place of the kit; `-` for standard input or the terminal.
    #[arg(long, alias = "shares", value_name = "FILE", conflicts_with = "kit_file")]
    shares_file: Option<PathBuf>,
}

/// Brings an instance back from its backups: whole on any machine, with its recovery kit, or a project, a case or
/// a run into the instance that is there.
#[derive(Args, Debug)]
#[command(
    after_help = "With --into a new folder appears whole or not at all, and never over something else. Its \
    everyday key lies beside it, or where --key-file says. With --project, --case or --run things come back into \
    the living instance, under the references they had; --dry-run shows what that would do.\n\n  \
    testkeep restore --from /mnt/keep --into /var/lib/testkeep --kit-file kit.txt\n  \
    testkeep restore --from /mnt/keep --into /var/lib/testkeep --shares-file -\n  \
    testkeep restore --from s3://keep/shop?region=eu-west-1 --access-file - --into /tmp/then --kit-file kit.txt\n  \
    testkeep restore --from /mnt/keep --into /tmp/then --at 2026-11-22T10:15:00Z\n  \
    testkeep restore --from /mnt/keep --case SHOP-C12 --dry-run"
)]
pub struct Restore {
    /// Folder or address of the backups, or the name of a target of the instance; into the living instance, the
    /// target with the newest backup that was read back without it.
    #[arg(long, value_name = "DIR|ADDRESS|NAME", required_unless_present_any = ["project", "case", "run"])]
    from: Option<String>,
    #[command(flatten)]
    access: Access,
    /// The data folder to make; it must not exist.
    #[arg(long, value_name = "NEWDIR", required_unless_present_any = ["project", "case", "run"])]
    into: Option<PathBuf>,
    /// Key of a project to bring back into the living instance.
    #[arg(long, value_name = "KEY", conflicts_with_all = ["into", "case", "run"])]
    project: Option<String>,
    /// Reference of a case to bring back into the living instance, such as SHOP-C12.
    #[arg(long, value_name = "REFERENCE", conflicts_with_all = ["into", "run"])]
    case: Option<String>,
    /// Reference of a run to bring back into the living instance, such as SHOP-R3.
    #[arg(long, value_name = "REFERENCE", conflicts_with = "into")]
    run: Option<String>,
    /// Only show what would come back.
    #[arg(long, conflicts_with = "into")]
    dry_run: bool,
    /// Make what is there as it was; what cases say now stays as a revision.
    #[arg(long, conflicts_with = "into")]
    replace: bool,
    /// File with the recovery kit, or with its secret only; asked for at the terminal without it.
    #[arg(long, visible_alias = "kit", value_name = "FILE")]
    kit_file: Option<PathBuf>,
    /// File with enough shares, one on each line, in place of the kit; `-` for standard input or the terminal.
    #[arg(long, alias = "shares", value_name = "FILE", conflicts_with = "kit_file")]
    shares_file: Option<PathBuf>,
    /// Number of the backup; the newest without it, into the living instance the newest that was read back.
    #[arg(long, value_name = "NUMBER")]
    backup: Option<u64>,
    /// Moment to go back to, such as 2026-11-22T10:15:00Z, or `latest`: follows the log behind the backup.
    #[arg(long, value_name = "TIME", value_parser = until)]
    at: Option<Until>,
    /// Where the log is damaged or ends too early, go as far as it goes and say what is missing.
    #[arg(long, requires = "at")]
    as_far_as_possible: bool,
}

#[derive(Serialize)]
struct Made {
    target: String,
    folder: String,
    verified: bool,
    written_ms: u64,
    read_back_ms: u64,
    #[serde(flatten)]
    receipt: Receipt,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Verified {
    good: bool,
    receipts: u64,
    newest: Receipt,
    blobs: Option<usize>,
    errors: Vec<String>,
    warnings: Vec<String>,
}

/// Makes backups: one that fails stops no other, and makes the command fail.
pub async fn back_up(command: Backup, house: &House, output: Output) -> Result<()> {
    let gate = house.shell.operator().gate::<BackupRun>(());
    let desk = Desk::new(Arc::clone(&house.instance));
    let (mut made, mut failed) = (Vec::new(), None);
    for goal in goals(&command, house, &gate).await? {
        let (name, place) = (goal.name.clone(), goal.place.to_string());
        match watched(&desk, &gate, goal, output).await {
            Ok(done) => made.push(Made::of(name, place, done)),
            Err(reason) => {
                let named = Error::of_kind(reason.kind(), format!("{name}: {}", reason.sentence()));
                let named = reason.hint_text().map_or(named.clone(), |hint| named.hint(hint)).because(reason);
                if let Some(before) = failed.replace(named) {
                    output.fail(&before);
                }
            }
        }
    }
    match &made[..] {
        [] => {}
        [one] => output.print(one, Made::text),
        all => output.print(&all, |all| all.iter().map(Made::text).collect::<Vec<_>>().join("\n")),
    }
    failed.map_or(Ok(()), Err)
}

/// What the command line asks for; every target that is on if it names none.
async fn goals(command: &Backup, house: &House, gate: &Gate<BackupRun>) -> Result<Vec<Goal>> {
    if let Some(to) = &command.to {
        return Ok(vec![goal_of(to, &command.access, house, gate).await?]);
    }
    let (names, instance) = (command.target.clone(), Arc::clone(&house.instance));
    let goals = gate.read(move |tx| {
        let asked = match &names[..] {
            [] => targets::list(tx)?.into_iter().filter(|target| target.is_enabled).collect(),
            names => names.iter().map(|name| targets::named(tx, name)).collect::<Result<Vec<_>>>()?,
        };
        asked.iter().map(|target| Goal::of(tx, &instance, target)).collect::<Result<Vec<_>>>()
    });
    let goals = goals.await?;
    if goals.is_empty() {
        return Err(Error::invalid("No folder for backups was named, and no target is set up.").hint(
            "Name one, such as `testkeep backup --to /mnt/keep`, or add a target: `testkeep target add --help`.",
        ));
    }
    Ok(goals)
}

/// Shows how far it is, and stops it when somebody presses Ctrl-C.
async fn watched(desk: &Desk, gate: &Gate<BackupRun>, goal: Goal, output: Output) -> Result<backups::Made> {
    let bar = progress::bytes(0, output);
    bar.set_message(goal.name.clone());
    let making = desk.make(gate, Cause::Command, goal);
    tokio::pin!(making);
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let made = loop {
        tokio::select! {
            made = &mut making => break made,
            _ = looks.tick() => {
                if let Some(at) = desk.progress().first() {
                    bar.set_length(at.total);
                    bar.set_position(if at.step == Step::Reading { at.total } else { at.done });
                }
            }
            // What was written stays for the next one; the answer says that it was cancelled.
            _ = tokio::signal::ctrl_c() => {
                desk.cancel(None);
            }
        }
    };
    bar.finish_and_clear();
    made
}

/// How to get at backups with the kit: by address, or by the name of a target if the instance is still there.
async fn reach_of(from: &str, access: &Access, options: &Options) -> Result<Reach> {
    let place = place_of(from);
    let is_name = !from.contains("://") && !Path::new(from).exists();
    if !is_name || !app::is_there(options) {
        return access.reach(place?);
    }
    let house = unlock::house(options)?;
    let gate = house.shell.operator().gate::<BackupRun>(());
    let goal = goal_of(from, access, &house, &gate).await;
    house.close().await;
    goal.map(|goal| goal.reach())
}

/// Reads the newest backup back.
pub async fn verify(command: Verify, options: &Options, output: Output) -> Result<()> {
    let (from, access) = (&command.from, &command.access);
    let by_paper = async |paper: Paper| recovery::verify(&reach_of(from, access, options).await?, &paper);
    let proof = match unlock::paper_in(command.kit_file.as_deref(), command.shares_file.as_deref())? {
        Some(paper) => by_paper(paper).await?,
        None if app::is_there(options) => {
            let house = unlock::house(options)?;
            let proof = async {
                let gate = house.shell.operator().gate::<BackupRun>(());
                let goal = goal_of(from, access, &house, &gate).await?;
                Desk::new(Arc::clone(&house.instance)).verify(&gate, goal).await
            };
            let proof = proof.await;
            house.close().await;
            proof?
        }
        None => by_paper(unlock::typed_kit()?).await?,
    };
    let verified = Verified::from(proof);
    output.print(&verified, Verified::text);
    if verified.good {
        return Ok(());
    }
    Err(Error::invalid("The backup is not good.")
        .hint("Make a new one into another folder now; then find out what happened to this one."))
}

/// Brings an instance back.
pub async fn restore(command: Restore, options: &Options, output: Output) -> Result<()> {
    if let Some(what) = command.project.as_ref().or(command.case.as_ref()).or(command.run.as_ref()) {
        let part = Part {
            what: what.clone(),
            from: command.from,
            access: command.access,
            backup: command.backup,
            is_dry: command.dry_run,
            is_replacing: command.replace,
        };
        return bring::run(part, options, output).await;
    }
    let Restore { from, access, into, backup: number, at: until, as_far_as_possible, .. } = command;
    let shortfall = if as_far_as_possible { Shortfall::Accepted } else { Shortfall::Refused };
    let missing = |name: &str| Error::invalid(format!("Nothing was said for {name}."));
    let from = from.ok_or_else(|| missing("--from").hint("Name the place of the backups."))?;
    let into = into.ok_or_else(|| missing("--into"))?;
    let paper = match unlock::paper_in(command.kit_file.as_deref(), command.shares_file.as_deref())? {
        Some(paper) => paper,
        None => unlock::typed_kit()?,
    };
    let into = std::path::absolute(into).map_err(Error::internal)?;
    let key_file = options.key_file.clone().unwrap_or_else(|| default_key_file(&into));
    let program = std::env::current_exe().map_err(Error::internal)?;
    let from = reach_of(&from, &access, options).await?;
    let order = Order { from, into, key_file, number, until, shortfall };
    let recovery::Restored { receipt, manifest, replayed } =
        recovery::restore(&program, &order, &paper).await?;
    let restored = Restored {
        into: order.into,
        key_file: order.key_file,
        instance: manifest.instance,
        receipt: receipt.number,
        made_at: manifest.made_at,
        testkeep: manifest.testkeep,
        rows: manifest.rows.values().sum(),
        blobs: manifest.blobs.len(),
        bytes: receipt.bytes,
        blobs_missing: manifest.blobs_missing.len(),
        log: replayed.map(Followed::from),
    };
    output.print(&restored, Restored::text);
    Ok(())
}

impl Made {
    fn of(target: String, folder: String, made: backups::Made) -> Made {
        let ms = |took: Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (written_ms, read_back_ms) = (ms(made.took.writing), ms(made.took.reading_back));
        let (verified, receipt, warnings) = (made.is_verified, made.receipt, made.warnings);
        Made { target, folder, verified, written_ms, read_back_ms, receipt, warnings }
    }

    fn text(&self) -> String {
        let Receipt { number, files, bytes, bytes_added, .. } = self.receipt;
        let mut text = format!(
            "Backup {number} is in {}: {files} files, {}; {} were new. It was read back and signed.",
            self.folder,
            size(bytes),
            size(bytes_added),
        );
        self.warnings.iter().for_each(|warning| text.push_str(&format!("\nNote: {warning}")));
        text
    }
}

impl From<Proof> for Verified {
    fn from(proof: Proof) -> Verified {
        let errors = proof.findings.errors;
        Verified {
            good: errors.is_empty() && proof.manifest.is_some(),
            receipts: proof.receipts,
            newest: proof.receipt,
            blobs: proof.manifest.map(|manifest| manifest.blobs.len()),
            errors,
            warnings: proof.findings.warnings,
        }
    }
}

impl Verified {
    fn text(&self) -> String {
        let Receipt { number, files, bytes, finished_at, .. } = &self.newest;
        let state = if self.good { "good: every byte was read back" } else { "not good" };
        let mut text = format!(
            "Backup {number} of {finished_at} is {state}.\n{files} files, {}; {} signed receipts in the chain.",
            size(*bytes),
            self.receipts,
        );
        self.errors.iter().for_each(|error| text.push_str(&format!("\nBad: {error}")));
        self.warnings.iter().for_each(|warning| text.push_str(&format!("\nNote: {warning}")));
        text
    }
}

pub(super) fn size(bytes: u64) -> String {
    bytesize::ByteSize(bytes).to_string()
}
