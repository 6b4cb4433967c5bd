//! `testkeep demo`: fills a project with a shop that never was, to look around in.

use super::output::Output;
use super::progress;
use super::project::place;
use crate::app::House;
use crate::exchange::demo::{self, Filled, Plan};
use crate::kernel::access::{Place, ProjectAdmin, ProjectView, UploadWrite};
use crate::kernel::error::{Kind, Result};
use crate::kernel::time::Clock;
use crate::library::projects::{self, Key, NewProject};
use crate::library::text::Title;
use clap::Args;
use serde::Serialize;

/// Fills a project with cases, runs and results that look like real ones.
#[derive(Args, Debug)]
#[command(
    after_help = "The same seed gives the same project. One that holds work already is left alone.\n\n  \
    testkeep demo\n  testkeep demo --project BIG --cases 10000 --results 1000000"
)]
pub struct Demo {
    /// Key of the project; made if it does not exist.
    #[arg(long, default_value = "SHOP")]
    project: String,
    /// How many cases.
    #[arg(long, default_value_t = 240, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    cases: u64,
    /// How many results.
    #[arg(long, default_value_t = 6_000, value_parser = clap::value_parser!(u64).range(0..=100_000_000))]
    results: u64,
    /// Another number gives another project.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Serialize)]
struct Made {
    project: String,
    suites: u64,
    cases: u64,
    revisions: u64,
    runs: u64,
    results: u64,
    elapsed_ms: i64,
}

/// Fills the project.
pub async fn run(command: Demo, house: &House, output: Output) -> Result<()> {
    let Demo { project, cases, results, seed } = command;
    let (clock, begun) = (Clock::System, Clock::System.now());
    let (place, key) = (place(&project)?, Key::new(&project)?);
    make_unless_there(house, &place, key.clone()).await?;
    let gate = house.shell.operator().gate::<UploadWrite>(place);
    let bar = progress::things(cases + results, output);
    let filled = demo::fill(&gate, Plan { cases, results, seed }, |done| bar.set_position(done)).await;
    bar.finish_and_clear();
    let Filled { suites, cases, revisions, runs, results } = filled?;
    let elapsed_ms = clock.now().0 - begun.0;
    let made = Made { project: key.as_str().to_owned(), suites, cases, revisions, runs, results, elapsed_ms };
    output.print(&made, |it| {
        format!(
            "{} has {} cases in {} suites ({} revisions), {} runs and {} results. It took {:.1} s.\n\
             The last run is open: half of its items wait for somebody.",
            it.project,
            it.cases,
            it.suites,
            it.revisions,
            it.runs,
            it.results,
            it.elapsed_ms as f64 / 1_000.0,
        )
    });
    Ok(())
}

async fn make_unless_there(house: &House, place: &Place, key: Key) -> Result<()> {
    let operator = house.shell.operator();
    match operator.gate::<ProjectView>(place.clone()).admit().await {
        Err(reason) if reason.kind() == Kind::NotFound => {}
        admitted => return admitted,
    }
    let name = Title::new("project", "Web shop")?;
    let description = "A shop that never was, to look around in.".to_owned();
    let new = NewProject { key, name, description };
    operator.gate::<ProjectAdmin>(()).write(move |tx| projects::create(tx, &new)).await.map(drop)
}
