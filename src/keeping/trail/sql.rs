//! Statements of the audit trail's pages: names for its numbers.

use crate::kernel::access::{InProject, Tx};
use crate::kernel::error::Result;
use crate::kernel::sql::{self, FromRow, Row, named_params};

/// A number with the name that people know it by.
pub(super) struct Named {
    pub id: i64,
    pub name: String,
}

/// Names of these accounts; `ids` is a JSON array.
pub(super) fn people(tx: impl Tx, ids: &str) -> Result<Vec<Named>> {
    tx.rows(
        "SELECT id, name FROM users WHERE id IN (SELECT value FROM json_each(:ids))",
        named_params! { ":ids": ids },
    )
}

/// Keys of these projects.
pub(super) fn projects(tx: impl Tx, ids: &str) -> Result<Vec<Named>> {
    tx.rows(
        "SELECT id, key AS name FROM projects WHERE id IN (SELECT value FROM json_each(:ids))",
        named_params! { ":ids": ids },
    )
}

/// Names of these suites.
pub(super) fn suites(tx: impl Tx, ids: &str) -> Result<Vec<Named>> {
    tx.rows(
        "SELECT id, name FROM suites WHERE id IN (SELECT value FROM json_each(:ids))",
        named_params! { ":ids": ids },
    )
}

/// References of these cases, such as `SHOP-C12`.
pub(super) fn cases(tx: impl Tx, ids: &str) -> Result<Vec<Named>> {
    tx.rows(
        "SELECT cases.id, key || '-C' || number AS name
           FROM cases JOIN projects ON projects.id = project_id
          WHERE cases.id IN (SELECT value FROM json_each(:ids))",
        named_params! { ":ids": ids },
    )
}

/// References of these runs, such as `SHOP-R3`.
pub(super) fn runs(tx: impl Tx, ids: &str) -> Result<Vec<Named>> {
    tx.rows(
        "SELECT runs.id, key || '-R' || number AS name
           FROM runs JOIN projects ON projects.id = project_id
          WHERE runs.id IN (SELECT value FROM json_each(:ids))",
        named_params! { ":ids": ids },
    )
}

/// When another state last took the place of the instance, in milliseconds since 1970; 0 if none did. Reads the
/// whole trail.
pub(super) fn exchanged_at(tx: impl Tx) -> Result<i64> {
    let At(at) = tx.only(
        "SELECT coalesce(max(CASE event WHEN 'instance.exchanged' THEN CAST(substr(facts, 4) AS INTEGER) ELSE at END), 0) AS at
           FROM audit
          WHERE event IN ('instance.exchanged', 'instance.restored')",
        [],
    )?;
    Ok(at)
}

struct At(i64);

impl FromRow for At {
    fn from_row(row: &Row<'_>) -> sql::Result<At> {
        row.get("at").map(At)
    }
}

/// Every account of the instance, by name.
pub(super) fn everybody(tx: impl Tx) -> Result<Vec<Named>> {
    tx.rows("SELECT id, name FROM users ORDER BY name", [])
}

/// Accounts with a role in the project, by name.
pub(super) fn members(tx: impl InProject) -> Result<Vec<Named>> {
    tx.rows(
        "SELECT users.id, name
           FROM grants JOIN users ON users.id = user_id
          WHERE project_id = :project
          ORDER BY name",
        named_params! { ":project": tx.project() },
    )
}

impl FromRow for Named {
    fn from_row(row: &Row<'_>) -> sql::Result<Named> {
        Ok(Named { id: row.get("id")?, name: row.get("name")? })
    }
}
