//! Statements of targets.

use super::blackout::Blackouts;
use super::{Draft, Target};
use crate::keeping::backup::Keep;
use crate::kernel::access::{BackupRun, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::TargetId;
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::kernel::time::Timestamp;

const COLUMNS: &str =
    "id, name, address, access_at, host_key, region, label, is_enabled, schedule, zone, blackouts,
    keep_last, keep_daily, keep_weekly, keep_monthly, bytes_per_second, created_at, changed_at, planned_at,
    tried_at, tries, retry_at, tested_at, tested, protection";

pub(super) fn all(tx: impl Tx) -> Result<Vec<Target>> {
    tx.rows(&format!("SELECT {COLUMNS} FROM targets WHERE removed_at IS NULL ORDER BY id"), [])
}

pub(super) fn of(tx: impl Tx, id: TargetId) -> Result<Option<Target>> {
    tx.row(
        &format!("SELECT {COLUMNS} FROM targets WHERE id = :id AND removed_at IS NULL"),
        named_params! { ":id": id },
    )
}

pub(super) fn named(tx: impl Tx, name: &str) -> Result<Option<Target>> {
    tx.row(
        &format!("SELECT {COLUMNS} FROM targets WHERE lower(name) = lower(:name) AND removed_at IS NULL"),
        named_params! { ":name": name },
    )
}

/// What is sealed: the secrets of the target, and the master key of the repository there.
pub(super) struct Sealed {
    pub access: Option<Vec<u8>>,
    pub master: Option<Vec<u8>>,
}

pub(super) fn sealed(tx: impl Tx, id: TargetId) -> Result<Option<Sealed>> {
    tx.row("SELECT access, master FROM targets WHERE id = :id", named_params! { ":id": id })
}

/// Everything that is sealed, of targets that were removed too.
pub(super) fn all_sealed(tx: impl Tx) -> Result<Vec<(TargetId, Sealed)>> {
    let rows: Vec<SealedOf> =
        tx.rows("SELECT id, access, master FROM targets WHERE access IS NOT NULL OR master IS NOT NULL", [])?;
    Ok(rows.into_iter().map(|row| (row.0, row.1)).collect())
}

/// Puts secrets under another key in the place of the same ones.
pub(super) fn reseal(
    tx: Write<'_, BackupRun>,
    id: TargetId,
    access: Option<&[u8]>,
    master: Option<&[u8]>,
) -> Result<()> {
    tx.run(
        "UPDATE targets SET access = coalesce(:access, access), master = coalesce(:master, master) WHERE id = :id",
        named_params! { ":id": id, ":access": access, ":master": master },
    )
    .map(drop)
}

pub(super) fn insert(tx: Write<'_, BackupRun>, draft: &Draft) -> Result<TargetId> {
    let Keep { last, daily, weekly, monthly } = draft.keep;
    let row: Numbered = tx.only(
        "INSERT INTO targets (name, address, region, label, schedule, zone, blackouts, keep_last, keep_daily,
                              keep_weekly, keep_monthly, bytes_per_second, created_at, changed_at, planned_at)
         VALUES (:name, :address, :region, :label, :schedule, :zone, :blackouts, :last, :daily, :weekly,
                 :monthly, :rate, :now, :now, :now)
         RETURNING id",
        named_params! {
            ":name": draft.name, ":address": draft.address, ":region": draft.region, ":label": draft.label,
            ":schedule": draft.schedule, ":zone": draft.zone, ":blackouts": draft.blackouts.text(),
            ":last": last, ":daily": daily, ":weekly": weekly, ":monthly": monthly,
            ":rate": draft.bytes_per_second, ":now": tx.now(),
        },
    )?;
    Ok(row.0)
}

pub(super) fn change(tx: Write<'_, BackupRun>, id: TargetId, draft: &Draft) -> Result<()> {
    let Keep { last, daily, weekly, monthly } = draft.keep;
    tx.run(
        "UPDATE targets
            SET planned_at = CASE WHEN schedule = :schedule AND zone = :zone THEN planned_at ELSE :now END,
                retry_at = CASE WHEN schedule = :schedule THEN retry_at END,
                name = :name, address = :address, region = :region, label = :label, schedule = :schedule,
                zone = :zone, blackouts = :blackouts, keep_last = :last, keep_daily = :daily,
                keep_weekly = :weekly, keep_monthly = :monthly, bytes_per_second = :rate, changed_at = :now
          WHERE id = :id",
        named_params! {
            ":id": id, ":name": draft.name, ":address": draft.address, ":region": draft.region,
            ":label": draft.label, ":schedule": draft.schedule, ":zone": draft.zone,
            ":blackouts": draft.blackouts.text(), ":last": last, ":daily": daily, ":weekly": weekly,
            ":monthly": monthly, ":rate": draft.bytes_per_second, ":now": tx.now(),
        },
    )
    .map(drop)
}

/// What was found out about another address says nothing about this one.
pub(super) fn forget_findings(tx: Write<'_, BackupRun>, id: TargetId) -> Result<()> {
    tx.run(
        "UPDATE targets
            SET master = NULL, kit_generation = 0, host_key = NULL, tested_at = NULL, tested = NULL, protection = NULL
          WHERE id = :id",
        named_params! { ":id": id },
    )
    .map(drop)
}

/// What opened another server.
pub(super) fn forget_access(tx: Write<'_, BackupRun>, id: TargetId) -> Result<()> {
    tx.run("UPDATE targets SET access = NULL, access_at = NULL WHERE id = :id", named_params! { ":id": id })
        .map(drop)
}

pub(super) fn set_access(tx: Write<'_, BackupRun>, id: TargetId, sealed: &[u8]) -> Result<()> {
    tx.run(
        "UPDATE targets SET access = :sealed, access_at = :now, changed_at = :now WHERE id = :id",
        named_params! { ":id": id, ":sealed": sealed, ":now": tx.now() },
    )
    .map(drop)
}

pub(super) fn set_host_key(tx: Write<'_, BackupRun>, id: TargetId, key: &str) -> Result<()> {
    tx.run(
        "UPDATE targets SET host_key = :key, changed_at = :now WHERE id = :id",
        named_params! { ":id": id, ":key": key, ":now": tx.now() },
    )
    .map(drop)
}

pub(super) fn set_master(tx: Write<'_, BackupRun>, id: TargetId, sealed: &[u8]) -> Result<()> {
    tx.run(
        "UPDATE targets SET master = :sealed WHERE id = :id",
        named_params! { ":id": id, ":sealed": sealed },
    )
    .map(drop)
}

pub(super) fn set_enabled(tx: Write<'_, BackupRun>, id: TargetId, is_enabled: bool) -> Result<()> {
    // What came due while it was off is not caught up: somebody wanted it so.
    tx.run(
        "UPDATE targets SET is_enabled = :enabled, planned_at = :now, retry_at = NULL, changed_at = :now
          WHERE id = :id",
        named_params! { ":id": id, ":enabled": is_enabled, ":now": tx.now() },
    )
    .map(drop)
}

pub(super) fn set_tested(
    tx: Write<'_, BackupRun>,
    id: TargetId,
    said: &str,
    protection: Option<&str>,
) -> Result<()> {
    tx.run(
        "UPDATE targets SET tested_at = :now, tested = :said, protection = coalesce(:protection, protection)
          WHERE id = :id",
        named_params! { ":id": id, ":said": said, ":protection": protection, ":now": tx.now() },
    )
    .map(drop)
}

/// The secrets go at once; the row stays for the history.
pub(super) fn remove(tx: Write<'_, BackupRun>, id: TargetId) -> Result<()> {
    tx.run(
        "UPDATE targets SET removed_at = :now, is_enabled = 0, access = NULL, master = NULL WHERE id = :id",
        named_params! { ":id": id, ":now": tx.now() },
    )
    .map(drop)
}

pub(super) fn set_tried(tx: Write<'_, BackupRun>, id: TargetId) -> Result<()> {
    tx.run(
        "UPDATE targets SET tried_at = :now, retry_at = NULL,
                tries = CASE WHEN retry_at IS NULL THEN 0 ELSE tries END
          WHERE id = :id",
        named_params! { ":id": id, ":now": tx.now() },
    )
    .map(drop)
}

pub(super) fn set_failed(tx: Write<'_, BackupRun>, id: TargetId, retry_at: Option<Timestamp>) -> Result<()> {
    tx.run(
        "UPDATE targets SET tries = tries + 1, retry_at = :retry WHERE id = :id",
        named_params! { ":id": id, ":retry": retry_at },
    )
    .map(drop)
}

pub(super) fn set_good(tx: Write<'_, BackupRun>, id: TargetId) -> Result<()> {
    tx.run("UPDATE targets SET tries = 0, retry_at = NULL WHERE id = :id", named_params! { ":id": id })
        .map(drop)
}

struct Numbered(TargetId);

impl FromRow for Numbered {
    fn from_row(row: &Row<'_>) -> sql::Result<Numbered> {
        row.get("id").map(Numbered)
    }
}

struct SealedOf(TargetId, Sealed);

impl FromRow for SealedOf {
    fn from_row(row: &Row<'_>) -> sql::Result<SealedOf> {
        Ok(SealedOf(row.get("id")?, Sealed::from_row(row)?))
    }
}

impl FromRow for Sealed {
    fn from_row(row: &Row<'_>) -> sql::Result<Sealed> {
        Ok(Sealed { access: row.get("access")?, master: row.get("master")? })
    }
}

impl FromRow for Target {
    fn from_row(row: &Row<'_>) -> sql::Result<Target> {
        let blackouts: String = row.get("blackouts")?;
        Ok(Target {
            id: row.get("id")?,
            name: row.get("name")?,
            address: row.get("address")?,
            access_at: row.get("access_at")?,
            host_key: row.get("host_key")?,
            region: row.get("region")?,
            label: row.get("label")?,
            is_enabled: row.get("is_enabled")?,
            schedule: row.get("schedule")?,
            zone: row.get("zone")?,
            // Checked before it was stored.
            blackouts: Blackouts::parse(&blackouts).unwrap_or_default(),
            keep: Keep {
                last: row.get("keep_last")?,
                daily: row.get("keep_daily")?,
                weekly: row.get("keep_weekly")?,
                monthly: row.get("keep_monthly")?,
            },
            bytes_per_second: row.get("bytes_per_second")?,
            created_at: row.get("created_at")?,
            changed_at: row.get("changed_at")?,
            planned_at: row.get("planned_at")?,
            tried_at: row.get("tried_at")?,
            tries: row.get("tries")?,
            retry_at: row.get("retry_at")?,
            tested_at: row.get("tested_at")?,
            tested: row.get("tested")?,
            protection: row.get("protection")?,
        })
    }
}
