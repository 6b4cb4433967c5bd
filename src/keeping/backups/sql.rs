//! Statements of backups.

use super::{Backup, Made};
use crate::kernel::access::{BackupRun, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::{BackupId, TargetId};
use crate::kernel::limits;
use crate::kernel::sql::{self, FromRow, Row, named_params};

const COLUMNS: &str = "id, cause, target, target_id, state, started_at, finished_at, receipt, files, bytes,
    bytes_added, verified_at, message, was_stopped, gone_at,
    (SELECT name FROM targets WHERE targets.id = backups.target_id) AS target_name";

pub(super) fn newest(tx: impl Tx) -> Result<Vec<Backup>> {
    tx.rows(
        &format!("SELECT {COLUMNS} FROM backups ORDER BY id DESC LIMIT :limit"),
        named_params! { ":limit": limits::BACKUPS_SHOWN },
    )
}

/// The newest of one target, whether good or not.
pub(super) fn newest_of(tx: impl Tx, target: TargetId, limit: i64) -> Result<Vec<Backup>> {
    tx.rows(
        &format!("SELECT {COLUMNS} FROM backups WHERE target_id = :target ORDER BY id DESC LIMIT :limit"),
        named_params! { ":target": target, ":limit": limit },
    )
}

pub(super) fn newest_good_of(tx: impl Tx, target: TargetId) -> Result<Option<Backup>> {
    tx.row(
        &format!(
            "SELECT {COLUMNS} FROM backups WHERE target_id = :target AND state = 'good' ORDER BY id DESC LIMIT 1"
        ),
        named_params! { ":target": target },
    )
}

/// Good ones that are still at their target, newest first.
pub(super) fn there(tx: impl Tx, target: TargetId) -> Result<Vec<Backup>> {
    tx.rows(
        &format!(
            "SELECT {COLUMNS} FROM backups
              WHERE target_id = :target AND state = 'good' AND gone_at IS NULL
              ORDER BY id DESC LIMIT :limit"
        ),
        named_params! { ":target": target, ":limit": limits::BACKUPS_JUDGED },
    )
}

/// How many failed at a target, and how many bytes were added to it, in all.
pub(super) fn sums(tx: impl Tx, target: TargetId) -> Result<Sums> {
    tx.only(
        "SELECT count(*) FILTER (WHERE state = 'good') AS good,
                count(*) FILTER (WHERE state = 'failed' AND was_stopped = 0) AS failed,
                coalesce(sum(bytes_added), 0) AS bytes_added
           FROM backups WHERE target_id = :target",
        named_params! { ":target": target },
    )
}

pub(super) fn newest_good(tx: impl Tx) -> Result<Option<Backup>> {
    tx.row(&format!("SELECT {COLUMNS} FROM backups WHERE state = 'good' ORDER BY id DESC LIMIT 1"), [])
}

/// The newest one that was read back and still is at a target that is on. Found by its address: it may have been
/// made there before that was a target.
pub(super) fn newest_verified(tx: impl Tx) -> Result<Option<Backup>> {
    tx.row(
        &format!(
            "SELECT {COLUMNS} FROM backups
              WHERE state = 'good' AND verified_at IS NOT NULL AND gone_at IS NULL
                    AND target IN (SELECT address FROM targets WHERE removed_at IS NULL AND is_enabled = 1)
              ORDER BY id DESC LIMIT 1"
        ),
        [],
    )
}

/// The receipt of the newest one at this address that was read back and is still there.
pub(super) fn newest_verified_at(tx: impl Tx, address: &str) -> Result<Option<i64>> {
    let row: Option<Received> = tx.row(
        "SELECT receipt FROM backups
          WHERE target = :address AND state = 'good' AND verified_at IS NOT NULL AND gone_at IS NULL
                AND receipt IS NOT NULL
          ORDER BY id DESC LIMIT 1",
        named_params! { ":address": address },
    )?;
    Ok(row.map(|row| row.0))
}

/// Whether a good backup was ever made to this address.
pub(super) fn is_any_good_at(tx: impl Tx, address: &str) -> Result<bool> {
    let row: Option<Numbered> = tx.row(
        "SELECT id FROM backups WHERE target = :address AND state = 'good' LIMIT 1",
        named_params! { ":address": address },
    )?;
    Ok(row.is_some())
}

pub(super) fn insert(
    tx: Write<'_, BackupRun>,
    cause: &str,
    id: Option<TargetId>,
    target: &str,
) -> Result<BackupId> {
    let row: Numbered = tx.only(
        "INSERT INTO backups (cause, target_id, target, state, started_at)
         VALUES (:cause, :id, :target, 'running', :now)
         RETURNING id",
        named_params! { ":cause": cause, ":id": id, ":target": target, ":now": tx.now() },
    )?;
    Ok(row.0)
}

/// Its turn has come: time counts from here.
pub(super) fn set_begun(tx: Write<'_, BackupRun>, id: BackupId) -> Result<()> {
    tx.run(
        "UPDATE backups SET started_at = :now WHERE id = :id AND state = 'running'",
        named_params! { ":id": id, ":now": tx.now() },
    )
    .map(drop)
}

/// The newest record that has no end yet.
pub(super) fn running(tx: Write<'_, BackupRun>) -> Result<Option<BackupId>> {
    let row: Option<Numbered> =
        tx.row("SELECT id FROM backups WHERE state = 'running' ORDER BY id DESC LIMIT 1", [])?;
    Ok(row.map(|row| row.0))
}

/// Whether a snapshot has its record.
pub(super) fn is_noted(tx: impl Tx, snapshot: &str) -> Result<bool> {
    let row: Option<Numbered> = tx.row(
        "SELECT id FROM backups WHERE state = 'good' AND snapshot = :snapshot",
        named_params! { ":snapshot": snapshot },
    )?;
    Ok(row.is_some())
}

/// Records without an end of backups to this place. Nobody works there, so they were cut.
pub(super) fn abandoned(tx: impl Tx, target: &str) -> Result<Vec<Backup>> {
    tx.rows(
        &format!("SELECT {COLUMNS} FROM backups WHERE state = 'running' AND target = :target"),
        named_params! { ":target": target },
    )
}

pub(super) fn finish(tx: Write<'_, BackupRun>, id: BackupId, made: &Made) -> Result<()> {
    let receipt = &made.receipt;
    tx.run(
        "UPDATE backups
            SET state = 'good', finished_at = :now, snapshot = :snapshot, receipt = :receipt, files = :files,
                bytes = :bytes, bytes_added = :added, verified_at = :verified
          WHERE id = :id",
        named_params! {
            ":id": id, ":now": tx.now(), ":snapshot": receipt.snapshot, ":receipt": made.receipt_number(),
            ":files": number(receipt.files), ":bytes": made.bytes(), ":added": number(receipt.bytes_added),
            ":verified": made.is_verified.then_some(tx.now()),
        },
    )
    .map(drop)
}

/// Counts fit: nobody backs up eight exabytes.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The places of all records without an end.
pub(super) fn running_places(tx: impl Tx) -> Result<Vec<String>> {
    let rows: Vec<Placed> = tx.rows("SELECT DISTINCT target FROM backups WHERE state = 'running'", [])?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

pub(super) fn fail(tx: Write<'_, BackupRun>, id: BackupId, message: &str, was_stopped: bool) -> Result<()> {
    tx.run(
        "UPDATE backups SET state = 'failed', finished_at = :now, message = :message, was_stopped = :stopped
          WHERE id = :id",
        named_params! { ":id": id, ":now": tx.now(), ":message": message, ":stopped": was_stopped },
    )
    .map(drop)
}

pub(super) fn set_gone(tx: Write<'_, BackupRun>, target: TargetId, snapshot: &str) -> Result<()> {
    tx.run(
        "UPDATE backups SET gone_at = :now WHERE target_id = :target AND snapshot = :snapshot",
        named_params! { ":target": target, ":snapshot": snapshot, ":now": tx.now() },
    )
    .map(drop)
}

pub(super) fn set_verified(tx: Write<'_, BackupRun>, receipt: i64, target: &str) -> Result<()> {
    tx.run(
        "UPDATE backups SET verified_at = :now
          WHERE receipt = :receipt AND target = :target AND state = 'good'",
        named_params! { ":now": tx.now(), ":receipt": receipt, ":target": target },
    )
    .map(drop)
}

/// What happened at a target in all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sums {
    /// Good backups ever.
    pub good: i64,
    /// Failed ones ever, those that somebody stopped aside.
    pub failed: i64,
    /// Bytes that were stored there by them.
    pub bytes_added: i64,
}

impl FromRow for Sums {
    fn from_row(row: &Row<'_>) -> sql::Result<Sums> {
        Ok(Sums { good: row.get("good")?, failed: row.get("failed")?, bytes_added: row.get("bytes_added")? })
    }
}

struct Placed(String);

impl FromRow for Placed {
    fn from_row(row: &Row<'_>) -> sql::Result<Placed> {
        row.get("target").map(Placed)
    }
}

struct Received(i64);

impl FromRow for Received {
    fn from_row(row: &Row<'_>) -> sql::Result<Received> {
        row.get("receipt").map(Received)
    }
}

struct Numbered(BackupId);

impl FromRow for Numbered {
    fn from_row(row: &Row<'_>) -> sql::Result<Numbered> {
        row.get("id").map(Numbered)
    }
}

impl FromRow for Backup {
    fn from_row(row: &Row<'_>) -> sql::Result<Backup> {
        Ok(Backup {
            id: row.get("id")?,
            cause: row.get("cause")?,
            target: row.get("target")?,
            target_id: row.get("target_id")?,
            target_name: row.get("target_name")?,
            state: row.get("state")?,
            started_at: row.get("started_at")?,
            finished_at: row.get("finished_at")?,
            receipt: row.get("receipt")?,
            files: row.get("files")?,
            bytes: row.get("bytes")?,
            bytes_added: row.get("bytes_added")?,
            verified_at: row.get("verified_at")?,
            message: row.get("message")?,
            was_stopped: row.get("was_stopped")?,
            gone_at: row.get("gone_at")?,
        })
    }
}
