//! Statements of checks, findings and the state of files.

use super::{Cause, Check, DamagedFile, Kind, Open};
use crate::kernel::access::{StorageKeep, Tx, Write};
use crate::kernel::blobs::BlobName;
use crate::kernel::error::Result;
use crate::kernel::id::{BlobId, CheckId, ProjectId};
use crate::kernel::integrity::Finding;
use crate::kernel::limits;
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::kernel::time::Timestamp;

const COLUMNS: &str = "id, kind, cause, state, started_at, finished_at, looked, findings, message";

pub(super) fn newest(tx: impl Tx) -> Result<Vec<Check>> {
    tx.rows(
        &format!("SELECT {COLUMNS} FROM checks ORDER BY id DESC LIMIT :limit"),
        named_params! { ":limit": limits::CHECKS_SHOWN },
    )
}

pub(super) fn last(tx: impl Tx, kind: Kind) -> Result<Option<Check>> {
    tx.row(
        &format!(
            "SELECT {COLUMNS} FROM checks WHERE kind = :kind AND state <> 'running' ORDER BY id DESC LIMIT 1"
        ),
        named_params! { ":kind": kind },
    )
}

pub(super) fn is_running(tx: impl Tx, since: Timestamp) -> Result<bool> {
    let One(count) = tx.only(
        "SELECT count(*) FROM checks WHERE state = 'running' AND started_at > :since",
        named_params! { ":since": since },
    )?;
    Ok(count > 0)
}

pub(super) fn runs(tx: impl Tx, kind: Kind, since: Timestamp) -> Result<bool> {
    let One(count) = tx.only(
        "SELECT count(*) FROM checks WHERE kind = :kind AND state = 'running' AND started_at > :since",
        named_params! { ":kind": kind, ":since": since },
    )?;
    Ok(count > 0)
}

pub(super) fn began_after(tx: impl Tx, kind: Kind, moment: Timestamp) -> Result<bool> {
    let One(count) = tx.only(
        "SELECT count(*) FROM checks WHERE kind = :kind AND started_at > :moment",
        named_params! { ":kind": kind, ":moment": moment },
    )?;
    Ok(count > 0)
}

/// Whether any check was ever made, or anything was ever stored by people.
pub(super) fn is_any(tx: impl Tx) -> Result<bool> {
    let One(count) =
        tx.only("SELECT (SELECT count(*) FROM checks) + (SELECT count(*) FROM projects) AS any", [])?;
    Ok(count > 0)
}

pub(super) fn insert(tx: Write<'_, StorageKeep>, kind: Kind, cause: Cause) -> Result<CheckId> {
    let One(id) = tx.only(
        "INSERT INTO checks (kind, cause, state, started_at) VALUES (:kind, :cause, 'running', :now) RETURNING id",
        named_params! { ":kind": kind, ":cause": cause, ":now": tx.now() },
    )?;
    Ok(CheckId(id))
}

pub(super) fn fail_abandoned(tx: Write<'_, StorageKeep>, kind: Kind) -> Result<()> {
    tx.run(
        "UPDATE checks SET state = 'failed', finished_at = :now, message = 'The program ended in the middle.'
          WHERE state = 'running' AND kind = :kind",
        named_params! { ":now": tx.now(), ":kind": kind },
    )
    .map(drop)
}

pub(super) fn finish(tx: Write<'_, StorageKeep>, id: CheckId, looked: i64, findings: i64) -> Result<()> {
    tx.run(
        "UPDATE checks
            SET state = iif(:findings = 0, 'good', 'bad'), finished_at = :now, looked = :looked, findings = :findings
          WHERE id = :id",
        named_params! { ":id": id, ":now": tx.now(), ":looked": looked, ":findings": findings },
    )
    .map(drop)
}

pub(super) fn fail(tx: Write<'_, StorageKeep>, id: CheckId, message: &str) -> Result<()> {
    tx.run(
        "UPDATE checks SET state = 'failed', finished_at = :now, message = :message WHERE id = :id",
        named_params! { ":id": id, ":now": tx.now(), ":message": message },
    )
    .map(drop)
}

/// Keeps what a whole check of a kind found; what it found no more is over.
pub(super) fn note(tx: Write<'_, StorageKeep>, kind: Kind, found: &[Finding]) -> Result<()> {
    let known = open_of(tx, kind)?;
    for gone in known.iter().filter(|known| !found.iter().any(|finding| finding.object == known.object)) {
        mend(tx, kind, &gone.object)?;
    }
    found.iter().try_for_each(|finding| add(tx, kind, finding))
}

pub(super) fn add(tx: Write<'_, StorageKeep>, kind: Kind, finding: &Finding) -> Result<()> {
    tx.run(
        "INSERT INTO findings (kind, object, sentence, found_at) VALUES (:kind, :object, :sentence, :now)
             ON CONFLICT (kind, object) WHERE mended_at IS NULL DO UPDATE SET sentence = excluded.sentence",
        named_params! {
            ":kind": kind, ":object": finding.object, ":sentence": finding.sentence, ":now": tx.now(),
        },
    )
    .map(drop)
}

pub(super) fn mend(tx: Write<'_, StorageKeep>, kind: Kind, object: &str) -> Result<()> {
    tx.run(
        "UPDATE findings SET mended_at = :now WHERE kind = :kind AND object = :object AND mended_at IS NULL",
        named_params! { ":now": tx.now(), ":kind": kind, ":object": object },
    )
    .map(drop)
}

pub(super) fn open(tx: impl Tx) -> Result<Vec<Open>> {
    tx.rows(
        "SELECT kind, object, sentence, found_at FROM findings
          WHERE mended_at IS NULL ORDER BY kind, id LIMIT :limit",
        named_params! { ":limit": limits::FINDINGS_SHOWN },
    )
}

pub(super) fn open_of(tx: impl Tx, kind: Kind) -> Result<Vec<Open>> {
    tx.rows(
        "SELECT kind, object, sentence, found_at FROM findings WHERE mended_at IS NULL AND kind = :kind ORDER BY id",
        named_params! { ":kind": kind },
    )
}

pub(super) fn count_open(tx: impl Tx, kind: Kind) -> Result<i64> {
    let One(count) = tx.only(
        "SELECT count(*) FROM findings WHERE mended_at IS NULL AND kind = :kind",
        named_params! { ":kind": kind },
    )?;
    Ok(count)
}

/// How many files there are.
pub(super) fn files(tx: impl Tx) -> Result<i64> {
    let One(count) = tx.only("SELECT count(*) FROM blobs", [])?;
    Ok(count)
}

/// Files that were looked at before this moment or never, the longest ago first.
pub(super) fn files_due(tx: impl Tx, before: Timestamp, limit: i64) -> Result<Vec<File>> {
    tx.rows(
        "SELECT id, name FROM blobs WHERE coalesce(checked_at, 0) < :before
          ORDER BY coalesce(checked_at, 0), id LIMIT :limit",
        named_params! { ":before": before, ":limit": limit },
    )
}

pub(super) fn file_named(tx: impl Tx, name: &BlobName) -> Result<Option<File>> {
    tx.row("SELECT id, name FROM blobs WHERE name = :name", named_params! { ":name": name })
}

pub(super) fn damaged(tx: impl Tx) -> Result<Vec<File>> {
    tx.rows("SELECT id, name FROM blobs WHERE damaged_at IS NOT NULL ORDER BY id", [])
}

/// Notes how a file was found.
pub(super) fn set_state(tx: Write<'_, StorageKeep>, id: BlobId, is_damaged: bool) -> Result<()> {
    tx.run(
        "UPDATE blobs
            SET checked_at = :now, damaged_at = iif(:damaged, coalesce(damaged_at, :now), NULL)
          WHERE id = :id",
        named_params! { ":id": id, ":now": tx.now(), ":damaged": is_damaged },
    )
    .map(drop)
}

pub(super) fn damaged_files(tx: impl Tx) -> Result<Vec<DamagedFile>> {
    tx.rows(
        "SELECT blobs.name AS blob, evidence.name AS name, projects.key AS key,
                coalesce(own.number, tested.number) AS number, runs.number AS run
           FROM blobs LEFT JOIN evidence ON blob_id = blobs.id LEFT JOIN projects ON projects.id = evidence.project_id
                LEFT JOIN cases AS own ON own.id = evidence.case_id
                LEFT JOIN results ON results.id = evidence.result_id LEFT JOIN runs ON runs.id = results.run_id
                LEFT JOIN items ON items.id = results.item_id LEFT JOIN cases AS tested ON tested.id = items.case_id
          WHERE damaged_at IS NOT NULL
          ORDER BY blobs.id, evidence.id
          LIMIT :limit",
        named_params! { ":limit": limits::FINDINGS_SHOWN },
    )
}

/// Stored counts that are not those of the rows they count.
pub(super) fn wrong_sums(tx: impl Tx) -> Result<Vec<Finding>> {
    let rows: Vec<Wrong> = tx.rows(
        "SELECT 'suite ' || suites.id AS object,
                'The suite ' || suites.name || ' of ' || key || ' says that it holds ' || cases || ' cases.' AS sentence
           FROM suites JOIN projects ON projects.id = project_id
          WHERE cases <> (SELECT count(*) FROM cases WHERE suite_id = suites.id AND state = 'active')
         UNION ALL
         SELECT 'project ' || id, 'The files of ' || key || ' are said to have ' || evidence_bytes || ' bytes.'
           FROM projects
          WHERE evidence_bytes <> (SELECT coalesce(sum(bytes), 0)
                                     FROM evidence JOIN blobs ON blobs.id = blob_id
                                    WHERE project_id = projects.id)
         UNION ALL
         SELECT 'run ' || runs.id, 'The counts of ' || key || '-R' || number || ' are not those of its items.'
           FROM runs JOIN projects ON projects.id = project_id
          WHERE runs.state <> 'receiving'
            AND (SELECT coalesce(sum(status = 'passed'), 0) <> passed OR coalesce(sum(status = 'failed'), 0) <> failed
                     OR coalesce(sum(status = 'errored'), 0) <> errored
                     OR coalesce(sum(status = 'blocked'), 0) <> blocked
                     OR coalesce(sum(status = 'skipped'), 0) <> skipped
                     OR coalesce(sum(status = 'untested'), 0) <> untested
                   FROM items WHERE run_id = runs.id)
         LIMIT :limit",
        named_params! { ":limit": limits::INTEGRITY_FINDINGS_MAX as i64 },
    )?;
    Ok(rows.into_iter().map(|Wrong(finding)| finding).collect())
}

pub(super) fn count_suite(tx: Write<'_, StorageKeep>, id: i64) -> Result<()> {
    tx.run(
        "UPDATE suites SET cases = (SELECT count(*) FROM cases WHERE suite_id = suites.id AND state = 'active')
          WHERE id = :id",
        named_params! { ":id": id },
    )
    .map(drop)
}

pub(super) fn count_project(tx: Write<'_, StorageKeep>, id: i64) -> Result<()> {
    tx.run(
        "UPDATE projects
            SET evidence_bytes = (SELECT coalesce(sum(bytes), 0)
                                    FROM evidence JOIN blobs ON blobs.id = blob_id
                                   WHERE project_id = projects.id)
          WHERE id = :id",
        named_params! { ":id": id },
    )
    .map(drop)
}

pub(super) fn count_run(tx: Write<'_, StorageKeep>, id: i64) -> Result<()> {
    tx.run(
        "UPDATE runs
            SET (passed, failed, errored, blocked, skipped, untested, duration_ms) =
                (SELECT coalesce(sum(status = 'passed'), 0), coalesce(sum(status = 'failed'), 0),
                        coalesce(sum(status = 'errored'), 0), coalesce(sum(status = 'blocked'), 0),
                        coalesce(sum(status = 'skipped'), 0), coalesce(sum(status = 'untested'), 0),
                        coalesce(sum(elapsed_ms), 0)
                   FROM items WHERE run_id = runs.id)
          WHERE id = :id",
        named_params! { ":id": id },
    )
    .map(drop)
}

pub(super) fn project_of_case(tx: impl Tx, case: i64) -> Result<Option<ProjectId>> {
    let found: Option<One> =
        tx.row("SELECT project_id FROM cases WHERE id = :case", named_params! { ":case": case })?;
    Ok(found.map(|One(id)| ProjectId(id)))
}

/// A file of the store.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub id: BlobId,
    pub name: BlobName,
}

struct One(i64);

impl FromRow for One {
    fn from_row(row: &Row<'_>) -> sql::Result<One> {
        Ok(One(row.get(0)?))
    }
}

struct Wrong(Finding);

impl FromRow for Wrong {
    fn from_row(row: &Row<'_>) -> sql::Result<Wrong> {
        Ok(Wrong(Finding { object: row.get("object")?, sentence: row.get("sentence")? }))
    }
}

impl FromRow for File {
    fn from_row(row: &Row<'_>) -> sql::Result<File> {
        Ok(File { id: row.get("id")?, name: row.get("name")? })
    }
}

impl FromRow for Check {
    fn from_row(row: &Row<'_>) -> sql::Result<Check> {
        Ok(Check {
            id: row.get("id")?,
            kind: row.get("kind")?,
            cause: row.get("cause")?,
            state: row.get("state")?,
            started_at: row.get("started_at")?,
            finished_at: row.get("finished_at")?,
            looked: row.get("looked")?,
            findings: row.get("findings")?,
            message: row.get("message")?,
        })
    }
}

impl FromRow for Open {
    fn from_row(row: &Row<'_>) -> sql::Result<Open> {
        Ok(Open {
            kind: row.get("kind")?,
            object: row.get("object")?,
            sentence: row.get("sentence")?,
            found_at: row.get("found_at")?,
        })
    }
}

impl FromRow for DamagedFile {
    fn from_row(row: &Row<'_>) -> sql::Result<DamagedFile> {
        let key: Option<String> = row.get("key")?;
        let (case, run): (Option<i64>, Option<i64>) = (row.get("number")?, row.get("run")?);
        let (place, url) = match (&key, case, run) {
            (Some(key), Some(case), Some(run)) => {
                (format!("{key}-C{case} in {key}-R{run}"), format!("/p/{key}/runs/{run}"))
            }
            (Some(key), Some(case), None) => (format!("{key}-C{case}"), format!("/p/{key}/cases/{case}")),
            (Some(key), ..) => (key.clone(), format!("/p/{key}")),
            (None, ..) => (String::new(), String::new()),
        };
        let name = row.get::<_, Option<String>>("name")?.unwrap_or_default();
        Ok(DamagedFile { blob: row.get("blob")?, name, place, url })
    }
}
