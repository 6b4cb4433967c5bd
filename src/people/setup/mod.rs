//! Set-up: an instance is claimed once, by whoever holds the link that its start printed, or by the
//! operator at the command line. That makes the first owner.

mod pages;
mod sql;

pub use pages::routes;

use super::links::{self, Whom};
use super::login::{self, Begun, Step, factor, password, totp};
use super::sessions::{self, Stage};
use super::users::{Email, Name};
use super::{UNNAMED, roles, users};
use crate::kernel::access::{Claim, Gate, Read, Tx, Write};
use crate::kernel::audit::{Audited, Event, Quiet};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::UserId;
use crate::kernel::keyring::RecoveryKit;
use crate::kernel::secret::Secret;
use crate::kernel::time::Timestamp;
use std::sync::Mutex;

const CLAIMED: Event = Event::new("instance.claimed", "The instance got its first owner.");
const LINK_ISSUED: Event =
    Event::new("instance.link_issued", "A link for setting the instance up was printed.");
/// What happens at set-up.
pub const EVENTS: &[Event] = &[CLAIMED, LINK_ISSUED];

/// The instance as such.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its lasting number, a UUID.
    pub uuid: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was claimed, if it was.
    pub claimed_at: Option<Timestamp>,
}

/// The recovery kit of the keys, kept in memory from the first start until it is shown once to the
/// first owner. The composition root puts it in.
#[derive(Default)]
pub struct PendingKit(Mutex<Option<RecoveryKit>>);

impl PendingKit {
    /// Keeps a kit to be shown, if there is one.
    pub fn new(kit: Option<RecoveryKit>) -> PendingKit {
        PendingKit(Mutex::new(kit))
    }

    /// The kit, once.
    pub fn take(&self) -> Option<RecoveryKit> {
        self.0.lock().expect("nobody panics while holding it").take()
    }
}

/// The first owner.
pub struct NewOwner {
    /// Their address.
    pub email: Email,
    /// Their name.
    pub name: Name,
    /// Their passphrase, hashed by `login::password::hash`.
    pub password_phc: String,
    /// Their second factor, if it is known already; else it is set up at the first sign-in.
    pub totp_secret: Option<Vec<u8>>,
}

/// The instance has its first owner.
#[derive(Debug)]
pub struct Claimed {
    /// Who.
    pub user: UserId,
    /// Recovery codes, if there is a second factor, to be shown this once.
    pub recovery_codes: Vec<Secret<String>>,
}

/// The first owner as the command line makes one.
#[derive(Debug)]
pub struct ClaimedByOperator {
    /// Who.
    pub user: UserId,
    /// How an authenticator app is told the second factor.
    pub totp: totp::Provisioning,
    /// Recovery codes, to be shown this once.
    pub recovery_codes: Vec<Secret<String>>,
}

/// The instance, if its first start is over.
pub fn instance(tx: impl Tx) -> Result<Option<Instance>> {
    sql::instance(tx)
}

/// A new link `/setup?code=…` for claiming the instance; the old one is worth nothing from here on.
///
/// `uuid` is that of the key ring; the instance takes it at its first start. Answers none once it is
/// claimed.
pub fn issue_link<'t>(tx: Write<'t, Claim>, uuid: &str) -> Result<Audited<'t, Option<Secret<String>>>> {
    if begun(tx, uuid)?.claimed_at.is_some() {
        return Ok(tx.quiet(Quiet::Nothing, None));
    }
    let code = links::issue(tx, Whom::FirstOwner)?;
    tx.audited(LINK_ISSUED.alone(), Some(code))
}

/// Whether this code would let somebody claim the instance. Looking does not use it up.
pub fn is_open(tx: Read<'_, Claim>, code: &str) -> Result<bool> {
    let is_claimed = sql::instance(tx)?.is_some_and(|instance| instance.claimed_at.is_some());
    Ok(!is_claimed && links::find(tx, code)? == Some(Whom::FirstOwner))
}

/// Claims the instance, which has begun, for its first owner.
pub fn claim(tx: Write<'_, Claim>, new: NewOwner) -> Result<Audited<'_, Claimed>> {
    if !sql::set_claimed(tx)? {
        return Err(claimed_already());
    }
    let user = users::create(tx, &new.email, &new.name)?;
    login::open(tx, user, &new.password_phc)?;
    roles::set_first_owner(tx, user)?;
    let recovery_codes = match &new.totp_secret {
        Some(secret) => factor::put(tx, user, secret)?,
        None => Vec::new(),
    };
    links::void(tx, Whom::FirstOwner)?;
    tx.audited(CLAIMED.of(user), Claimed { user, recovery_codes })
}

/// Claims the instance with the link; setting up the second factor is next.
pub async fn claim_with_link(
    gate: &Gate<Claim>,
    code: Secret<String>,
    email: Email,
    name: Name,
    passphrase: Secret<String>,
    agent: String,
) -> Result<Begun> {
    password::check(&passphrase, &[email.as_str(), name.as_str()])?;
    let looked = code.clone();
    if !gate.read(move |tx| is_open(tx, looked.expose())).await? {
        return Err(no_such_link());
    }
    let password_phc = password::hash(passphrase).await?;
    let claiming = gate.write(move |tx| {
        if links::spend(tx, code.expose())? != Some(Whom::FirstOwner) {
            return Err(no_such_link());
        }
        let claimed = claim(tx, NewOwner { email, name, password_phc, totp_secret: None })?;
        let opening = sessions::begin(tx, claimed.value.user, Stage::Enrolling, &agent)?;
        sessions::offer_factor(tx, opening.id, &totp::new_secret())?;
        Ok(claimed.map(|_| Begun { step: Step::Enrol, cookie: opening.cookie }))
    });
    claiming.await
}

/// Claims the instance from the command line, with a second factor made here. `uuid` is that of the
/// key ring.
pub async fn claim_as_operator(
    gate: &Gate<Claim>,
    uuid: &str,
    email: Email,
    name: Name,
    passphrase: Secret<String>,
) -> Result<ClaimedByOperator> {
    password::check(&passphrase, &[email.as_str(), name.as_str()])?;
    let (secret, password_phc) = (totp::new_secret(), password::hash(passphrase).await?);
    let uuid = uuid.to_owned();
    let totp = totp::provisioning(&secret, email.as_str())?;
    let new = NewOwner { email, name, password_phc, totp_secret: Some(secret.to_vec()) };
    let Claimed { user, recovery_codes } = gate
        .write(move |tx| {
            begun(tx, &uuid)?;
            claim(tx, new)
        })
        .await?;
    Ok(ClaimedByOperator { user, totp, recovery_codes })
}

/// The instance; it takes its number the first time.
fn begun(tx: Write<'_, Claim>, uuid: &str) -> Result<Instance> {
    match sql::instance(tx)? {
        Some(instance) => Ok(instance),
        None => sql::insert(tx, uuid, UNNAMED),
    }
}

fn claimed_already() -> Error {
    Error::conflict("This instance has been set up already.").hint("Sign in at /signin.")
}

fn no_such_link() -> Error {
    Error::not_found("This link has been used, replaced by a newer one, or is older than a day.")
        .hint("Start the server again: it prints a new link as long as nobody has claimed the instance.")
}
