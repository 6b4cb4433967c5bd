//! The second factor: setting it up at the first sign-in, later exchanging it, and confirming with it
//! that it is still the same person.

use super::throttle::{self, Subject};
use super::{
    CODES_RENEWED, CONFIRMED, ENROLLED, NOT_CONFIRMED, SignedIn, finish, no_account, recovery, sql, totp,
    unfinished,
};
use crate::kernel::access::{AccountView, AccountWrite, Permission, Read, Role, SignIn, Tx, Write};
use crate::kernel::audit::{Audited, Quiet};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::UserId;
use crate::kernel::secret::Secret;
use crate::people::roles;
use crate::people::sessions::{self, Opening, Stage};
use totp::Provisioning;

/// A second factor was set up.
#[derive(Debug)]
pub struct Enrolled {
    /// The session that begins with it.
    pub signed_in: SignedIn,
    /// Recovery codes, to be shown this once.
    pub codes: Vec<Secret<String>>,
    /// Whether it is an owner of the instance.
    pub is_owner: bool,
}

/// What somebody in the middle of their first sign-in is shown.
pub fn offered(tx: Read<'_, SignIn>, cookie: &str) -> Result<Provisioning> {
    let staged = unfinished(tx, cookie, Stage::Enrolling)?;
    provisioning(tx, staged.user, staged.totp_offer)
}

/// Sets up the second factor of a first sign-in, if the code proves that the secret arrived; that code
/// counts as used. `None` means a wrong code.
pub fn enrol<'t>(tx: Write<'t, SignIn>, cookie: &str, typed: &str) -> Result<Audited<'t, Option<Enrolled>>> {
    let staged = unfinished(tx, cookie, Stage::Enrolling)?;
    if sql::factor(tx, staged.user)?.is_some() {
        // Another sign-in of the same person was faster: theirs counts.
        return Err(
            Error::conflict("The second factor is set up already.").hint("Sign in with it at /signin.")
        );
    }
    let offer = staged.totp_offer.as_deref().ok_or_else(nothing_offered)?;
    let Some(codes) = replace(tx, staged.user, offer, typed)? else {
        return Ok(tx.quiet(Quiet::Nothing, None));
    };
    let _ = tx.audited(ENROLLED.of(staged.user), ())?;
    let is_owner = roles::held(tx, staged.user, None)?.is_some_and(|grant| grant.role == Role::Owner);
    sessions::end_all_but(tx, staged.user, staged.id)?;
    Ok(finish(tx, &staged)?.map(|signed_in| Some(Enrolled { signed_in, codes, is_owner })))
}

/// Offers a new secret to somebody who wants to exchange their second factor.
pub fn offer_another(tx: Write<'_, AccountWrite>) -> Result<Audited<'_, ()>> {
    sessions::demand_proof(tx)?;
    let (session, _) = sessions::current(tx)?;
    sessions::offer_factor(tx, session, &totp::new_secret())?;
    Ok(tx.quiet(Quiet::Nothing, ()))
}

/// What somebody who exchanges their second factor is shown.
pub fn offered_another(tx: Read<'_, AccountView>) -> Result<Provisioning> {
    let (session, user) = sessions::current(tx)?;
    let offer = sessions::factor_offered(tx, session)?;
    provisioning(tx, user, offer)
}

/// Exchanges the second factor; new recovery codes come with it, and every other session ends. `None`
/// means a wrong code.
pub fn exchange<'t>(
    tx: Write<'t, AccountWrite>,
    typed: &str,
) -> Result<Audited<'t, Option<Vec<Secret<String>>>>> {
    sessions::demand_proof(tx)?;
    let (session, user) = sessions::current(tx)?;
    let offer = sessions::factor_offered(tx, session)?.ok_or_else(nothing_offered)?;
    let Some(codes) = replace(tx, user, &offer, typed)? else { return Ok(tx.quiet(Quiet::Nothing, None)) };
    sessions::withdraw_factor(tx, session)?;
    sessions::end_all_but(tx, user, session)?;
    tx.audited(ENROLLED.of(user), Some(codes))
}

/// New recovery codes, to be shown once; the old ones are worth nothing from here on.
pub fn renew_codes(tx: Write<'_, AccountWrite>) -> Result<Audited<'_, Vec<Secret<String>>>> {
    sessions::demand_proof(tx)?;
    let (_, user) = sessions::current(tx)?;
    let codes = recovery::renew(tx, user)?;
    tx.audited(CODES_RENEWED.of(user), codes)
}

/// How many recovery codes are not used yet.
pub fn codes_left(tx: Read<'_, AccountView>) -> Result<i64> {
    let (_, user) = sessions::current(tx)?;
    sql::codes_left(tx, user)
}

/// Confirms with a code that it is still the same person; the session goes on under a new cookie.
/// `None` means a refusal, for whatever reason.
pub fn confirm<'t>(tx: Write<'t, AccountWrite>, typed: &str) -> Result<Audited<'t, Option<Opening>>> {
    let (session, user) = sessions::current(tx)?;
    let subjects = [Subject::Factor(user)];
    if !throttle::admit(tx, &subjects)? {
        return Ok(tx.quiet(Quiet::Attempt, None));
    }
    if !totp::accept(tx, user, typed)? {
        return tx.audited(NOT_CONFIRMED.of(user).and(session), None);
    }
    throttle::absolve(tx, &subjects)?;
    let opening = sessions::prove(tx, session)?;
    tx.audited(CONFIRMED.of(user).and(session), Some(opening))
}

/// Puts a factor in place without a code: for the owner whom the command line creates. The caller
/// writes the entry.
pub(in crate::people) fn put<P: Permission>(
    tx: Write<'_, P>,
    user: UserId,
    secret: &[u8],
) -> Result<Vec<Secret<String>>> {
    sql::set_factor(tx, user, secret, 0)?;
    recovery::renew(tx, user)
}

fn replace<P: Permission>(
    tx: Write<'_, P>,
    user: UserId,
    secret: &[u8],
    typed: &str,
) -> Result<Option<Vec<Secret<String>>>> {
    let Some(step) = totp::matching_step(secret, typed, tx.now().0, 0) else { return Ok(None) };
    sql::set_factor(tx, user, secret, step)?;
    recovery::renew(tx, user).map(Some)
}

fn provisioning(tx: impl Tx, user: UserId, offer: Option<Vec<u8>>) -> Result<Provisioning> {
    let account = sql::account(tx, user)?.ok_or_else(no_account)?;
    totp::provisioning(&offer.ok_or_else(nothing_offered)?, &account.email)
}

fn nothing_offered() -> Error {
    Error::conflict("No second factor is being set up.").hint("Begin on the account page.")
}
