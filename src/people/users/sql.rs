//! Statements of accounts.

use super::{Email, Kind, Name, State, User};
use crate::kernel::access::{Permission, Role, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::UserId;
use crate::kernel::sql::{self, FromRow, Row, named_params};

/// All people, by name, with their role in the instance.
pub(super) fn people(tx: impl Tx) -> Result<Vec<User>> {
    tx.rows(
        "SELECT users.id, kind, email, name, state, totp_secret IS NOT NULL AS has_factor, role,
                users.created_at, seen_at
           FROM users LEFT JOIN grants ON grants.user_id = users.id AND project_id IS NULL
          WHERE kind = 'person'
          ORDER BY name COLLATE NOCASE, users.id",
        [],
    )
}

/// One account.
pub(super) fn by_id(tx: impl Tx, id: UserId) -> Result<Option<User>> {
    tx.row(
        "SELECT users.id, kind, email, name, state, totp_secret IS NOT NULL AS has_factor, role,
                users.created_at, seen_at
           FROM users LEFT JOIN grants ON grants.user_id = users.id AND project_id IS NULL
          WHERE users.id = :id",
        named_params! { ":id": id },
    )
}

/// The person with this address.
pub(super) fn by_email(tx: impl Tx, email: &Email) -> Result<Option<User>> {
    tx.row(
        "SELECT users.id, kind, email, name, state, totp_secret IS NOT NULL AS has_factor, role,
                users.created_at, seen_at
           FROM users LEFT JOIN grants ON grants.user_id = users.id AND project_id IS NULL
          WHERE email = :email AND kind = 'person'",
        named_params! { ":email": email.as_str() },
    )
}

/// A new account; answers its number.
pub(super) fn insert<P: Permission>(
    tx: Write<'_, P>,
    kind: Kind,
    email: Option<&Email>,
    name: &Name,
    state: State,
) -> Result<UserId> {
    let row: Numbered = tx.only(
        "INSERT INTO users (kind, email, name, state, created_at)
         VALUES (:kind, :email, :name, :state, :now)
         RETURNING id",
        named_params! {
            ":kind": kind.word(), ":email": email.map(Email::as_str), ":name": name.as_str(),
            ":state": state.word(), ":now": tx.now(),
        },
    )?;
    Ok(row.0)
}

/// An account may or may not be used.
pub(super) fn set_state<P: Permission>(tx: Write<'_, P>, id: UserId, state: State) -> Result<()> {
    tx.run(
        "UPDATE users SET state = :state WHERE id = :id",
        named_params! { ":id": id, ":state": state.word() },
    )
    .map(drop)
}

/// An account is what it was before it was suspended: open, or waiting to be opened.
pub(super) fn restore_state<P: Permission>(tx: Write<'_, P>, id: UserId) -> Result<()> {
    tx.run(
        "UPDATE users SET state = iif(password IS NULL, 'invited', 'active') WHERE id = :id",
        named_params! { ":id": id },
    )
    .map(drop)
}

/// An account has another name.
pub(super) fn set_name<P: Permission>(tx: Write<'_, P>, id: UserId, name: &Name) -> Result<()> {
    tx.run(
        "UPDATE users SET name = :name WHERE id = :id",
        named_params! { ":id": id, ":name": name.as_str() },
    )
    .map(drop)
}

/// A person has another address.
pub(super) fn set_email<P: Permission>(tx: Write<'_, P>, id: UserId, email: &Email) -> Result<()> {
    tx.run(
        "UPDATE users SET email = :email WHERE id = :id",
        named_params! { ":id": id, ":email": email.as_str() },
    )
    .map(drop)
}

/// The name of the instance.
pub(super) fn instance_name(tx: impl Tx) -> Result<Option<String>> {
    let row: Option<Text> = tx.row("SELECT name FROM instances WHERE id = 1", [])?;
    Ok(row.map(|row| row.0))
}

struct Text(String);

impl FromRow for Text {
    fn from_row(row: &Row<'_>) -> sql::Result<Text> {
        row.get("name").map(Text)
    }
}

struct Numbered(UserId);

impl FromRow for Numbered {
    fn from_row(row: &Row<'_>) -> sql::Result<Numbered> {
        row.get("id").map(Numbered)
    }
}

impl FromRow for User {
    fn from_row(row: &Row<'_>) -> sql::Result<User> {
        let (kind, state): (String, String) = (row.get("kind")?, row.get("state")?);
        let role: Option<String> = row.get("role")?;
        Ok(User {
            id: row.get("id")?,
            kind: if kind == Kind::Person.word() { Kind::Person } else { Kind::Service },
            email: row.get("email")?,
            name: row.get("name")?,
            state: State::of_word(&state),
            has_factor: row.get("has_factor")?,
            role: role.as_deref().and_then(Role::of_word),
            created_at: row.get("created_at")?,
            seen_at: row.get("seen_at")?,
        })
    }
}
