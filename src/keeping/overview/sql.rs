//! Statements of the overview.

use super::Counts;
use crate::kernel::access::{InstanceKeep, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::sql::{self, FromRow, Row, named_params};

pub(super) fn counts(tx: impl Tx) -> Result<Counts> {
    // The trail has no gaps, so its last number is how many there are. Results are counted in the smallest index.
    tx.only(
        "SELECT (SELECT count(*) FROM projects WHERE trashed_at IS NULL) AS projects,
                (SELECT count(*) FROM users WHERE kind = 'person' AND state <> 'suspended') AS people,
                (SELECT coalesce(sum(cases), 0) FROM suites) AS cases,
                (SELECT count(*) FROM results) AS results,
                (SELECT coalesce(max(seq), 0) FROM audit) AS entries,
                (SELECT count(*) FROM blobs) AS files,
                (SELECT coalesce(sum(bytes), 0) FROM blobs) AS files_bytes",
        [],
    )
}

pub(super) fn set_name(tx: Write<'_, InstanceKeep>, name: &str) -> Result<()> {
    tx.run("UPDATE instances SET name = :name WHERE id = 1", named_params! { ":name": name }).map(drop)
}

impl FromRow for Counts {
    fn from_row(row: &Row<'_>) -> sql::Result<Counts> {
        Ok(Counts {
            projects: row.get("projects")?,
            people: row.get("people")?,
            cases: row.get("cases")?,
            results: row.get("results")?,
            entries: row.get("entries")?,
            files: row.get("files")?,
            files_bytes: row.get("files_bytes")?,
        })
    }
}
