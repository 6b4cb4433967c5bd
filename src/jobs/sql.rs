//! Statements of jobs.

use crate::kernel::access::{JobKeep, Tx, Write};
use crate::kernel::declare::Work;
use crate::kernel::error::Result;
use crate::kernel::sql::named_params;
use crate::kernel::time::Timestamp;

pub(super) fn of(tx: impl Tx, name: &str) -> Result<Option<Work>> {
    tx.row(
        "SELECT name, lease_until, started_at, finished_at, outcome, message FROM jobs WHERE name = :name",
        named_params! { ":name": name },
    )
}

pub(super) fn take(tx: Write<'_, JobKeep>, name: &str, until: Timestamp) -> Result<bool> {
    let taken = tx.run(
        "INSERT INTO jobs (name, lease_until, started_at) VALUES (:name, :until, :now)
             ON CONFLICT (name) DO UPDATE SET lease_until = :until, started_at = :now
              WHERE lease_until <= :now",
        named_params! { ":name": name, ":until": until, ":now": tx.now() },
    )?;
    Ok(taken > 0)
}

pub(super) fn finish(tx: Write<'_, JobKeep>, name: &str, outcome: &str, message: &str) -> Result<()> {
    tx.run(
        "UPDATE jobs
            SET lease_until = 0, finished_at = :now, outcome = :outcome, message = :message
          WHERE name = :name",
        named_params! { ":name": name, ":now": tx.now(), ":outcome": outcome, ":message": message },
    )
    .map(drop)
}
