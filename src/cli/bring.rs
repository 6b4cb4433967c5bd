//! `testkeep restore --project`, `--case`, `--run`: a part of a backup into the living instance.

use super::output::{Output, table};
use super::unlock;
use crate::app::House;
use crate::keeping::backups::{Desk, Plan};
use crate::keeping::restores::{self, Mode, Request, Tally, What};
use crate::kernel::access::RestoreRun;
use crate::kernel::error::{Error, Result};
use crate::kernel::options::Options;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

/// What is asked for.
pub struct Part {
    /// Reference of the project, the case or the run.
    pub what: String,
    /// Where the backups lie; that of the plan without it.
    pub from: Option<PathBuf>,
    /// Number of the backup; the newest without it.
    pub backup: Option<u64>,
    /// Whether it is only shown.
    pub is_dry: bool,
    /// Whether things that are there are made as they were.
    pub is_replacing: bool,
}

#[derive(Serialize)]
struct Told {
    what: String,
    restore: i64,
    applied: bool,
    #[serde(flatten)]
    tally: Tally,
}

/// Shows what would come back, and brings it back unless only that was asked for.
pub async fn run(part: Part, options: &Options, output: Output) -> Result<()> {
    let house = unlock::house(options)?;
    let told = brought(part, &house).await;
    house.close().await;
    output.print(&told?, text);
    Ok(())
}

async fn brought(part: Part, house: &House) -> Result<Told> {
    let gate = house.shell.operator().gate::<RestoreRun>(());
    let folder = match part.from {
        Some(folder) => std::path::absolute(folder).map_err(Error::internal)?,
        None => gate.read(|tx| Plan::get(tx)).await?.folder,
    };
    if folder.as_os_str().is_empty() {
        return Err(Error::invalid("No folder of backups was named.").hint("Name it with --from."));
    }
    let what = What::parse(&part.what)?;
    let mode = if part.is_replacing { Mode::Replace } else { Mode::Missing };
    let desk = Desk::new(Arc::clone(&house.instance));
    let request = Request { folder, receipt: part.backup, what: what.clone(), mode };
    let outcome = async {
        let (id, told) = restores::preview(&desk, &gate, request).await?;
        let tally = if part.is_dry { told } else { restores::apply(&desk, &gate, id, mode).await? };
        Ok(Told { what: what.to_string(), restore: id.0, applied: !part.is_dry, tally })
    };
    let outcome = outcome.await;
    desk.bench.clear();
    outcome
}

fn text(told: &Told) -> String {
    let tally = &told.tally;
    let mut text = match told.applied {
        true => format!("{} came back: {} rows were missing.", told.what, tally.created()),
        false => format!(
            "{} would come back: {} rows are missing. Nothing was changed.",
            told.what,
            tally.created()
        ),
    };
    let row = |(kind, count): (&String, &restores::Count)| {
        let numbers = [count.created, count.changed, count.same, count.left].map(|number| number.to_string());
        [vec![kind.clone()], numbers.to_vec()].concat()
    };
    let rows: Vec<Vec<String>> = tally.counts.iter().map(row).collect();
    text.push_str(&format!("\n{}", table(&["kind", "missing", "different", "as it was", "left out"], &rows)));
    for changed in &tally.changed {
        let names: Vec<&str> = changed.fields.iter().map(|field| field.name.as_str()).collect();
        text.push_str(&format!("\n{} differs in {}.", changed.reference, names.join(", ")));
    }
    tally.conflicts.iter().for_each(|conflict| text.push_str(&format!("\nCannot come back: {conflict}")));
    tally.notes.iter().for_each(|note| text.push_str(&format!("\nNote: {note}")));
    text
}
