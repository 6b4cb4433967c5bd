//! Statements of shipping.

use crate::kernel::access::{BackupRun, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::TargetId;
use crate::kernel::limits;
use crate::kernel::sql::{self, FromRow, Row, named_params};

/// A file of evidence that the database speaks of.
pub(super) struct Blob {
    pub id: i64,
    pub name: String,
}

impl FromRow for Blob {
    fn from_row(row: &Row<'_>) -> sql::Result<Blob> {
        Ok(Blob { id: row.get("id")?, name: row.get("name")? })
    }
}

/// Files that came after this one, in the order in which they came.
pub(super) fn blobs_after(tx: impl Tx, id: i64) -> Result<Vec<Blob>> {
    tx.rows(
        "SELECT id, name FROM blobs WHERE id > :id ORDER BY id LIMIT :limit",
        named_params! { ":id": id, ":limit": limits::LOG_BLOBS_AT_ONCE },
    )
}

/// The number of the newest file.
pub(super) fn newest_blob(tx: impl Tx) -> Result<i64> {
    let newest: Option<Blob> = tx.row("SELECT id, name FROM blobs ORDER BY id DESC LIMIT 1", [])?;
    Ok(newest.map_or(0, |blob| blob.id))
}

struct Id(TargetId);

impl FromRow for Id {
    fn from_row(row: &Row<'_>) -> sql::Result<Id> {
        row.get("id").map(Id)
    }
}

/// Targets that have the log.
pub(super) fn chosen(tx: impl Tx) -> Result<Vec<TargetId>> {
    let rows: Vec<Id> = tx.rows("SELECT id FROM targets WHERE has_log = 1 AND removed_at IS NULL", [])?;
    Ok(rows.into_iter().map(|Id(id)| id).collect())
}

pub(super) fn choose(tx: Write<'_, BackupRun>, target: TargetId, has_log: bool) -> Result<()> {
    tx.run(
        "UPDATE targets SET has_log = :has WHERE id = :id",
        named_params! { ":id": target, ":has": has_log },
    )
    .map(drop)
}
