//! Statements of backups.

use super::{Backup, Made};
use crate::kernel::access::{BackupRun, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::BackupId;
use crate::kernel::limits;
use crate::kernel::sql::{self, FromRow, Row, named_params};

const COLUMNS: &str = "id, cause, target, state, started_at, finished_at, receipt, files, bytes, bytes_added,
    verified_at, message";

pub(super) fn newest(tx: impl Tx) -> Result<Vec<Backup>> {
    tx.rows(
        &format!("SELECT {COLUMNS} FROM backups ORDER BY id DESC LIMIT :limit"),
        named_params! { ":limit": limits::BACKUPS_SHOWN },
    )
}

pub(super) fn newest_good(tx: impl Tx) -> Result<Option<Backup>> {
    tx.row(&format!("SELECT {COLUMNS} FROM backups WHERE state = 'good' ORDER BY id DESC LIMIT 1"), [])
}

pub(super) fn insert(tx: Write<'_, BackupRun>, cause: &str, target: &str) -> Result<BackupId> {
    let row: Numbered = tx.only(
        "INSERT INTO backups (cause, target, state, started_at) VALUES (:cause, :target, 'running', :now)
         RETURNING id",
        named_params! { ":cause": cause, ":target": target, ":now": tx.now() },
    )?;
    Ok(row.0)
}

/// The newest record that has no end yet.
pub(super) fn running(tx: Write<'_, BackupRun>) -> Result<Option<BackupId>> {
    let row: Option<Numbered> =
        tx.row("SELECT id FROM backups WHERE state = 'running' ORDER BY id DESC LIMIT 1", [])?;
    Ok(row.map(|row| row.0))
}

pub(super) fn fail_abandoned(tx: Write<'_, BackupRun>) -> Result<()> {
    tx.run(
        "UPDATE backups
            SET state = 'failed', finished_at = :now, message = 'The program ended in the middle.'
          WHERE state = 'running'",
        named_params! { ":now": tx.now() },
    )
    .map(drop)
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

pub(super) fn fail(tx: Write<'_, BackupRun>, id: BackupId, message: &str) -> Result<()> {
    tx.run(
        "UPDATE backups SET state = 'failed', finished_at = :now, message = :message WHERE id = :id",
        named_params! { ":id": id, ":now": tx.now(), ":message": message },
    )
    .map(drop)
}

pub(super) fn set_verified(tx: Write<'_, BackupRun>, receipt: i64) -> Result<()> {
    tx.run(
        "UPDATE backups SET verified_at = :now WHERE receipt = :receipt AND state = 'good'",
        named_params! { ":now": tx.now(), ":receipt": receipt },
    )
    .map(drop)
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
            state: row.get("state")?,
            started_at: row.get("started_at")?,
            finished_at: row.get("finished_at")?,
            receipt: row.get("receipt")?,
            files: row.get("files")?,
            bytes: row.get("bytes")?,
            bytes_added: row.get("bytes_added")?,
            verified_at: row.get("verified_at")?,
            message: row.get("message")?,
        })
    }
}
