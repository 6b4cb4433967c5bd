//! Actor: who does it. A credential is a claim; a bearer is what a transaction found it to be.

use super::permission::Info;
use crate::kernel::id::{ProjectId, SessionId, TokenId, UserId};
use crate::kernel::time::Timestamp;
use std::fmt;
use std::sync::Arc;

/// What a request presents. It proves nothing until a transaction has looked it up.
#[derive(Clone)]
pub(super) enum Credential {
    /// Keyed digests of a token: under the key in use, then under those before it.
    Token(Vec<[u8; 32]>),
    /// Keyed digests of a session cookie, in the same order.
    Session(Vec<[u8; 32]>),
    /// Nobody yet: may sign in or claim the instance, and nothing else.
    Visitor,
    Operator,
    Job(&'static Job),
}

/// Scheduled work and the only permissions it will ever have.
#[derive(Debug)]
pub struct Job {
    /// Its name in the table of jobs and in the audit trail.
    pub name: &'static str,
    /// What it is for, in one sentence.
    pub meaning: &'static str,
    /// All it may ever do.
    pub may: &'static [Info],
}

/// Who acts, as the audit trail knows them: numbers, never names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Actor {
    /// A person in a browser.
    Session {
        /// The session they act in.
        session: SessionId,
        /// Who they are.
        user: UserId,
    },
    /// A program with a token.
    Token {
        /// The token it holds.
        token: TokenId,
        /// Whose token it is.
        user: UserId,
    },
    /// Somebody who has not signed in.
    Visitor,
    /// The person at the machine who holds the key.
    Operator,
    /// Scheduled work.
    Job(&'static str),
}

impl Actor {
    /// The account behind the actor, if there is one.
    pub fn user(self) -> Option<UserId> {
        match self {
            Actor::Session { user, .. } | Actor::Token { user, .. } => Some(user),
            Actor::Visitor | Actor::Operator | Actor::Job(_) => None,
        }
    }
}

/// From where a request came: what an auditor asks next after "who".
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Network address of the client, or `console`.
    pub address: Arc<str>,
    /// Id of the request, as in the log and on error pages.
    pub request: Arc<str>,
}

/// An actor whose credential held, and what its power comes from.
#[derive(Debug)]
pub struct Bearer {
    /// Who acts.
    pub actor: Actor,
    /// What their power comes from.
    pub power: Power,
    /// When the person behind a session last proved who they are.
    pub proven_at: Option<Timestamp>,
}

/// What a bearer's power comes from.
#[derive(Debug)]
pub enum Power {
    /// The roles of a person, narrowed by the token if it has a scope or a project.
    Roles {
        /// Names of permissions, one space between; `None` is all that the owner may.
        scope: Option<String>,
        /// The only project the token is good for.
        project: Option<ProjectId>,
    },
    /// A person at the machine who holds the key.
    Everything,
    /// A closed list.
    Only(&'static [Info]),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Session { session, user } => write!(f, "user:{} session:{}", user.0, session.0),
            Actor::Token { token, user } => write!(f, "user:{} token:{}", user.0, token.0),
            Actor::Visitor => write!(f, "visitor"),
            Actor::Operator => write!(f, "operator"),
            Actor::Job(name) => write!(f, "job:{name}"),
        }
    }
}
