//! Statements of restores: whole rows by the thing they belong to, in the backup and in the instance.

use super::{Restore, State, Tally};
use crate::kernel::access::{RestoreRun, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::RestoreId;
use crate::kernel::limits;
use crate::kernel::records::Record;
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::kernel::time::Timestamp;
use std::collections::HashMap;

/// Files of evidence with what is known of their content.
const EVIDENCE: &str = "SELECT evidence.*, blobs.name AS blob_name, blobs.sha256 AS blob_sha256,
           blobs.bytes AS blob_bytes, blobs.stored_at AS blob_stored_at
      FROM evidence JOIN blobs ON blobs.id = blob_id";

/// A row of a table of ours by its number.
pub(super) fn row(tx: impl Tx, table: &'static str, id: i64) -> Result<Option<Record>> {
    tx.row(&format!("SELECT * FROM {table} WHERE id = :id"), named_params! { ":id": id })
}

pub(super) fn project(tx: impl Tx, key: &str) -> Result<Option<Record>> {
    tx.row("SELECT * FROM projects WHERE key = :key", named_params! { ":key": key })
}

pub(super) fn grants(tx: impl Tx, project: i64) -> Result<Vec<Record>> {
    tx.rows("SELECT * FROM grants WHERE project_id = :project", named_params! { ":project": project })
}

fn ids(rows: Vec<Record>) -> Vec<i64> {
    rows.iter().map(Record::id).collect()
}

pub(super) fn suite_ids(tx: impl Tx, project: i64) -> Result<Vec<i64>> {
    let sql = "SELECT id FROM suites WHERE project_id = :project";
    tx.rows(sql, named_params! { ":project": project }).map(ids)
}

pub(super) fn case_ids(tx: impl Tx, project: i64) -> Result<Vec<i64>> {
    let sql = "SELECT id FROM cases WHERE project_id = :project ORDER BY number";
    tx.rows(sql, named_params! { ":project": project }).map(ids)
}

/// Runs whose upload is complete.
pub(super) fn run_ids(tx: impl Tx, project: i64) -> Result<Vec<i64>> {
    let sql = "SELECT id FROM runs WHERE project_id = :project AND state <> 'receiving' ORDER BY number";
    tx.rows(sql, named_params! { ":project": project }).map(ids)
}

pub(super) fn cases_of_run(tx: impl Tx, run: i64) -> Result<Vec<i64>> {
    let sql = "SELECT case_id AS id FROM items WHERE run_id = :run ORDER BY case_id";
    tx.rows(sql, named_params! { ":run": run }).map(ids)
}

/// The suite of a case and those above it.
pub(super) fn suites_above(tx: impl Tx, case: i64) -> Result<Vec<i64>> {
    let sql = "WITH RECURSIVE above (id) AS (
                 SELECT suite_id FROM cases WHERE id = :case
                 UNION
                 SELECT parent_id FROM suites JOIN above ON suites.id = above.id WHERE parent_id IS NOT NULL
               )
               SELECT id FROM above";
    tx.rows(sql, named_params! { ":case": case }).map(ids)
}

/// Suites of a project, each after the one it lies in.
pub(super) fn suites(tx: impl Tx, project: i64) -> Result<Vec<Record>> {
    tx.rows(
        "WITH RECURSIVE tree (suite, depth) AS (
           SELECT id, 0 FROM suites WHERE project_id = :project AND parent_id IS NULL
           UNION ALL
           SELECT suites.id, depth + 1 FROM suites JOIN tree ON parent_id = tree.suite
         )
         SELECT suites.* FROM tree JOIN suites ON suites.id = tree.suite ORDER BY depth, suites.id",
        named_params! { ":project": project },
    )
}

pub(super) fn suite_named(tx: impl Tx, project: i64, parent: i64, name: &str) -> Result<Option<Record>> {
    tx.row(
        "SELECT * FROM suites WHERE project_id = :project AND coalesce(parent_id, 0) = :parent AND name = :name",
        named_params! { ":project": project, ":parent": parent, ":name": name },
    )
}

pub(super) fn case(tx: impl Tx, project: i64, number: i64) -> Result<Option<Record>> {
    tx.row(
        "SELECT * FROM cases WHERE project_id = :project AND number = :number",
        named_params! { ":project": project, ":number": number },
    )
}

pub(super) fn case_by_key(tx: impl Tx, project: i64, key: &str) -> Result<Option<Record>> {
    tx.row(
        "SELECT * FROM cases WHERE project_id = :project AND automation_key = :key",
        named_params! { ":project": project, ":key": key },
    )
}

pub(super) fn revisions(tx: impl Tx, case: i64) -> Result<Vec<Record>> {
    tx.rows("SELECT * FROM revisions WHERE case_id = :case ORDER BY number", named_params! { ":case": case })
}

pub(super) fn revision(tx: impl Tx, case: i64, number: i64) -> Result<Option<Record>> {
    tx.row(
        "SELECT * FROM revisions WHERE case_id = :case AND number = :number",
        named_params! { ":case": case, ":number": number },
    )
}

pub(super) fn evidence_of_case(tx: impl Tx, case: i64) -> Result<Vec<Record>> {
    tx.rows(
        &format!("{EVIDENCE} WHERE case_id = :case ORDER BY evidence.id"),
        named_params! { ":case": case },
    )
}

/// Files attached to results of a run, whose numbers lie in a range.
pub(super) fn evidence_of_results(tx: impl Tx, run: i64, after: i64, last: i64) -> Result<Vec<Record>> {
    tx.rows(
        &format!(
            "{EVIDENCE} JOIN results ON results.id = evidence.result_id
              WHERE results.run_id = :run AND results.id > :after AND results.id <= :last
              ORDER BY evidence.id"
        ),
        named_params! { ":run": run, ":after": after, ":last": last },
    )
}

/// A file of this name that was attached to the same thing in the same moment.
pub(super) fn evidence_like(
    tx: impl Tx,
    place: (&'static str, i64),
    like: &Record,
) -> Result<Option<Record>> {
    let (column, id) = place;
    tx.row(
        &format!(
            "SELECT * FROM evidence
              WHERE {column} = :id AND {column} IS NOT NULL AND name = :name AND created_at = :at"
        ),
        named_params! { ":id": id, ":name": like.text("name"), ":at": like.number("created_at") },
    )
}

pub(super) fn run(tx: impl Tx, project: i64, number: i64) -> Result<Option<Record>> {
    tx.row(
        "SELECT * FROM runs WHERE project_id = :project AND number = :number",
        named_params! { ":project": project, ":number": number },
    )
}

pub(super) fn items(tx: impl Tx, run: i64, after: i64) -> Result<Vec<Record>> {
    tx.rows(
        "SELECT * FROM items WHERE run_id = :run AND case_id > :after ORDER BY case_id LIMIT :limit",
        named_params! { ":run": run, ":after": after, ":limit": limits::RESTORE_CHUNK_ROWS as i64 },
    )
}

pub(super) fn item(tx: impl Tx, run: i64, case: i64) -> Result<Option<Record>> {
    tx.row(
        "SELECT * FROM items WHERE run_id = :run AND case_id = :case",
        named_params! { ":run": run, ":case": case },
    )
}

pub(super) fn results(tx: impl Tx, run: i64, after: i64) -> Result<Vec<Record>> {
    tx.rows(
        "SELECT * FROM results WHERE run_id = :run AND id > :after ORDER BY id LIMIT :limit",
        named_params! { ":run": run, ":after": after, ":limit": limits::RESTORE_CHUNK_ROWS as i64 },
    )
}

/// The attempt of an item that has this number; rarely asked, because it reads the whole run.
pub(super) fn result_of(tx: impl Tx, run: i64, item: i64, attempt: i64) -> Result<Option<Record>> {
    tx.row(
        "SELECT * FROM results WHERE run_id = :run AND item_id = :item AND attempt = :attempt",
        named_params! { ":run": run, ":item": item, ":attempt": attempt },
    )
}

pub(super) fn uploads(tx: impl Tx, run: i64) -> Result<Vec<Record>> {
    tx.rows("SELECT * FROM uploads WHERE run_id = :run ORDER BY id", named_params! { ":run": run })
}

/// An upload that the indexes of uploads take for the same.
pub(super) fn upload_like(tx: impl Tx, project: i64, like: &Record) -> Result<Option<Record>> {
    let key = Some(like.text("idempotency_key")).filter(|key| !key.is_empty());
    tx.row(
        "SELECT * FROM uploads
          WHERE project_id = :project
            AND (:key IS NOT NULL AND idempotency_key = :key
                 OR :key IS NULL AND idempotency_key IS NULL AND content = :content)",
        named_params! { ":project": project, ":key": key, ":content": like.text("content") },
    )
}

pub(super) fn summary(tx: impl Tx, case: i64) -> Result<Option<Record>> {
    tx.row("SELECT * FROM case_summaries WHERE case_id = :case", named_params! { ":case": case })
}

pub(super) fn blob(tx: impl Tx, name: &str) -> Result<Option<Record>> {
    tx.row("SELECT * FROM blobs WHERE name = :name", named_params! { ":name": name })
}

pub(super) fn add_blob(tx: Write<'_, RestoreRun>, evidence: &Record) -> Result<i64> {
    let row: Record = tx.only(
        "INSERT INTO blobs (name, sha256, bytes, stored_at) VALUES (:name, :sha256, :bytes, :now) RETURNING id",
        named_params! {
            ":name": evidence.text("blob_name"), ":sha256": evidence.text("blob_sha256"),
            ":bytes": evidence.number("blob_bytes"), ":now": evidence.number("blob_stored_at"),
        },
    )?;
    Ok(row.id())
}

/// People by number, with the moment in which they came.
pub(super) fn people(tx: impl Tx) -> Result<HashMap<i64, i64>> {
    let rows: Vec<Record> = tx.rows("SELECT id, created_at FROM users WHERE state <> 'suspended'", [])?;
    Ok(rows.iter().map(|row| (row.id(), row.number("created_at").unwrap_or_default())).collect())
}

pub(super) fn index_words(tx: Write<'_, RestoreRun>, case: i64) -> Result<()> {
    tx.run(
        "INSERT INTO cases_search (rowid, title, automation_key)
         SELECT id, title, automation_key FROM cases WHERE id = :case",
        named_params! { ":case": case },
    )
    .map(drop)
}

/// Forgets the words by which a case was found; before it changes.
pub(super) fn forget_words(tx: Write<'_, RestoreRun>, case: i64) -> Result<()> {
    tx.run(
        "INSERT INTO cases_search (cases_search, rowid, title, automation_key)
         SELECT 'delete', id, title, automation_key FROM cases WHERE id = :case",
        named_params! { ":case": case },
    )
    .map(drop)
}

/// Lets an item name the latest result by its new number.
pub(super) fn renumber_latest(tx: Write<'_, RestoreRun>, item: i64, old: i64, new: i64) -> Result<()> {
    tx.run(
        "UPDATE items SET result_id = :new WHERE id = :item AND result_id = :old",
        named_params! { ":item": item, ":old": old, ":new": new },
    )
    .map(drop)
}

/// Puts the counts of a project right once everything is in.
pub(super) fn settle_project(tx: Write<'_, RestoreRun>, project: i64) -> Result<()> {
    let project = named_params! { ":project": project };
    tx.run(
        "UPDATE projects
            SET last_case = max(last_case, (SELECT coalesce(max(number), 0) FROM cases WHERE project_id = :project)),
                last_run = max(last_run, (SELECT coalesce(max(number), 0) FROM runs WHERE project_id = :project)),
                evidence_bytes = (SELECT coalesce(sum(blobs.bytes), 0)
                                    FROM evidence JOIN blobs ON blobs.id = blob_id WHERE project_id = :project)
          WHERE id = :project",
        project,
    )?;
    tx.run(
        "UPDATE suites
            SET cases = (SELECT count(*) FROM cases WHERE suite_id = suites.id AND state = 'active')
          WHERE project_id = :project",
        project,
    )
    .map(drop)
}

const COLUMNS: &str =
    "id, target, receipt, what, mode, state, started_at, changed_at, preview, outcome, message,
    (SELECT name FROM targets WHERE address = restores.target AND removed_at IS NULL) AS target_name";

pub(super) fn newest(tx: impl Tx) -> Result<Vec<Restore>> {
    tx.rows(
        &format!("SELECT {COLUMNS} FROM restores ORDER BY id DESC LIMIT :limit"),
        named_params! { ":limit": limits::RESTORES_SHOWN },
    )
}

pub(super) fn of(tx: impl Tx, id: RestoreId) -> Result<Option<Restore>> {
    tx.row(&format!("SELECT {COLUMNS} FROM restores WHERE id = :id"), named_params! { ":id": id })
}

pub(super) fn insert(tx: Write<'_, RestoreRun>, target: &str, what: &str, mode: &str) -> Result<RestoreId> {
    let row: Record = tx.only(
        "INSERT INTO restores (target, what, mode, state, author_id, started_at, changed_at)
         VALUES (:target, :what, :mode, 'reading', :author, :now, :now)
         RETURNING id",
        named_params! {
            ":target": target, ":what": what, ":mode": mode, ":author": tx.actor().user(), ":now": tx.now(),
        },
    )?;
    Ok(RestoreId(row.id()))
}

pub(super) fn set_state(tx: Write<'_, RestoreRun>, id: RestoreId, state: State) -> Result<()> {
    tx.run(
        "UPDATE restores SET state = :state, changed_at = :now WHERE id = :id",
        named_params! { ":id": id, ":state": state.word(), ":now": tx.now() },
    )
    .map(drop)
}

pub(super) fn set_mode(tx: Write<'_, RestoreRun>, id: RestoreId, mode: &str) -> Result<()> {
    tx.run("UPDATE restores SET mode = :mode WHERE id = :id", named_params! { ":id": id, ":mode": mode })
        .map(drop)
}

pub(super) fn set_preview(tx: Write<'_, RestoreRun>, id: RestoreId, receipt: i64, tally: &str) -> Result<()> {
    tx.run(
        "UPDATE restores SET state = 'previewed', receipt = :receipt, preview = :tally, changed_at = :now WHERE id = :id",
        named_params! { ":id": id, ":receipt": receipt, ":tally": tally, ":now": tx.now() },
    )
    .map(drop)
}

pub(super) fn set_outcome(tx: Write<'_, RestoreRun>, id: RestoreId, receipt: i64, tally: &str) -> Result<()> {
    tx.run(
        "UPDATE restores SET state = 'done', receipt = :receipt, outcome = :tally, changed_at = :now WHERE id = :id",
        named_params! { ":id": id, ":receipt": receipt, ":tally": tally, ":now": tx.now() },
    )
    .map(drop)
}

/// Empties the lists of restores that ended before a moment; answers of how many.
pub(super) fn forget_texts(tx: Write<'_, RestoreRun>, before: Timestamp) -> Result<usize> {
    tx.run(
        "UPDATE restores SET preview = NULL, outcome = NULL
          WHERE changed_at < :before AND state NOT IN ('reading', 'applying')
            AND coalesce(preview, outcome) IS NOT NULL",
        named_params! { ":before": before },
    )
}

pub(super) fn fail(tx: Write<'_, RestoreRun>, id: RestoreId, message: &str) -> Result<()> {
    tx.run(
        "UPDATE restores SET state = 'failed', message = :message, changed_at = :now WHERE id = :id",
        named_params! { ":id": id, ":message": message, ":now": tx.now() },
    )
    .map(drop)
}

/// What a process was at that was killed.
pub(super) fn fail_abandoned(tx: Write<'_, RestoreRun>) -> Result<()> {
    tx.run(
        "UPDATE restores
            SET state = 'failed', message = 'The program ended in the middle. Doing it again goes on where it stopped.',
                changed_at = :now
          WHERE state IN ('reading', 'applying')",
        named_params! { ":now": tx.now() },
    )
    .map(drop)
}

impl FromRow for Restore {
    fn from_row(row: &Row<'_>) -> sql::Result<Restore> {
        let tally = |column: &'static str| -> sql::Result<Option<Tally>> {
            let text: Option<String> = row.get(column)?;
            text.map(|text| serde_json::from_str(&text).map_err(|cause| sql::unreadable(column, cause)))
                .transpose()
        };
        Ok(Restore {
            id: row.get("id")?,
            target: row.get("target")?,
            target_name: row.get("target_name")?,
            receipt: row.get("receipt")?,
            what: row.get("what")?,
            mode: row.get("mode")?,
            state: State::of_word(&row.get::<_, String>("state")?),
            started_at: row.get("started_at")?,
            changed_at: row.get("changed_at")?,
            preview: tally("preview")?,
            outcome: tally("outcome")?,
            message: row.get("message")?,
        })
    }
}
