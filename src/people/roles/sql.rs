//! Statements of grants.

use super::Grant;
use crate::kernel::access::{Permission, Role, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::{GrantId, ProjectId, UserId};
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::kernel::time::Timestamp;

/// The role somebody holds in the instance (`None`) or in a project, ended ones included.
pub(super) fn of_user(tx: impl Tx, user: UserId, project: Option<ProjectId>) -> Result<Option<Grant>> {
    tx.row(
        "SELECT id, role, expires_at
           FROM grants
          WHERE user_id = :user AND coalesce(project_id, 0) = coalesce(:project, 0)",
        named_params! { ":user": user, ":project": project },
    )
}

/// A grant begins or changes; answers its number.
pub(super) fn upsert<P: Permission>(
    tx: Write<'_, P>,
    user: UserId,
    project: Option<ProjectId>,
    role: Role,
    expires_at: Option<Timestamp>,
) -> Result<GrantId> {
    let row: Numbered = tx.only(
        "INSERT INTO grants (user_id, project_id, role, created_at, expires_at)
         VALUES (:user, :project, :role, :now, :expires)
             ON CONFLICT (user_id, coalesce(project_id, 0))
             DO UPDATE SET role = excluded.role, expires_at = excluded.expires_at
         RETURNING id",
        named_params! {
            ":user": user, ":project": project, ":role": role.word(), ":now": tx.now(),
            ":expires": expires_at,
        },
    )?;
    Ok(row.0)
}

/// A grant ends.
pub(super) fn delete<P: Permission>(tx: Write<'_, P>, id: GrantId) -> Result<()> {
    tx.run("DELETE FROM grants WHERE id = :id", named_params! { ":id": id }).map(drop)
}

/// Whether the instance has been claimed.
pub(super) fn is_claimed(tx: impl Tx) -> Result<bool> {
    let row: Option<Yes> = tx.row("SELECT 1 FROM instances WHERE claimed_at IS NOT NULL", [])?;
    Ok(row.is_some())
}

/// Whether a person who may sign in owns the instance without an end.
pub(super) fn has_lasting_owner(tx: impl Tx) -> Result<bool> {
    let row: Option<Yes> = tx.row(
        "SELECT 1
           FROM grants JOIN users ON users.id = user_id
          WHERE project_id IS NULL AND role = 'owner' AND expires_at IS NULL
            AND state = 'active' AND kind = 'person'
          LIMIT 1",
        [],
    )?;
    Ok(row.is_some())
}

struct Numbered(GrantId);

impl FromRow for Numbered {
    fn from_row(row: &Row<'_>) -> sql::Result<Numbered> {
        row.get("id").map(Numbered)
    }
}

struct Yes;

impl FromRow for Yes {
    fn from_row(_: &Row<'_>) -> sql::Result<Yes> {
        Ok(Yes)
    }
}

impl FromRow for Grant {
    fn from_row(row: &Row<'_>) -> sql::Result<Grant> {
        Ok(Grant { id: row.get("id")?, role: Role::from_row(row)?, expires_at: row.get("expires_at")? })
    }
}
