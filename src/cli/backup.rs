//! `testkeep backup`, `verify` and `restore`: away from the machine, proven there, and back.

use super::bring::{self, Part};
use super::output::Output;
use super::{progress, unlock};
use crate::app::{self, House};
use crate::keeping::backup::{Proof, Receipt};
use crate::keeping::backups::{self, Cause, Desk, Plan};
use crate::keeping::recovery::{self, Order};
use crate::kernel::access::{BackupRun, Claim, Gate};
use crate::kernel::error::{Error, Result};
use crate::kernel::keyring::default_key_file;
use crate::kernel::options::Options;
use crate::people::setup;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Time between two looks at how far a backup is.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Backs everything up into a folder, reads it back and signs the receipt.
#[derive(Args, Debug)]
#[command(after_help = "The instance goes on working meanwhile. Later backups into the same folder store \
    what changed.\n\n  testkeep backup --to /mnt/keep\n  testkeep verify --from /mnt/keep")]
pub struct Backup {
    /// Folder of the backups, best on another disk; made if it does not exist. Without it, the folder
    /// that the instance was told of.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

/// Reads the newest backup back, every byte, and checks all receipts.
#[derive(Args, Debug)]
#[command(
    after_help = "With the instance at hand its own keys open the backups; anywhere else the recovery \
    kit does:\n\n  testkeep verify --from /mnt/keep --kit-file kit.txt"
)]
pub struct Verify {
    /// Folder of the backups.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// File with the recovery kit, or with its secret only.
    #[arg(long, value_name = "FILE")]
    kit_file: Option<PathBuf>,
}

/// Brings an instance back from its backups: whole on any machine, with its recovery kit, or a project, a case or
/// a run into the instance that is there.
#[derive(Args, Debug)]
#[command(
    after_help = "With --into a new folder appears whole or not at all, and never over something else. Its \
    everyday key lies beside it, or where --key-file says. With --project, --case or --run things come back into \
    the living instance, under the references they had; --dry-run shows what that would do.\n\n  \
    testkeep restore --from /mnt/keep --into /var/lib/testkeep --kit-file kit.txt\n  \
    testkeep restore --from /mnt/keep --case SHOP-C12 --dry-run"
)]
pub struct Restore {
    /// Folder of the backups; into the living instance, that of the plan without it.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
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
    #[arg(long, value_name = "FILE")]
    kit_file: Option<PathBuf>,
    /// Number of the backup; the newest without it.
    #[arg(long, value_name = "NUMBER")]
    backup: Option<u64>,
}

#[derive(Serialize)]
struct Made {
    folder: PathBuf,
    verified: bool,
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

#[derive(Serialize)]
struct Restored {
    into: PathBuf,
    key_file: PathBuf,
    instance: String,
    receipt: u64,
    made_at: String,
    testkeep: String,
    rows: i64,
    blobs: usize,
    bytes: u64,
    blobs_missing: usize,
}

/// Makes a backup.
pub async fn back_up(command: Backup, house: &House, output: Output) -> Result<()> {
    refuse_unclaimed(house).await?;
    let gate = house.shell.operator().gate::<BackupRun>(());
    let folder = match command.to {
        Some(folder) => std::path::absolute(folder).map_err(Error::internal)?,
        None => gate.read(|tx| Plan::get(tx)).await?.folder,
    };
    if folder.as_os_str().is_empty() {
        return Err(Error::invalid("No folder for backups was named.").hint(
            "Name one, such as `testkeep backup --to /mnt/keep`, or choose one under Instance → Backups.",
        ));
    }
    let made = watched(&Desk::new(Arc::clone(&house.instance)), &gate, &folder, output).await?;
    let made = Made { folder, verified: made.is_verified, receipt: made.receipt, warnings: made.warnings };
    output.print(&made, Made::text);
    Ok(())
}

/// A backup to the target of the instance; the number of its receipt, or none where no target is chosen.
pub(super) async fn before_an_upgrade(house: &House) -> Result<Option<u64>> {
    let gate = house.shell.operator().gate::<BackupRun>(());
    let plan = gate.read(|tx| Plan::get(tx)).await?;
    if !plan.has_folder() {
        return Ok(None);
    }
    let desk = Desk::new(Arc::clone(&house.instance));
    desk.make(&gate, Cause::Command, &plan.folder).await.map(|made| Some(made.receipt.number))
}

/// Shows how far it is, and stops it when somebody presses Ctrl-C.
async fn watched(
    desk: &Desk,
    gate: &Gate<BackupRun>,
    folder: &Path,
    output: Output,
) -> Result<backups::Made> {
    let (making, bar) = (desk.make(gate, Cause::Command, folder), progress::bytes(0, output));
    tokio::pin!(making);
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let made = loop {
        tokio::select! {
            made = &mut making => break made,
            _ = looks.tick() => {
                if let Some((done, total)) = desk.progress() {
                    bar.set_length(total);
                    bar.set_position(done);
                }
            }
            // What was written is taken back by the engine; its answer says that it was cancelled.
            _ = tokio::signal::ctrl_c() => desk.cancel(),
        }
    };
    bar.finish_and_clear();
    made
}

/// The password of the repository comes from the kit, and the kit is shown when the instance is claimed.
async fn refuse_unclaimed(house: &House) -> Result<()> {
    let gate = house.shell.operator().gate::<Claim>(());
    let instance = gate.read(|tx| setup::instance(tx)).await?;
    if instance.is_some_and(|instance| instance.claimed_at.is_some()) {
        return Ok(());
    }
    Err(Error::conflict("Nobody has set this instance up yet, so nobody has the kit that opens its backups.")
        .hint("Open the link that `testkeep serve` prints, or run `testkeep setup`."))
}

/// Reads the newest backup back.
pub async fn verify(command: Verify, options: &Options, output: Output) -> Result<()> {
    let proof = match &command.kit_file {
        Some(file) => recovery::verify(&command.from, &unlock::kit_in(file)?)?,
        None if app::is_there(options) => {
            let house = unlock::house(options)?;
            let gate = house.shell.operator().gate::<BackupRun>(());
            let desk = Desk::new(Arc::clone(&house.instance));
            let proof = desk.verify(&gate, &command.from).await;
            house.close().await;
            proof?
        }
        None => recovery::verify(&command.from, &unlock::typed_kit()?)?,
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
            from: command.from.clone(),
            backup: command.backup,
            is_dry: command.dry_run,
            is_replacing: command.replace,
        };
        return bring::run(part, options, output).await;
    }
    let Restore { from, into, kit_file, backup: number, .. } = command;
    let missing = |name: &str| Error::invalid(format!("Nothing was said for {name}."));
    let from = from.ok_or_else(|| missing("--from").hint("Name the folder of the backups."))?;
    let into = into.ok_or_else(|| missing("--into"))?;
    let kit = match &kit_file {
        Some(file) => unlock::kit_in(file)?,
        None => unlock::typed_kit()?,
    };
    let into = std::path::absolute(into).map_err(Error::internal)?;
    let key_file = options.key_file.clone().unwrap_or_else(|| default_key_file(&into));
    let program = std::env::current_exe().map_err(Error::internal)?;
    let order = Order { from, into, key_file, number };
    let recovery::Restored { receipt, manifest } = recovery::restore(&program, &order, &kit).await?;
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
    };
    output.print(&restored, Restored::text);
    Ok(())
}

impl Made {
    fn text(&self) -> String {
        let Receipt { number, files, bytes, bytes_added, .. } = self.receipt;
        let mut text = format!(
            "Backup {number} is in {}: {files} files, {}; {} were new. It was read back and signed.",
            self.folder.display(),
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

impl Restored {
    fn text(&self) -> String {
        let Restored { into, key_file, receipt, made_at, rows, blobs, bytes, .. } = self;
        let missing = match self.blobs_missing {
            0 => String::new(),
            count => format!("\nNote: {count} attached files were missing when the backup was made."),
        };
        format!(
            "Restored backup {receipt} of {made_at} into {}: {rows} rows, {blobs} attached files, {}.\n\
             Everything was compared with the signed receipt.{missing}\n\n\
             Its everyday key is now {}; keep a copy away from this machine.\n\
             Start it with\n  testkeep serve --data {}{}",
            into.display(),
            size(*bytes),
            key_file.display(),
            into.display(),
            if *key_file == default_key_file(into) {
                String::new()
            } else {
                format!(" --key-file {}", key_file.display())
            },
        )
    }
}

fn size(bytes: u64) -> String {
    bytesize::ByteSize(bytes).to_string()
}
