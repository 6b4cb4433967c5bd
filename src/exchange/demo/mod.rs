//! The demonstration project: believable cases, runs and results, the same for the same seed.
//!
//! Everything goes in by the operations that pages and uploads call, so what it fills looks and weighs
//! like the work of people. It is of no use where real work lies, and refuses to go there.

mod cases;
mod runs;
mod words;

use crate::kernel::access::{Gate, UploadWrite};
use crate::kernel::error::{Error, Result};
use crate::library::projects;
use crate::running::runs as real_runs;

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Cases to write.
    pub cases: u64,
    /// Results to record.
    pub results: u64,
    /// Other seeds give other projects.
    pub seed: u64,
}

/// What was filled in.
#[derive(Clone, Copy, Default, Debug)]
pub struct Filled {
    /// Suites made.
    pub suites: u64,
    /// Cases written.
    pub cases: u64,
    /// Their revisions.
    pub revisions: u64,
    /// Runs, the last one open and for people.
    pub runs: u64,
    /// Results recorded.
    pub results: u64,
}

/// Fills a project that holds neither cases nor runs; `done` hears how many cases and results are in.
pub async fn fill(gate: &Gate<UploadWrite>, plan: Plan, mut done: impl FnMut(u64)) -> Result<Filled> {
    let (project, (_, runs)) =
        gate.read(|tx| Ok((projects::this(tx.reading())?, real_runs::totals(tx.reading())?))).await?;
    if project.cases > 0 || runs > 0 {
        return Err(Error::conflict(format!("The project {} holds work already.", project.key))
            .hint("Name another one with --project; a project that does not exist is made."));
    }
    let mut filled = Filled::default();
    let written = cases::write(gate, plan, &mut filled, &mut done).await?;
    runs::record(gate, plan, &written, &mut filled, &mut done).await?;
    Ok(filled)
}

/// Cases that were written, by number.
struct Written {
    /// Checked by code; never empty.
    automated: Vec<i64>,
    /// Executed by people.
    manual: Vec<i64>,
}
