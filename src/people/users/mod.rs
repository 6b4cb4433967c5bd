//! Users: accounts of people, and of the services that act by token.
//!
//! A person is invited by a link shown once, active, or suspended. What they may do is `roles`; how
//! they prove who they are is `login`.

mod api;
mod pages;
mod sql;

pub use api::Api;
pub(super) use pages::{LinkPage, role_of};

use super::links::{self, Whom};
use super::{UNNAMED, login, roles, sessions};
use crate::kernel::access::{
    AccountView, AccountWrite, Actor, InstanceView, PeopleManage, PeopleView, Permission, Read, Role, Tx,
    Write,
};
use crate::kernel::alarms;
use crate::kernel::audit::{Audited, Event};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::UserId;
use crate::kernel::limits;
use crate::kernel::secret::Secret;
use crate::kernel::time::Timestamp;
use crate::web::layout::Seen;
use crate::web::routes::Route;

pub(super) const INVITED: Event = Event::new("user.invited", "A person was invited.");
const INVITED_AGAIN: Event = Event::new("user.invited_again", "A person was sent another link.");
const SUSPENDED: Event = Event::new("user.suspended", "A person may no longer sign in.");
const ACTIVATED: Event = Event::new("user.activated", "A suspended person may sign in again.");
const RESET: Event = Event::new("factor.reset", "A person has to open their account anew with a link.");
const UNLOCKED: Event = Event::new("user.unlocked", "The failed sign-ins of a person were forgotten.");
const CHANGED: Event = Event::new("user.changed", "A person changed their name or their address.");
/// What happens to accounts.
pub const EVENTS: &[Event] = &[INVITED, INVITED_AGAIN, SUSPENDED, ACTIVATED, RESET, UNLOCKED, CHANGED];

/// Whether an account is a person's or a program's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Signs in.
    Person,
    /// Acts by token only.
    Service,
}

impl Kind {
    /// The word in tables and the API.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Person => "person",
            Kind::Service => "service",
        }
    }
}

/// Whether an account may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Has a link and has not opened the account yet.
    Invited,
    /// May sign in.
    Active,
    /// May not.
    Suspended,
}

impl State {
    /// All states, in the order of life.
    pub const ALL: [State; 3] = [State::Invited, State::Active, State::Suspended];

    /// The word in tables, pages and the API.
    pub fn word(self) -> &'static str {
        match self {
            State::Invited => "invited",
            State::Active => "active",
            State::Suspended => "suspended",
        }
    }

    /// The state of a word in the table.
    pub(super) fn of_word(word: &str) -> State {
        let state = State::ALL.into_iter().find(|state| state.word() == word);
        state.expect("the CHECK of the column allows the words of State only")
    }
}

/// An account.
#[derive(Clone, Debug)]
pub struct User {
    /// Its number.
    pub id: UserId,
    /// Person or program.
    pub kind: Kind,
    /// The address; programs have none.
    pub email: Option<String>,
    /// The name that others see.
    pub name: String,
    /// Whether it may be used.
    pub state: State,
    /// Whether a second factor is set up.
    pub has_factor: bool,
    /// The role in the instance, if they have one.
    pub role: Option<Role>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used.
    pub seen_at: Option<Timestamp>,
}

/// A name on one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name(String);

impl Name {
    /// Takes a name as typed; spaces around it go.
    pub fn new(typed: &str) -> Result<Name> {
        let name = typed.trim();
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(Error::invalid("A name is needed, on one line."));
        }
        if name.chars().count() > limits::NAME_CHARS_MAX {
            return Err(Error::invalid(format!("A name has at most {} characters.", limits::NAME_CHARS_MAX)));
        }
        Ok(Name(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An address of a person: lower case, with one @ between two parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Email(String);

impl Email {
    /// Takes an address as typed. Whether mail arrives there is not checked: nothing is sent.
    pub fn new(typed: &str) -> Result<Email> {
        let email = login::normal(typed);
        let is_shaped = email.split_once('@').is_some_and(|(local, host)| {
            !local.is_empty() && !host.is_empty() && !host.contains('@') && !host.starts_with('.')
        });
        let is_plain = !email.chars().any(|letter| letter.is_control() || letter.is_whitespace());
        if !is_shaped || !is_plain || email.chars().count() > limits::EMAIL_CHARS_MAX {
            return Err(Error::invalid("This is no e-mail address.").hint("It looks like name@shop.example."));
        }
        Ok(Email(email))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Somebody to invite.
pub struct NewPerson {
    /// Their address.
    pub email: Email,
    /// Their name.
    pub name: Name,
    /// Their role in the instance; most people have none, and roles in projects instead.
    pub role: Option<Role>,
}

/// Somebody was invited, or has to open their account anew.
#[derive(Debug)]
pub struct Invitation {
    /// Who.
    pub user: UserId,
    /// The code of the link `/invitation?code=…`, to be shown this once.
    pub code: Secret<String>,
}

/// Who acts, and at which instance, for the frame of a page.
pub fn seen(tx: impl Tx) -> Result<Seen> {
    let instance = sql::instance_name(tx)?.filter(|name| name != UNNAMED).unwrap_or_default();
    let Some(user) = tx.actor().user().map(|id| sql::by_id(tx, id)).transpose()?.flatten() else {
        return Ok(Seen { instance, ..Seen::default() });
    };
    let sees_instance =
        user.role.is_some_and(|role| role.permissions().iter().any(|held| held.covers(&InstanceView::INFO)));
    let alarms = if sees_instance { alarms::count(tx)? } else { 0 };
    Ok(Seen { instance, name: user.name, email: user.email.unwrap_or_default(), sees_instance, alarms })
}

/// The account that acts, be it a person's or a program's.
fn acting(tx: impl Tx) -> Result<User> {
    let id = tx.actor().user().ok_or_else(no_such_user)?;
    sql::by_id(tx, id)?.ok_or_else(no_such_user)
}

/// The routes of people's pages and of their API.
pub fn routes() -> Vec<Route> {
    [pages::routes(), api::routes()].into_iter().flatten().collect()
}

/// One's own account.
pub fn own(tx: Read<'_, AccountView>) -> Result<User> {
    acting(tx)
}

/// All people, by name.
pub fn list(tx: Read<'_, PeopleView>) -> Result<Vec<User>> {
    let (mut people, in_memory) = (sql::people(tx)?, tx.presence());
    for user in &mut people {
        let used = in_memory.iter().filter(|(actor, _)| actor.user() == Some(user.id)).map(|(_, at)| *at);
        user.seen_at = used.max().max(user.seen_at);
    }
    Ok(people)
}

/// One account.
pub fn get(tx: Read<'_, PeopleView>, id: UserId) -> Result<User> {
    sql::by_id(tx, id)?.ok_or_else(no_such_user)
}

/// The person with this address.
pub fn find(tx: Read<'_, PeopleView>, email: &Email) -> Result<User> {
    sql::by_email(tx, email)?
        .ok_or_else(|| Error::not_found(format!("There is no person with the address {}.", email.as_str())))
}

/// Invites a person; the link lets them choose a passphrase and set up their second factor.
pub fn invite(tx: Write<'_, PeopleManage>, new: NewPerson) -> Result<Audited<'_, Invitation>> {
    sessions::demand_proof_of_people(tx)?;
    let user = create(tx, &new.email, &new.name)?;
    if let Some(role) = new.role {
        roles::set(tx, user, None, role, None)?;
        let _ = tx.audited(roles::GIVEN.of(user).count(role.word(), 1), ())?;
    }
    let code = links::issue(tx, Whom::Invited(user))?;
    tx.audited(INVITED.of(user), Invitation { user, code })
}

/// A new link for somebody who has not opened their account yet; the old one is worth nothing.
pub fn invite_again(tx: Write<'_, PeopleManage>, id: UserId) -> Result<Audited<'_, Invitation>> {
    sessions::demand_proof_of_people(tx)?;
    if person(tx, id)?.state != State::Invited {
        return Err(Error::conflict("This person has opened their account already.")
            .hint("If they lost their second factor, reset it."));
    }
    let code = links::issue(tx, Whom::Invited(id))?;
    tx.audited(INVITED_AGAIN.of(id), Invitation { user: id, code })
}

/// Gives a person a role in the instance, or takes it (`None`).
pub fn set_role(tx: Write<'_, PeopleManage>, id: UserId, role: Option<Role>) -> Result<Audited<'_, ()>> {
    sessions::demand_proof_of_people(tx)?;
    person(tx, id)?;
    match role {
        Some(role) => {
            let grant = roles::set(tx, id, None, role, None)?;
            tx.audited(roles::GIVEN.of(id).and(grant).count(role.word(), 1), ())
        }
        None => {
            let taken = roles::take(tx, id, None)?;
            let grant = taken.ok_or_else(|| Error::conflict("This person has no role in the instance."))?;
            tx.audited(roles::TAKEN.of(id).and(grant.id), ())
        }
    }
}

/// Lets a person in no longer, from their next request on; their sessions end, their tokens rest.
pub fn suspend(tx: Write<'_, PeopleManage>, id: UserId) -> Result<Audited<'_, ()>> {
    sessions::demand_proof_of_people(tx)?;
    other(tx, id)?;
    demand_reach(tx, id)?;
    sql::set_state(tx, id, State::Suspended)?;
    sessions::end_all(tx, id)?;
    links::void(tx, Whom::Invited(id))?;
    roles::keep_an_owner(tx)?;
    tx.audited(SUSPENDED.of(id), ())
}

/// Lets a suspended person in again. Whoever has no passphrase needs a new link.
pub fn activate(tx: Write<'_, PeopleManage>, id: UserId) -> Result<Audited<'_, ()>> {
    sessions::demand_proof_of_people(tx)?;
    if person(tx, id)?.state != State::Suspended {
        return Err(Error::conflict("This person is not suspended."));
    }
    sql::restore_state(tx, id)?;
    tx.audited(ACTIVATED.of(id), ())
}

/// Takes passphrase and second factor from a person and gives a link with which they start anew.
pub fn reset_factor(tx: Write<'_, PeopleManage>, id: UserId) -> Result<Audited<'_, Invitation>> {
    sessions::demand_proof_of_people(tx)?;
    other(tx, id)?;
    demand_reach(tx, id)?;
    login::reset(tx, id)?;
    let code = links::issue(tx, Whom::Invited(id))?;
    tx.audited(RESET.of(id), Invitation { user: id, code })
}

/// Forgets the failed sign-ins of a person, so that they need not wait.
pub fn unlock(tx: Write<'_, PeopleManage>, id: UserId) -> Result<Audited<'_, ()>> {
    person(tx, id)?;
    login::forget_failures(tx, id)?;
    tx.audited(UNLOCKED.of(id), ())
}

/// Changes one's own name.
pub fn rename(tx: Write<'_, AccountWrite>, name: Name) -> Result<Audited<'_, ()>> {
    let (_, user) = sessions::current(tx)?;
    sql::set_name(tx, user, &name)?;
    tx.audited(CHANGED.of(user), ())
}

/// Changes one's own address: what one signs in with.
pub fn change_email(tx: Write<'_, AccountWrite>, email: Email) -> Result<Audited<'_, ()>> {
    sessions::demand_proof(tx)?;
    let (_, user) = sessions::current(tx)?;
    if sql::by_email(tx, &email)?.is_some_and(|found| found.id != user) {
        return Err(taken(&email));
    }
    sql::set_email(tx, user, &email)?;
    tx.audited(CHANGED.of(user), ())
}

/// Adds an account for somebody who will open it with a link. The caller writes the entry.
pub(super) fn create<P: Permission>(tx: Write<'_, P>, email: &Email, name: &Name) -> Result<UserId> {
    if sql::by_email(tx, email)?.is_some() {
        return Err(taken(email));
    }
    sql::insert(tx, Kind::Person, Some(email), name, State::Invited)
}

/// Adds an account for a program. The caller writes the entry.
pub(super) fn create_service<P: Permission>(tx: Write<'_, P>, name: &Name) -> Result<UserId> {
    sql::insert(tx, Kind::Service, None, name, State::Active)
}

/// Retires the account of a program. The caller writes the entry.
pub(super) fn retire_service<P: Permission>(tx: Write<'_, P>, id: UserId) -> Result<()> {
    sql::set_state(tx, id, State::Suspended)
}

/// The person with this address, for those who add members.
pub(super) fn with_email(tx: impl Tx, email: &Email) -> Result<Option<User>> {
    sql::by_email(tx, email)
}

/// A person, or why not.
pub(super) fn person(tx: impl Tx, id: UserId) -> Result<User> {
    sql::by_id(tx, id)?.filter(|user| user.kind == Kind::Person).ok_or_else(no_such_user)
}

/// A person who is not the one who acts.
fn other(tx: impl Tx, id: UserId) -> Result<User> {
    if tx.actor().user() == Some(id) {
        return Err(Error::conflict("Nobody does this to themselves.").hint("Use your account page."));
    }
    person(tx, id)
}

/// Nobody locks out or resets somebody whose role reaches further than their own.
fn demand_reach(tx: impl Tx, id: UserId) -> Result<()> {
    let held = roles::held(tx, id, None)?;
    if tx.actor() == Actor::Operator || held.is_none_or(|grant| tx.may_give(grant.role)) {
        return Ok(());
    }
    Err(Error::forbidden("The role of this person reaches further than yours."))
}

fn taken(email: &Email) -> Error {
    Error::conflict(format!("There is an account with the address {} already.", email.as_str()))
}

fn no_such_user() -> Error {
    Error::not_found("There is no such person.")
}
