//! Statements of the one instance.

use super::Instance;
use crate::kernel::access::{Claim, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::sql::{self, FromRow, Row, named_params};

/// The instance, once it has begun.
pub(super) fn instance(tx: impl Tx) -> Result<Option<Instance>> {
    tx.row("SELECT uuid, name, created_at, claimed_at FROM instances WHERE id = 1", [])
}

/// The instance begins.
pub(super) fn insert(tx: Write<'_, Claim>, uuid: &str, name: &str) -> Result<Instance> {
    tx.only(
        "INSERT INTO instances (id, uuid, name, created_at) VALUES (1, :uuid, :name, :now)
         RETURNING uuid, name, created_at, claimed_at",
        named_params! { ":uuid": uuid, ":name": name, ":now": tx.now() },
    )
}

/// The instance is claimed; answers no if it was before.
pub(super) fn set_claimed(tx: Write<'_, Claim>) -> Result<bool> {
    let touched = tx.run(
        "UPDATE instances SET claimed_at = :now WHERE id = 1 AND claimed_at IS NULL",
        named_params! { ":now": tx.now() },
    )?;
    Ok(touched == 1)
}

impl FromRow for Instance {
    fn from_row(row: &Row<'_>) -> sql::Result<Instance> {
        Ok(Instance {
            uuid: row.get("uuid")?,
            name: row.get("name")?,
            created_at: row.get("created_at")?,
            claimed_at: row.get("claimed_at")?,
        })
    }
}
