//! Sessions: somebody in a browser, known by the keyed digest of their cookie.
//!
//! A session moves password → full or enrolling → full, and gets a new cookie at each step. Only a
//! full one opens gates; `kernel/access/lookup.rs` sees to that. How one gets there is `login`.

mod sql;

use crate::kernel::access::{
    AccountView, AccountWrite, Actor, Door, InstanceKeep, Job, Permission, Read, SessionKeep, SignIn, Tx,
    Write,
};
use crate::kernel::audit::{Audited, Event, Quiet};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{SessionId, UserId};
use crate::kernel::limits;
use crate::kernel::random;
use crate::kernel::secret::Secret;
use crate::kernel::time::Timestamp;

const ENDED: Event = Event::new("session.ended", "A person ended one of their sessions.");
const SIGNED_OUT: Event = Event::new("user.signed_out", "A person signed out.");
/// What happens to sessions.
pub const EVENTS: &[Event] = &[ENDED, SIGNED_OUT];

/// Stores when sessions and tokens were last used, and clears away what has ended.
pub const KEEPER: Job = Job {
    name: "sessions",
    meaning: "Stores when sessions and tokens were last used, and clears away what has ended.",
    may: &[SessionKeep::INFO],
};

/// How far a sign-in has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// The passphrase was right; the code is missing.
    Password,
    /// There is no second factor yet; it is set up now.
    Enrolling,
    /// Signed in.
    Full,
}

impl Stage {
    fn word(self) -> &'static str {
        match self {
            Stage::Password => "password",
            Stage::Enrolling => "enrolling",
            Stage::Full => "full",
        }
    }

    fn of_word(word: &str) -> Stage {
        let known = [Stage::Password, Stage::Enrolling, Stage::Full];
        let stage = known.into_iter().find(|stage| stage.word() == word);
        stage.expect("the CHECK of the column allows the words of Stage only")
    }
}

/// A signed-in session, as its owner sees it.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its number.
    pub id: SessionId,
    /// When they signed in.
    pub created_at: Timestamp,
    /// When it was last used.
    pub seen_at: Timestamp,
    /// From where they signed in.
    pub address: String,
    /// What the browser called itself, shortened.
    pub agent: String,
    /// Whether it is the one that asks.
    pub is_current: bool,
}

impl Session {
    /// The browser and the system it runs on, as far as the browser tells.
    pub fn browser(&self) -> String {
        let named = |names: &[(&str, &'static str)]| {
            names.iter().find(|(mark, _)| self.agent.contains(mark)).map(|(_, word)| *word)
        };
        // In this order: most browsers name others as well.
        let browser = named(&[
            ("Edg", "Edge"),
            ("OPR/", "Opera"),
            ("Firefox/", "Firefox"),
            ("Chrome/", "Chrome"),
            ("Safari/", "Safari"),
        ]);
        let system = named(&[
            ("Android", "Android"),
            ("iPhone", "iPhone"),
            ("iPad", "iPad"),
            ("Windows", "Windows"),
            ("Mac OS X", "macOS"),
            ("Linux", "Linux"),
        ]);
        match (browser, system) {
            (Some(browser), Some(system)) => format!("{browser} on {system}"),
            (Some(browser), None) => browser.to_owned(),
            _ if self.agent.is_empty() => "A program without a name".to_owned(),
            _ => self.agent.chars().take(40).collect(),
        }
    }
}

/// A sign-in that has begun and is not finished.
#[derive(Debug)]
pub struct Staged {
    /// Its number.
    pub id: SessionId,
    /// Who signs in.
    pub user: UserId,
    /// How far they have come.
    pub stage: Stage,
    /// Wrong codes so far.
    pub failures: i64,
    /// The secret offered for the second factor, while one is set up.
    pub totp_offer: Option<Vec<u8>>,
}

/// A session that was just opened or moved on, with the cookie that nobody has seen before.
#[derive(Debug)]
pub struct Opening {
    /// Its number.
    pub id: SessionId,
    /// The new cookie.
    pub cookie: Secret<String>,
}

/// Begins a sign-in for somebody whose first proof was good.
pub(super) fn begin<P: Permission>(
    tx: Write<'_, P>,
    user: UserId,
    stage: Stage,
    agent: &str,
) -> Result<Opening> {
    let cookie = random::cookie();
    let lives_ms = if stage == Stage::Full { limits::SESSION_MAX_MS } else { limits::SIGN_IN_MS };
    let agent: String =
        agent.chars().filter(|letter| !letter.is_control()).take(limits::AGENT_CHARS_MAX).collect();
    let until = Timestamp(tx.now().0 + lives_ms);
    let id = sql::insert(tx, &tx.digest(cookie.expose()), user, stage, until, &agent)?;
    sql::delete_beyond(tx, user, stage, limits::SESSIONS_PER_USER_MAX)?;
    Ok(Opening { id, cookie })
}

/// Makes a sign-in a full session under a new cookie; the old one is worth nothing from here on.
pub(super) fn complete(tx: Write<'_, SignIn>, staged: &Staged) -> Result<Opening> {
    let cookie = random::cookie();
    let until = Timestamp(tx.now().0 + limits::SESSION_MAX_MS);
    sql::set_full(tx, staged.id, &tx.digest(cookie.expose()), until)?;
    sql::delete_beyond(tx, staged.user, Stage::Full, limits::SESSIONS_PER_USER_MAX)?;
    Ok(Opening { id: staged.id, cookie })
}

/// Marks the session as just proved, under a new cookie.
pub(super) fn prove(tx: Write<'_, AccountWrite>, id: SessionId) -> Result<Opening> {
    let cookie = random::cookie();
    sql::set_fresh(tx, id, &tx.digest(cookie.expose()))?;
    Ok(Opening { id, cookie })
}

/// The sign-in that this cookie belongs to, if it is not finished and not too old.
pub(super) fn staged(tx: impl Tx, cookie: &str) -> Result<Option<Staged>> {
    for digest in tx.digests(cookie) {
        if let Some(staged) = sql::staged(tx, &digest)? {
            return Ok(Some(staged));
        }
    }
    Ok(None)
}

/// Counts a wrong code; after too many the sign-in is over.
pub(super) fn count_failure(tx: Write<'_, SignIn>, staged: &Staged) -> Result<()> {
    if staged.failures + 1 >= limits::CODES_PER_SIGN_IN_MAX {
        return sql::delete(tx, staged.user, staged.id).map(drop);
    }
    sql::add_failure(tx, staged.id)
}

/// Remembers the secret that a person is shown until a code proves that it arrived.
pub(super) fn offer_factor<P: Permission>(tx: Write<'_, P>, id: SessionId, secret: &[u8]) -> Result<()> {
    sql::set_offer(tx, id, Some(secret))
}

/// Forgets the secret that was offered.
pub(super) fn withdraw_factor<P: Permission>(tx: Write<'_, P>, id: SessionId) -> Result<()> {
    sql::set_offer(tx, id, None)
}

/// The secret offered to whoever asks.
pub(super) fn factor_offered(tx: impl Tx, id: SessionId) -> Result<Option<Vec<u8>>> {
    sql::offer(tx, id)
}

/// Ends every session of somebody; answers how many there were.
pub(super) fn end_all<P: Permission>(tx: Write<'_, P>, user: UserId) -> Result<usize> {
    sql::delete_all(tx, user)
}

/// Ends every session of somebody but one.
pub(super) fn end_all_but<P: Permission>(tx: Write<'_, P>, user: UserId, kept: SessionId) -> Result<usize> {
    sql::delete_all_but(tx, user, kept)
}

/// Session and account of whoever acts. Tokens have no session, so they change no account.
pub(super) fn current(tx: impl Tx) -> Result<(SessionId, UserId)> {
    match tx.actor() {
        Actor::Session { session, user } => Ok((session, user)),
        _ => Err(Error::forbidden("Only a person who has signed in may do this.")
            .hint("Open the account page in a browser.")),
    }
}

/// Lets on only a person who proved lately who they are.
pub fn demand_proof(tx: impl Tx) -> Result<()> {
    if tx.is_fresh() {
        return Ok(());
    }
    Err(Error::forbidden("Confirm first that it is you.")
        .hint("Enter a code at /account/confirm, then do this again within ten minutes."))
}

/// Lets on a person who proved lately who they are, and a token: it was made by such a person to act
/// without them.
pub fn demand_proof_of_people(tx: impl Tx) -> Result<()> {
    match tx.actor() {
        Actor::Token { .. } => Ok(()),
        _ => demand_proof(tx),
    }
}

/// Sessions of whoever asks, the newest first.
pub fn list(tx: Read<'_, AccountView>) -> Result<Vec<Session>> {
    let (current, user) = current(tx)?;
    let in_memory = tx.presence();
    let mut sessions = sql::of_user(tx, user, Timestamp(tx.now().0 - limits::SESSION_IDLE_MS))?;
    for session in &mut sessions {
        let used = in_memory
            .iter()
            .find(|(actor, _)| matches!(actor, Actor::Session { session: id, .. } if *id == session.id));
        session.seen_at = session.seen_at.max(used.map_or(session.seen_at, |(_, at)| *at));
        session.is_current = session.id == current;
    }
    Ok(sessions)
}

/// Ends one of one's own sessions.
pub fn end(tx: Write<'_, AccountWrite>, id: SessionId) -> Result<Audited<'_, ()>> {
    let (_, user) = current(tx)?;
    if sql::delete(tx, user, id)? == 0 {
        return Err(Error::not_found("This session has ended already."));
    }
    tx.audited(ENDED.of(id).and(user), ())
}

/// Ends all of one's own sessions but this one; answers how many.
pub fn end_others(tx: Write<'_, AccountWrite>) -> Result<Audited<'_, usize>> {
    let (current, user) = current(tx)?;
    let ended = sql::delete_all_but(tx, user, current)?;
    tx.audited(ENDED.of(user).count("sessions", ended as i64), ended)
}

/// Ends every session and every one-use link of everybody: in a state of the instance that was brought back.
pub fn end_for_everybody(tx: Write<'_, InstanceKeep>) -> Result<()> {
    sql::end_for_everybody(tx)
}

/// Signs out: ends the session that asks.
pub fn sign_out(tx: Write<'_, AccountWrite>) -> Result<Audited<'_, ()>> {
    let (current, user) = current(tx)?;
    sql::delete(tx, user, current)?;
    tx.audited(SIGNED_OUT.of(user).and(current), ())
}

/// Stores when sessions, tokens and people were last seen, and clears away what has ended; answers
/// how many stamps were stored.
pub fn keep(tx: Write<'_, SessionKeep>) -> Result<Audited<'_, usize>> {
    let seen = tx.presence();
    for (actor, at) in &seen {
        match actor {
            Actor::Session { session, user } => sql::stamp_session(tx, *session, *user, *at)?,
            Actor::Token { token, user } => sql::stamp_token(tx, *token, *user, *at)?,
            Actor::Visitor | Actor::Operator | Actor::Job(_) => {}
        }
    }
    sql::clear_ended(tx, Timestamp(tx.now().0 - limits::SESSION_IDLE_MS))?;
    sql::clear_links(tx)?;
    sql::clear_failures(tx, Timestamp(tx.now().0 - limits::SIGN_IN_MEMORY_MS))?;
    Ok(tx.quiet(Quiet::LastSeen, seen.len()))
}

/// Runs the keeper; answers the sentence for its record.
pub async fn keep_all(door: &Door) -> Result<String> {
    let stored = door.job(&KEEPER).gate::<SessionKeep>(()).write(keep).await?;
    Ok(format!("Stored when {stored} sessions and tokens were last used."))
}
