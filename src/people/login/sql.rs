//! Statements of signing in: passphrases, second factors and recovery codes.

use crate::kernel::access::{Permission, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::UserId;
use crate::kernel::sql::{self, FromRow, Row, named_params};

/// An account as far as signing in goes.
pub(super) struct Account {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub is_active: bool,
    pub password: Option<String>,
    pub has_factor: bool,
}

/// The person with this address.
pub(super) fn account_of(tx: impl Tx, email: &str) -> Result<Option<Account>> {
    tx.row(
        "SELECT id, email, name, state, password, totp_secret IS NOT NULL AS has_factor
           FROM users
          WHERE kind = 'person' AND email = :email",
        named_params! { ":email": email },
    )
}

/// The person with this number.
pub(super) fn account(tx: impl Tx, id: UserId) -> Result<Option<Account>> {
    tx.row(
        "SELECT id, email, name, state, password, totp_secret IS NOT NULL AS has_factor
           FROM users
          WHERE kind = 'person' AND id = :id",
        named_params! { ":id": id },
    )
}

/// A person has another passphrase.
pub(super) fn set_password<P: Permission>(tx: Write<'_, P>, id: UserId, hash: &str) -> Result<()> {
    tx.run("UPDATE users SET password = :hash WHERE id = :id", named_params! { ":id": id, ":hash": hash })
        .map(drop)
}

/// Somebody who was invited opens their account; answers whether they were still invited.
pub(super) fn open_account<P: Permission>(tx: Write<'_, P>, id: UserId, hash: &str) -> Result<bool> {
    let touched = tx.run(
        "UPDATE users SET password = :hash, state = 'active' WHERE id = :id AND state = 'invited'",
        named_params! { ":id": id, ":hash": hash },
    )?;
    Ok(touched == 1)
}

/// A second factor and the last step whose code was accepted.
pub(super) struct Factor {
    pub secret: Vec<u8>,
    pub step: i64,
}

/// The second factor of a person.
pub(super) fn factor(tx: impl Tx, user: UserId) -> Result<Option<Factor>> {
    tx.row(
        "SELECT totp_secret, totp_step FROM users WHERE id = :user AND totp_secret IS NOT NULL",
        named_params! { ":user": user },
    )
}

/// Uses a step up; answers no if it was used before.
pub(super) fn use_step<P: Permission>(tx: Write<'_, P>, user: UserId, step: i64) -> Result<bool> {
    let touched = tx.run(
        "UPDATE users SET totp_step = :step WHERE id = :user AND totp_step < :step",
        named_params! { ":user": user, ":step": step },
    )?;
    Ok(touched == 1)
}

/// A person has a second factor, or another one.
pub(super) fn set_factor<P: Permission>(
    tx: Write<'_, P>,
    user: UserId,
    secret: &[u8],
    step: i64,
) -> Result<()> {
    tx.run(
        "UPDATE users SET totp_secret = :secret, totp_step = :step WHERE id = :user",
        named_params! { ":user": user, ":secret": secret, ":step": step },
    )
    .map(drop)
}

/// A person has to open their account anew: without passphrase and without factor.
pub(super) fn clear_proofs<P: Permission>(tx: Write<'_, P>, user: UserId) -> Result<()> {
    tx.run(
        "UPDATE users SET password = NULL, totp_secret = NULL, totp_step = 0,
                          state = iif(state = 'suspended', state, 'invited')
          WHERE id = :user",
        named_params! { ":user": user },
    )
    .map(drop)
}

/// All recovery codes of a person go.
pub(super) fn forget_codes<P: Permission>(tx: Write<'_, P>, user: UserId) -> Result<()> {
    tx.run("DELETE FROM recovery_codes WHERE user_id = :user", named_params! { ":user": user }).map(drop)
}

/// A new recovery code.
pub(super) fn insert_code<P: Permission>(tx: Write<'_, P>, user: UserId, digest: &[u8; 32]) -> Result<()> {
    tx.run(
        "INSERT INTO recovery_codes (user_id, digest) VALUES (:user, :digest)",
        named_params! { ":user": user, ":digest": digest },
    )
    .map(drop)
}

/// Uses a recovery code up; answers no if there is none such, or it was used before.
pub(super) fn use_code<P: Permission>(tx: Write<'_, P>, user: UserId, digest: &[u8; 32]) -> Result<bool> {
    let touched = tx.run(
        "UPDATE recovery_codes SET used_at = :now
          WHERE user_id = :user AND digest = :digest AND used_at IS NULL",
        named_params! { ":user": user, ":digest": digest, ":now": tx.now() },
    )?;
    Ok(touched == 1)
}

/// Recovery codes not used yet.
pub(super) fn codes_left(tx: impl Tx, user: UserId) -> Result<i64> {
    let row: Count = tx.only(
        "SELECT count(*) AS number FROM recovery_codes WHERE user_id = :user AND used_at IS NULL",
        named_params! { ":user": user },
    )?;
    Ok(row.0)
}

/// The instance, as the pages of visitors show it.
pub(super) struct Head {
    pub name: String,
    pub is_claimed: bool,
}

/// The instance, once it has begun.
pub(super) fn head(tx: impl Tx) -> Result<Option<Head>> {
    tx.row("SELECT name, claimed_at IS NOT NULL AS is_claimed FROM instances WHERE id = 1", [])
}

impl FromRow for Head {
    fn from_row(row: &Row<'_>) -> sql::Result<Head> {
        Ok(Head { name: row.get("name")?, is_claimed: row.get("is_claimed")? })
    }
}

struct Count(i64);

impl FromRow for Count {
    fn from_row(row: &Row<'_>) -> sql::Result<Count> {
        row.get("number").map(Count)
    }
}

impl FromRow for Account {
    fn from_row(row: &Row<'_>) -> sql::Result<Account> {
        let state: String = row.get("state")?;
        Ok(Account {
            id: row.get("id")?,
            email: row.get("email")?,
            name: row.get("name")?,
            is_active: state == "active",
            password: row.get("password")?,
            has_factor: row.get("has_factor")?,
        })
    }
}

impl FromRow for Factor {
    fn from_row(row: &Row<'_>) -> sql::Result<Factor> {
        Ok(Factor { secret: row.get("totp_secret")?, step: row.get("totp_step")? })
    }
}
