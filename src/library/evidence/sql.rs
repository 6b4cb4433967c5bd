//! Statements of evidence.

use super::{Evidence, sniff};
use crate::kernel::access::{InProject, ResultWrite, Tx, Write};
use crate::kernel::blobs::{BlobName, Stored};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{BlobId, CaseId, EvidenceId, ResultId};
use crate::kernel::sql::{self, FromRow, Row, named_params};

pub(super) fn case(tx: impl InProject, number: i64) -> Result<Option<CaseId>> {
    let found: Option<One> = tx.row(
        "SELECT id FROM cases WHERE project_id = :project AND number = :number",
        named_params! { ":project": tx.project(), ":number": number },
    )?;
    Ok(found.map(|One(id)| CaseId(id)))
}

pub(super) fn has_result(tx: impl InProject, id: ResultId) -> Result<bool> {
    let found: Option<One> = tx.row(
        "SELECT results.id
           FROM results JOIN runs ON runs.id = run_id
          WHERE results.id = :id AND project_id = :project AND state <> 'receiving'",
        named_params! { ":project": tx.project(), ":id": id },
    )?;
    Ok(found.is_some())
}

/// Adds to the bytes of all files of the project; answers the sum.
pub(super) fn add_bytes(tx: Write<'_, ResultWrite>, by: i64) -> Result<i64> {
    let One(sum) = tx.only(
        "UPDATE projects SET evidence_bytes = evidence_bytes + :by WHERE id = :project RETURNING evidence_bytes",
        named_params! { ":project": tx.project(), ":by": by },
    )?;
    Ok(sum)
}

pub(super) fn insert_blob(tx: Write<'_, ResultWrite>, stored: &Stored) -> Result<BlobId> {
    let One(id) = tx.only(
        "INSERT INTO blobs (name, sha256, bytes, stored_at) VALUES (:name, :sha256, :bytes, :now)
             ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes, damaged_at = NULL, unused_at = NULL
         RETURNING id",
        named_params! {
            ":name": stored.name.to_string(), ":sha256": stored.sha256, ":bytes": stored.bytes, ":now": tx.now(),
        },
    )?;
    Ok(BlobId(id))
}

pub(super) fn insert(
    tx: Write<'_, ResultWrite>,
    blob: BlobId,
    name: &str,
    kind: &str,
    result: Option<ResultId>,
    case: Option<CaseId>,
) -> Result<Evidence> {
    let One(id) = tx.only(
        "INSERT INTO evidence (project_id, blob_id, name, media_type, result_id, case_id, author_id, created_at)
         VALUES (:project, :blob, :name, :kind, :result, :case, :author, :now)
         RETURNING id",
        named_params! {
            ":project": tx.project(), ":blob": blob, ":name": name, ":kind": kind, ":result": result,
            ":case": case, ":author": tx.actor().user(), ":now": tx.now(),
        },
    )?;
    one(tx, EvidenceId(id))?.ok_or_else(|| Error::internal("a row that was just added is missing"))
}

/// Lets a free file of the actor belong to a result of the project.
pub(super) fn give(tx: Write<'_, ResultWrite>, id: EvidenceId, result: ResultId) -> Result<i64> {
    let given = tx.run(
        "UPDATE evidence
            SET result_id = :result
          WHERE project_id = :project AND id = :id AND result_id IS NULL AND case_id IS NULL
            AND author_id IS :author",
        named_params! {
            ":project": tx.project(), ":id": id, ":result": result, ":author": tx.actor().user(),
        },
    )?;
    Ok(i64::from(given > 0))
}

pub(super) fn delete(tx: Write<'_, ResultWrite>, id: EvidenceId) -> Result<()> {
    tx.run(
        "DELETE FROM evidence WHERE project_id = :project AND id = :id",
        named_params! { ":project": tx.project(), ":id": id },
    )
    .map(drop)
}

pub(super) fn one(tx: impl InProject, id: EvidenceId) -> Result<Option<Evidence>> {
    tx.row(
        "SELECT evidence.id, evidence.name, media_type, bytes, sha256, blobs.name, result_id, cases.number, users.name,
                evidence.created_at, damaged_at IS NOT NULL
           FROM evidence JOIN blobs ON blobs.id = blob_id LEFT JOIN users ON users.id = author_id
                LEFT JOIN cases ON cases.id = case_id
          WHERE evidence.project_id = :project AND evidence.id = :id
            AND (result_id IS NULL OR EXISTS (SELECT 1 FROM results JOIN runs ON runs.id = run_id
                                               WHERE results.id = result_id AND runs.state <> 'receiving'))",
        named_params! { ":project": tx.project(), ":id": id },
    )
}

pub(super) fn of_case(tx: impl InProject, case: CaseId) -> Result<Vec<Evidence>> {
    tx.rows(
        "SELECT evidence.id, evidence.name, media_type, bytes, sha256, blobs.name, result_id, cases.number, users.name,
                evidence.created_at, damaged_at IS NOT NULL
           FROM evidence JOIN blobs ON blobs.id = blob_id LEFT JOIN users ON users.id = author_id
                LEFT JOIN cases ON cases.id = case_id
          WHERE evidence.project_id = :project AND case_id = :case
          ORDER BY evidence.id",
        named_params! { ":project": tx.project(), ":case": case },
    )
}

pub(super) fn of_result(tx: impl InProject, result: ResultId) -> Result<Vec<Evidence>> {
    tx.rows(
        "SELECT evidence.id, evidence.name, media_type, bytes, sha256, blobs.name, result_id, cases.number, users.name,
                evidence.created_at, damaged_at IS NOT NULL
           FROM evidence JOIN blobs ON blobs.id = blob_id LEFT JOIN users ON users.id = author_id
                LEFT JOIN cases ON cases.id = case_id
          WHERE evidence.project_id = :project AND result_id = :result
          ORDER BY evidence.id",
        named_params! { ":project": tx.project(), ":result": result },
    )
}

struct One(i64);

impl FromRow for One {
    fn from_row(row: &Row<'_>) -> sql::Result<One> {
        Ok(One(row.get(0)?))
    }
}

impl FromRow for Evidence {
    fn from_row(row: &Row<'_>) -> sql::Result<Evidence> {
        let blob: String = row.get(5)?;
        let blob: BlobName = blob.parse().map_err(|_| sql::unreadable("blobs.name", "no name of a blob"))?;
        Ok(Evidence {
            id: row.get(0)?,
            name: row.get(1)?,
            media: sniff::of_kind(&row.get::<_, String>(2)?),
            bytes: row.get(3)?,
            sha256: row.get(4)?,
            blob,
            result: row.get(6)?,
            case: row.get(7)?,
            author: row.get(8)?,
            at: row.get(9)?,
            is_damaged: row.get(10)?,
        })
    }
}
