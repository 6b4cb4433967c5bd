//! A run by something else than its verdicts: by suite, by message, by person. Each line leads to its list.
//!
//! These walk all items that they count; a page asks for one of them, and only when somebody wants it.

use super::Counts;
use crate::kernel::access::{InProject, ProjectView, Read, Tx};
use crate::kernel::error::Result;
use crate::kernel::id::{RunId, SuiteId, UserId};
use crate::kernel::limits;
use crate::kernel::sql::{self, FromRow, Row, named_params};

/// Items of one suite.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfSuite {
    /// The suite in which their cases stand.
    pub suite: SuiteId,
    /// The items by verdict.
    pub counts: Counts,
}

/// Failures that begin with the same line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfMessage {
    /// The line, cut to length; empty for failures without a message.
    pub message: String,
    /// How many.
    pub count: i64,
}

/// What somebody has to do, and how it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Share {
    /// Whose.
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// All their items.
    pub total: i64,
    /// Those that failed or errored.
    pub failures: i64,
    /// Those without a verdict.
    pub untested: i64,
}

/// The items of a run by the suite of their cases, in no order.
pub fn by_suite(tx: Read<'_, ProjectView>, run: RunId) -> Result<Vec<OfSuite>> {
    tx.rows(
        "SELECT cases.suite_id, sum(items.status = 'passed'), sum(items.status = 'failed'),
                sum(items.status = 'errored'), sum(items.status = 'blocked'), sum(items.status = 'skipped'),
                sum(items.status = 'untested'), coalesce(sum(items.elapsed_ms), 0)
           FROM items CROSS JOIN cases ON cases.id = items.case_id
          WHERE items.run_id = :run AND cases.project_id = :project
          GROUP BY cases.suite_id",
        named_params! { ":run": run, ":project": tx.project() },
    )
}

/// The failures of a run by the first line of their message, the most frequent first.
pub fn by_message(tx: Read<'_, ProjectView>, run: RunId) -> Result<Vec<OfMessage>> {
    tx.rows(
        "SELECT coalesce(substr(results.message, 1,
                         min(200, instr(results.message || char(10), char(10)) - 1)), '') AS line,
                count(*) AS times
           FROM items CROSS JOIN results ON results.id = items.result_id
          WHERE items.run_id = :run AND items.status IN ('failed', 'errored')
          GROUP BY line
          ORDER BY times DESC, line
          LIMIT :limit",
        named_params! { ":run": run, ":limit": limits::PAGE_ROWS },
    )
}

/// Who has which share of a run, by name.
pub fn shares(tx: Read<'_, ProjectView>, run: RunId) -> Result<Vec<Share>> {
    tx.rows(
        "SELECT assignee_id, users.name, count(*), sum(status IN ('failed', 'errored')), sum(status = 'untested')
           FROM items JOIN users ON users.id = assignee_id
          WHERE run_id = :run AND assignee_id IS NOT NULL
          GROUP BY assignee_id
          ORDER BY users.name",
        named_params! { ":run": run },
    )
}

impl FromRow for OfSuite {
    fn from_row(row: &Row<'_>) -> sql::Result<OfSuite> {
        let counts = Counts {
            passed: row.get(1)?,
            failed: row.get(2)?,
            errored: row.get(3)?,
            blocked: row.get(4)?,
            skipped: row.get(5)?,
            untested: row.get(6)?,
            duration_ms: row.get(7)?,
        };
        Ok(OfSuite { suite: row.get(0)?, counts })
    }
}

impl FromRow for OfMessage {
    fn from_row(row: &Row<'_>) -> sql::Result<OfMessage> {
        Ok(OfMessage { message: row.get(0)?, count: row.get(1)? })
    }
}

impl FromRow for Share {
    fn from_row(row: &Row<'_>) -> sql::Result<Share> {
        Ok(Share {
            user: row.get(0)?,
            name: row.get(1)?,
            total: row.get(2)?,
            failures: row.get(3)?,
            untested: row.get(4)?,
        })
    }
}
