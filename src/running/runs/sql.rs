//! Statements of runs.

use super::{Counts, Kind, Run, State};
use crate::kernel::access::{InProject, RunWrite, Tx, UploadSweep, Write};
use crate::kernel::error::Result;
use crate::kernel::id::{ItemId, RunId, SuiteId, UserId};
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::library::text::Title;

/// Takes the next number for a run.
pub(super) fn take_number(tx: Write<'_, RunWrite>) -> Result<i64> {
    let One(number) = tx.only(
        "UPDATE projects SET last_run = last_run + 1 WHERE id = :project RETURNING last_run",
        named_params! { ":project": tx.project() },
    )?;
    Ok(number)
}

/// Adds a run without items.
pub(super) fn insert(
    tx: Write<'_, RunWrite>,
    number: i64,
    title: &Title,
    kind: Kind,
    state: State,
) -> Result<RunId> {
    let One(id) = tx.only(
        "INSERT INTO runs (project_id, number, title, kind, state, author_id, created_at, changed_at)
         VALUES (:project, :number, :title, :kind, :state, :author, :now, :now)
         RETURNING id",
        named_params! {
            ":project": tx.project(), ":number": number, ":title": title, ":kind": kind, ":state": state,
            ":author": tx.actor().user(), ":now": tx.now(),
        },
    )?;
    Ok(RunId(id))
}

/// One run by its number in the project, whatever its state.
pub(super) fn by_number(tx: impl InProject, number: i64) -> Result<Option<Run>> {
    tx.row(
        "SELECT runs.id, number, title, runs.kind, runs.state, users.name AS author, runs.created_at, closed_at,
                changed_at, passed, failed, errored, blocked, skipped, untested, duration_ms
           FROM runs LEFT JOIN users ON users.id = author_id
          WHERE project_id = :project AND number = :number",
        named_params! { ":project": tx.project(), ":number": number },
    )
}

/// The first run of this title that is not closed; `receiving` stands behind `open` in the alphabet.
pub(super) fn by_title(tx: impl InProject, title: &Title) -> Result<Option<Run>> {
    tx.row(
        "SELECT runs.id, number, title, runs.kind, runs.state, users.name AS author, runs.created_at, closed_at,
                changed_at, passed, failed, errored, blocked, skipped, untested, duration_ms
           FROM runs LEFT JOIN users ON users.id = author_id
          WHERE project_id = :project AND title = :title AND runs.state <> 'closed' AND trashed_at IS NULL
          ORDER BY runs.state DESC, number DESC
          LIMIT 1",
        named_params! { ":project": tx.project(), ":title": title },
    )
}

/// Cases that only an unfinished upload has seen count as never run again.
pub(super) fn unmark_cases(tx: Write<'_, UploadSweep>, run: RunId, rows_max: i64) -> Result<()> {
    tx.run(
        "UPDATE cases
            SET has_result = 0
          WHERE id IN (SELECT case_id FROM items WHERE run_id = :run ORDER BY case_id LIMIT :rows)
            AND NOT EXISTS (SELECT 1 FROM case_summaries WHERE case_id = cases.id)",
        named_params! { ":run": run, ":rows": rows_max },
    )
    .map(drop)
}

/// Takes items away, in the order of their cases.
pub(super) fn delete_items(tx: Write<'_, UploadSweep>, run: RunId, rows_max: i64) -> Result<i64> {
    let gone = tx.run(
        "DELETE FROM items
          WHERE id IN (SELECT id FROM items WHERE run_id = :run ORDER BY case_id LIMIT :rows)",
        named_params! { ":run": run, ":rows": rows_max },
    )?;
    Ok(gone as i64)
}

/// Takes away a run that was never complete.
pub(super) fn delete_received(tx: Write<'_, UploadSweep>, run: RunId) -> Result<()> {
    tx.run(
        "DELETE FROM runs WHERE id = :run AND state = 'receiving' AND trashed_at IS NULL",
        named_params! { ":run": run },
    )
    .map(drop)
}

/// Runs that people see, the newest first.
pub(super) fn list(tx: impl InProject, state: Option<State>, before: i64, limit: i64) -> Result<Vec<Run>> {
    tx.rows(
        "SELECT runs.id, number, title, runs.kind, runs.state, users.name AS author, runs.created_at, closed_at,
                changed_at, passed, failed, errored, blocked, skipped, untested, duration_ms
           FROM runs LEFT JOIN users ON users.id = author_id
          WHERE project_id = :project AND number < :before AND runs.state <> 'receiving'
            AND (:state IS NULL OR runs.state = :state)
          ORDER BY number DESC
          LIMIT :limit",
        named_params! { ":project": tx.project(), ":before": before, ":state": state, ":limit": limit },
    )
}

/// Open runs, and all runs.
pub(super) fn totals(tx: impl InProject) -> Result<(i64, i64)> {
    let Two(open, all) = tx.only(
        "SELECT (SELECT count(*) FROM runs WHERE project_id = :project AND state <> 'closed' AND state = 'open'),
                (SELECT count(*) FROM runs WHERE project_id = :project)
                - (SELECT count(*) FROM runs
                    WHERE project_id = :project AND state <> 'closed' AND state = 'receiving')",
        named_params! { ":project": tx.project() },
    )?;
    Ok((open, all))
}

/// Moves a run on.
pub(super) fn set_state(tx: Write<'_, RunWrite>, run: RunId, state: State) -> Result<()> {
    tx.run(
        "UPDATE runs
            SET state = :state, closed_at = iif(:state = 'closed', :now, NULL)
          WHERE project_id = :project AND id = :run",
        named_params! { ":project": tx.project(), ":run": run, ":state": state, ":now": tx.now() },
    )
    .map(drop)
}

/// Changes the title.
pub(super) fn set_title(tx: Write<'_, RunWrite>, run: RunId, title: &Title) -> Result<()> {
    tx.run(
        "UPDATE runs SET title = :title WHERE project_id = :project AND id = :run",
        named_params! { ":project": tx.project(), ":run": run, ":title": title },
    )
    .map(drop)
}

/// Adds the active cases of one suite, in their order.
pub(super) fn add_suite(tx: Write<'_, RunWrite>, run: RunId, suite: SuiteId) -> Result<usize> {
    tx.run(
        "INSERT INTO items (run_id, case_id, revision)
         SELECT :run, id, revision
           FROM cases
          WHERE project_id = :project AND suite_id = :suite AND state = 'active'
          ORDER BY position, id
             ON CONFLICT DO NOTHING",
        named_params! { ":project": tx.project(), ":run": run, ":suite": suite },
    )
}

/// Adds one active case.
pub(super) fn add_case(tx: Write<'_, RunWrite>, run: RunId, number: i64) -> Result<usize> {
    tx.run(
        "INSERT INTO items (run_id, case_id, revision)
         SELECT :run, id, revision
           FROM cases
          WHERE project_id = :project AND number = :number AND state = 'active'
             ON CONFLICT DO NOTHING",
        named_params! { ":project": tx.project(), ":run": run, ":number": number },
    )
}

/// Whether a run holds a case.
pub(super) fn holds(tx: impl InProject, run: RunId, number: i64) -> Result<bool> {
    let found: Option<One> = tx.row(
        "SELECT items.id
           FROM cases JOIN items ON items.run_id = :run AND items.case_id = cases.id
          WHERE project_id = :project AND number = :number",
        named_params! { ":project": tx.project(), ":run": run, ":number": number },
    )?;
    Ok(found.is_some())
}

/// The stored count of untested items.
pub(super) fn untested(tx: impl InProject, run: RunId) -> Result<i64> {
    let One(count) = tx.only(
        "SELECT untested FROM runs WHERE project_id = :project AND id = :run",
        named_params! { ":project": tx.project(), ":run": run },
    )?;
    Ok(count)
}

/// Counts untested items anew.
pub(super) fn count_untested(tx: Write<'_, RunWrite>, run: RunId) -> Result<i64> {
    let One(count) = tx.only(
        "SELECT count(*) FROM items WHERE run_id = :run AND status = 'untested'",
        named_params! { ":run": run },
    )?;
    Ok(count)
}

/// Stores the count of untested items.
pub(super) fn set_untested(tx: Write<'_, RunWrite>, run: RunId, untested: i64) -> Result<()> {
    tx.run(
        "UPDATE runs SET untested = :untested, changed_at = :now WHERE project_id = :project AND id = :run",
        named_params! { ":project": tx.project(), ":run": run, ":untested": untested, ":now": tx.now() },
    )
    .map(drop)
}

/// Whether somebody has a role in the project or in the instance.
pub(super) fn is_member(tx: impl InProject, user: UserId) -> Result<bool> {
    let found: Option<One> = tx.row(
        "SELECT users.id
           FROM users JOIN grants ON user_id = users.id
          WHERE users.id = :user AND state = 'active' AND (project_id IS NULL OR project_id = :project)
            AND role <> 'backup_operator'
            AND (expires_at IS NULL OR expires_at > :now)
          LIMIT 1",
        named_params! { ":user": user, ":project": tx.project(), ":now": tx.now() },
    )?;
    Ok(found.is_some())
}

/// Active people who may execute items of the project.
pub(super) fn people(tx: impl InProject) -> Result<Vec<(UserId, String)>> {
    let people: Vec<Person> = tx.rows(
        "SELECT id, name
           FROM users
          WHERE state = 'active' AND kind = 'person'
            AND id IN (SELECT user_id FROM grants
                        WHERE role IN ('owner', 'manager', 'tester') AND (project_id IS NULL OR project_id = :project)
                          AND (expires_at IS NULL OR expires_at > :now))
          ORDER BY name",
        named_params! { ":project": tx.project(), ":now": tx.now() },
    )?;
    Ok(people.into_iter().map(|Person(id, name)| (id, name)).collect())
}

/// Gives an item to somebody.
pub(super) fn set_assignee(
    tx: Write<'_, RunWrite>,
    run: RunId,
    item: ItemId,
    assignee: Option<UserId>,
) -> Result<i64> {
    let count = tx.run(
        "UPDATE items SET assignee_id = :assignee WHERE id = :item AND run_id = :run",
        named_params! { ":assignee": assignee, ":item": item, ":run": run },
    )?;
    Ok(i64::from(count > 0))
}

struct One(i64);

impl FromRow for One {
    fn from_row(row: &Row<'_>) -> sql::Result<One> {
        Ok(One(row.get(0)?))
    }
}

struct Person(UserId, String);

impl FromRow for Person {
    fn from_row(row: &Row<'_>) -> sql::Result<Person> {
        Ok(Person(row.get(0)?, row.get(1)?))
    }
}

struct Two(i64, i64);

impl FromRow for Two {
    fn from_row(row: &Row<'_>) -> sql::Result<Two> {
        Ok(Two(row.get(0)?, row.get(1)?))
    }
}

impl FromRow for Run {
    fn from_row(row: &Row<'_>) -> sql::Result<Run> {
        Ok(Run {
            id: row.get("id")?,
            number: row.get("number")?,
            title: Title::stored(row.get("title")?),
            kind: row.get("kind")?,
            state: row.get("state")?,
            author: row.get("author")?,
            created_at: row.get("created_at")?,
            closed_at: row.get("closed_at")?,
            changed_at: row.get("changed_at")?,
            counts: Counts {
                passed: row.get("passed")?,
                failed: row.get("failed")?,
                errored: row.get("errored")?,
                blocked: row.get("blocked")?,
                skipped: row.get("skipped")?,
                untested: row.get("untested")?,
                duration_ms: row.get("duration_ms")?,
            },
        })
    }
}
