//! Statements of suites.

use super::Suite;
use crate::kernel::access::{CaseWrite, InProject, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::SuiteId;
use crate::kernel::sql::{self, FromRow, Row, named_params};

/// All suites, sisters in their order.
pub(super) fn all(tx: impl InProject) -> Result<Vec<Suite>> {
    tx.rows(
        "SELECT id, parent_id, name, cases
           FROM suites
          WHERE project_id = :project
          ORDER BY position, id",
        named_params! { ":project": tx.project() },
    )
}

/// How many there are.
pub(super) fn count(tx: impl InProject) -> Result<i64> {
    let Count(count) = tx.only(
        "SELECT count(*) FROM suites WHERE project_id = :project",
        named_params! { ":project": tx.project() },
    )?;
    Ok(count)
}

/// One suite of this project.
pub(super) fn one(tx: impl InProject, id: SuiteId) -> Result<Option<Suite>> {
    tx.row(
        "SELECT id, parent_id, name, cases FROM suites WHERE project_id = :project AND id = :id",
        named_params! { ":project": tx.project(), ":id": id },
    )
}

/// The suite of this name at this place.
pub(super) fn named(tx: impl InProject, parent: Option<SuiteId>, name: &str) -> Result<Option<SuiteId>> {
    tx.row(
        "SELECT id
           FROM suites
          WHERE project_id = :project AND coalesce(parent_id, 0) = :parent AND name = :name",
        named_params! { ":project": tx.project(), ":parent": parent.map_or(0, |id| id.0), ":name": name },
    )
}

/// Adds a suite after its sisters, unless one has the same name.
pub(super) fn insert(tx: Write<'_, CaseWrite>, parent: Option<SuiteId>, name: &str) -> Result<Option<Suite>> {
    tx.row(
        "INSERT INTO suites (project_id, parent_id, name, position, created_at)
         SELECT :project, :parent, :name, 1 + coalesce(max(position), 0), :now
           FROM suites
          WHERE project_id = :project AND coalesce(parent_id, 0) = coalesce(:parent, 0)
             ON CONFLICT DO NOTHING
         RETURNING id, parent_id, name, cases",
        named_params! { ":project": tx.project(), ":parent": parent, ":name": name, ":now": tx.now() },
    )
}

/// Changes the name.
pub(super) fn set_name(tx: Write<'_, CaseWrite>, id: SuiteId, name: &str) -> Result<Suite> {
    tx.only(
        "UPDATE suites
            SET name = :name
          WHERE project_id = :project AND id = :id
         RETURNING id, parent_id, name, cases",
        named_params! { ":project": tx.project(), ":id": id, ":name": name },
    )
}

/// Changes the place, after the new sisters.
pub(super) fn set_parent(tx: Write<'_, CaseWrite>, id: SuiteId, parent: Option<SuiteId>) -> Result<Suite> {
    tx.only(
        "UPDATE suites
            SET parent_id = :parent,
                position = (SELECT 1 + coalesce(max(position), 0)
                              FROM suites
                             WHERE project_id = :project AND coalesce(parent_id, 0) = coalesce(:parent, 0))
          WHERE project_id = :project AND id = :id
         RETURNING id, parent_id, name, cases",
        named_params! { ":project": tx.project(), ":id": id, ":parent": parent },
    )
}

/// Adds to the count of active cases.
pub(super) fn add_cases(tx: Write<'_, CaseWrite>, id: SuiteId, by: i64) -> Result<()> {
    tx.run(
        "UPDATE suites SET cases = cases + :by WHERE project_id = :project AND id = :id",
        named_params! { ":project": tx.project(), ":id": id, ":by": by },
    )
    .map(drop)
}

/// Whether anything stands in it.
pub(super) fn is_in_use(tx: impl InProject, id: SuiteId) -> Result<bool> {
    let found: Option<SuiteId> = tx.row(
        "SELECT :id AS id
          WHERE EXISTS (SELECT 1 FROM cases WHERE suite_id = :id)
             OR EXISTS (SELECT 1 FROM suites WHERE project_id = :project AND parent_id = :id)",
        named_params! { ":project": tx.project(), ":id": id },
    )?;
    Ok(found.is_some())
}

/// Takes it away.
pub(super) fn delete(tx: Write<'_, CaseWrite>, id: SuiteId) -> Result<()> {
    tx.run(
        "DELETE FROM suites WHERE project_id = :project AND id = :id",
        named_params! { ":project": tx.project(), ":id": id },
    )
    .map(drop)
}

struct Count(i64);

impl FromRow for Count {
    fn from_row(row: &Row<'_>) -> sql::Result<Count> {
        row.get(0).map(Count)
    }
}

impl FromRow for SuiteId {
    fn from_row(row: &Row<'_>) -> sql::Result<SuiteId> {
        row.get("id")
    }
}

impl FromRow for Suite {
    fn from_row(row: &Row<'_>) -> sql::Result<Suite> {
        Ok(Suite {
            id: row.get("id")?,
            parent: row.get("parent_id")?,
            name: row.get("name")?,
            cases: row.get("cases")?,
        })
    }
}
