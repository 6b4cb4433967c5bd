//! What an open gate hands to your closure: a small token that is copied, like `&T`.

use super::decide::{Role, decide};
use super::locate::{Found, Project, Scope};
use super::permission::{Changes, Implies, Info, Permission};
use super::{Actor, Bearer, House, Origin, Power};
use crate::kernel::audit::chain::Link;
use crate::kernel::audit::{self, Audited, Brand, Entry, Quiet};
use crate::kernel::db::row::{self, FromRow, Prepared};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::ProjectId;
use crate::kernel::limits;
use crate::kernel::schedule;
use crate::kernel::time::Timestamp;
use rusqlite::{Connection, Params};
use std::marker::PhantomData;
use std::sync::Arc;

/// A transaction whose claim was found to hold.
pub struct Opened<'t> {
    pub(in crate::kernel) conn: &'t Connection,
    pub(in crate::kernel) house: &'t House,
    pub(super) bearer: Bearer,
    pub(super) found: Found,
    pub(super) roles: Vec<Role>,
    pub(super) now: Timestamp,
    pub(super) origin: &'t Origin,
}

/// Reads on one snapshot, for whoever holds `P`.
#[derive(Clone, Copy)]
pub struct Read<'t, P> {
    opened: &'t Opened<'t>,
    mark: PhantomData<(P, Brand<'t>)>,
}

/// Reads and changes in the writer's transaction, for whoever holds `P`.
#[derive(Clone, Copy)]
pub struct Write<'t, P> {
    opened: &'t Opened<'t>,
    mark: PhantomData<(P, Brand<'t>)>,
}

/// Any open transaction: what a statement runs on.
pub trait Tx: Copy {
    /// Opaque outside `kernel`: no field of it can be reached there, least of all the connection.
    #[doc(hidden)]
    fn opened(&self) -> &Opened<'_>;

    /// The moment of this transaction: the same for everything in it.
    fn now(self) -> Timestamp {
        self.opened().now
    }
    /// Who acts.
    fn actor(self) -> Actor {
        self.opened().bearer.actor
    }
    /// Whether the actor also holds `Q` here. For showing a button; a gate decides for real.
    fn may<Q: Permission>(self) -> bool {
        let Opened { bearer, found, roles, .. } = self.opened();
        decide(&Q::INFO, bearer, *found, roles).is_ok()
    }
    /// Whether the actor may hand out this role here: nobody gives more than they hold, and only owners
    /// make owners.
    fn may_give(self, role: Role) -> bool {
        let Opened { bearer, found, roles, .. } = self.opened();
        let has_rank =
            role != Role::Owner || roles.contains(&role) || matches!(bearer.power, Power::Everything);
        let is_of_here = |info: &&Info| *found == Found::Instance || info.scope == Project::WORD;
        let mut asked = role.permissions().iter().filter(is_of_here);
        let is_given_here = *found == Found::Instance || role.is_of_projects();
        has_rank && is_given_here && asked.all(|info| decide(info, bearer, *found, roles).is_ok())
    }
    /// Whether the person behind a session proved lately who they are. Whoever is at the machine has;
    /// a token proves nothing about who holds it.
    fn is_fresh(self) -> bool {
        let Opened { bearer, now, .. } = self.opened();
        match bearer.actor {
            Actor::Operator | Actor::Job(_) => true,
            Actor::Token { .. } | Actor::Visitor => false,
            Actor::Session { .. } => {
                let known = bearer.proven_at.and_then(|at| schedule::known(at, *now));
                known.is_some_and(|at| now.0 - at.0 < limits::SESSION_FRESH_MS)
            }
        }
    }
    /// Network address of the client, or `console`.
    fn address(self) -> Arc<str> {
        Arc::clone(&self.opened().origin.address)
    }
    /// When sessions and tokens were last used, as far as this process knows.
    fn presence(self) -> Vec<(Actor, Timestamp)> {
        self.opened().house.presence.gather(self.now())
    }
    /// Whether a credential was found under an earlier key; see `restamp`.
    fn is_any_restamp(self) -> bool {
        self.opened().house.presence.is_any_digest()
    }
    /// How a token, a cookie or a code is stored.
    fn digest(self, token: &str) -> [u8; 32] {
        self.opened().house.digest(token)
    }
    /// How it is stored, or was stored under an earlier key; the first is that of today.
    fn digests(self, token: &str) -> Vec<[u8; 32]> {
        self.opened().house.digests(token)
    }
    /// The only project the actor's credential is good for, if it is bound to one.
    fn bound_to(self) -> Option<ProjectId> {
        match &self.opened().bearer.power {
            Power::Roles { project, .. } => *project,
            Power::Everything | Power::Only(_) => None,
        }
    }
    /// All rows.
    fn rows<T: FromRow>(self, sql: &str, params: impl Params) -> Result<Vec<T>> {
        row::all(self.opened().conn, sql, params)
    }
    /// The row, if there is one.
    fn row<T: FromRow>(self, sql: &str, params: impl Params) -> Result<Option<T>> {
        row::first(self.opened().conn, sql, params)
    }
    /// The one row that must be there, such as that of an `INSERT … RETURNING`.
    fn only<T: FromRow>(self, sql: &str, params: impl Params) -> Result<T> {
        self.row(sql, params)?.ok_or_else(|| Error::internal("a statement gave no row"))
    }
}

/// An open transaction in one project: the only source of that project's id.
pub trait InProject: Tx {
    /// The project in which the gate was opened.
    fn project(self) -> ProjectId;
}

macro_rules! transaction {
    ($name:ident) => {
        impl<P: Permission> Tx for $name<'_, P> {
            fn opened(&self) -> &Opened<'_> {
                self.opened
            }
        }

        impl<P: Permission<Scope = Project>> InProject for $name<'_, P> {
            fn project(self) -> ProjectId {
                self.opened.project().expect("a project's gate opens only where one was found")
            }
        }

        impl<'t, P: Permission> $name<'t, P> {
            /// Only an examined claim becomes one; see `Gate::read` and `Gate::write`.
            pub(super) fn new(opened: &'t Opened<'t>) -> Self {
                $name { opened, mark: PhantomData }
            }
            /// The same transaction for reading only, under a permission that `P` implies.
            pub fn reading<Q>(self) -> Read<'t, Q>
            where
                P: Implies<Q>,
                Q: Permission<Scope = P::Scope>,
            {
                Read::new(self.opened)
            }
        }
    };
}
transaction!(Read);
transaction!(Write);

impl<'t, P: Permission> Write<'t, P> {
    /// The same transaction under a narrower permission.
    pub fn narrow<Q>(self) -> Write<'t, Q>
    where
        P: Implies<Q>,
        Q: Permission<Scope = P::Scope, Effect = Changes>,
    {
        Write::new(self.opened)
    }

    /// The same transaction under another permission of the same scope, if the actor holds that too:
    /// for work that only sometimes needs it.
    pub fn also<Q>(self) -> Result<Write<'t, Q>>
    where
        Q: Permission<Scope = P::Scope, Effect = Changes>,
    {
        let Opened { bearer, found, roles, .. } = self.opened;
        decide(&Q::INFO, bearer, *found, roles)?;
        Ok(Write::new(self.opened))
    }

    /// A statement for many rows of one change.
    pub fn prepare(self, sql: &str) -> Result<Prepared<'t>> {
        Prepared::new(self.opened.conn, sql)
    }

    /// Runs a statement for its effect; answers how many rows it touched.
    pub fn run(self, sql: &str, params: impl Params) -> Result<usize> {
        row::run(self.opened.conn, sql, params)
    }

    /// Writes the entry of this change and gives the proof that `Gate::write` asks for.
    pub fn audited<T>(self, entry: Entry, value: T) -> Result<Audited<'t, T>> {
        audit::recorded(self.opened, &entry, value)
    }

    /// For the few changes that mean nothing to an auditor.
    pub fn quiet<T>(self, reason: Quiet, value: T) -> Audited<'t, T> {
        audit::unrecorded(self.opened, reason, value)
    }
}

impl Opened<'_> {
    fn project(&self) -> Option<ProjectId> {
        match self.found {
            Found::Project(project) => Some(project),
            Found::Instance | Found::Nothing => None,
        }
    }

    /// The entry with who, when, where and from where: as it goes into the trail.
    pub(in crate::kernel) fn row(&self, entry: &Entry) -> Link {
        Link {
            at: self.now,
            actor: self.bearer.actor.to_string(),
            project: self.project(),
            event: entry.event.to_owned(),
            facts: entry.facts.clone(),
            origin: self.origin.clone(),
        }
    }
}
