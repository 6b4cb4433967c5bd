//! The hash chain beneath the audit trail: each row is bound to the one before by a keyed hash.

use super::{CHAIN_CLOSED, CHAIN_OPENED};
use crate::kernel::access::Origin;
use crate::kernel::db::row::{self, FromRow, Row};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::ProjectId;
use crate::kernel::time::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use rusqlite::{Connection, OptionalExtension as _, named_params};
use sha2::Sha256;
use std::collections::BTreeMap;
use zeroize::Zeroize as _;

/// Whoever has the file but not this key cannot forge a row.
#[derive(Clone)]
pub struct ChainKey(pub [u8; 32]);

impl Drop for ChainKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// All keys of the chain, by generation. Each row says by which one it is bound.
pub type ChainKeys = BTreeMap<u32, ChainKey>;

/// The last row: what backups keep to notice a trail cut short.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// Its number, counted from 1 without gaps.
    pub seq: i64,
    /// Its keyed hash, which covers all rows before it.
    pub hash: [u8; 32],
}

const BEFORE_THE_FIRST: Head = Head { seq: 0, hash: [0; 32] };

/// What checking the trail found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Every row follows from the one before; this is the last.
    Whole(Head),
    /// The row with this number was changed, moved or taken out.
    BrokenAt(i64),
    /// Rows up to this number were there once.
    CutShort {
        /// Number of the row that was last when the anchor was taken.
        should_reach: i64,
    },
}

/// One entry as it is stored.
pub(in crate::kernel) struct Link {
    pub at: Timestamp,
    pub actor: String,
    pub project: Option<ProjectId>,
    pub event: String,
    pub facts: String,
    pub origin: Origin,
}

/// Digest of a row in `audit_sources`: binds it to the chain, and tells nothing once it is erased.
fn bound(salt: &[u8], origin: &Origin) -> [u8; 32] {
    let mut mac = <Hmac<Sha256>>::new_from_slice(salt).expect("HMAC takes any key length");
    mac.update(&(origin.address.len() as u64).to_be_bytes());
    mac.update(origin.address.as_bytes());
    mac.update(origin.request.as_bytes());
    mac.finalize().into_bytes().into()
}

struct Stored {
    head: Head,
    generation: u32,
    link: Link,
    source: Option<[u8; 32]>,
    salt: Option<Vec<u8>>,
}

const SALT_BYTES: usize = 16;

/// Appends after the head that *this* transaction sees, so savepoints that were rolled back and
/// other processes leave no gap.
pub(in crate::kernel) fn append(conn: &Connection, keys: &ChainKeys, link: &Link) -> Result<()> {
    append_under(conn, keys, generation(conn)?, link)
}

/// Ends the segment of one key and begins that of another, with an entry on each side.
pub(super) fn change_key(conn: &Connection, keys: &ChainKeys, to: u32, mut link: Link) -> Result<()> {
    link.facts = format!("generation={to}");
    link.event = CHAIN_CLOSED.name.to_owned();
    append(conn, keys, &link)?;
    link.event = CHAIN_OPENED.name.to_owned();
    append_under(conn, keys, to, &link)
}

fn append_under(conn: &Connection, keys: &ChainKeys, generation: u32, link: &Link) -> Result<()> {
    let key = keys.get(&generation).ok_or_else(|| {
        Error::conflict("The key of the audit trail was changed by another process.")
            .hint("Run the command again; nothing was changed.")
    })?;
    let last = head(conn)?;
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(Error::internal)?;
    let source = Some(bound(&salt, &link.origin));
    let next = key.after(&last, link, source.as_ref());
    row::run(
        conn,
        "INSERT INTO audit (seq, at, actor, project_id, event, facts, source, hash, generation)
         VALUES (:seq, :at, :actor, :project, :event, :facts, :source, :hash, :generation)",
        named_params! {
            ":seq": next.seq, ":at": link.at, ":actor": link.actor, ":project": link.project,
            ":event": link.event, ":facts": link.facts, ":source": source, ":hash": next.hash,
            ":generation": generation,
        },
    )?;
    row::run(
        conn,
        "INSERT INTO audit_sources (seq, salt, address, request) VALUES (:seq, :salt, :address, :request)",
        named_params! {
            ":seq": next.seq, ":salt": salt, ":address": &*link.origin.address,
            ":request": &*link.origin.request,
        },
    )
    .map(drop)
}

/// The generation of the key by which the last row is bound.
pub(in crate::kernel) fn generation(conn: &Connection) -> Result<u32> {
    let last = conn
        .prepare_cached("SELECT generation FROM audit ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(last.unwrap_or(1))
}

/// The last row that this transaction sees.
pub(in crate::kernel) fn head(conn: &Connection) -> Result<Head> {
    let last = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
    Ok(row::first(conn, last, [])?.unwrap_or(BEFORE_THE_FIRST))
}

/// Recomputes the chain from its first row; `anchor` is a head that was kept elsewhere.
pub(in crate::kernel) fn verify(
    conn: &Connection,
    keys: &ChainKeys,
    anchor: Option<&Head>,
) -> Result<Verdict> {
    let (mut head, mut segment) = (BEFORE_THE_FIRST, Segment { generation: 1, ends_in: None });
    let mut statement = conn.prepare_cached(
        "SELECT audit.seq AS seq, at, actor, project_id, event, facts, source, hash, audit.generation AS generation,
                salt, address, request
           FROM audit LEFT JOIN audit_sources ON audit_sources.seq = audit.seq
          ORDER BY audit.seq",
    )?;
    for stored in statement.query_map([], Stored::from_row)? {
        let stored = stored?;
        let Some(key) = segment.follow(&stored).and_then(|generation| keys.get(&generation)) else {
            return Ok(Verdict::BrokenAt(head.seq + 1));
        };
        let expected = key.after(&head, &stored.link, stored.source.as_ref());
        // An erased source is no break; one that was exchanged is.
        let is_bound =
            stored.salt.as_ref().is_none_or(|salt| stored.source == Some(bound(salt, &stored.link.origin)));
        let is_anchored = anchor.is_none_or(|a| a.seq != expected.seq || *a == expected);
        if stored.head != expected || !is_anchored || !is_bound {
            return Ok(Verdict::BrokenAt(expected.seq));
        }
        head = expected;
    }
    match anchor {
        Some(anchor) if anchor.seq > head.seq => Ok(Verdict::CutShort { should_reach: anchor.seq }),
        _ => Ok(Verdict::Whole(head)),
    }
}

/// The rows bound by one key.
struct Segment {
    generation: u32,
    /// The key that the last row said would follow.
    ends_in: Option<u32>,
}

impl Segment {
    /// The generation by which a row must be bound: that of the row before, except after the entry that
    /// ends a segment. None if the row says otherwise.
    fn follow(&mut self, stored: &Stored) -> Option<u32> {
        let expected = self.ends_in.take();
        if let Some(next) = expected {
            if stored.link.event != CHAIN_OPENED.name || next <= self.generation {
                return None;
            }
            self.generation = next;
        }
        if stored.link.event == CHAIN_CLOSED.name {
            self.ends_in = Some(stored.link.facts.strip_prefix("generation=")?.parse().ok()?);
        }
        (stored.generation == self.generation).then_some(self.generation)
    }
}

impl ChainKey {
    /// The head once this link follows that one.
    fn after(&self, last: &Head, link: &Link, source: Option<&[u8; 32]>) -> Head {
        let mut mac = <Hmac<Sha256>>::new_from_slice(&self.0).expect("HMAC takes any key length");
        let seq = last.seq + 1;
        mac.update(&last.hash);
        mac.update(&seq.to_be_bytes());
        mac.update(&link.at.0.to_be_bytes());
        mac.update(&link.project.map_or(-1, |project| project.0).to_be_bytes());
        for text in [&link.actor, &link.event, &link.facts] {
            // The length goes first, so that no two rows can spell the same bytes.
            mac.update(&(text.len() as u64).to_be_bytes());
            mac.update(text.as_bytes());
        }
        mac.update(source.map_or(&[][..], |digest| &digest[..]));
        Head { seq, hash: mac.finalize().into_bytes().into() }
    }
}

impl FromRow for Head {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Head> {
        Ok(Head { seq: row.get("seq")?, hash: row.get("hash")? })
    }
}

impl FromRow for Stored {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Stored> {
        let text = |column| row.get::<_, Option<String>>(column).map(|text| text.unwrap_or_default().into());
        let link = Link {
            at: row.get("at")?,
            actor: row.get("actor")?,
            project: row.get("project_id")?,
            event: row.get("event")?,
            facts: row.get("facts")?,
            origin: Origin { address: text("address")?, request: text("request")? },
        };
        let generation = row.get("generation")?;
        Ok(Stored {
            head: Head::from_row(row)?,
            generation,
            link,
            source: row.get("source")?,
            salt: row.get("salt")?,
        })
    }
}
