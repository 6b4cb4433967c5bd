//! Roles: named sets of permissions, granted in the instance or in one project, perhaps until a day.
//!
//! What each role allows stands in `kernel/access/decide.rs`. Who is a member of a project is `members`.

mod sql;

use crate::kernel::access::{Claim, Permission, Role, Tx, Write};
use crate::kernel::audit::Event;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{GrantId, ProjectId, UserId};
use crate::kernel::time::Timestamp;

/// A person was given a role, or another one than before.
pub(super) const GIVEN: Event = Event::new("grant.given", "Somebody was given a role.");
/// A person lost a role.
pub(super) const TAKEN: Event = Event::new("grant.taken", "Somebody lost a role.");
/// What happens to grants.
pub const EVENTS: &[Event] = &[GIVEN, TAKEN];

/// A role somebody holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grant {
    /// Its number.
    pub id: GrantId,
    /// Which role.
    pub role: Role,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// Gives a role here, in the place of the one held before. The caller writes the entry.
pub(super) fn set<P: Permission>(
    tx: Write<'_, P>,
    user: UserId,
    project: Option<ProjectId>,
    role: Role,
    expires_at: Option<Timestamp>,
) -> Result<GrantId> {
    if project.is_some() && !role.is_of_projects() {
        return Err(Error::invalid(format!("The role {} is given in the whole instance only.", role.word()))
            .hint("Give it under Instance, People, or name no project."));
    }
    let held = sql::of_user(tx, user, project)?;
    for role in held.map(|grant| grant.role).into_iter().chain([role]) {
        demand_reach(tx, role)?;
    }
    if expires_at.is_some_and(|at| at <= tx.now()) {
        return Err(Error::invalid("The role would end before it begins.").hint("Choose a later day."));
    }
    let id = sql::upsert(tx, user, project, role, expires_at)?;
    keep_an_owner(tx)?;
    Ok(id)
}

/// Makes the first owner, whom nobody could have given it. The caller writes the entry.
pub(super) fn set_first_owner(tx: Write<'_, Claim>, user: UserId) -> Result<GrantId> {
    sql::upsert(tx, user, None, Role::Owner, None)
}

/// Takes the role held here; answers whether there was one. The caller writes the entry.
pub(super) fn take<P: Permission>(
    tx: Write<'_, P>,
    user: UserId,
    project: Option<ProjectId>,
) -> Result<Option<Grant>> {
    let Some(held) = sql::of_user(tx, user, project)? else { return Ok(None) };
    demand_reach(tx, held.role)?;
    sql::delete(tx, held.id)?;
    keep_an_owner(tx)?;
    Ok(Some(held))
}

/// The role somebody holds here.
pub(super) fn held(tx: impl Tx, user: UserId, project: Option<ProjectId>) -> Result<Option<Grant>> {
    sql::of_user(tx, user, project)
}

/// Nobody hands out, changes or takes a role that reaches further than their own.
fn demand_reach(tx: impl Tx, role: Role) -> Result<()> {
    if tx.may_give(role) {
        return Ok(());
    }
    Err(Error::forbidden(format!("The role {} reaches further than yours.", role.word()))
        .hint("Ask somebody who holds it."))
}

/// Refuses what would leave the instance without an owner who can act from today on.
pub(super) fn keep_an_owner(tx: impl Tx) -> Result<()> {
    // Before anybody has claimed the instance there is none to keep.
    if sql::is_claimed(tx)? && !sql::has_lasting_owner(tx)? {
        return Err(Error::conflict("This is the last owner of the instance.")
            .hint("Make somebody else an owner first."));
    }
    Ok(())
}
