//! Statements of report uploads.

use super::receive::Incoming;
use super::sweep::Leftover;
use super::{Counts, Upload};
use crate::exchange::ingest::Format;
use crate::kernel::access::{InProject, Tx, UploadSweep, UploadWrite, Write};
use crate::kernel::error::Result;
use crate::kernel::id::{RunId, UploadId};
use crate::kernel::limits;
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::kernel::time::Timestamp;

/// All statements that give an upload name the same columns.
macro_rules! uploads {
    ($tail:literal) => {
        concat!(
            "SELECT uploads.id, uploads.state, runs.number, runs.title, format, files, bytes, uploads.content,
                    total, uploads.passed, uploads.failed, uploads.errored, uploads.skipped,
                    uploads.duration_ms, cases_created, notes, users.name AS author, uploads.created_at
               FROM uploads LEFT JOIN runs ON runs.id = run_id LEFT JOIN users ON users.id = uploads.author_id
              WHERE uploads.project_id = :project ",
            $tail
        )
    };
}

pub(super) fn one(tx: impl InProject, id: UploadId) -> Result<Upload> {
    tx.only(uploads!("AND uploads.id = :id"), named_params! { ":project": tx.project(), ":id": id })
}

pub(super) fn by_key(tx: impl InProject, key: &str) -> Result<Option<Upload>> {
    tx.row(uploads!("AND idempotency_key = :key"), named_params! { ":project": tx.project(), ":key": key })
}

pub(super) fn by_content(tx: impl InProject, content: &str) -> Result<Option<Upload>> {
    tx.row(
        uploads!("AND content = :content AND idempotency_key IS NULL"),
        named_params! { ":project": tx.project(), ":content": content },
    )
}

pub(super) fn newest(tx: impl InProject) -> Result<Vec<Upload>> {
    tx.rows(
        uploads!("AND uploads.state = 'done' ORDER BY uploads.id DESC LIMIT :limit"),
        named_params! { ":project": tx.project(), ":limit": limits::UPLOADS_SHOWN },
    )
}

pub(super) fn insert(tx: Write<'_, UploadWrite>, incoming: &Incoming, run: RunId) -> Result<UploadId> {
    let Numbered(id) = tx.only(
        "INSERT INTO uploads (project_id, run_id, state, idempotency_key, content, format, files, bytes,
                              author_id, created_at)
         VALUES (:project, :run, 'receiving', :key, :content, :format, :files, :bytes, :author, :now)
         RETURNING id",
        named_params! {
            ":project": tx.project(), ":run": run, ":key": incoming.order.key, ":content": incoming.content,
            ":format": Format::Junit.word(), ":files": incoming.files, ":bytes": incoming.bytes,
            ":author": tx.actor().user(), ":now": tx.now(),
        },
    )?;
    Ok(id)
}

pub(super) fn finish(
    tx: Write<'_, UploadWrite>,
    id: UploadId,
    incoming: &Incoming,
    cases_created: i64,
) -> Result<()> {
    let Counts { total, passed, failed, errored, skipped, duration_ms } = incoming.counts;
    tx.run(
        "UPDATE uploads
            SET state = 'done', total = :total, passed = :passed, failed = :failed, errored = :errored,
                skipped = :skipped, duration_ms = :duration, cases_created = :cases, notes = :notes
          WHERE project_id = :project AND id = :id",
        named_params! {
            ":project": tx.project(), ":id": id, ":total": total, ":passed": passed, ":failed": failed,
            ":errored": errored, ":skipped": skipped, ":duration": duration_ms, ":cases": cases_created,
            ":notes": incoming.notes.join("\n"),
        },
    )
    .map(drop)
}

/// The first upload that was cut off, with its run.
pub(super) fn first_unfinished(
    tx: impl Tx,
    which: Leftover,
    stale: Timestamp,
) -> Result<Option<(UploadId, Option<RunId>)>> {
    let (before, only) = match which {
        Leftover::All => (None, None),
        Leftover::Stale => (Some(stale), None),
        Leftover::One(id) => (None, Some(id)),
    };
    let found: Option<Unfinished> = tx.row(
        "SELECT id, run_id
           FROM uploads
          WHERE state = 'receiving' AND (:before IS NULL OR created_at < :before) AND (:only IS NULL OR id = :only)
          ORDER BY id
          LIMIT 1",
        named_params! { ":before": before, ":only": only },
    )?;
    Ok(found.map(|Unfinished(upload, run)| (upload, run)))
}

pub(super) fn delete_unfinished(tx: Write<'_, UploadSweep>, id: UploadId) -> Result<()> {
    tx.run("DELETE FROM uploads WHERE id = :id AND state = 'receiving'", named_params! { ":id": id })
        .map(drop)
}

struct Numbered(UploadId);

impl FromRow for Numbered {
    fn from_row(row: &Row<'_>) -> sql::Result<Numbered> {
        row.get("id").map(Numbered)
    }
}

struct Unfinished(UploadId, Option<RunId>);

impl FromRow for Unfinished {
    fn from_row(row: &Row<'_>) -> sql::Result<Unfinished> {
        Ok(Unfinished(row.get("id")?, row.get("run_id")?))
    }
}

impl FromRow for Upload {
    fn from_row(row: &Row<'_>) -> sql::Result<Upload> {
        let (state, notes): (String, String) = (row.get("state")?, row.get("notes")?);
        Ok(Upload {
            id: row.get("id")?,
            is_complete: state == "done",
            run: row.get::<_, Option<i64>>("number")?.unwrap_or_default(),
            run_title: row.get::<_, Option<String>>("title")?.unwrap_or_default(),
            format: row.get("format")?,
            files: row.get("files")?,
            bytes: row.get("bytes")?,
            counts: Counts {
                total: row.get("total")?,
                passed: row.get("passed")?,
                failed: row.get("failed")?,
                errored: row.get("errored")?,
                skipped: row.get("skipped")?,
                duration_ms: row.get("duration_ms")?,
            },
            cases_created: row.get("cases_created")?,
            notes: notes.lines().map(str::to_owned).collect(),
            author: row.get("author")?,
            created_at: row.get("created_at")?,
            content: row.get("content")?,
        })
    }
}
