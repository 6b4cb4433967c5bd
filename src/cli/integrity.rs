//! `testkeep check` and `testkeep repair`: is everything as it was written, and mend just what is not.

use super::output::Output;
use crate::app::House;
use crate::keeping::backups::Desk;
use crate::keeping::integrity::{self, Cause, Kind, Mending};
use crate::kernel::access::StorageView;
use crate::kernel::error::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::sync::Arc;

/// Reads everything that is stored and says what is damaged.
#[derive(Args, Debug)]
#[command(
    after_help = "It works while the server runs and while it is stopped, and ends with 0 only if nothing is \
    damaged.\n\n  testkeep check\n  testkeep check --only files"
)]
pub struct Check {
    /// One part only: database, files, trail, keys or sums.
    #[arg(long, value_name = "PART")]
    only: Option<String>,
}

/// Mends what is damaged: files from the newest backup that has them, indexes and counts from their tables.
#[derive(Args, Debug)]
#[command(after_help = "Whole parts are not touched. What cannot be mended alone is said, and why.\n\n  \
    testkeep repair --dry-run\n  testkeep repair")]
pub struct Repair {
    /// Say what would be done and do nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Found {
    good: bool,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    part: &'static str,
    object: String,
    sentence: String,
}

#[derive(Serialize)]
struct Preview {
    steps: Vec<String>,
}

/// Makes the checks. Errors: `Damaged` if something is.
pub async fn check(command: Check, house: &House, output: Output) -> Result<()> {
    let caller = house.shell.operator();
    match command.only.as_deref().map(Kind::of_word).transpose()? {
        Some(kind) => integrity::check(&house.instance, &caller, kind, Cause::Command).await?,
        None => integrity::check_all(&house.instance, &caller, Cause::Command).await?,
    };
    let gate = caller.gate::<StorageView>(());
    let found = gate.read(|tx| {
        let files = integrity::damaged_files(tx)?.into_iter().map(|file| Finding {
            part: Kind::Files.word(),
            sentence: file.sentence(),
            object: format!("file {}", file.blob),
        });
        let others = integrity::open(tx)?.into_iter().filter(|open| open.kind != Kind::Files);
        let others = others.map(|open| Finding {
            part: open.kind.word(),
            object: open.object,
            sentence: open.sentence,
        });
        Ok(files.chain(others).collect::<Vec<_>>())
    });
    let findings = found.await?;
    let found = Found { good: findings.is_empty(), findings };
    output.print(&found, Found::text);
    match found.findings.len() {
        0 => Ok(()),
        count => Err(Error::damaged(format!("{count} findings: something is damaged."))
            .hint("Run `testkeep repair --dry-run` to see what can be mended.")),
    }
}

/// Mends what can be mended, or says what would be.
pub async fn repair(command: Repair, house: &House, output: Output) -> Result<()> {
    let caller = house.shell.operator();
    if command.dry_run {
        let steps = integrity::plan(&caller.gate::<StorageView>(())).await?.sentences();
        output.print(&Preview { steps }, Preview::text);
        return Ok(());
    }
    let desk = Arc::new(Desk::new(Arc::clone(&house.instance)));
    let done = integrity::repair(&desk, &caller, Cause::Command).await?;
    output.print(&done, text);
    match done.left.first() {
        None => Ok(()),
        Some(first) => Err(Error::damaged(format!("Not everything could be mended: {first}"))
            .hint("Restore the newest backup into another folder and compare.")),
    }
}

impl Found {
    fn text(&self) -> String {
        if self.good {
            return "Nothing is damaged.".into();
        }
        let lines: Vec<String> = self
            .findings
            .iter()
            .map(|finding| format!("{:<9}  {}", finding.part, finding.sentence))
            .collect();
        lines.join("\n")
    }
}

impl Preview {
    fn text(&self) -> String {
        if self.steps.is_empty() {
            return "Nothing is known to be damaged. `testkeep check` looks.".into();
        }
        self.steps.join("\n")
    }
}

fn text(done: &Mending) -> String {
    let Mending { files, files_lost, indexes, sums, left: _ } = done;
    format!(
        "Files brought back: {files}. Files that no backup has whole: {files_lost}.\n\
         Indexes built anew: {indexes}. Counts taken anew: {sums}."
    )
}
