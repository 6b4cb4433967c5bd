//! Tokens: how programs prove for whom they act. Shown once, stored as keyed digests, always with an end.
//!
//! A personal token acts as its owner, within a reach. A service token belongs to an account made with
//! it, which holds one role in one project and goes with it.

mod api;
mod sql;

pub use api::{Api, routes};

use super::users::{self, Name};
use super::{roles, sessions};
use crate::kernel::access::{
    ALL, AccountView, AccountWrite, BackupRun, InProject, MemberManage, MemberView, Permission, ProjectList,
    Read, Role, Tx, UploadWrite, Write,
};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{ProjectId, TokenId, UserId};
use crate::kernel::limits;
use crate::kernel::random;
use crate::kernel::secret::Secret;
use crate::kernel::time::Timestamp;

const ISSUED: Event = Event::new("token.issued", "A token was made.");
const REVOKED: Event = Event::new("token.revoked", "A token was made worthless.");
/// What happens to tokens.
pub const EVENTS: &[Event] = &[ISSUED, REVOKED];

/// The days a person may choose from.
pub const DAYS: [i64; 4] = [7, 30, 90, 365];
const DAY_MS: i64 = 24 * 3_600_000;
/// Characters of a token that are kept readable, for telling tokens apart.
const PREFIX_CHARS: usize = 11;

/// How far a personal token reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// All that its owner may, their own account aside.
    Everything,
    /// Looking only.
    ReadOnly,
    /// Uploading reports.
    Upload,
    /// Making and checking backups.
    Backups,
}

impl Reach {
    /// All reaches, widest first.
    pub const ALL: [Reach; 4] = [Reach::Everything, Reach::ReadOnly, Reach::Upload, Reach::Backups];

    /// The word in forms and the API.
    pub fn word(self) -> &'static str {
        match self {
            Reach::Everything => "everything",
            Reach::ReadOnly => "read",
            Reach::Upload => "upload",
            Reach::Backups => "backups",
        }
    }

    /// What it means, in one sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Reach::Everything => "Everything I may do, except changing my account.",
            Reach::ReadOnly => "Looking only.",
            Reach::Upload => "Uploading reports.",
            Reach::Backups => "Making and checking backups, and reading nothing that they hold.",
        }
    }

    /// The reach of this word.
    pub fn of_word(word: &str) -> Option<Reach> {
        Reach::ALL.into_iter().find(|reach| reach.word() == word)
    }

    /// Names of permissions, as they are stored; `None` is no limit.
    fn scope(self) -> Option<String> {
        let named = |names: Vec<&str>| Some(names.join(" "));
        match self {
            Reach::Everything => None,
            Reach::ReadOnly => {
                named(ALL.iter().filter(|info| info.effect == "views").map(|info| info.name).collect())
            }
            Reach::Upload => named(vec![ProjectList::INFO.name, UploadWrite::INFO.name]),
            Reach::Backups => named(vec![BackupRun::INFO.name]),
        }
    }

    /// The reach of a stored scope.
    fn of_scope(scope: Option<&str>) -> Reach {
        match scope {
            None => Reach::Everything,
            Some(names) if names.split(' ').any(|name| name == UploadWrite::INFO.name) => Reach::Upload,
            Some(names) if names.split(' ').any(|name| name == BackupRun::INFO.name) => Reach::Backups,
            Some(_) => Reach::ReadOnly,
        }
    }
}

/// A token as its owner sees it; the token itself is never seen again.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its number.
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// How it begins.
    pub prefix: String,
    /// Key of the only project it is good for.
    pub project: Option<String>,
    /// How far it reaches.
    pub reach: Reach,
    /// The role of its account, if it is a service token.
    pub role: Option<Role>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was last used.
    pub seen_at: Option<Timestamp>,
}

/// A personal token to make.
pub struct NewToken {
    /// What it is for.
    pub name: Name,
    /// How far it reaches.
    pub reach: Reach,
    /// Key of the only project it is good for.
    pub project: Option<String>,
    /// For how many days it is good.
    pub days: i64,
}

/// A service token to make, and the account that goes with it.
pub struct NewService {
    /// What it is for.
    pub name: Name,
    /// What it may do in the project.
    pub role: Role,
    /// For how many days it is good.
    pub days: i64,
}

/// A token that was just made.
#[derive(Debug)]
pub struct Issued {
    /// Its number.
    pub id: TokenId,
    /// The token, to be shown this once.
    pub token: Secret<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// One's own tokens in force, the newest first.
pub fn list(tx: Read<'_, AccountView>) -> Result<Vec<Token>> {
    let (_, user) = sessions::current(tx)?;
    sql::of_user(tx, user)
}

/// Keys of the projects that one's own roles reach: what a token may be limited to.
pub fn projects(tx: Read<'_, AccountView>) -> Result<Vec<String>> {
    let (_, user) = sessions::current(tx)?;
    sql::projects(tx, user)
}

/// Makes a token that acts as whoever asks.
pub fn issue(tx: Write<'_, AccountWrite>, new: NewToken) -> Result<Audited<'_, Issued>> {
    sessions::demand_proof(tx)?;
    let (_, user) = sessions::current(tx)?;
    if new.reach == Reach::Backups && new.project.is_some() {
        return Err(Error::invalid(
            "A backup is of the whole instance, so this token cannot be for one project.",
        )
        .hint("Choose all projects; the token reads none of them."));
    }
    let project = new.project.map(|key| {
        sql::project_of(tx, user, &key)?.ok_or_else(|| {
            Error::not_found(format!("You have no project {key}.")).hint("Choose one from the list.")
        })
    });
    if sql::count(tx, user)? >= limits::TOKENS_PER_USER_MAX {
        return Err(Error::conflict(format!(
            "You have {} tokens, the most there can be.",
            limits::TOKENS_PER_USER_MAX
        ))
        .hint("Revoke one that is not used."));
    }
    let issued = make(tx, user, project.transpose()?, &new.name, new.reach.scope(), new.days)?;
    tx.audited(ISSUED.of(issued.id).and(user), issued)
}

/// Makes one of one's own tokens worthless, from the next request on.
pub fn revoke(tx: Write<'_, AccountWrite>, id: TokenId) -> Result<Audited<'_, ()>> {
    let (_, user) = sessions::current(tx)?;
    if !sql::revoke(tx, user, id)? {
        return Err(no_such_token());
    }
    tx.audited(REVOKED.of(id).and(user), ())
}

/// Tokens of the project's service accounts, by name.
pub fn list_services(tx: Read<'_, MemberView>) -> Result<Vec<Token>> {
    sql::services(tx)
}

/// Makes a service account with one role in the project, and its token.
pub fn issue_service(tx: Write<'_, MemberManage>, new: NewService) -> Result<Audited<'_, Issued>> {
    sessions::demand_proof_of_people(tx)?;
    let (project, user) = (tx.project(), users::create_service(tx, &new.name)?);
    roles::set(tx, user, Some(project), new.role, None)?;
    let issued = make(tx, user, Some(project), &new.name, None, new.days)?;
    tx.audited(ISSUED.of(issued.id).and(user).count(new.role.word(), 1), issued)
}

/// Makes a service token worthless, from the next request on; its account is retired.
pub fn revoke_service(tx: Write<'_, MemberManage>, id: TokenId) -> Result<Audited<'_, ()>> {
    let user = sql::service_of(tx, id)?.ok_or_else(no_such_token)?;
    sql::revoke(tx, user, id)?;
    roles::take(tx, user, Some(tx.project()))?;
    users::retire_service(tx, user)?;
    tx.audited(REVOKED.of(id).and(user), ())
}

fn make<P: Permission>(
    tx: Write<'_, P>,
    user: UserId,
    project: Option<ProjectId>,
    name: &Name,
    scope: Option<String>,
    days: i64,
) -> Result<Issued> {
    if !(1..=limits::TOKEN_DAYS_MAX).contains(&days) {
        return Err(Error::invalid(format!("A token is good for 1 to {} days.", limits::TOKEN_DAYS_MAX)));
    }
    let token = random::api_token();
    let expires_at = Timestamp(tx.now().0 + days * DAY_MS);
    let row = sql::NewRow {
        user,
        project,
        name: name.as_str(),
        prefix: &token.expose()[..PREFIX_CHARS],
        digest: tx.digest(token.expose()),
        scope,
        expires_at,
    };
    Ok(Issued { id: sql::insert(tx, &row)?, token, expires_at })
}

fn no_such_token() -> Error {
    Error::not_found("There is no such token.").hint("It may have been revoked already.")
}
