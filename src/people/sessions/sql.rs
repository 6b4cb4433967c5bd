//! Statements of sessions, and the stamps of when they were used.

use super::{Session, Stage, Staged};
use crate::kernel::access::{AccountWrite, InstanceKeep, Permission, SessionKeep, SignIn, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::{SessionId, TokenId, UserId};
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::kernel::time::Timestamp;

/// A session begins; answers its number.
pub(super) fn insert<P: Permission>(
    tx: Write<'_, P>,
    digest: &[u8; 32],
    user: UserId,
    stage: Stage,
    until: Timestamp,
    agent: &str,
) -> Result<SessionId> {
    let row: Numbered = tx.only(
        "INSERT INTO sessions (digest, user_id, stage, created_at, seen_at, fresh_at, expires_at, address, agent)
         VALUES (:digest, :user, :stage, :now, :now, :now, :until, :address, :agent)
         RETURNING id",
        named_params! {
            ":digest": digest, ":user": user, ":stage": stage.word(), ":now": tx.now(),
            ":until": until, ":address": &*tx.address(), ":agent": agent,
        },
    )?;
    Ok(row.0)
}

/// A sign-in becomes a full session.
pub(super) fn set_full(
    tx: Write<'_, SignIn>,
    id: SessionId,
    digest: &[u8; 32],
    until: Timestamp,
) -> Result<()> {
    tx.run(
        "UPDATE sessions
            SET digest = :digest, stage = 'full', created_at = :now, seen_at = :now, fresh_at = :now,
                expires_at = :until, failures = 0, totp_offer = NULL
          WHERE id = :id",
        named_params! { ":id": id, ":digest": digest, ":now": tx.now(), ":until": until },
    )
    .map(drop)
}

/// A session is proved again.
pub(super) fn set_fresh(tx: Write<'_, AccountWrite>, id: SessionId, digest: &[u8; 32]) -> Result<()> {
    tx.run(
        "UPDATE sessions SET digest = :digest, fresh_at = :now WHERE id = :id",
        named_params! { ":id": id, ":digest": digest, ":now": tx.now() },
    )
    .map(drop)
}

/// The unfinished sign-in with this cookie.
pub(super) fn staged(tx: impl Tx, digest: &[u8; 32]) -> Result<Option<Staged>> {
    tx.row(
        "SELECT sessions.id, user_id, stage, failures, totp_offer
           FROM sessions JOIN users ON users.id = user_id
          WHERE digest = :digest AND stage <> 'full' AND expires_at > :now AND state = 'active'",
        named_params! { ":digest": digest, ":now": tx.now() },
    )
}

/// One more wrong code.
pub(super) fn add_failure(tx: Write<'_, SignIn>, id: SessionId) -> Result<()> {
    tx.run("UPDATE sessions SET failures = failures + 1 WHERE id = :id", named_params! { ":id": id })
        .map(drop)
}

/// The secret on offer changes.
pub(super) fn set_offer<P: Permission>(tx: Write<'_, P>, id: SessionId, secret: Option<&[u8]>) -> Result<()> {
    tx.run(
        "UPDATE sessions SET totp_offer = :secret WHERE id = :id",
        named_params! { ":id": id, ":secret": secret },
    )
    .map(drop)
}

/// The secret on offer.
pub(super) fn offer(tx: impl Tx, id: SessionId) -> Result<Option<Vec<u8>>> {
    let row: Option<Offer> =
        tx.row("SELECT totp_offer FROM sessions WHERE id = :id", named_params! { ":id": id })?;
    Ok(row.and_then(|row| row.0))
}

/// Full sessions of a person that are not idle, the newest first.
pub(super) fn of_user(tx: impl Tx, user: UserId, idle: Timestamp) -> Result<Vec<Session>> {
    tx.rows(
        "SELECT id, created_at, seen_at, address, agent
           FROM sessions
          WHERE user_id = :user AND stage = 'full' AND expires_at > :now AND seen_at > :idle
          ORDER BY id DESC",
        named_params! { ":user": user, ":now": tx.now(), ":idle": idle },
    )
}

/// One session of a person ends; answers whether there was one.
pub(super) fn delete<P: Permission>(tx: Write<'_, P>, user: UserId, id: SessionId) -> Result<usize> {
    tx.run(
        "DELETE FROM sessions WHERE id = :id AND user_id = :user",
        named_params! { ":id": id, ":user": user },
    )
}

/// All sessions of a person end.
pub(super) fn delete_all<P: Permission>(tx: Write<'_, P>, user: UserId) -> Result<usize> {
    tx.run("DELETE FROM sessions WHERE user_id = :user", named_params! { ":user": user })
}

/// All sessions of a person but one end.
pub(super) fn delete_all_but<P: Permission>(
    tx: Write<'_, P>,
    user: UserId,
    kept: SessionId,
) -> Result<usize> {
    tx.run(
        "DELETE FROM sessions WHERE user_id = :user AND id <> :kept",
        named_params! { ":user": user, ":kept": kept },
    )
}

/// The oldest sessions of a person in this stage end, so that no more than `most` are left.
pub(super) fn delete_beyond<P: Permission>(
    tx: Write<'_, P>,
    user: UserId,
    stage: Stage,
    most: i64,
) -> Result<()> {
    tx.run(
        "DELETE FROM sessions
          WHERE user_id = :user AND stage = :stage
            AND id NOT IN (SELECT id FROM sessions WHERE user_id = :user AND stage = :stage
                            ORDER BY created_at DESC, id DESC LIMIT :most)",
        named_params! { ":user": user, ":stage": stage.word(), ":most": most },
    )
    .map(drop)
}

/// When a session was last used.
pub(super) fn stamp_session(
    tx: Write<'_, SessionKeep>,
    id: SessionId,
    user: UserId,
    at: Timestamp,
) -> Result<()> {
    tx.run(
        "UPDATE sessions SET seen_at = :at WHERE id = :id AND seen_at < :at",
        named_params! { ":id": id, ":at": at },
    )?;
    stamp_user(tx, user, at)
}

/// When a token was last used.
pub(super) fn stamp_token(
    tx: Write<'_, SessionKeep>,
    id: TokenId,
    user: UserId,
    at: Timestamp,
) -> Result<()> {
    tx.run(
        "UPDATE tokens SET seen_at = :at WHERE id = :id AND coalesce(seen_at, 0) < :at",
        named_params! { ":id": id, ":at": at },
    )?;
    stamp_user(tx, user, at)
}

fn stamp_user(tx: Write<'_, SessionKeep>, user: UserId, at: Timestamp) -> Result<()> {
    tx.run(
        "UPDATE users SET seen_at = :at WHERE id = :user AND coalesce(seen_at, 0) < :at",
        named_params! { ":user": user, ":at": at },
    )
    .map(drop)
}

/// Sessions that are over go.
pub(super) fn clear_ended(tx: Write<'_, SessionKeep>, idle: Timestamp) -> Result<()> {
    tx.run(
        "DELETE FROM sessions WHERE expires_at <= :now OR seen_at <= :idle",
        named_params! { ":now": tx.now(), ":idle": idle },
    )
    .map(drop)
}

/// Links that are used up or too old go.
pub(super) fn clear_links(tx: Write<'_, SessionKeep>) -> Result<()> {
    tx.run(
        "DELETE FROM links WHERE expires_at <= :now OR used_at IS NOT NULL",
        named_params! { ":now": tx.now() },
    )
    .map(drop)
}

/// Failures that nobody counts any more go.
pub(super) fn clear_failures(tx: Write<'_, SessionKeep>, before: Timestamp) -> Result<()> {
    tx.run("DELETE FROM sign_in_failures WHERE last_at <= :before", named_params! { ":before": before })
        .map(drop)
}

struct Numbered(SessionId);

impl FromRow for Numbered {
    fn from_row(row: &Row<'_>) -> sql::Result<Numbered> {
        row.get("id").map(Numbered)
    }
}

struct Offer(Option<Vec<u8>>);

impl FromRow for Offer {
    fn from_row(row: &Row<'_>) -> sql::Result<Offer> {
        row.get("totp_offer").map(Offer)
    }
}

impl FromRow for Session {
    fn from_row(row: &Row<'_>) -> sql::Result<Session> {
        Ok(Session {
            id: row.get("id")?,
            created_at: row.get("created_at")?,
            seen_at: row.get("seen_at")?,
            address: row.get("address")?,
            agent: row.get("agent")?,
            is_current: false,
        })
    }
}

impl FromRow for Staged {
    fn from_row(row: &Row<'_>) -> sql::Result<Staged> {
        let stage: String = row.get("stage")?;
        Ok(Staged {
            id: row.get("id")?,
            user: row.get("user_id")?,
            stage: Stage::of_word(&stage),
            failures: row.get("failures")?,
            totp_offer: row.get("totp_offer")?,
        })
    }
}

/// Ends every session and every link.
pub(super) fn end_for_everybody(tx: Write<'_, InstanceKeep>) -> Result<()> {
    tx.run("DELETE FROM sessions", [])?;
    tx.run("DELETE FROM links", []).map(drop)
}
