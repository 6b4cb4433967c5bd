//! Invitations: somebody opens their account with a one-use link. They choose a passphrase, then set
//! up their second factor like everybody at a first sign-in.

use super::{Begun, OPENED, begin, no_account, password, sql};
use crate::kernel::access::{Gate, Read, SignIn, Write};
use crate::kernel::audit::Audited;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::UserId;
use crate::kernel::secret::Secret;
use crate::people::links::{self, Whom};

/// Whom a link invites.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Their address.
    pub email: String,
    /// Their name.
    pub name: String,
}

/// Whom this code invites. Looking does not use it up.
pub fn guest(tx: Read<'_, SignIn>, code: &str) -> Result<Guest> {
    let user = links::find(tx, code)?.and_then(invited).ok_or_else(no_such_link)?;
    let account = sql::account(tx, user)?.ok_or_else(no_account)?;
    Ok(Guest { email: account.email, name: account.name })
}

/// Opens the account with a passphrase and uses the link up; setting up the second factor is next.
pub async fn accept(
    gate: &Gate<SignIn>,
    code: Secret<String>,
    passphrase: Secret<String>,
    agent: String,
) -> Result<Begun> {
    let looked = code.clone();
    let guest = gate.read(move |tx| guest(tx, looked.expose())).await?;
    password::check(&passphrase, &[&guest.email, &guest.name])?;
    let hash = password::hash(passphrase).await?;
    gate.write(move |tx| open(tx, code.expose(), &hash, &agent)).await
}

fn open<'t>(tx: Write<'t, SignIn>, code: &str, hash: &str, agent: &str) -> Result<Audited<'t, Begun>> {
    let user = links::spend(tx, code)?.and_then(invited).ok_or_else(no_such_link)?;
    if !sql::open_account(tx, user, hash)? {
        return Err(no_such_link());
    }
    let begun = begin(tx, user, false, agent)?;
    tx.audited(OPENED.of(user), begun)
}

fn invited(whom: Whom) -> Option<UserId> {
    match whom {
        Whom::Invited(user) => Some(user),
        Whom::FirstOwner => None,
    }
}

fn no_such_link() -> Error {
    Error::not_found("This link has been used, or it is older than a day.")
        .hint("Ask whoever invited you for a new one.")
}
