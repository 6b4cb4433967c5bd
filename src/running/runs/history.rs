//! The history of a case: how it fared in the latest runs.
//!
//! There is no index of results in case order, because it would cost every upload dearly. One probe for
//! each recent run finds the same.

use super::State;
use crate::kernel::access::{InProject, ProjectView, Read, Tx};
use crate::kernel::error::Result;
use crate::kernel::id::{CaseId, ItemId, ResultId};
use crate::kernel::limits;
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::kernel::time::Timestamp;
use crate::library::verdicts::Status;

/// How a case fared in one run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Number of the run in the project.
    pub run: i64,
    /// What the run is called.
    pub title: String,
    /// How far the run is.
    pub state: State,
    /// The item.
    pub item: ItemId,
    /// The revision that was executed.
    pub revision: i64,
    /// The latest verdict in that run.
    pub status: Status,
    /// Results in that run.
    pub attempts: i64,
    /// How long the latest took.
    pub elapsed_ms: Option<i64>,
    /// The latest result.
    pub result: Option<ResultId>,
    /// When it was given.
    pub at: Option<Timestamp>,
    /// The beginning of its message.
    pub message: Option<String>,
}

/// How a case fared in the latest runs that held it, the newest first.
pub fn of_case(tx: Read<'_, ProjectView>, case: CaseId) -> Result<Vec<Entry>> {
    tx.rows(
        "SELECT recent.number, recent.title, recent.state, items.id, items.revision, items.status,
                items.attempts, items.elapsed_ms, items.result_id, results.at, substr(results.message, 1, 400)
           FROM (SELECT id, number, title, state
                   FROM runs
                  WHERE project_id = :project AND state <> 'receiving'
                  ORDER BY number DESC
                  LIMIT :runs) AS recent
                CROSS JOIN items ON items.run_id = recent.id AND items.case_id = :case
                LEFT JOIN results ON results.id = items.result_id
          ORDER BY recent.number DESC",
        named_params! { ":project": tx.project(), ":case": case, ":runs": limits::HISTORY_RUNS },
    )
}

impl FromRow for Entry {
    fn from_row(row: &Row<'_>) -> sql::Result<Entry> {
        Ok(Entry {
            run: row.get(0)?,
            title: row.get(1)?,
            state: row.get(2)?,
            item: row.get(3)?,
            revision: row.get(4)?,
            status: row.get(5)?,
            attempts: row.get(6)?,
            elapsed_ms: row.get(7)?,
            result: row.get(8)?,
            at: row.get(9)?,
            message: row.get(10)?,
        })
    }
}
