//! Statements of upgrades.

use super::Taken;
use crate::kernel::access::{InstanceKeep, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::UpgradeId;
use crate::kernel::limits;
use crate::kernel::sql::{self, FromRow, Row, named_params};

pub(super) fn newest(tx: impl Tx) -> Result<Option<Taken>> {
    tx.row("SELECT from_version, to_version, to_schema, began_at FROM upgrades ORDER BY id DESC LIMIT 1", [])
}

pub(super) fn all(tx: impl Tx) -> Result<Vec<Taken>> {
    tx.rows(
        "SELECT from_version, to_version, to_schema, began_at FROM upgrades ORDER BY id DESC LIMIT :limit",
        named_params! { ":limit": limits::UPGRADES_SHOWN },
    )
}

pub(super) fn insert(
    tx: Write<'_, InstanceKeep>,
    from: Option<String>,
    to: &str,
    schema: i64,
) -> Result<UpgradeId> {
    let row: Numbered = tx.only(
        "INSERT INTO upgrades (from_version, to_version, to_schema, began_at)
         VALUES (:from, :to, :schema, :now) RETURNING id",
        named_params! { ":from": from, ":to": to, ":schema": schema, ":now": tx.now() },
    )?;
    Ok(row.0)
}

struct Numbered(UpgradeId);

impl FromRow for Numbered {
    fn from_row(row: &Row<'_>) -> sql::Result<Numbered> {
        row.get("id").map(Numbered)
    }
}

impl FromRow for Taken {
    fn from_row(row: &Row<'_>) -> sql::Result<Taken> {
        Ok(Taken {
            from: row.get("from_version")?,
            to: row.get("to_version")?,
            schema: row.get("to_schema")?,
            at: row.get("began_at")?,
        })
    }
}
