//! Login: the conversation in which somebody proves who they are, as a state machine.
//!
//! ```text
//! address and passphrase ─┬─ has a second factor ──── code or recovery code ── signed in
//!                         └─ has none yet ─────────── sets one up ──────────── signed in
//! ```
//!
//! A refusal is a value and not an error, so that its counter and its entry are kept; the words for
//! people are the same whatever the reason.

pub mod browser;
pub mod factor;
pub mod invitation;
mod invitation_pages;
mod pages;
pub mod password;
mod recovery;
mod sql;
mod throttle;
pub mod totp;

pub(super) use pages::exposed;

use super::sessions::{self, Stage, Staged};
use crate::kernel::access::{AccountWrite, Gate, Permission, SignIn, Tx, Write};
use crate::kernel::audit::{Audited, Event, Quiet};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::UserId;
use crate::kernel::secret::Secret;
use crate::web::routes::Route;
use throttle::Subject;

const SIGNED_IN: Event = Event::new("user.signed_in", "A person signed in.");
const REFUSED: Event = Event::new("user.sign_in_refused", "Somebody did not manage to sign in.");
const ACCEPTED: Event =
    Event::new("user.passphrase_accepted", "A passphrase was right; the second factor is asked next.");
const OPENED: Event = Event::new("user.opened", "A person opened their account with their link.");
const CHANGED: Event = Event::new("password.changed", "A person changed their passphrase.");
const ENROLLED: Event = Event::new("factor.enrolled", "A person set up their second factor.");
const CONFIRMED: Event = Event::new("session.confirmed", "A person confirmed with a code that it is them.");
const NOT_CONFIRMED: Event =
    Event::new("session.not_confirmed", "Somebody in a session did not manage to confirm that it is them.");
const CODES_RENEWED: Event = Event::new("factor.codes_renewed", "A person got new recovery codes.");
/// What happens when people prove who they are.
pub const EVENTS: &[Event] =
    &[SIGNED_IN, REFUSED, ACCEPTED, OPENED, CHANGED, ENROLLED, CONFIRMED, NOT_CONFIRMED, CODES_RENEWED];

/// No account: the number in the entry of a refusal for an address nobody has.
const NOBODY: UserId = UserId(0);

/// A first proof: what somebody typed, and what their browser is.
pub struct Attempt {
    /// The address as it was typed.
    pub email: String,
    /// The passphrase as it was typed.
    pub passphrase: Secret<String>,
    /// The mark that a browser keeps from an earlier sign-in.
    pub device: Option<String>,
    /// What the browser calls itself.
    pub agent: String,
}

/// What is asked next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A code.
    Code,
    /// Setting up the second factor.
    Enrol,
}

/// A sign-in that has passed its first step.
#[derive(Debug)]
pub struct Begun {
    /// What is asked next.
    pub step: Step,
    /// The cookie for the next step; good for nothing else.
    pub cookie: Secret<String>,
}

/// A second proof.
pub enum Proof {
    /// A code of the app.
    Code(String),
    /// A recovery code.
    Recovery(String),
}

/// Somebody has signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// Who.
    pub user: UserId,
    /// The cookie of the session.
    pub cookie: Secret<String>,
    /// A mark for this browser; it lets its owner in while strangers guess.
    pub device: Secret<String>,
}

/// First step: address and passphrase. `None` is a refusal, for whatever reason.
pub async fn passphrase(gate: &Gate<SignIn>, attempt: Attempt) -> Result<Option<Begun>> {
    let Attempt { email, passphrase, device, agent } = attempt;
    let email = normal(&email);
    let examining = gate.write(move |tx| examine(tx, email, device.as_deref()));
    let Some(candidate) = examining.await? else { return Ok(None) };
    let is_right = password::verify(passphrase.clone(), candidate.stored.clone()).await?;
    let is_outdated = is_right && candidate.stored.as_deref().is_some_and(password::is_outdated);
    let rehashed = if is_outdated { Some(password::hash(passphrase).await?) } else { None };
    gate.write(move |tx| settle(tx, &candidate, is_right, rehashed.as_deref(), &agent)).await
}

/// Whose passphrase is about to be checked against what.
struct Candidate {
    user: Option<UserId>,
    stored: Option<String>,
    subjects: Vec<Subject>,
}

fn examine<'t>(
    tx: Write<'t, SignIn>,
    email: String,
    device: Option<&str>,
) -> Result<Audited<'t, Option<Candidate>>> {
    let account = sql::account_of(tx, &email)?.filter(|account| account.is_active);
    let known = account.as_ref().and_then(|account| throttle::known_device(tx, account.id, device));
    let subjects = match known {
        Some(device) => vec![Subject::Device(device)],
        None => vec![Subject::Account(email), Subject::Address],
    };
    if !throttle::admit(tx, &subjects)? {
        return Ok(tx.quiet(Quiet::Attempt, None));
    }
    let user = account.as_ref().map(|account| account.id);
    let stored = account.and_then(|account| account.password);
    Ok(tx.quiet(Quiet::Attempt, Some(Candidate { user, stored, subjects })))
}

fn settle<'t>(
    tx: Write<'t, SignIn>,
    candidate: &Candidate,
    is_right: bool,
    rehashed: Option<&str>,
    agent: &str,
) -> Result<Audited<'t, Option<Begun>>> {
    let account =
        candidate.user.filter(|_| is_right).map(|user| sql::account(tx, user)).transpose()?.flatten();
    // Things may have changed while the hash was computed.
    let account = account.filter(|account| account.is_active && account.password == candidate.stored);
    let Some(account) = account else {
        return tx.audited(REFUSED.of(candidate.user.unwrap_or(NOBODY)), None);
    };
    throttle::absolve(tx, &candidate.subjects)?;
    if let Some(hash) = rehashed {
        sql::set_password(tx, account.id, hash)?;
    }
    let begun = begin(tx, account.id, account.has_factor, agent)?;
    tx.audited(ACCEPTED.of(account.id), Some(begun))
}

/// The step after a good passphrase.
fn begin(tx: Write<'_, SignIn>, user: UserId, has_factor: bool, agent: &str) -> Result<Begun> {
    let (stage, step) =
        if has_factor { (Stage::Password, Step::Code) } else { (Stage::Enrolling, Step::Enrol) };
    let opening = sessions::begin(tx, user, stage, agent)?;
    if step == Step::Enrol {
        sessions::offer_factor(tx, opening.id, &totp::new_secret())?;
    }
    Ok(Begun { step, cookie: opening.cookie })
}

/// Second step: a code or a recovery code. `None` is a refusal, for whatever reason.
pub fn second<'t>(
    tx: Write<'t, SignIn>,
    cookie: &str,
    proof: &Proof,
    device: Option<&str>,
) -> Result<Audited<'t, Option<SignedIn>>> {
    let staged = unfinished(tx, cookie, Stage::Password)?;
    let subjects = match throttle::known_device(tx, staged.user, device) {
        Some(device) => [Subject::Device(device)],
        None => [Subject::Factor(staged.user)],
    };
    if !throttle::admit(tx, &subjects)? {
        return Ok(tx.quiet(Quiet::Attempt, None));
    }
    if !is_good(tx, staged.user, proof)? {
        sessions::count_failure(tx, &staged)?;
        return tx.audited(REFUSED.of(staged.user).and(staged.id), None);
    }
    throttle::absolve(tx, &subjects)?;
    Ok(finish(tx, &staged)?.map(Some))
}

/// Whether a code or a recovery code is right; it is used up.
fn is_good<P: Permission>(tx: Write<'_, P>, user: UserId, proof: &Proof) -> Result<bool> {
    match proof {
        Proof::Code(typed) => totp::accept(tx, user, typed),
        Proof::Recovery(typed) => recovery::accept(tx, user, typed),
    }
}

/// Makes a sign-in a session.
fn finish<'t>(tx: Write<'t, SignIn>, staged: &Staged) -> Result<Audited<'t, SignedIn>> {
    let opening = sessions::complete(tx, staged)?;
    let device = throttle::device_mark(tx, staged.user);
    let signed_in = SignedIn { user: staged.user, cookie: opening.cookie, device };
    tx.audited(SIGNED_IN.of(staged.user).and(opening.id), signed_in)
}

/// The unfinished sign-in of this cookie at this stage.
fn unfinished(tx: impl Tx, cookie: &str, stage: Stage) -> Result<Staged> {
    let staged = sessions::staged(tx, cookie)?.filter(|staged| staged.stage == stage);
    staged.ok_or_else(|| {
        Error::unauthenticated("This sign-in is over: it took too long, or there were too many wrong codes.")
            .hint("Start again at /signin.")
    })
}

/// Changes one's own passphrase. `false` means that the present one was wrong.
///
/// Ends every other session: whoever knew the old passphrase is out.
pub async fn change_passphrase(
    gate: &Gate<AccountWrite>,
    present: Secret<String>,
    new: Secret<String>,
) -> Result<bool> {
    let examining = gate.write(|tx| {
        let (_, user) = sessions::current(tx)?;
        let account = sql::account(tx, user)?.ok_or_else(no_account)?;
        if !throttle::admit(tx, &[Subject::Account(normal(&account.email))])? {
            return Err(Error::too_many("There were too many wrong passphrases.").hint("Wait a little."));
        }
        Ok(tx.quiet(Quiet::Attempt, account))
    });
    let account = examining.await?;
    let (email, stored) = (normal(&account.email), account.password);
    if !password::verify(present, stored.clone()).await? {
        return Ok(false);
    }
    password::check(&new, &[&account.email, &account.name])?;
    let hash = password::hash(new).await?;
    let storing = gate.write(move |tx| {
        let (session, user) = sessions::current(tx)?;
        let account = sql::account(tx, user)?.ok_or_else(no_account)?;
        if account.password != stored {
            return Err(Error::conflict("The passphrase was changed meanwhile."));
        }
        throttle::absolve(tx, &[Subject::Account(email)])?;
        sql::set_password(tx, user, &hash)?;
        sessions::end_all_but(tx, user, session)?;
        tx.audited(CHANGED.of(user), true)
    });
    storing.await
}

/// Takes every proof from a person, so that only a new link lets them in. The caller writes the entry.
pub(super) fn reset<P: Permission>(tx: Write<'_, P>, user: UserId) -> Result<()> {
    sql::clear_proofs(tx, user)?;
    sql::forget_codes(tx, user)?;
    sessions::end_all(tx, user)?;
    Ok(())
}

/// The routes of signing in, signing out and opening an account.
pub fn routes() -> Vec<Route> {
    [pages::routes(), invitation_pages::routes()].into_iter().flatten().collect()
}

/// Opens an account with a passphrase that is hashed already. The caller writes the entry.
pub(super) fn open<P: Permission>(tx: Write<'_, P>, user: UserId, hash: &str) -> Result<bool> {
    sql::open_account(tx, user, hash)
}

/// Forgets the failed sign-ins of a person, so that they need not wait. The caller writes the entry.
pub(super) fn forget_failures<P: Permission>(tx: Write<'_, P>, user: UserId) -> Result<()> {
    let account = sql::account(tx, user)?.ok_or_else(no_account)?;
    throttle::forget(tx, &Subject::Account(normal(&account.email)))?;
    throttle::forget(tx, &Subject::Factor(user))
}

fn no_account() -> Error {
    Error::not_found("There is no such person.")
}

/// An address as it is compared: case and spaces around it do not matter.
pub(super) fn normal(email: &str) -> String {
    email.trim().to_lowercase()
}
