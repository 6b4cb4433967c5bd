//! Statements of drills.

use super::{Drill, Evidence, signed};
use crate::kernel::access::{BackupRun, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::DrillId;
use crate::kernel::limits;
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::kernel::time::Timestamp;

const COLUMNS: &str = "id, cause, target, state, started_at, finished_at, receipt, rpo_ms, rto_ms, digest,
    evidence, message,
    (SELECT name FROM targets WHERE address = drills.target AND removed_at IS NULL) AS target_name";

pub(super) fn newest(tx: impl Tx) -> Result<Vec<Drill>> {
    tx.rows(
        &format!("SELECT {COLUMNS} FROM drills ORDER BY id DESC LIMIT :limit"),
        named_params! { ":limit": limits::DRILLS_SHOWN },
    )
}

pub(super) fn of(tx: impl Tx, id: DrillId) -> Result<Option<Drill>> {
    tx.row(&format!("SELECT {COLUMNS} FROM drills WHERE id = :id"), named_params! { ":id": id })
}

pub(super) fn newest_good(tx: impl Tx) -> Result<Option<Drill>> {
    tx.row(&format!("SELECT {COLUMNS} FROM drills WHERE state = 'good' ORDER BY id DESC LIMIT 1"), [])
}

pub(super) fn newest_good_at(tx: impl Tx, target: &str) -> Result<Option<Drill>> {
    tx.row(
        &format!(
            "SELECT {COLUMNS} FROM drills WHERE target = :target AND state = 'good' ORDER BY id DESC LIMIT 1"
        ),
        named_params! { ":target": target },
    )
}

/// When the last drill with a backup of this place began, whatever became of it.
pub(super) fn last_begun(tx: impl Tx, target: &str) -> Result<Option<Timestamp>> {
    let row: Option<At> = tx.row(
        "SELECT started_at AS at FROM drills WHERE target = :target ORDER BY id DESC LIMIT 1",
        named_params! { ":target": target },
    )?;
    Ok(row.map(|row| row.0))
}

/// What an earlier drill found in the same backup.
pub(super) fn digest_of(tx: impl Tx, target: &str, receipt: i64) -> Result<Option<String>> {
    let row: Option<Text> = tx.row(
        "SELECT digest AS text
           FROM drills
          WHERE target = :target AND receipt = :receipt AND state = 'good'
          ORDER BY id DESC
          LIMIT 1",
        named_params! { ":target": target, ":receipt": receipt },
    )?;
    Ok(row.map(|row| row.0))
}

/// When the first good backup was made to this place.
pub(super) fn first_backup(tx: impl Tx, target: &str) -> Result<Option<Timestamp>> {
    let row: Option<At> = tx.row(
        "SELECT started_at AS at FROM backups WHERE target = :target AND state = 'good' ORDER BY id LIMIT 1",
        named_params! { ":target": target },
    )?;
    Ok(row.map(|row| row.0))
}

pub(super) fn insert(tx: Write<'_, BackupRun>, cause: &str, target: &str) -> Result<DrillId> {
    let row: Numbered = tx.only(
        "INSERT INTO drills (cause, target, state, started_at) VALUES (:cause, :target, 'running', :now)
         RETURNING id",
        named_params! { ":cause": cause, ":target": target, ":now": tx.now() },
    )?;
    Ok(row.0)
}

pub(super) fn fail_abandoned(tx: Write<'_, BackupRun>) -> Result<()> {
    tx.run(
        "UPDATE drills
            SET state = 'failed', finished_at = :now, message = 'The program ended in the middle.'
          WHERE state = 'running'",
        named_params! { ":now": tx.now() },
    )
    .map(drop)
}

pub(super) fn finish(tx: Write<'_, BackupRun>, id: DrillId, proof: &Evidence, sealed: &str) -> Result<()> {
    tx.run(
        "UPDATE drills
            SET state = 'good', finished_at = :now, receipt = :receipt, rpo_ms = :rpo, rto_ms = :rto,
                digest = :digest, evidence = :sealed
          WHERE id = :id",
        named_params! {
            ":id": id, ":now": tx.now(), ":receipt": signed(proof.receipt), ":rpo": proof.rpo_ms,
            ":rto": proof.rto_ms, ":digest": proof.digest, ":sealed": sealed,
        },
    )
    .map(drop)
}

pub(super) fn fail(
    tx: Write<'_, BackupRun>,
    id: DrillId,
    state: &str,
    receipt: Option<i64>,
    message: &str,
) -> Result<()> {
    tx.run(
        "UPDATE drills
            SET state = :state, finished_at = :now, receipt = :receipt, message = :message
          WHERE id = :id",
        named_params! {
            ":id": id, ":now": tx.now(), ":state": state, ":receipt": receipt, ":message": message,
        },
    )
    .map(drop)
}

struct Numbered(DrillId);

impl FromRow for Numbered {
    fn from_row(row: &Row<'_>) -> sql::Result<Numbered> {
        row.get("id").map(Numbered)
    }
}

struct Text(String);

impl FromRow for Text {
    fn from_row(row: &Row<'_>) -> sql::Result<Text> {
        row.get("text").map(Text)
    }
}

struct At(Timestamp);

impl FromRow for At {
    fn from_row(row: &Row<'_>) -> sql::Result<At> {
        row.get("at").map(At)
    }
}

impl FromRow for Drill {
    fn from_row(row: &Row<'_>) -> sql::Result<Drill> {
        Ok(Drill {
            id: row.get("id")?,
            cause: row.get("cause")?,
            target: row.get("target")?,
            target_name: row.get("target_name")?,
            state: row.get("state")?,
            started_at: row.get("started_at")?,
            finished_at: row.get("finished_at")?,
            receipt: row.get("receipt")?,
            rpo_ms: row.get("rpo_ms")?,
            rto_ms: row.get("rto_ms")?,
            digest: row.get("digest")?,
            evidence: row.get("evidence")?,
            message: row.get("message")?,
        })
    }
}
