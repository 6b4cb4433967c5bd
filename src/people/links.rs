//! Links: one-use ways in. One sets the instance up, the others open a new account.
//!
//! Only the keyed digest of a code is stored, so a copy of the database opens nothing.

use crate::kernel::access::{Permission, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::UserId;
use crate::kernel::limits;
use crate::kernel::random;
use crate::kernel::secret::Secret;
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::kernel::time::Timestamp;

/// Whom a link lets in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whom {
    /// Whoever sets the instance up.
    FirstOwner,
    /// The person who was invited.
    Invited(UserId),
}

impl Whom {
    fn user(self) -> Option<UserId> {
        match self {
            Whom::FirstOwner => None,
            Whom::Invited(user) => Some(user),
        }
    }
}

/// A new code, good once and for a day; older ones for the same are worth nothing from here on.
pub(super) fn issue<P: Permission>(tx: Write<'_, P>, whom: Whom) -> Result<Secret<String>> {
    void(tx, whom)?;
    let code = random::link_code();
    tx.run(
        "INSERT INTO links (digest, user_id, created_at, expires_at) VALUES (:digest, :user, :now, :until)",
        named_params! {
            ":digest": digest(tx, code.expose()), ":user": whom.user(), ":now": tx.now(),
            ":until": Timestamp(tx.now().0 + limits::LINK_MS),
        },
    )?;
    Ok(code)
}

/// Makes the links that are out worthless.
pub(super) fn void<P: Permission>(tx: Write<'_, P>, whom: Whom) -> Result<()> {
    tx.run(
        "DELETE FROM links WHERE user_id IS :user AND used_at IS NULL",
        named_params! { ":user": whom.user() },
    )
    .map(drop)
}

/// Whom this code would let in. Looks and spends nothing.
pub(super) fn find(tx: impl Tx, code: &str) -> Result<Option<Whom>> {
    for digest in digests(tx, code) {
        let link: Option<Link> = tx.row(
            "SELECT user_id
               FROM links
              WHERE digest = :digest AND used_at IS NULL AND expires_at > :now",
            named_params! { ":digest": digest, ":now": tx.now() },
        )?;
        if let Some(Link(whom)) = link {
            return Ok(Some(whom));
        }
    }
    Ok(None)
}

/// Uses the code up: of all who try, one gets an answer.
pub(super) fn spend<P: Permission>(tx: Write<'_, P>, code: &str) -> Result<Option<Whom>> {
    for digest in digests(tx, code) {
        let link: Option<Link> = tx.row(
            "UPDATE links SET used_at = :now
              WHERE digest = :digest AND used_at IS NULL AND expires_at > :now
             RETURNING user_id",
            named_params! { ":digest": digest, ":now": tx.now() },
        )?;
        if let Some(Link(whom)) = link {
            return Ok(Some(whom));
        }
    }
    Ok(None)
}

/// The word in front keeps a code of one kind from passing for another.
fn digest(tx: impl Tx, code: &str) -> [u8; 32] {
    tx.digest(&format!("link {code}"))
}

/// The same under the keys of before, too: a link lives longer than an exchange of keys takes.
fn digests(tx: impl Tx, code: &str) -> Vec<[u8; 32]> {
    tx.digests(&format!("link {code}"))
}

struct Link(Whom);

impl FromRow for Link {
    fn from_row(row: &Row<'_>) -> sql::Result<Link> {
        let user: Option<UserId> = row.get("user_id")?;
        Ok(Link(user.map_or(Whom::FirstOwner, Whom::Invited)))
    }
}
