//! Statements of lists of cases.

use super::Line;
use crate::kernel::access::InProject;
use crate::kernel::error::Result;
use crate::kernel::id::{CaseId, SuiteId};
use crate::kernel::sql::{self, FromRow, Row, named_params};

/// All statements below name the same columns.
macro_rules! lines {
    ($tail:literal) => {
        concat!(
            "SELECT cases.id, number, suite_id, position, cases.title, kind, priority,
                    cases.automation_key, revision, status, at ",
            $tail
        )
    };
}

pub(super) fn of_suite(
    tx: impl InProject,
    suite: SuiteId,
    after: (i64, CaseId),
    limit: i64,
) -> Result<Vec<Line>> {
    tx.rows(
        lines!(
            "FROM cases LEFT JOIN case_summaries ON case_id = cases.id
            WHERE cases.project_id = :project AND suite_id = :suite AND state = 'active'
              AND (position, cases.id) > (:position, :case)
            ORDER BY position, cases.id
            LIMIT :limit"
        ),
        named_params! {
            ":project": tx.project(), ":suite": suite, ":position": after.0, ":case": after.1, ":limit": limit,
        },
    )
}

pub(super) fn all(tx: impl InProject, after: i64, limit: i64) -> Result<Vec<Line>> {
    tx.rows(
        lines!(
            "FROM cases LEFT JOIN case_summaries ON case_id = cases.id
            WHERE cases.project_id = :project AND number > :after AND state = 'active'
            ORDER BY number
            LIMIT :limit"
        ),
        named_params! { ":project": tx.project(), ":after": after, ":limit": limit },
    )
}

pub(super) fn one(tx: impl InProject, number: i64) -> Result<Option<Line>> {
    tx.row(
        lines!(
            "FROM cases LEFT JOIN case_summaries ON case_id = cases.id
            WHERE cases.project_id = :project AND number = :number AND state = 'active'"
        ),
        named_params! { ":project": tx.project(), ":number": number },
    )
}

/// The index of words gives its rows in the order of their ids, which is the order of their numbers:
/// nothing is sorted, and the search ends with the page.
pub(super) fn matching(tx: impl InProject, query: &str, after: i64, limit: i64) -> Result<Vec<Line>> {
    tx.rows(
        lines!(
            "FROM cases_search CROSS JOIN cases ON cases.id = cases_search.rowid
             LEFT JOIN case_summaries ON case_id = cases.id
            WHERE cases_search MATCH :query
              AND cases_search.rowid > (SELECT coalesce(max(id), 0) FROM cases
                                         WHERE project_id = :project AND number = :after)
              AND cases.project_id = :project AND state = 'active'
            ORDER BY cases_search.rowid
            LIMIT :limit"
        ),
        named_params! { ":project": tx.project(), ":query": query, ":after": after, ":limit": limit },
    )
}

/// `suites` is a list of ids as JSON.
pub(super) fn matching_in(
    tx: impl InProject,
    suites: &str,
    query: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<Line>> {
    tx.rows(
        lines!(
            "FROM cases_search CROSS JOIN cases ON cases.id = cases_search.rowid
             LEFT JOIN case_summaries ON case_id = cases.id
            WHERE cases_search MATCH :query
              AND cases_search.rowid > (SELECT coalesce(max(id), 0) FROM cases
                                         WHERE project_id = :project AND number = :after)
              AND cases.project_id = :project AND state = 'active'
              AND suite_id IN (SELECT value FROM json_each(:suites))
            ORDER BY cases_search.rowid
            LIMIT :limit"
        ),
        named_params! {
            ":project": tx.project(), ":suites": suites, ":query": query, ":after": after, ":limit": limit,
        },
    )
}

pub(super) fn failing(tx: impl InProject, after: i64, limit: i64) -> Result<Vec<Line>> {
    tx.rows(
        lines!(
            "FROM case_summaries CROSS JOIN cases ON cases.id = case_id
            WHERE case_summaries.project_id = :project AND status IN ('failed', 'errored')
              AND state = 'active' AND number > :after
            ORDER BY number
            LIMIT :limit"
        ),
        named_params! { ":project": tx.project(), ":after": after, ":limit": limit },
    )
}

pub(super) fn flaky(tx: impl InProject, after: i64, limit: i64) -> Result<Vec<Line>> {
    tx.rows(
        lines!(
            "FROM case_summaries CROSS JOIN cases ON cases.id = case_id
            WHERE case_summaries.project_id = :project AND flips >= 3 AND state = 'active' AND number > :after
            ORDER BY number
            LIMIT :limit"
        ),
        named_params! { ":project": tx.project(), ":after": after, ":limit": limit },
    )
}

pub(super) fn never_run(tx: impl InProject, after: i64, limit: i64) -> Result<Vec<Line>> {
    tx.rows(
        lines!(
            "FROM cases LEFT JOIN case_summaries ON case_id = cases.id
            WHERE cases.project_id = :project AND has_result = 0 AND state = 'active' AND number > :after
            ORDER BY number
            LIMIT :limit"
        ),
        named_params! { ":project": tx.project(), ":after": after, ":limit": limit },
    )
}

pub(super) fn trash(tx: impl InProject, after: i64, limit: i64) -> Result<Vec<Line>> {
    tx.rows(
        lines!(
            "FROM cases LEFT JOIN case_summaries ON case_id = cases.id
            WHERE cases.project_id = :project AND state = 'trashed' AND number > :after
            ORDER BY number
            LIMIT :limit"
        ),
        named_params! { ":project": tx.project(), ":after": after, ":limit": limit },
    )
}

/// Of the short lists, without the trash.
pub(super) fn counts(tx: impl InProject) -> Result<Counts> {
    tx.only(
        "SELECT (SELECT count(*) FROM case_summaries JOIN cases ON cases.id = case_id
                  WHERE case_summaries.project_id = :project AND state = 'active'
                    AND status IN ('failed', 'errored')) AS failing,
                (SELECT count(*) FROM case_summaries JOIN cases ON cases.id = case_id
                  WHERE case_summaries.project_id = :project AND state = 'active' AND flips >= 3) AS flaky,
                (SELECT count(*) FROM cases
                  WHERE project_id = :project AND has_result = 0 AND state = 'active') AS never_run",
        named_params! { ":project": tx.project() },
    )
}

impl FromRow for Line {
    fn from_row(row: &Row<'_>) -> sql::Result<Line> {
        Ok(Line {
            id: row.get(0)?,
            number: row.get(1)?,
            suite: row.get(2)?,
            position: row.get(3)?,
            title: row.get(4)?,
            kind: row.get(5)?,
            priority: row.get(6)?,
            automation_key: row.get(7)?,
            revision: row.get(8)?,
            status: row.get(9)?,
            at: row.get(10)?,
        })
    }
}

pub(super) struct Counts {
    pub(super) failing: i64,
    pub(super) flaky: i64,
    pub(super) never_run: i64,
}

impl FromRow for Counts {
    fn from_row(row: &Row<'_>) -> sql::Result<Counts> {
        Ok(Counts {
            failing: row.get("failing")?,
            flaky: row.get("flaky")?,
            never_run: row.get("never_run")?,
        })
    }
}
