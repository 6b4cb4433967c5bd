//! Legal holds: what may not be deleted, by nobody, until somebody lifts the hold. Who sets and lifts them is
//! `keeping`'s matter; whoever deletes asks here.

use crate::kernel::access::InProject;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::RunId;
use crate::kernel::sql::{self, FromRow, Row, named_params};

/// Refuses if the project is held, or any of its runs: for what would take away more than one run.
pub fn refuse_project(tx: impl InProject) -> Result<()> {
    let held: Option<Reason> = tx.row(
        "SELECT reason FROM holds WHERE project_id = :project AND lifted_at IS NULL ORDER BY id LIMIT 1",
        named_params! { ":project": tx.project() },
    )?;
    held.map_or(Ok(()), |Reason(reason)| Err(refusal(&reason)))
}

/// Refuses if the project is held as a whole: for cases and files.
pub fn refuse_whole(tx: impl InProject) -> Result<()> {
    refuse_run(tx, RunId(0))
}

/// Refuses if this run is held, or its project.
pub fn refuse_run(tx: impl InProject, run: RunId) -> Result<()> {
    let held: Option<Reason> = tx.row(
        "SELECT reason FROM holds
          WHERE project_id = :project AND lifted_at IS NULL AND (run_id IS NULL OR run_id = :run)
          ORDER BY id
          LIMIT 1",
        named_params! { ":project": tx.project(), ":run": run },
    )?;
    held.map_or(Ok(()), |Reason(reason)| Err(refusal(&reason)))
}

fn refusal(reason: &str) -> Error {
    Error::conflict(format!("This is under a legal hold and cannot be deleted. Its reason: {reason}"))
        .hint("An owner of the instance can lift the hold under Storage.")
}

struct Reason(String);

impl FromRow for Reason {
    fn from_row(row: &Row<'_>) -> sql::Result<Reason> {
        row.get("reason").map(Reason)
    }
}
