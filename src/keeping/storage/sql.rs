//! Statements of sizes.

use super::{Sample, Share};
use crate::kernel::access::{StorageKeep, Tx, Write};
use crate::kernel::error::{Error, Result};
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::kernel::time::Timestamp;
use std::collections::BTreeMap;

/// One sample a day: a later one of the same day takes the place of the earlier.
pub(super) fn insert(tx: Write<'_, StorageKeep>, sample: &Sample) -> Result<()> {
    tx.run("DELETE FROM sizes WHERE at / 86400000 = :at / 86400000", named_params! { ":at": sample.at })?;
    tx.run(
        "INSERT INTO sizes (at, database_bytes, files_bytes, free_bytes, disk_bytes, tables, projects)
         VALUES (:at, :database, :files, :free, :disk, :tables, :projects)",
        named_params! {
            ":at": sample.at, ":database": sample.database_bytes, ":files": sample.files_bytes,
            ":free": sample.free_bytes, ":disk": sample.disk_bytes,
            ":tables": serde_json::to_string(&sample.tables).map_err(Error::internal)?,
            ":projects": serde_json::to_string(&sample.projects).map_err(Error::internal)?,
        },
    )
    .map(drop)
}

/// Samples since a moment, the oldest first.
pub(super) fn since(tx: impl Tx, moment: Timestamp) -> Result<Vec<Sample>> {
    tx.rows(
        "SELECT at, database_bytes, files_bytes, free_bytes, disk_bytes, tables, projects
           FROM sizes WHERE at >= :moment ORDER BY at",
        named_params! { ":moment": moment },
    )
}

/// What each project holds.
pub(super) fn projects(tx: impl Tx) -> Result<BTreeMap<String, Share>> {
    let rows: Vec<OfProject> = tx.rows(
        "SELECT key, (SELECT count(*) FROM cases WHERE project_id = projects.id) AS cases,
                (SELECT count(*) FROM runs WHERE project_id = projects.id) AS runs,
                (SELECT count(*) FROM runs CROSS JOIN results ON run_id = runs.id WHERE project_id = projects.id) AS results,
                evidence_bytes
           FROM projects
          ORDER BY key",
        [],
    )?;
    Ok(rows.into_iter().map(|OfProject(key, share)| (key, share)).collect())
}

struct OfProject(String, Share);

impl FromRow for OfProject {
    fn from_row(row: &Row<'_>) -> sql::Result<OfProject> {
        let share = Share {
            cases: row.get("cases")?,
            runs: row.get("runs")?,
            results: row.get("results")?,
            files_bytes: row.get("evidence_bytes")?,
        };
        Ok(OfProject(row.get("key")?, share))
    }
}

impl FromRow for Sample {
    fn from_row(row: &Row<'_>) -> sql::Result<Sample> {
        let (tables, projects): (String, String) = (row.get("tables")?, row.get("projects")?);
        Ok(Sample {
            at: row.get("at")?,
            database_bytes: row.get("database_bytes")?,
            files_bytes: row.get("files_bytes")?,
            free_bytes: row.get("free_bytes")?,
            disk_bytes: row.get("disk_bytes")?,
            tables: serde_json::from_str(&tables).map_err(|e| sql::unreadable("tables", e))?,
            projects: serde_json::from_str(&projects).map_err(|e| sql::unreadable("projects", e))?,
        })
    }
}
