//! Clearing: files of evidence that nothing names are deleted, in two steps with a day between, and free pages
//! of the database go back to the disk.

use super::{CLEARED, purge, sql};
use crate::keeping::backups::Desk;
use crate::kernel::access::{Gate, StorageKeep, Tx, Write};
use crate::kernel::audit::{Audited, Quiet};
use crate::kernel::blobs::BlobName;
use crate::kernel::error::Result;
use crate::kernel::integrity;
use crate::kernel::limits;
use crate::kernel::sql::{FromRow, Row, named_params};
use std::sync::Arc;

/// Files that nothing names: how many wait, and their bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unused {
    /// Files.
    pub files: i64,
    /// Bytes of their content.
    pub bytes: i64,
}

/// What would be cleared sooner or later; nothing is changed.
pub(super) fn unused(tx: impl Tx) -> Result<Unused> {
    tx.only(
        "SELECT count(*) AS files, coalesce(sum(bytes), 0) AS bytes
           FROM blobs
          WHERE NOT EXISTS (SELECT 1 FROM evidence WHERE blob_id = blobs.id)",
        [],
    )
}

/// Marks what nothing names, and deletes what was marked long enough ago; answers how many files went. Does
/// nothing while a backup reads the files.
pub(super) async fn clear(desk: &Arc<Desk>, gate: &Gate<StorageKeep>) -> Result<i64> {
    let Some(_quiet) = desk.quiet()? else { return Ok(0) };
    gate.write(mark).await?;
    let (blobs, mut cleared, mut bytes) = (&desk.instance.blobs, 0, 0);
    loop {
        let names = gate.write(forget).await?;
        if names.is_empty() {
            break;
        }
        for name in names {
            // Its row is gone. If this is cut short, the file is one that no row names, and goes below.
            let now = gate.read(|tx| Ok(tx.now())).await?;
            if let Some(returned) = blobs.remove(name, now).await? {
                (cleared, bytes) = (cleared + 1, bytes + i64::try_from(returned).unwrap_or(i64::MAX));
            }
        }
    }
    let (known, now) = gate.read(|tx| Ok((names(tx)?, tx.now()))).await?;
    let known: std::collections::HashSet<BlobName> = known.into_iter().collect();
    for name in blobs.names()?.into_iter().filter(|name| !known.contains(name)) {
        if let Some(returned) = blobs.remove(name, now).await? {
            (cleared, bytes) = (cleared + 1, bytes + i64::try_from(returned).unwrap_or(i64::MAX));
        }
    }
    if cleared > 0 {
        gate.write(move |tx| tx.audited(CLEARED.alone().count("files", cleared).count("bytes", bytes), ()))
            .await?;
    }
    Ok(cleared)
}

fn mark(tx: Write<'_, StorageKeep>) -> Result<Audited<'_, ()>> {
    let before = tx.now().0 - limits::EVIDENCE_LOOSE_MS;
    let loose = "SELECT id FROM evidence WHERE result_id IS NULL AND case_id IS NULL AND created_at < :of LIMIT :limit";
    let loose = sql::list(tx, loose, before, limits::PURGE_ROWS)?;
    purge::evidence(tx, &loose)?;
    tx.run(
        "UPDATE blobs SET unused_at = NULL
          WHERE unused_at IS NOT NULL AND EXISTS (SELECT 1 FROM evidence WHERE blob_id = blobs.id)",
        [],
    )?;
    tx.run(
        "UPDATE blobs SET unused_at = :now
          WHERE unused_at IS NULL AND NOT EXISTS (SELECT 1 FROM evidence WHERE blob_id = blobs.id)",
        named_params! { ":now": tx.now() },
    )?;
    Ok(tx.quiet(Quiet::Unchanged, ()))
}

/// Takes the rows of files away that are unused since long enough; answers the names.
fn forget(tx: Write<'_, StorageKeep>) -> Result<Audited<'_, Vec<BlobName>>> {
    let rows: Vec<Name> = tx.rows(
        "DELETE FROM blobs
          WHERE id IN (SELECT id FROM blobs
                        WHERE unused_at IS NOT NULL AND unused_at < :before
                          AND NOT EXISTS (SELECT 1 FROM evidence WHERE blob_id = blobs.id)
                        LIMIT :limit)
         RETURNING name",
        named_params! { ":before": tx.now().0 - limits::BLOB_UNUSED_MS, ":limit": limits::BLOBS_PER_STEP },
    )?;
    Ok(tx.quiet(Quiet::Unchanged, rows.into_iter().map(|Name(name)| name).collect()))
}

fn names(tx: impl Tx) -> Result<Vec<BlobName>> {
    let rows: Vec<Name> = tx.rows("SELECT name FROM blobs", [])?;
    Ok(rows.into_iter().map(|Name(name)| name).collect())
}

/// Returns free pages to the disk, a step at a time; answers how many went.
pub(super) async fn return_space(gate: &Gate<StorageKeep>) -> Result<i64> {
    let (mut free, _, can) = gate.read(|tx| integrity::free_pages(tx)).await?;
    let began = free;
    while can && free > 0 {
        let left = gate.write(step).await?;
        if left >= free {
            break;
        }
        free = left;
    }
    Ok(if can { began - free } else { 0 })
}

fn step(tx: Write<'_, StorageKeep>) -> Result<Audited<'_, i64>> {
    let left = integrity::return_pages(tx, limits::PAGES_PER_STEP)?;
    Ok(tx.quiet(Quiet::Unchanged, left))
}

struct Name(BlobName);

impl FromRow for Name {
    fn from_row(row: &Row<'_>) -> crate::kernel::sql::Result<Name> {
        row.get("name").map(Name)
    }
}

impl FromRow for Unused {
    fn from_row(row: &Row<'_>) -> crate::kernel::sql::Result<Unused> {
        Ok(Unused { files: row.get("files")?, bytes: row.get("bytes")? })
    }
}
