//! Statements of single cases and their revisions.

use super::{Case, Draft, Priority, Revision, State, Step, Summary};
use crate::kernel::access::{CaseWrite, InProject, Tx, Write};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{CaseId, SuiteId};
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::library::text::Title;
use serde::{Deserialize, Serialize};

/// One case by its number in the project.
pub(super) fn by_number(tx: impl InProject, number: i64) -> Result<Option<Case>> {
    tx.row(
        "SELECT id, number, suite_id, title, kind, priority, automation_key, revision, state, created_at,
                updated_at
           FROM cases
          WHERE project_id = :project AND number = :number",
        named_params! { ":project": tx.project(), ":number": number },
    )
}

/// The case that code reports under this key.
pub(super) fn by_automation_key(tx: impl InProject, key: &str) -> Result<Option<Case>> {
    tx.row(
        "SELECT id, number, suite_id, title, kind, priority, automation_key, revision, state, created_at,
                updated_at
           FROM cases
          WHERE project_id = :project AND automation_key = :key",
        named_params! { ":project": tx.project(), ":key": key },
    )
}

/// Takes the next numbers for cases; answers the first of them.
pub(super) fn take_numbers(tx: Write<'_, CaseWrite>, count: i64) -> Result<i64> {
    let Number(last) = tx.only(
        "UPDATE projects SET last_case = last_case + :count WHERE id = :project RETURNING last_case AS number",
        named_params! { ":project": tx.project(), ":count": count },
    )?;
    Ok(last - count + 1)
}

/// Adds a case at the end of its suite. Numbers grow, so a number also tells the place.
pub(super) fn insert(tx: Write<'_, CaseWrite>, number: i64, suite: SuiteId, draft: &Draft) -> Result<Case> {
    tx.only(
        "INSERT INTO cases (project_id, number, suite_id, position, title, kind, priority, automation_key,
                            revision, created_at, updated_at)
         VALUES (:project, :number, :suite, :number, :title, :kind, :priority, :key, 1, :now, :now)
         RETURNING id, number, suite_id, title, kind, priority, automation_key, revision, state, created_at,
                   updated_at",
        named_params! {
            ":project": tx.project(), ":number": number, ":suite": suite, ":title": draft.title,
            ":kind": draft.kind, ":priority": draft.priority, ":key": draft.automation_key, ":now": tx.now(),
        },
    )
}

/// Lets a new case be found by its words.
pub(super) fn index_words(tx: Write<'_, CaseWrite>, case: &Case) -> Result<()> {
    tx.run(
        "INSERT INTO cases_search (rowid, title, automation_key) VALUES (:case, :title, :key)",
        named_params! { ":case": case.id, ":title": case.title, ":key": case.automation_key },
    )
    .map(drop)
}

/// Forgets the words of a case, which must be those it was found by.
pub(super) fn forget_words(tx: Write<'_, CaseWrite>, case: &Case) -> Result<()> {
    tx.run(
        "INSERT INTO cases_search (cases_search, rowid, title, automation_key)
         VALUES ('delete', :case, :title, :key)",
        named_params! { ":case": case.id, ":title": case.title, ":key": case.automation_key },
    )
    .map(drop)
}

/// Appends a revision.
pub(super) fn insert_revision(
    tx: Write<'_, CaseWrite>,
    case: CaseId,
    number: i64,
    draft: &Draft,
) -> Result<()> {
    tx.run(
        "INSERT INTO revisions (case_id, number, title, priority, precondition, body, steps, author_id, created_at)
         VALUES (:case, :number, :title, :priority, :precondition, :body, :steps, :author, :now)",
        named_params! {
            ":case": case, ":number": number, ":title": draft.title, ":priority": draft.priority,
            ":precondition": draft.precondition, ":body": draft.body, ":steps": json(&draft.steps)?,
            ":author": tx.actor().user(), ":now": tx.now(),
        },
    )
    .map(drop)
}

/// Lets a case say what its newest revision says.
pub(super) fn set_revision(
    tx: Write<'_, CaseWrite>,
    case: CaseId,
    revision: i64,
    draft: &Draft,
) -> Result<Case> {
    tx.only(
        "UPDATE cases
            SET title = :title, kind = :kind, priority = :priority, automation_key = :key,
                revision = :revision, updated_at = :now
          WHERE project_id = :project AND id = :case
         RETURNING id, number, suite_id, title, kind, priority, automation_key, revision, state, created_at,
                   updated_at",
        named_params! {
            ":project": tx.project(), ":case": case, ":title": draft.title, ":kind": draft.kind,
            ":priority": draft.priority, ":key": draft.automation_key, ":revision": revision, ":now": tx.now(),
        },
    )
}

/// Puts a case at the end of another suite.
pub(super) fn set_suite(tx: Write<'_, CaseWrite>, case: CaseId, suite: SuiteId) -> Result<Case> {
    tx.only(
        "UPDATE cases
            SET suite_id = :suite,
                position = (SELECT 1 + coalesce(max(position), 0) FROM cases WHERE suite_id = :suite)
          WHERE project_id = :project AND id = :case
         RETURNING id, number, suite_id, title, kind, priority, automation_key, revision, state, created_at,
                   updated_at",
        named_params! { ":project": tx.project(), ":case": case, ":suite": suite },
    )
}

/// Puts a case into the trash or takes it out.
pub(super) fn set_state(tx: Write<'_, CaseWrite>, case: CaseId, state: State) -> Result<Case> {
    tx.only(
        "UPDATE cases
            SET state = :state, trashed_at = iif(:state = 'trashed', :now, NULL)
          WHERE project_id = :project AND id = :case
         RETURNING id, number, suite_id, title, kind, priority, automation_key, revision, state, created_at,
                   updated_at",
        named_params! { ":project": tx.project(), ":case": case, ":state": state, ":now": tx.now() },
    )
}

/// One revision.
pub(super) fn revision(tx: impl InProject, case: CaseId, number: i64) -> Result<Option<Revision>> {
    tx.row(
        "SELECT revisions.number, revisions.title, revisions.priority, precondition, body, steps,
                users.name AS author, revisions.created_at
           FROM revisions JOIN cases ON cases.id = case_id LEFT JOIN users ON users.id = author_id
          WHERE project_id = :project AND case_id = :case AND revisions.number = :number",
        named_params! { ":project": tx.project(), ":case": case, ":number": number },
    )
}

/// Revisions of a case before one of them, the newest first.
pub(super) fn revisions(tx: impl InProject, case: CaseId, before: i64, limit: i64) -> Result<Vec<Revision>> {
    tx.rows(
        "SELECT revisions.number, revisions.title, revisions.priority, precondition, body, steps,
                users.name AS author, revisions.created_at
           FROM revisions JOIN cases ON cases.id = case_id LEFT JOIN users ON users.id = author_id
          WHERE project_id = :project AND case_id = :case AND revisions.number < :before
          ORDER BY revisions.number DESC
          LIMIT :limit",
        named_params! { ":project": tx.project(), ":case": case, ":before": before, ":limit": limit },
    )
}

/// How a case fared.
pub(super) fn summary(tx: impl InProject, case: CaseId) -> Result<Option<Summary>> {
    tx.row(
        "SELECT status, at, passed, failed, flips
           FROM case_summaries
          WHERE project_id = :project AND case_id = :case",
        named_params! { ":project": tx.project(), ":case": case },
    )
}

#[derive(Serialize, Deserialize)]
struct StoredStep {
    action: String,
    expected: String,
}

fn json(steps: &[Step]) -> Result<String> {
    if steps.is_empty() {
        return Ok("[]".to_owned());
    }
    let stored = steps.iter().map(|s| StoredStep { action: s.action.clone(), expected: s.expected.clone() });
    serde_json::to_string(&stored.collect::<Vec<_>>()).map_err(Error::internal)
}

fn steps(json: &str) -> sql::Result<Vec<Step>> {
    if json == "[]" {
        return Ok(Vec::new());
    }
    let stored: Vec<StoredStep> = serde_json::from_str(json).map_err(|e| sql::unreadable("steps", e))?;
    Ok(stored.into_iter().map(|s| Step { action: s.action, expected: s.expected }).collect())
}

struct Number(i64);

impl FromRow for Number {
    fn from_row(row: &Row<'_>) -> sql::Result<Number> {
        Ok(Number(row.get("number")?))
    }
}

impl FromRow for Case {
    fn from_row(row: &Row<'_>) -> sql::Result<Case> {
        Ok(Case {
            id: row.get("id")?,
            number: row.get("number")?,
            suite: row.get("suite_id")?,
            title: Title::stored(row.get("title")?),
            kind: row.get("kind")?,
            priority: row.get("priority")?,
            automation_key: row.get("automation_key")?,
            revision: row.get("revision")?,
            state: row.get("state")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        })
    }
}

impl FromRow for Revision {
    fn from_row(row: &Row<'_>) -> sql::Result<Revision> {
        Ok(Revision {
            number: row.get("number")?,
            title: Title::stored(row.get("title")?),
            priority: row.get::<_, Priority>("priority")?,
            precondition: row.get("precondition")?,
            body: row.get("body")?,
            steps: steps(&row.get::<_, String>("steps")?)?,
            author: row.get("author")?,
            created_at: row.get("created_at")?,
        })
    }
}

impl FromRow for Summary {
    fn from_row(row: &Row<'_>) -> sql::Result<Summary> {
        Ok(Summary {
            status: row.get("status")?,
            at: row.get("at")?,
            passed: row.get("passed")?,
            failed: row.get("failed")?,
            flips: row.get("flips")?,
        })
    }
}
