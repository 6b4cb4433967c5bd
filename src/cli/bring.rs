//! `testkeep restore --project`, `--case`, `--run`: a part of a backup into the living instance.

use super::access::Access;
use super::output::{Output, table};
use super::target::goal_of;
use super::unlock;
use crate::app::House;
use crate::keeping::backups::{self, Chosen, Desk};
use crate::keeping::restores::{self, Mode, Request, Tally, What};
use crate::kernel::access::{BackupRun, RestoreRun};
use crate::kernel::error::Result;
use crate::kernel::options::Options;
use serde::Serialize;
use std::sync::Arc;

/// What is asked for.
pub struct Part {
    /// Reference of the project, the case or the run.
    pub what: String,
    /// Where the backups lie; the target with the newest that was read back without it.
    pub from: Option<String>,
    /// What opens that place, if it is no target.
    pub access: Access,
    /// Number of the backup; the newest that was read back without it.
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
    let from = found(&part, house).await?;
    let what = What::parse(&part.what)?;
    let mode = if part.is_replacing { Mode::Replace } else { Mode::Missing };
    let desk = Desk::new(Arc::clone(&house.instance));
    let request = Request { from, what: what.clone(), mode };
    let outcome = async {
        let (id, told) = restores::preview(&desk, &gate, request.clone()).await?;
        let tally = if part.is_dry { told } else { restores::apply(&desk, &gate, id, request).await? };
        Ok(Told { what: what.to_string(), restore: id.0, applied: !part.is_dry, tally })
    };
    let outcome = outcome.await;
    desk.bench.clear();
    outcome
}

/// The backup that is asked for.
async fn found(part: &Part, house: &House) -> Result<Chosen> {
    let gate = house.shell.operator().gate::<BackupRun>(());
    let (instance, number) = (Arc::clone(&house.instance), part.backup);
    match &part.from {
        Some(from) => {
            let goal = goal_of(from, &part.access, house, &gate).await?;
            gate.read(move |tx| backups::at(tx, goal, number)).await
        }
        None => gate.read(move |tx| backups::chosen(tx, &instance, None, number)).await,
    }
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
