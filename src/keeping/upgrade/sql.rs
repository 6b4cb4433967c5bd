//! Statements of upgrades.

use super::{Outcome, Taken};
use crate::kernel::access::{InstanceKeep, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::UpgradeId;
use crate::kernel::limits;
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::kernel::time::Timestamp;

const COLUMNS: &str =
    "id, from_version, to_version, to_schema, actor, began_at, finished_at, outcome, message";

/// The version that is at work, as far as anybody has noted.
pub(super) fn newest_good(tx: impl Tx) -> Result<Option<Taken>> {
    tx.row(&format!("SELECT {COLUMNS} FROM upgrades WHERE outcome = 'good' ORDER BY id DESC LIMIT 1"), [])
}

/// The one that somebody began and nobody has ended.
pub(super) fn unfinished(tx: impl Tx) -> Result<Option<Taken>> {
    tx.row(&format!("SELECT {COLUMNS} FROM upgrades WHERE outcome IS NULL ORDER BY id DESC LIMIT 1"), [])
}

pub(super) fn all(tx: impl Tx) -> Result<Vec<Taken>> {
    tx.rows(
        &format!("SELECT {COLUMNS} FROM upgrades ORDER BY id DESC LIMIT :limit"),
        named_params! { ":limit": limits::UPGRADES_SHOWN },
    )
}

pub(super) fn insert(
    tx: Write<'_, InstanceKeep>,
    from: Option<String>,
    to: Option<String>,
    schema: i64,
) -> Result<UpgradeId> {
    let row: Numbered = tx.only(
        "INSERT INTO upgrades (from_version, to_version, to_schema, actor, began_at)
         VALUES (:from, :to, :schema, :actor, :now) RETURNING id",
        named_params! {
            ":from": from, ":to": to, ":schema": schema, ":actor": tx.actor().to_string(), ":now": tx.now(),
        },
    )?;
    Ok(row.0)
}

pub(super) fn finish(
    tx: Write<'_, InstanceKeep>,
    id: UpgradeId,
    outcome: Outcome,
    message: Option<&str>,
) -> Result<()> {
    tx.run(
        "UPDATE upgrades
            SET finished_at = coalesce(finished_at, :now), outcome = :outcome, message = :message
          WHERE id = :id",
        named_params! { ":id": id, ":outcome": outcome.word(), ":message": message, ":now": tx.now() },
    )
    .map(drop)
}

struct Numbered(UpgradeId);

impl FromRow for Numbered {
    fn from_row(row: &Row<'_>) -> sql::Result<Numbered> {
        row.get("id").map(Numbered)
    }
}

impl FromRow for Taken {
    fn from_row(row: &Row<'_>) -> sql::Result<Taken> {
        let (at, ended): (Timestamp, Option<Timestamp>) = (row.get("began_at")?, row.get("finished_at")?);
        let word: Option<String> = row.get("outcome")?;
        Ok(Taken {
            id: row.get("id")?,
            from: row.get("from_version")?,
            to: row.get("to_version")?,
            schema: row.get("to_schema")?,
            actor: row.get("actor")?,
            at,
            took_ms: ended.map(|ended| ended.0 - at.0).filter(|took| *took > 0),
            outcome: Outcome::ALL.into_iter().find(|outcome| Some(outcome.word()) == word.as_deref()),
            message: row.get("message")?,
        })
    }
}
