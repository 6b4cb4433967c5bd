//! Legal holds as an owner sets and lifts them. Whoever deletes asks `library::holds`.

use super::sql;
use crate::kernel::access::{StorageKeep, Tx, Write};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{HoldId, ProjectId, RunId};
use crate::kernel::limits;
use crate::kernel::sql::{FromRow, Row, named_params};
use crate::kernel::time::Timestamp;

pub(super) const HELD: Event =
    Event::new("hold.set", "A legal hold was set: what it covers cannot be deleted.");
pub(super) const LIFTED: Event = Event::new("hold.lifted", "A legal hold was lifted.");

/// A hold that is in force.
#[derive(Clone, Debug)]
pub struct Hold {
    /// Its number.
    pub id: HoldId,
    /// Key of the project.
    pub key: String,
    /// Number of the run; none for the whole project.
    pub run: Option<i64>,
    /// Why.
    pub reason: String,
    /// Who set it.
    pub author: Option<String>,
    /// When.
    pub created_at: Timestamp,
}

/// Holds that are in force, the newest first.
pub fn in_force(tx: impl Tx) -> Result<Vec<Hold>> {
    tx.rows(
        "SELECT holds.id, projects.key, runs.number AS run, reason, users.name AS author, holds.created_at
           FROM holds JOIN projects ON projects.id = holds.project_id LEFT JOIN runs ON runs.id = run_id
                LEFT JOIN users ON users.id = holds.author_id
          WHERE lifted_at IS NULL
          ORDER BY holds.id DESC",
        [],
    )
}

/// Sets a hold on a project, or on one of its runs.
pub fn hold<'t>(
    tx: Write<'t, StorageKeep>,
    key: &str,
    run: Option<i64>,
    reason: &str,
) -> Result<Audited<'t, HoldId>> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > limits::REASON_CHARS_MAX {
        return Err(Error::invalid("A hold needs its reason.").hint(format!(
            "Write who asked for it and when, in at most {} characters.",
            limits::REASON_CHARS_MAX
        )));
    }
    let nothing =
        || Error::not_found(format!("There is no project {key}.")).hint("Write its key, such as SHOP.");
    let project = sql::project(tx, key)?.ok_or_else(nothing)?;
    let run = run.map(|number| run_of(tx, project, key, number)).transpose()?;
    let Id(id) = tx.only(
        "INSERT INTO holds (project_id, run_id, reason, author_id, created_at)
         VALUES (:project, :run, :reason, :author, :now)
         RETURNING id",
        named_params! {
            ":project": project, ":run": run, ":reason": reason, ":author": tx.actor().user(), ":now": tx.now(),
        },
    )?;
    let entry = HELD.of(HoldId(id)).and(project).count("run", run.map_or(0, |run| run.0));
    tx.audited(entry, HoldId(id))
}

/// Lifts a hold.
pub fn lift(tx: Write<'_, StorageKeep>, id: HoldId) -> Result<Audited<'_, ()>> {
    let lifted = tx.run(
        "UPDATE holds SET lifted_at = :now WHERE id = :id AND lifted_at IS NULL",
        named_params! { ":id": id, ":now": tx.now() },
    )?;
    if lifted == 0 {
        return Err(Error::not_found("This hold is not in force any more."));
    }
    tx.audited(LIFTED.of(id), ())
}

fn run_of(tx: impl Tx, project: ProjectId, key: &str, number: i64) -> Result<RunId> {
    let found: Option<Id> = tx.row(
        "SELECT id FROM runs WHERE project_id = :project AND number = :number
            AND (state <> 'receiving' OR trashed_at IS NOT NULL)",
        named_params! { ":project": project, ":number": number },
    )?;
    found.map(|Id(id)| RunId(id)).ok_or_else(|| Error::not_found(format!("There is no run {key}-R{number}.")))
}

struct Id(i64);

impl FromRow for Id {
    fn from_row(row: &Row<'_>) -> crate::kernel::sql::Result<Id> {
        row.get("id").map(Id)
    }
}

impl FromRow for Hold {
    fn from_row(row: &Row<'_>) -> crate::kernel::sql::Result<Hold> {
        Ok(Hold {
            id: row.get("id")?,
            key: row.get("key")?,
            run: row.get("run")?,
            reason: row.get("reason")?,
            author: row.get("author")?,
            created_at: row.get("created_at")?,
        })
    }
}
