//! The reads a decision needs. `people` owns the writes.

use super::actor::{Actor, Bearer, Credential, Power};
use super::decide::Role;
use super::locate::{Found, Instance};
use super::permission::{Changes, Claim, Permission, SignIn};
use super::presence::Presence;
use super::tx::{Tx as _, Write};
use crate::kernel::db::row;
use crate::kernel::error::Result;
use crate::kernel::limits;
use crate::kernel::sql::{FromRow, Row, named_params};
use crate::kernel::time::Timestamp;
use rusqlite::Connection;

/// Whose credential this is, if it still holds at this moment.
pub(super) fn bearer(
    conn: &Connection,
    credential: &Credential,
    presence: &Presence,
    now: Timestamp,
) -> Result<Option<Bearer>> {
    let trusted = |actor, power| Ok(Some(Bearer { actor, power, proven_at: None }));
    match credential {
        Credential::Operator => trusted(Actor::Operator, Power::Everything),
        Credential::Visitor => trusted(Actor::Visitor, Power::Only(&[SignIn::INFO, Claim::INFO])),
        Credential::Job(job) => trusted(Actor::Job(job.name), Power::Only(job.may)),
        Credential::Token(digests) => first_known(digests, presence, |digest| of_token(conn, digest, now)),
        Credential::Session(digests) => {
            first_known(digests, presence, |digest| of_session(conn, digest, presence, now))
        }
    }
}

/// Tries the digest under the key of today, then those under the keys before it. One that was found under
/// an earlier key is noted, so that its row gets the digest of today.
fn first_known(
    digests: &[[u8; 32]],
    presence: &Presence,
    look: impl Fn(&[u8; 32]) -> Result<Option<Bearer>>,
) -> Result<Option<Bearer>> {
    for (place, digest) in digests.iter().enumerate() {
        if let Some(bearer) = look(digest)? {
            if place > 0 {
                presence.note_digest(bearer.actor, digests[0]);
            }
            return Ok(Some(bearer));
        }
    }
    Ok(None)
}

fn of_token(conn: &Connection, digest: &[u8; 32], now: Timestamp) -> Result<Option<Bearer>> {
    let found: Option<TokenBearer> = row::first(
        conn,
        "SELECT tokens.id, user_id, scope, project_id
           FROM tokens JOIN users ON users.id = user_id
          WHERE digest = :digest AND expires_at > :now AND revoked_at IS NULL AND state = 'active'",
        named_params! { ":digest": digest, ":now": now },
    )?;
    Ok(found.map(|TokenBearer(bearer)| bearer))
}

fn of_session(
    conn: &Connection,
    digest: &[u8; 32],
    presence: &Presence,
    now: Timestamp,
) -> Result<Option<Bearer>> {
    let session: Option<SessionBearer> = row::first(
        conn,
        "SELECT sessions.id, user_id, sessions.seen_at, fresh_at
           FROM sessions JOIN users ON users.id = user_id
          WHERE digest = :digest AND stage = 'full' AND expires_at > :now AND state = 'active'",
        named_params! { ":digest": digest, ":now": now },
    )?;
    // The row is brought up to date now and then; what happened since is in memory.
    let is_awake = |session: &SessionBearer| {
        let seen_at = presence.of(session.bearer.actor).max(Some(session.seen_at));
        seen_at.is_some_and(|at| now.0 - at.0 < limits::SESSION_IDLE_MS)
    };
    Ok(session.filter(is_awake).map(|session| session.bearer))
}

/// Gives the credentials that were found under an earlier key the digest of today; answers how many.
pub fn restamp<P>(tx: Write<'_, P>) -> Result<usize>
where
    P: Permission<Scope = Instance, Effect = Changes>,
{
    let found = tx.opened().house.presence.take_digests();
    for (actor, digest) in &found {
        match actor {
            Actor::Token { token, .. } => tx.run(
                "UPDATE tokens SET digest = :digest WHERE id = :id",
                named_params! { ":digest": digest, ":id": token },
            )?,
            Actor::Session { session, .. } => tx.run(
                "UPDATE sessions SET digest = :digest WHERE id = :id",
                named_params! { ":digest": digest, ":id": session },
            )?,
            Actor::Visitor | Actor::Operator | Actor::Job(_) => 0,
        };
    }
    Ok(found.len())
}

struct TokenBearer(Bearer);

impl FromRow for TokenBearer {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<TokenBearer> {
        let actor = Actor::Token { token: row.get("id")?, user: row.get("user_id")? };
        let power = Power::Roles { scope: row.get("scope")?, project: row.get("project_id")? };
        Ok(TokenBearer(Bearer { actor, power, proven_at: None }))
    }
}

struct SessionBearer {
    bearer: Bearer,
    seen_at: Timestamp,
}

impl FromRow for SessionBearer {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<SessionBearer> {
        let actor = Actor::Session { session: row.get("id")?, user: row.get("user_id")? };
        let power = Power::Roles { scope: None, project: None };
        let bearer = Bearer { actor, power, proven_at: row.get("fresh_at")? };
        Ok(SessionBearer { bearer, seen_at: row.get("seen_at")? })
    }
}

/// Roles that reach the place: those given in the instance and those given in the project.
pub(super) fn roles(conn: &Connection, bearer: &Bearer, found: Found, now: Timestamp) -> Result<Vec<Role>> {
    let Some(user) = bearer.actor.user() else { return Ok(Vec::new()) };
    let project = match found {
        Found::Project(project) => Some(project),
        Found::Instance | Found::Nothing => None,
    };
    row::all(
        conn,
        "SELECT role
           FROM grants
          WHERE user_id = :user AND (project_id IS NULL OR project_id = :project)
            AND (expires_at IS NULL OR expires_at > :now)",
        named_params! { ":user": user, ":project": project, ":now": now },
    )
}

impl FromRow for Role {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Role> {
        let word: String = row.get("role")?;
        Ok(Role::of_word(&word).expect("the CHECK of the column allows the words of Role only"))
    }
}
