//! Statements of members.

use super::Member;
use crate::kernel::access::{InProject, Role};
use crate::kernel::error::Result;
use crate::kernel::id::UserId;
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::people::users::State;

/// Members of the project, by name.
pub(super) fn all(tx: impl InProject) -> Result<Vec<Member>> {
    tx.rows(
        "SELECT users.id, name, email, state, totp_secret IS NOT NULL AS has_factor, role, expires_at, seen_at
           FROM grants JOIN users ON users.id = user_id
          WHERE project_id = :project AND kind = 'person'
          ORDER BY name COLLATE NOCASE, users.id",
        named_params! { ":project": tx.project() },
    )
}

/// One member of the project.
pub(super) fn one(tx: impl InProject, user: UserId) -> Result<Option<Member>> {
    tx.row(
        "SELECT users.id, name, email, state, totp_secret IS NOT NULL AS has_factor, role, expires_at, seen_at
           FROM grants JOIN users ON users.id = user_id
          WHERE project_id = :project AND kind = 'person' AND users.id = :user",
        named_params! { ":project": tx.project(), ":user": user },
    )
}

/// Key and name of the project.
pub(super) fn project_head(tx: impl InProject) -> Result<(String, String)> {
    let row: Head = tx.only(
        "SELECT key, name FROM projects WHERE id = :project",
        named_params! { ":project": tx.project() },
    )?;
    Ok((row.key, row.name))
}

struct Head {
    key: String,
    name: String,
}

impl FromRow for Head {
    fn from_row(row: &Row<'_>) -> sql::Result<Head> {
        Ok(Head { key: row.get("key")?, name: row.get("name")? })
    }
}

impl FromRow for Member {
    fn from_row(row: &Row<'_>) -> sql::Result<Member> {
        let state: String = row.get("state")?;
        Ok(Member {
            user: row.get("id")?,
            name: row.get("name")?,
            email: row.get("email")?,
            state: State::of_word(&state),
            has_factor: row.get("has_factor")?,
            role: Role::from_row(row)?,
            expires_at: row.get("expires_at")?,
            seen_at: row.get("seen_at")?,
        })
    }
}
