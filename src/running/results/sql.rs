//! Statements of results. Those of the hot path are prepared once for a batch.

use super::{NewResult, Verdict};
use crate::kernel::access::{InProject, ResultWrite, Tx, UploadSweep, Write};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{CaseId, ItemId, ProjectId, ResultId, RunId, UploadId, UserId};
use crate::kernel::sql::{self, FromRow, Prepared, Row, named_params, params};
use crate::kernel::time::Timestamp;
use crate::library::verdicts::Status;
use crate::running::runs::{Counts, Kind};

/// An item as a batch needs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ItemState {
    pub id: ItemId,
    pub status: Status,
    pub attempts: i64,
    pub elapsed_ms: Option<i64>,
}

/// The highest numbers of items and results. New rows are numbered on from here, so that an item can
/// name its result without being written twice.
pub(super) fn last_ids(tx: Write<'_, ResultWrite>) -> Result<(i64, i64)> {
    let Two(item, result) = tx.only(
        "SELECT coalesce((SELECT max(id) FROM items), 0), coalesce((SELECT max(id) FROM results), 0)",
        [],
    )?;
    Ok((item, result))
}

/// The statements of one batch.
pub(super) struct Statements<'t> {
    run: RunId,
    project: ProjectId,
    author: Option<UserId>,
    upload: Option<UploadId>,
    now: Timestamp,
    find_item: Prepared<'t>,
    insert_item: Prepared<'t>,
    update_item: Prepared<'t>,
    insert_result: Prepared<'t>,
    summarise: Prepared<'t>,
    mark_run: Prepared<'t>,
}

impl<'t> Statements<'t> {
    pub(super) fn new(
        tx: Write<'t, ResultWrite>,
        run: RunId,
        upload: Option<UploadId>,
    ) -> Result<Statements<'t>> {
        Ok(Statements {
            run,
            project: tx.project(),
            author: tx.actor().user(),
            upload,
            now: tx.now(),
            find_item: tx.prepare(
                "SELECT id, status, attempts, elapsed_ms FROM items WHERE run_id = ?1 AND case_id = ?2",
            )?,
            insert_item: tx.prepare(
                "INSERT INTO items (id, run_id, case_id, revision, status, attempts, elapsed_ms, result_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?,
            update_item: tx.prepare(
                "UPDATE items SET status = ?2, attempts = ?3, elapsed_ms = ?4, result_id = ?5 WHERE id = ?1",
            )?,
            insert_result: tx.prepare(
                "INSERT INTO results (id, run_id, item_id, attempt, status, elapsed_ms, message, stack, output,
                                      comment, steps, author_id, upload_id, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            )?,
            summarise: tx.prepare(
                "INSERT INTO case_summaries (case_id, project_id, status, result_id, run_id, at, passed, failed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                     ON CONFLICT (case_id) DO UPDATE
                    SET flips = flips + (excluded.passed AND status IN ('failed', 'errored')
                                         OR excluded.failed AND status = 'passed'),
                        status = excluded.status, result_id = excluded.result_id, run_id = excluded.run_id,
                        at = excluded.at, passed = passed + excluded.passed, failed = failed + excluded.failed",
            )?,
            mark_run: tx.prepare("UPDATE cases SET has_result = 1 WHERE id = ?1")?,
        })
    }

    pub(super) fn item(&mut self, case: CaseId) -> Result<Option<ItemState>> {
        self.find_item.row(params![self.run, case])
    }

    pub(super) fn insert_item(
        &mut self,
        item: &ItemState,
        case: CaseId,
        revision: i64,
        result: ResultId,
    ) -> Result<()> {
        let ItemState { id, status, attempts, elapsed_ms } = item;
        self.insert_item
            .run(params![id, self.run, case, revision, status, attempts, elapsed_ms, result])
            .map(drop)
    }

    pub(super) fn update_item(&mut self, item: &ItemState, result: ResultId) -> Result<()> {
        let ItemState { id, status, attempts, elapsed_ms } = item;
        self.update_item.run(params![id, status, attempts, elapsed_ms, result]).map(drop)
    }

    pub(super) fn insert_result(
        &mut self,
        id: ResultId,
        item: ItemId,
        attempt: i64,
        result: &NewResult,
    ) -> Result<()> {
        let NewResult { status, elapsed_ms, message, stack, output, comment, steps, case: _ } = result;
        self.insert_result
            .run(params![
                id,
                self.run,
                item,
                attempt,
                status,
                elapsed_ms,
                message,
                stack,
                output,
                comment,
                json(steps)?,
                self.author,
                self.upload,
                self.now
            ])
            .map(drop)
    }

    pub(super) fn summarise(&mut self, case: CaseId, result: ResultId, status: Status) -> Result<()> {
        let has_passed = status == Status::Passed;
        let has_failed = matches!(status, Status::Failed | Status::Errored);
        self.summarise
            .run(params![case, self.project, status, result, self.run, self.now, has_passed, has_failed])
            .map(drop)
    }

    pub(super) fn mark_run(&mut self, case: CaseId) -> Result<()> {
        self.mark_run.run(params![case]).map(drop)
    }
}

/// Adds to the counts of a run. Its kind follows from where its results come.
pub(super) fn add_counts(
    tx: Write<'_, ResultWrite>,
    run: RunId,
    source: Kind,
    change: &Counts,
) -> Result<()> {
    let Counts { passed, failed, errored, blocked, skipped, untested, duration_ms } = change;
    tx.run(
        "UPDATE runs
            SET kind = CASE WHEN kind = :source OR passed + failed + errored + blocked + skipped + untested = 0
                            THEN :source ELSE 'mixed' END,
                passed = passed + :passed, failed = failed + :failed, errored = errored + :errored,
                blocked = blocked + :blocked, skipped = skipped + :skipped, untested = untested + :untested,
                duration_ms = duration_ms + :duration_ms, changed_at = :now
          WHERE project_id = :project AND id = :run",
        named_params! {
            ":project": tx.project(), ":run": run, ":source": source, ":passed": passed, ":failed": failed,
            ":errored": errored, ":blocked": blocked, ":skipped": skipped, ":untested": untested,
            ":duration_ms": duration_ms, ":now": tx.now(),
        },
    )
    .map(drop)
}

/// The same as `summarise` for each result of a run, in their order.
pub(super) fn summarise_run(tx: Write<'_, ResultWrite>, run: RunId) -> Result<()> {
    tx.run(
        "INSERT INTO case_summaries (case_id, project_id, status, result_id, run_id, at, passed, failed)
         SELECT case_id, :project, results.status, results.id, :run, :now, results.status = 'passed',
                results.status IN ('failed', 'errored')
           FROM results CROSS JOIN items ON items.id = item_id
          WHERE results.run_id = :run
          ORDER BY results.id
             ON CONFLICT (case_id) DO UPDATE
            SET flips = flips + (excluded.passed AND status IN ('failed', 'errored')
                                 OR excluded.failed AND status = 'passed'),
                status = excluded.status, result_id = excluded.result_id, run_id = excluded.run_id,
                at = excluded.at, passed = passed + excluded.passed, failed = failed + excluded.failed",
        named_params! { ":project": tx.project(), ":run": run, ":now": tx.now() },
    )
    .map(drop)
}

/// Takes results away, the oldest first.
pub(super) fn delete(tx: Write<'_, UploadSweep>, run: RunId, rows_max: i64) -> Result<i64> {
    let gone = tx.run(
        "DELETE FROM results
          WHERE id IN (SELECT id FROM results WHERE run_id = :run ORDER BY id LIMIT :rows)",
        named_params! { ":run": run, ":rows": rows_max },
    )?;
    Ok(gone as i64)
}

pub(super) fn of_run(tx: impl InProject, run: RunId, after: ResultId, limit: i64) -> Result<Vec<Verdict>> {
    tx.rows(
        "SELECT results.id, item_id, number, automation_key, title, results.status, results.elapsed_ms, message,
                stack, output, comment, steps, attempt, users.name, at
           FROM results JOIN items ON items.id = item_id JOIN cases ON cases.id = items.case_id
                LEFT JOIN users ON users.id = author_id
          WHERE results.run_id = :run AND results.id > :after AND project_id = :project
          ORDER BY results.id
          LIMIT :limit",
        named_params! { ":project": tx.project(), ":run": run, ":after": after, ":limit": limit },
    )
}

/// Results of an item are few and lie in those of its run; the newest is known, so the walk goes back
/// from there and ends when all are found.
pub(super) fn of_item(tx: impl InProject, run: RunId, item: ItemId, attempts: i64) -> Result<Vec<Verdict>> {
    tx.rows(
        "SELECT results.id, item_id, number, automation_key, title, results.status, results.elapsed_ms, message,
                stack, output, comment, steps, attempt, users.name, at
           FROM results JOIN items ON items.id = item_id JOIN cases ON cases.id = items.case_id
                LEFT JOIN users ON users.id = author_id
          WHERE results.run_id = :run AND item_id = :item AND project_id = :project
            AND results.id <= (SELECT result_id FROM items WHERE id = :item)
          ORDER BY results.id DESC
          LIMIT :attempts",
        named_params! { ":project": tx.project(), ":run": run, ":item": item, ":attempts": attempts },
    )
}

pub(super) fn one(tx: impl InProject, id: ResultId) -> Result<Option<Verdict>> {
    tx.row(
        "SELECT results.id, item_id, number, automation_key, title, results.status, results.elapsed_ms, message,
                stack, output, comment, steps, attempt, users.name, at
           FROM results JOIN items ON items.id = item_id JOIN cases ON cases.id = items.case_id
                LEFT JOIN users ON users.id = author_id
          WHERE results.id = :id AND project_id = :project
            AND EXISTS (SELECT 1 FROM runs WHERE id = results.run_id AND state <> 'receiving')",
        named_params! { ":project": tx.project(), ":id": id },
    )
}

struct Two(i64, i64);

impl FromRow for Two {
    fn from_row(row: &Row<'_>) -> sql::Result<Two> {
        Ok(Two(row.get(0)?, row.get(1)?))
    }
}

impl FromRow for ItemState {
    fn from_row(row: &Row<'_>) -> sql::Result<ItemState> {
        Ok(ItemState { id: row.get(0)?, status: row.get(1)?, attempts: row.get(2)?, elapsed_ms: row.get(3)? })
    }
}

impl FromRow for Verdict {
    fn from_row(row: &Row<'_>) -> sql::Result<Verdict> {
        Ok(Verdict {
            id: row.get(0)?,
            item: row.get(1)?,
            case: row.get(2)?,
            automation_key: row.get(3)?,
            title: row.get(4)?,
            status: row.get(5)?,
            elapsed_ms: row.get(6)?,
            message: row.get(7)?,
            stack: row.get(8)?,
            output: row.get(9)?,
            comment: row.get(10)?,
            steps: statuses(row.get(11)?)?,
            attempt: row.get(12)?,
            author: row.get(13)?,
            at: row.get(14)?,
        })
    }
}

/// Words of statuses as a column holds them; nothing for none, because most results have none.
fn json(steps: &[Status]) -> Result<Option<String>> {
    let words: Vec<&str> = steps.iter().map(|status| status.word()).collect();
    let json = (!words.is_empty()).then(|| serde_json::to_string(&words));
    json.transpose().map_err(Error::internal)
}

fn statuses(json: Option<String>) -> sql::Result<Vec<Status>> {
    let Some(json) = json else { return Ok(Vec::new()) };
    let words: Vec<String> = serde_json::from_str(&json).map_err(|e| sql::unreadable("steps", e))?;
    let each = words.iter().map(|word| Status::of_word(word));
    each.collect::<Result<_>>().map_err(|e| sql::unreadable("steps", e))
}
