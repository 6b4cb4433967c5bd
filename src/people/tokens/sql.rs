//! Statements of tokens.

use super::{Reach, Token};
use crate::kernel::access::{InProject, Permission, Role, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::{ProjectId, TokenId, UserId};
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::kernel::time::Timestamp;

/// A token as it is stored.
pub(super) struct NewRow<'a> {
    pub user: UserId,
    pub project: Option<ProjectId>,
    pub name: &'a str,
    pub prefix: &'a str,
    pub digest: [u8; 32],
    pub scope: Option<String>,
    pub expires_at: Timestamp,
}

/// A new token; answers its number.
pub(super) fn insert<P: Permission>(tx: Write<'_, P>, new: &NewRow<'_>) -> Result<TokenId> {
    let row: Numbered = tx.only(
        "INSERT INTO tokens (user_id, project_id, name, prefix, digest, scope, created_at, expires_at)
         VALUES (:user, :project, :name, :prefix, :digest, :scope, :now, :expires)
         RETURNING id",
        named_params! {
            ":user": new.user, ":project": new.project, ":name": new.name, ":prefix": new.prefix,
            ":digest": new.digest, ":scope": new.scope, ":now": tx.now(), ":expires": new.expires_at,
        },
    )?;
    Ok(TokenId(row.0))
}

/// Tokens of an account that are in force, the newest first.
pub(super) fn of_user(tx: impl Tx, user: UserId) -> Result<Vec<Token>> {
    tx.rows(
        "SELECT tokens.id, tokens.name, prefix, projects.key, scope, NULL AS role, tokens.created_at,
                tokens.expires_at, tokens.seen_at
           FROM tokens LEFT JOIN projects ON projects.id = project_id
          WHERE user_id = :user AND revoked_at IS NULL AND tokens.expires_at > :now
          ORDER BY tokens.id DESC",
        named_params! { ":user": user, ":now": tx.now() },
    )
}

/// How many tokens of an account are in force.
pub(super) fn count(tx: impl Tx, user: UserId) -> Result<i64> {
    let row: Numbered = tx.only(
        "SELECT count(*) AS id FROM tokens WHERE user_id = :user AND revoked_at IS NULL AND expires_at > :now",
        named_params! { ":user": user, ":now": tx.now() },
    )?;
    Ok(row.0)
}

/// Tokens of the project's service accounts, by name; those that have ended stay until revoked.
pub(super) fn services(tx: impl InProject) -> Result<Vec<Token>> {
    tx.rows(
        "SELECT tokens.id, tokens.name, prefix, projects.key, scope, role, tokens.created_at,
                tokens.expires_at, tokens.seen_at
           FROM tokens
           JOIN users ON users.id = tokens.user_id AND kind = 'service'
           JOIN grants ON grants.user_id = users.id AND grants.project_id = tokens.project_id
           JOIN projects ON projects.id = tokens.project_id
          WHERE tokens.project_id = :project AND revoked_at IS NULL
          ORDER BY tokens.name COLLATE NOCASE, tokens.id",
        named_params! { ":project": tx.project() },
    )
}

/// The service account of a token of this project.
pub(super) fn service_of(tx: impl InProject, id: TokenId) -> Result<Option<UserId>> {
    let row: Option<Numbered> = tx.row(
        "SELECT user_id AS id
           FROM tokens JOIN users ON users.id = user_id
          WHERE tokens.id = :id AND project_id = :project AND kind = 'service' AND revoked_at IS NULL",
        named_params! { ":id": id, ":project": tx.project() },
    )?;
    Ok(row.map(|row| UserId(row.0)))
}

/// A token of this account is worth nothing any more; answers whether it was before.
pub(super) fn revoke<P: Permission>(tx: Write<'_, P>, user: UserId, id: TokenId) -> Result<bool> {
    let touched = tx.run(
        "UPDATE tokens SET revoked_at = :now WHERE id = :id AND user_id = :user AND revoked_at IS NULL",
        named_params! { ":id": id, ":user": user, ":now": tx.now() },
    )?;
    Ok(touched == 1)
}

/// The project with this key, if the person has a role that reaches it.
pub(super) fn project_of(tx: impl Tx, user: UserId, key: &str) -> Result<Option<ProjectId>> {
    let row: Option<Numbered> = tx.row(
        "SELECT id
           FROM projects
          WHERE key = :key AND trashed_at IS NULL
            AND EXISTS (SELECT 1 FROM grants
                         WHERE user_id = :user AND (project_id IS NULL OR project_id = projects.id)
                           AND role <> 'backup_operator'
                           AND (expires_at IS NULL OR expires_at > :now))",
        named_params! { ":key": key, ":user": user, ":now": tx.now() },
    )?;
    Ok(row.map(|row| ProjectId(row.0)))
}

/// Keys of all projects that the person's roles reach.
pub(super) fn projects(tx: impl Tx, user: UserId) -> Result<Vec<String>> {
    let rows: Vec<Text> = tx.rows(
        "SELECT key
           FROM projects
          WHERE state = 'active' AND trashed_at IS NULL
            AND EXISTS (SELECT 1 FROM grants
                         WHERE user_id = :user AND (project_id IS NULL OR project_id = projects.id)
                           AND role <> 'backup_operator'
                           AND (expires_at IS NULL OR expires_at > :now))
          ORDER BY key",
        named_params! { ":user": user, ":now": tx.now() },
    )?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

struct Text(String);

impl FromRow for Text {
    fn from_row(row: &Row<'_>) -> sql::Result<Text> {
        row.get("key").map(Text)
    }
}

struct Numbered(i64);

impl FromRow for Numbered {
    fn from_row(row: &Row<'_>) -> sql::Result<Numbered> {
        row.get("id").map(Numbered)
    }
}

impl FromRow for Token {
    fn from_row(row: &Row<'_>) -> sql::Result<Token> {
        let (scope, role): (Option<String>, Option<String>) = (row.get("scope")?, row.get("role")?);
        Ok(Token {
            id: row.get("id")?,
            name: row.get("name")?,
            prefix: row.get("prefix")?,
            project: row.get("key")?,
            reach: Reach::of_scope(scope.as_deref()),
            role: role.as_deref().and_then(Role::of_word),
            created_at: row.get("created_at")?,
            expires_at: row.get("expires_at")?,
            seen_at: row.get("seen_at")?,
        })
    }
}
