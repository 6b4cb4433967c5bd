//! Statements of projects.

use super::{NewProject, Project, State, Trashed};
use crate::kernel::access::{Actor, InProject, ProjectAdmin, ProjectKeep, ProjectList, Read, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::ProjectId;
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::library::text::Title;
use crate::web::layout::ProjectHead;

/// Adds a project, unless its key is taken.
pub(super) fn insert(
    tx: Write<'_, ProjectAdmin>,
    new: &NewProject,
    description: &str,
) -> Result<Option<Project>> {
    tx.row(
        "INSERT INTO projects (key, name, description, created_at)
         VALUES (:key, :name, :description, :now)
             ON CONFLICT (key) DO NOTHING
         RETURNING id, key, name, description, state, 0 AS cases, created_at",
        named_params! {
            ":key": new.key.as_str(), ":name": new.name, ":description": description, ":now": tx.now(),
        },
    )
}

/// Projects in which the actor has a role, by key.
pub(super) fn visible(tx: Read<'_, ProjectList>) -> Result<Vec<Project>> {
    let is_unbound = matches!(tx.actor(), Actor::Operator);
    tx.rows(
        "SELECT id, key, name, description, state, created_at,
                (SELECT coalesce(sum(cases), 0) FROM suites WHERE project_id = projects.id) AS cases
           FROM projects
          WHERE (:everything OR EXISTS (
                  SELECT 1
                    FROM grants
                   WHERE user_id = :user AND (project_id IS NULL OR project_id = projects.id)
                     AND role <> 'backup_operator'
                     AND (expires_at IS NULL OR expires_at > :now)))
            AND (:only IS NULL OR id = :only) AND trashed_at IS NULL
          ORDER BY key",
        named_params! {
            ":everything": is_unbound, ":user": tx.actor().user(), ":only": tx.bound_to(), ":now": tx.now(),
        },
    )
}

/// The project of the transaction.
pub(super) fn this(tx: impl InProject) -> Result<Project> {
    tx.only(
        "SELECT id, key, name, description, state, created_at,
                (SELECT coalesce(sum(cases), 0) FROM suites WHERE project_id = projects.id) AS cases
           FROM projects
          WHERE id = :project",
        named_params! { ":project": tx.project() },
    )
}

/// Changes name and description.
pub(super) fn set_words(tx: Write<'_, ProjectKeep>, name: &Title, description: &str) -> Result<Project> {
    tx.run(
        "UPDATE projects SET name = :name, description = :description WHERE id = :project",
        named_params! { ":name": name, ":description": description, ":project": tx.project() },
    )?;
    this(tx)
}

/// Changes whether it is worked in.
pub(super) fn set_state(tx: Write<'_, ProjectKeep>, state: State) -> Result<Project> {
    tx.run(
        "UPDATE projects SET state = :state WHERE id = :project",
        named_params! { ":state": state, ":project": tx.project() },
    )?;
    this(tx)
}

/// Puts it into the trash.
pub(super) fn set_trashed(tx: Write<'_, ProjectKeep>) -> Result<()> {
    tx.run(
        "UPDATE projects SET trashed_at = :now WHERE id = :project",
        named_params! { ":project": tx.project(), ":now": tx.now() },
    )
    .map(drop)
}

/// Takes one out of the trash.
pub(super) fn recover(tx: Write<'_, ProjectAdmin>, key: &str) -> Result<Option<ProjectId>> {
    let found: Option<Id> = tx.row(
        "UPDATE projects SET trashed_at = NULL WHERE key = :key AND trashed_at IS NOT NULL RETURNING id",
        named_params! { ":key": key },
    )?;
    Ok(found.map(|Id(id)| id))
}

/// Those in the trash.
pub(super) fn trashed(tx: impl Tx) -> Result<Vec<Trashed>> {
    tx.rows(
        "SELECT key, name, trashed_at FROM projects WHERE trashed_at IS NOT NULL ORDER BY trashed_at DESC, key",
        [],
    )
}

/// Its key.
pub(super) fn key(tx: impl InProject) -> Result<String> {
    let Key(key) =
        tx.only("SELECT key FROM projects WHERE id = :project", named_params! { ":project": tx.project() })?;
    Ok(key)
}

/// Its key and name, and whether it is worked in.
pub(super) fn head(tx: impl InProject) -> Result<Head> {
    tx.only(
        "SELECT key, name, state FROM projects WHERE id = :project",
        named_params! { ":project": tx.project() },
    )
}

pub(super) struct Head(pub(super) ProjectHead, pub(super) State);

impl FromRow for Head {
    fn from_row(row: &Row<'_>) -> sql::Result<Head> {
        Ok(Head(ProjectHead { key: row.get("key")?, name: row.get("name")? }, row.get("state")?))
    }
}

struct Id(ProjectId);

impl FromRow for Id {
    fn from_row(row: &Row<'_>) -> sql::Result<Id> {
        row.get("id").map(Id)
    }
}

impl FromRow for Trashed {
    fn from_row(row: &Row<'_>) -> sql::Result<Trashed> {
        Ok(Trashed { key: row.get("key")?, name: row.get("name")?, trashed_at: row.get("trashed_at")? })
    }
}

struct Key(String);

impl FromRow for Key {
    fn from_row(row: &Row<'_>) -> sql::Result<Key> {
        Ok(Key(row.get("key")?))
    }
}

impl FromRow for Project {
    fn from_row(row: &Row<'_>) -> sql::Result<Project> {
        Ok(Project {
            id: row.get("id")?,
            key: row.get("key")?,
            name: Title::stored(row.get("name")?),
            description: row.get("description")?,
            state: row.get("state")?,
            cases: row.get("cases")?,
            created_at: row.get("created_at")?,
        })
    }
}
