//! Members: who holds which role in a project.
//!
//! Owners of the instance reach every project without being members of it.

mod api;
mod pages;
mod sql;

pub use api::Api;

use super::links::{self, Whom};
use super::users::{self, Email, Name, State};
use super::{roles, sessions};
use crate::kernel::access::{InProject, MemberManage, MemberView, Read, Role, Write};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::UserId;
use crate::kernel::secret::Secret;
use crate::kernel::time::Timestamp;
use crate::web::routes::Route;

const ADDED: Event = Event::new("member.added", "Somebody became a member of a project.");
const CHANGED: Event = Event::new("member.changed", "A member of a project got another role or another end.");
const REMOVED: Event = Event::new("member.removed", "Somebody is no longer a member of a project.");
/// What happens to members.
pub const EVENTS: &[Event] = &[ADDED, CHANGED, REMOVED];

/// A person with a role in the project.
#[derive(Clone, Debug)]
pub struct Member {
    /// Their number.
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Whether they may sign in.
    pub state: State,
    /// Whether a second factor is set up.
    pub has_factor: bool,
    /// What they are in this project.
    pub role: Role,
    /// When the role ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When they were last here.
    pub seen_at: Option<Timestamp>,
}

/// A role for somebody, named by their address.
pub struct NewMember {
    /// Their address.
    pub email: Email,
    /// Their name, to invite them if nobody has this address yet.
    pub name: Option<Name>,
    /// What they become.
    pub role: Role,
    /// When the role ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// A membership that was just given.
#[derive(Debug)]
pub struct Membership {
    /// Whose.
    pub user: UserId,
    /// The code of the link `/invitation?code=…` of somebody new, to be shown this once.
    pub code: Option<Secret<String>>,
}

/// The routes of members' pages and of their API.
pub fn routes() -> Vec<Route> {
    [pages::routes(), api::routes()].into_iter().flatten().collect()
}

/// Key and name of the project, for the frame of a page.
fn project_head(tx: impl InProject) -> Result<(String, String)> {
    sql::project_head(tx)
}

/// Members of the project, by name.
pub fn list(tx: Read<'_, MemberView>) -> Result<Vec<Member>> {
    sql::all(tx)
}

/// One member.
pub fn get(tx: Read<'_, MemberView>, user: UserId) -> Result<Member> {
    sql::one(tx, user)?.ok_or_else(no_such_member)
}

/// Gives somebody a role in the project, in the place of the one they had. Who is not known yet is
/// invited, if there is a name.
pub fn put(tx: Write<'_, MemberManage>, new: NewMember) -> Result<Audited<'_, Membership>> {
    sessions::demand_proof_of_people(tx)?;
    let found = users::with_email(tx, &new.email)?;
    let (user, code) = match (found, &new.name) {
        (Some(user), _) => (user.id, None),
        (None, Some(name)) => {
            let user = users::create(tx, &new.email, name)?;
            let _ = tx.audited(users::INVITED.of(user), ())?;
            (user, Some(links::issue(tx, Whom::Invited(user))?))
        }
        (None, None) => {
            return Err(Error::not_found(format!("Nobody has the address {}.", new.email.as_str()))
                .hint("Give a name as well to invite them."));
        }
    };
    let given = give(tx, user, new.role, new.expires_at)?;
    Ok(given.map(|()| Membership { user, code }))
}

/// Gives a member another role or another end.
pub fn change(
    tx: Write<'_, MemberManage>,
    user: UserId,
    role: Role,
    expires_at: Option<Timestamp>,
) -> Result<Audited<'_, ()>> {
    sessions::demand_proof_of_people(tx)?;
    sql::one(tx, user)?.ok_or_else(no_such_member)?;
    give(tx, user, role, expires_at)
}

/// Ends a membership.
pub fn remove(tx: Write<'_, MemberManage>, user: UserId) -> Result<Audited<'_, ()>> {
    sessions::demand_proof_of_people(tx)?;
    sql::one(tx, user)?.ok_or_else(no_such_member)?;
    let grant = roles::take(tx, user, Some(tx.project()))?.ok_or_else(no_such_member)?;
    tx.audited(REMOVED.of(user).and(grant.id), ())
}

fn give(
    tx: Write<'_, MemberManage>,
    user: UserId,
    role: Role,
    expires_at: Option<Timestamp>,
) -> Result<Audited<'_, ()>> {
    let event = if sql::one(tx, user)?.is_some() { CHANGED } else { ADDED };
    let grant = roles::set(tx, user, Some(tx.project()), role, expires_at)?;
    tx.audited(event.of(user).and(grant).count(role.word(), 1), ())
}

fn no_such_member() -> Error {
    Error::not_found("This person is no member of the project.")
}
