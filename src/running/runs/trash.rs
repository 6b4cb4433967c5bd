//! The trash of runs: out of every list and count, and back as it was, with its number and its results.

use super::{Run, one};
use crate::kernel::access::{InProject, RunWrite, Tx, Write};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::RunId;
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::kernel::time::Timestamp;
use crate::library::holds;
use crate::library::text::Title;

pub(super) const TRASHED: Event = Event::new("run.trashed", "A run was put into the trash.");
pub(super) const RECOVERED: Event = Event::new("run.recovered", "A run was taken out of the trash.");

/// A run in the trash.
#[derive(Clone, Debug)]
pub struct Trashed {
    /// Number in the instance.
    pub id: RunId,
    /// Number in the project.
    pub number: i64,
    /// What it is called.
    pub title: Title,
    /// Since when it lies there.
    pub trashed_at: Timestamp,
    /// How many items it has.
    pub items: i64,
}

/// Puts a run into the trash, with all in it. What is known of its cases is counted anew afterwards.
pub fn trash(tx: Write<'_, RunWrite>, number: i64) -> Result<Audited<'_, Run>> {
    let run = one(tx, number)?;
    holds::refuse_run(tx, run.id)?;
    let params = named_params! { ":project": tx.project(), ":run": run.id, ":now": tx.now() };
    tx.run(
        "UPDATE runs SET kept_state = state, state = 'receiving', trashed_at = :now
          WHERE project_id = :project AND id = :run",
        params,
    )?;
    // The same report sent again makes a run of its own.
    tx.run(
        "UPDATE uploads
            SET content = 'trashed ' || id || ' ' || content,
                idempotency_key = 'trashed ' || id || ' ' || idempotency_key
          WHERE run_id = :run",
        named_params! { ":run": run.id },
    )?;
    recount_later(tx)?;
    tx.audited(TRASHED.of(run.id).count("items", run.counts.total()), run)
}

/// Takes a run out of the trash, as it was.
pub fn recover(tx: Write<'_, RunWrite>, number: i64) -> Result<Audited<'_, Run>> {
    let found: Option<Id> = tx.row(
        "SELECT id FROM runs WHERE project_id = :project AND number = :number AND trashed_at IS NOT NULL",
        named_params! { ":project": tx.project(), ":number": number },
    )?;
    let Id(id) = found.ok_or_else(|| {
        Error::not_found(format!("There is no run R{number} in the trash of this project."))
    })?;
    tx.run(
        "UPDATE runs SET state = kept_state, kept_state = NULL, trashed_at = NULL WHERE id = :run",
        named_params! { ":run": id },
    )?;
    // One that was sent again meanwhile keeps its name.
    tx.run(
        "UPDATE OR IGNORE uploads
            SET content = replace(content, 'trashed ' || id || ' ', ''),
                idempotency_key = replace(idempotency_key, 'trashed ' || id || ' ', '')
          WHERE run_id = :run",
        named_params! { ":run": id },
    )?;
    recount_later(tx)?;
    let run = one(tx, number)?;
    tx.audited(RECOVERED.of(id).count("items", run.counts.total()), run)
}

/// Runs in the trash, the newest first.
pub fn trashed(tx: impl InProject) -> Result<Vec<Trashed>> {
    tx.rows(
        "SELECT id, number, title, trashed_at, passed + failed + errored + blocked + skipped + untested AS items
           FROM runs
          WHERE project_id = :project AND trashed_at IS NOT NULL
          ORDER BY trashed_at DESC, number DESC",
        named_params! { ":project": tx.project() },
    )
}

fn recount_later(tx: Write<'_, RunWrite>) -> Result<()> {
    tx.run(
        "UPDATE projects SET recount_due = recount_due + 1 WHERE id = :project",
        named_params! { ":project": tx.project() },
    )
    .map(drop)
}

struct Id(RunId);

impl FromRow for Id {
    fn from_row(row: &Row<'_>) -> sql::Result<Id> {
        row.get("id").map(Id)
    }
}

impl FromRow for Trashed {
    fn from_row(row: &Row<'_>) -> sql::Result<Trashed> {
        Ok(Trashed {
            id: row.get("id")?,
            number: row.get("number")?,
            title: Title::stored(row.get("title")?),
            trashed_at: row.get("trashed_at")?,
            items: row.get("items")?,
        })
    }
}
