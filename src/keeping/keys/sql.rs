//! Statements of exchanges of keys.

use super::{Change, Kind, Reached};
use crate::kernel::access::{InstanceKeep, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::TargetId;
use crate::kernel::limits;
use crate::kernel::sql::{self, FromRow, Row, named_params};

const COLUMNS: &str =
    "id, kind, state, generation, ordered_at, started_at, finished_at, done, total, message";

/// Orders one, unless it is under way.
pub(super) fn insert(tx: Write<'_, InstanceKeep>, kind: &str) -> Result<()> {
    tx.run(
        "INSERT INTO key_changes (kind, state, ordered_at) VALUES (:kind, 'waiting', :now)
             ON CONFLICT DO NOTHING",
        named_params! { ":kind": kind, ":now": tx.now() },
    )
    .map(drop)
}

pub(super) fn newest(tx: impl Tx) -> Result<Vec<Change>> {
    tx.rows(
        &format!("SELECT {COLUMNS} FROM key_changes ORDER BY id DESC LIMIT :limit"),
        named_params! { ":limit": limits::KEY_CHANGES_SHOWN },
    )
}

/// Those that are neither done nor given up, in the order in which they were ordered.
pub(super) fn open(tx: impl Tx) -> Result<Vec<Change>> {
    tx.rows(
        &format!("SELECT {COLUMNS} FROM key_changes WHERE state IN ('waiting', 'running') ORDER BY id"),
        [],
    )
}

/// Notes that it has begun, and where it leads; what a start before it noted stays.
pub(super) fn begin(tx: Write<'_, InstanceKeep>, id: i64, generation: u32) -> Result<()> {
    tx.run(
        "UPDATE key_changes
            SET state = 'running', started_at = coalesce(started_at, :now),
                generation = coalesce(generation, :generation), message = NULL
          WHERE id = :id",
        named_params! { ":id": id, ":now": tx.now(), ":generation": generation },
    )
    .map(drop)
}

pub(super) fn progress(tx: Write<'_, InstanceKeep>, id: i64, done: i64, total: i64) -> Result<()> {
    tx.run(
        "UPDATE key_changes SET done = :done, total = :total WHERE id = :id",
        named_params! { ":id": id, ":done": done, ":total": total },
    )
    .map(drop)
}

/// Notes why it does not go on for now.
pub(super) fn wait(tx: Write<'_, InstanceKeep>, id: i64, message: &str) -> Result<()> {
    tx.run(
        "UPDATE key_changes SET message = :message WHERE id = :id",
        named_params! { ":id": id, ":message": message },
    )
    .map(drop)
}

pub(super) fn end(tx: Write<'_, InstanceKeep>, id: i64, state: &str, message: Option<&str>) -> Result<()> {
    tx.run(
        "UPDATE key_changes SET state = :state, finished_at = :now, message = :message WHERE id = :id",
        named_params! { ":id": id, ":state": state, ":now": tx.now(), ":message": message },
    )
    .map(drop)
}

/// How far each target has come with the recovery kit.
pub(super) fn reached(tx: impl Tx) -> Result<Vec<Reached>> {
    tx.rows(
        "SELECT id, name, kit_generation, kit_tried_at, kit_note FROM targets WHERE removed_at IS NULL ORDER BY id",
        [],
    )
}

pub(super) fn note_reached(
    tx: Write<'_, InstanceKeep>,
    id: TargetId,
    generation: u32,
    note: Option<&str>,
) -> Result<()> {
    tx.run(
        "UPDATE targets SET kit_generation = :generation, kit_tried_at = :now, kit_note = :note WHERE id = :id",
        named_params! { ":id": id, ":generation": generation, ":now": tx.now(), ":note": note },
    )
    .map(drop)
}

pub(super) fn note_missed(tx: Write<'_, InstanceKeep>, id: TargetId, note: &str) -> Result<()> {
    tx.run(
        "UPDATE targets SET kit_tried_at = :now, kit_note = :note WHERE id = :id",
        named_params! { ":id": id, ":now": tx.now(), ":note": note },
    )
    .map(drop)
}

impl FromRow for Reached {
    fn from_row(row: &Row<'_>) -> sql::Result<Reached> {
        Ok(Reached {
            id: row.get("id")?,
            name: row.get("name")?,
            generation: row.get("kit_generation")?,
            tried_at: row.get("kit_tried_at")?,
            note: row.get("kit_note")?,
        })
    }
}

impl FromRow for Change {
    fn from_row(row: &Row<'_>) -> sql::Result<Change> {
        let kind: String = row.get("kind")?;
        Ok(Change {
            id: row.get("id")?,
            kind: Kind::of_word(&kind),
            state: row.get("state")?,
            generation: row.get("generation")?,
            ordered_at: row.get("ordered_at")?,
            started_at: row.get("started_at")?,
            finished_at: row.get("finished_at")?,
            done: row.get("done")?,
            total: row.get("total")?,
            message: row.get("message")?,
        })
    }
}
