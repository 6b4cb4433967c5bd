//! Statements of jobs.

use crate::kernel::access::{JobKeep, Tx, Write};
use crate::kernel::declare::Work;
use crate::kernel::error::Result;
use crate::kernel::limits;
use crate::kernel::sql::{self, FromRow, Row, named_params};
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
              WHERE lease_until <= :now OR lease_until > :until",
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

pub(super) fn free_all(tx: Write<'_, JobKeep>) -> Result<()> {
    tx.run("UPDATE jobs SET lease_until = 0 WHERE lease_until > 0", []).map(drop)
}

/// The latest moment that lately was noted of anything: of a job, or in the audit trail.
pub(super) fn newest_moment(tx: impl Tx) -> Result<Option<Timestamp>> {
    let Newest(at) = tx.only(
        "SELECT max(at) AS at FROM (
             SELECT max(started_at) AS at FROM jobs
             UNION ALL SELECT max(finished_at) FROM jobs
             UNION ALL SELECT max(at) FROM (SELECT at FROM audit ORDER BY seq DESC LIMIT :entries))",
        named_params! { ":entries": limits::CLOCK_ENTRIES },
    )?;
    Ok(at)
}

struct Newest(Option<Timestamp>);

impl FromRow for Newest {
    fn from_row(row: &Row<'_>) -> sql::Result<Newest> {
        row.get("at").map(Newest)
    }
}
