//! The overview of a project: is it fit to ship, what needs a look, what ran last.
//!
//! Reads only, and only what is counted already: its cost does not grow with the results of a project.

mod chart;
mod pages;
mod sql;

pub use pages::routes;

use crate::kernel::access::{ProjectView, Read, Tx};
use crate::kernel::error::Result;
use crate::kernel::limits;
use crate::library::cases::list::{self, Look};
use crate::library::projects::{self, Project};
use crate::library::suites;
use crate::running::runs::{self, Run};

/// What the overview tells.
#[derive(Debug)]
pub struct Home {
    /// The project.
    pub project: Project,
    /// Its active cases.
    pub cases: i64,
    /// How many cases fail, flip, and never ran.
    pub looks: [(Look, i64); 3],
    /// Its latest runs, the newest first.
    pub runs: Vec<Run>,
    /// Runs that are open.
    pub open_runs: i64,
    /// All runs.
    pub all_runs: i64,
    /// Untested items of open runs that are given to whoever looks.
    pub mine: i64,
}

impl Home {
    /// The newest run that has a verdict: what a release decision looks at first.
    pub fn judged(&self) -> Option<&Run> {
        self.runs.iter().find(|run| run.counts.pass_permille().is_some())
    }

    /// Runs with their pass rates in tenths of a percent, the oldest first.
    pub fn trend(&self) -> Vec<(&Run, i64)> {
        let rates = self.runs.iter().filter_map(|run| Some((run, run.counts.pass_permille()?)));
        let mut rates: Vec<_> = rates.collect();
        rates.reverse();
        rates
    }
}

/// Gathers the overview on one snapshot.
pub fn gather(tx: Read<'_, ProjectView>) -> Result<Home> {
    let (open_runs, all_runs) = runs::totals(tx)?;
    let mine = tx.actor().user().map_or(Ok(0), |me| sql::given_to(tx, me))?;
    Ok(Home {
        project: projects::this(tx)?,
        cases: suites::tree(tx)?.cases(),
        looks: list::counts(tx)?,
        runs: runs::list(tx, None, None, limits::HOME_RUNS)?,
        open_runs,
        all_runs,
        mine,
    })
}
