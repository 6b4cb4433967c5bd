//! Statements of counting anew.

use super::{Difference, Summary};
use crate::kernel::access::{StorageKeep, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::{CaseId, ProjectId, ResultId};
use crate::kernel::sql::{self, FromRow, Row, named_params};

/// Verdicts in the order in which they were recorded, each as a summary of its own. The results lead: a walk
/// along their numbers needs no sorting.
pub(super) fn verdicts(
    tx: impl Tx,
    project: Option<ProjectId>,
    after: ResultId,
    limit: i64,
) -> Result<Vec<(CaseId, Summary)>> {
    let rows: Vec<OfCase> = tx.rows(
        "SELECT items.case_id, runs.project_id, results.status, results.id AS result_id, results.run_id, results.at,
                results.status = 'passed' AS passed, results.status IN ('failed', 'errored') AS failed, 0 AS flips
           FROM results CROSS JOIN runs ON runs.id = results.run_id CROSS JOIN items ON items.id = results.item_id
          WHERE results.id > :after AND runs.state <> 'receiving' AND (:project IS NULL OR runs.project_id = :project)
          ORDER BY results.id
          LIMIT :limit",
        named_params! { ":after": after, ":project": project, ":limit": limit },
    )?;
    Ok(rows.into_iter().map(|OfCase(case, summary)| (case, summary)).collect())
}

pub(super) fn summaries(tx: impl Tx, project: Option<ProjectId>) -> Result<Vec<(CaseId, Summary)>> {
    let rows: Vec<OfCase> = tx.rows(
        "SELECT case_id, project_id, status, result_id, run_id, at, passed, failed, flips
           FROM case_summaries
          WHERE :project IS NULL OR project_id = :project",
        named_params! { ":project": project },
    )?;
    Ok(rows.into_iter().map(|OfCase(case, summary)| (case, summary)).collect())
}

/// Stores what was counted, unless the summary was changed since it was read; answers whether it was stored.
pub(super) fn store_summary(tx: Write<'_, StorageKeep>, difference: &Difference) -> Result<i64> {
    let Difference { case, stored, counted } = difference;
    let gone = match stored {
        Some(stored) => tx.run(
            "DELETE FROM case_summaries
              WHERE case_id = :case AND result_id = :result AND passed = :passed AND failed = :failed",
            named_params! {
                ":case": case, ":result": stored.result, ":passed": stored.passed, ":failed": stored.failed,
            },
        )?,
        None => 1,
    };
    if gone == 0 {
        return Ok(0);
    }
    if let Some(Summary { project, status, result, run, at, passed, failed, flips }) = counted {
        tx.run(
            "INSERT INTO case_summaries (case_id, project_id, status, result_id, run_id, at, passed, failed, flips)
             VALUES (:case, :project, :status, :result, :run, :at, :passed, :failed, :flips)
                 ON CONFLICT DO NOTHING",
            named_params! {
                ":case": case, ":project": project, ":status": status, ":result": result, ":run": run, ":at": at,
                ":passed": passed, ":failed": failed, ":flips": flips,
            },
        )?;
    }
    tx.run(
        "UPDATE cases
            SET has_result = EXISTS (SELECT 1 FROM case_summaries WHERE case_id = :case)
          WHERE id = :case",
        named_params! { ":case": case },
    )?;
    Ok(1)
}

pub(super) fn recount_due(tx: impl Tx, project: ProjectId) -> Result<i64> {
    let One(due) = tx.only(
        "SELECT recount_due FROM projects WHERE id = :project",
        named_params! { ":project": project },
    )?;
    Ok(due)
}

pub(super) fn recounts_due(tx: impl Tx) -> Result<Vec<ProjectId>> {
    let rows: Vec<One> = tx.rows("SELECT id FROM projects WHERE recount_due > 0 ORDER BY id", [])?;
    Ok(rows.into_iter().map(|One(id)| ProjectId(id)).collect())
}

/// Nothing waits any more, unless something was added since.
pub(super) fn settle_recount(tx: Write<'_, StorageKeep>, project: ProjectId, due: i64) -> Result<()> {
    tx.run(
        "UPDATE projects SET recount_due = 0 WHERE id = :project AND recount_due = :due",
        named_params! { ":project": project, ":due": due },
    )
    .map(drop)
}

struct One(i64);

impl FromRow for One {
    fn from_row(row: &Row<'_>) -> sql::Result<One> {
        Ok(One(row.get(0)?))
    }
}

struct OfCase(CaseId, Summary);

impl FromRow for OfCase {
    fn from_row(row: &Row<'_>) -> sql::Result<OfCase> {
        let summary = Summary {
            project: row.get("project_id")?,
            status: row.get("status")?,
            result: row.get("result_id")?,
            run: row.get("run_id")?,
            at: row.get("at")?,
            passed: row.get("passed")?,
            failed: row.get("failed")?,
            flips: row.get("flips")?,
        };
        Ok(OfCase(row.get("case_id")?, summary))
    }
}
