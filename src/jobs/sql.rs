//! Statements of jobs.

use crate::kernel::access::{JobKeep, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::kernel::time::Timestamp;

/// What a job did last.
#[derive(Clone, Debug)]
pub struct Record {
    /// Name of the job.
    pub name: String,
    /// Until when somebody is doing it.
    pub lease_until: Timestamp,
    /// When it last began.
    pub started_at: Option<Timestamp>,
    /// When it last ended.
    pub finished_at: Option<Timestamp>,
    /// `good` or `failed`.
    pub outcome: Option<String>,
    /// What it said.
    pub message: Option<String>,
}

pub(super) fn all(tx: impl Tx) -> Result<Vec<Record>> {
    tx.rows("SELECT name, lease_until, started_at, finished_at, outcome, message FROM jobs ORDER BY name", [])
}

pub(super) fn of(tx: impl Tx, name: &str) -> Result<Option<Record>> {
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

impl FromRow for Record {
    fn from_row(row: &Row<'_>) -> sql::Result<Record> {
        Ok(Record {
            name: row.get("name")?,
            lease_until: row.get("lease_until")?,
            started_at: row.get("started_at")?,
            finished_at: row.get("finished_at")?,
            outcome: row.get("outcome")?,
            message: row.get("message")?,
        })
    }
}
