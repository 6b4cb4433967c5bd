//! The reads a decision needs. `people` owns the writes.

use super::actor::{Actor, Bearer, Credential, Power};
use super::decide::Role;
use super::locate::Found;
use super::permission::{Claim, Permission, SignIn};
use crate::kernel::db::row;
use crate::kernel::error::Result;
use crate::kernel::limits;
use crate::kernel::sql::{FromRow, Row, named_params};
use crate::kernel::time::Timestamp;
use rusqlite::Connection;

/// Whose credential this is, if it still holds at this moment.
pub(super) fn bearer(conn: &Connection, credential: &Credential, now: Timestamp) -> Result<Option<Bearer>> {
    match credential {
        Credential::Operator => Ok(Some(Bearer { actor: Actor::Operator, power: Power::Everything })),
        Credential::Visitor => {
            let power = Power::Only(&[SignIn::INFO, Claim::INFO]);
            Ok(Some(Bearer { actor: Actor::Visitor, power }))
        }
        Credential::Job(job) => Ok(Some(Bearer { actor: Actor::Job(job.name), power: Power::Only(job.may) })),
        Credential::Token(digest) => Ok(row::first(
            conn,
            "SELECT tokens.id, user_id, scope, project_id
               FROM tokens JOIN users ON users.id = user_id
              WHERE digest = :digest AND expires_at > :now AND revoked_at IS NULL AND state = 'active'",
            named_params! { ":digest": digest, ":now": now },
        )?
        .map(|TokenBearer(bearer)| bearer)),
        Credential::Session(digest) => Ok(row::first(
            conn,
            "SELECT sessions.id, user_id
               FROM sessions JOIN users ON users.id = user_id
              WHERE digest = :digest AND stage = 'full' AND expires_at > :now AND sessions.seen_at > :idle
                AND state = 'active'",
            named_params! {
                ":digest": digest, ":now": now, ":idle": Timestamp(now.0 - limits::SESSION_IDLE_MS),
            },
        )?
        .map(|SessionBearer(bearer)| bearer)),
    }
}

struct TokenBearer(Bearer);

impl FromRow for TokenBearer {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<TokenBearer> {
        let actor = Actor::Token { token: row.get("id")?, user: row.get("user_id")? };
        let power = Power::Roles { scope: row.get("scope")?, project: row.get("project_id")? };
        Ok(TokenBearer(Bearer { actor, power }))
    }
}

struct SessionBearer(Bearer);

impl FromRow for SessionBearer {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<SessionBearer> {
        let actor = Actor::Session { session: row.get("id")?, user: row.get("user_id")? };
        Ok(SessionBearer(Bearer { actor, power: Power::Roles { scope: None, project: None } }))
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
