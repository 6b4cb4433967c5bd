//! Audit trail: what happened, written in the transaction in which it happened.
//!
//! An entry holds numbers and words of our own lists. Names and addresses sit in side tables, so
//! that erasing a person leaves the chain whole.

pub(super) mod chain;
mod trail;

use super::access::{AuditView, InstanceKeep, Opened, Read, Tx, Write};
use super::error::Result;
use super::id::Subject;
use std::fmt::Write as _;
use std::marker::PhantomData;

pub use chain::{ChainKey, ChainKeys, Head, Verdict};
pub use trail::{Filter, Line, list, list_in_project};

/// One kind of entry. A slice declares its own as constants and lists them in `EVENTS`.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// The word in the trail, such as `case.created`.
    pub name: &'static str,
    /// What happened, in one sentence.
    pub meaning: &'static str,
}

impl Event {
    /// Declares one kind of entry.
    pub const fn new(name: &'static str, meaning: &'static str) -> Event {
        Event { name, meaning }
    }

    /// An entry about the instance as a whole.
    pub fn alone(&self) -> Entry {
        Entry { event: self.name, facts: String::new() }
    }

    /// An entry about this thing.
    pub fn of<S: Subject>(&self, subject: S) -> Entry {
        Entry { event: self.name, facts: String::new() }.and(subject)
    }
}

/// An entry not yet written.
pub struct Entry {
    pub(super) event: &'static str,
    pub(super) facts: String,
}

impl Entry {
    /// Also concerns this thing.
    pub fn and<S: Subject>(self, subject: S) -> Entry {
        self.count(S::WORD, subject.into())
    }

    /// Adds a number that an auditor wants to know.
    pub fn count(mut self, word: &'static str, number: i64) -> Entry {
        let gap = if self.facts.is_empty() { "" } else { " " };
        write!(self.facts, "{gap}{word}={number}").expect("writing to a string cannot fail");
        self
    }
}

/// The value of a change together with the proof that its entry stands in the *same* transaction.
///
/// `'t` is the brand of that transaction. It is invariant, and every closure must accept any brand,
/// so the proof can neither be kept for later nor come from elsewhere: the compiler says no.
#[must_use = "a change is kept only if its proof is returned"]
pub struct Audited<'t, T> {
    /// What the change gave.
    pub value: T,
    brand: Brand<'t>,
}

/// Makes a type invariant in `'t`: two transactions never pass for one another.
pub(super) type Brand<'t> = PhantomData<fn(&'t ()) -> &'t ()>;

impl<'t, T> Audited<'t, T> {
    /// Another value under the same proof.
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Audited<'t, U> {
        Audited { value: with(self.value), brand: PhantomData }
    }
}

/// Changes that mean nothing to an auditor. Closed, and printed in the admin manual.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quiet {
    /// When a session or token was last used.
    LastSeen,
    /// That a running job is still alive.
    JobHeartbeat,
    /// That an attempt to sign in was counted before it was examined; its outcome leaves an entry.
    Attempt,
    /// That a refused step left everything as it was.
    Nothing,
    /// What was asked for is so already.
    Unchanged,
}

/// Writes the entry; the only maker of proofs besides `unrecorded`.
pub(super) fn recorded<'t, T>(tx: &Opened<'t>, entry: &Entry, value: T) -> Result<Audited<'t, T>> {
    tx.house.append(tx.conn, &tx.row(entry))?;
    Ok(Audited { value, brand: PhantomData })
}

/// The proof of a change that leaves no entry, for one of the listed reasons.
pub(super) fn unrecorded<'t, T>(_: &Opened<'t>, _: Quiet, value: T) -> Audited<'t, T> {
    Audited { value, brand: PhantomData }
}

/// Recomputes the chain from its first entry. `anchor` is a head kept elsewhere: without one, a
/// trail cut short at its end cannot be told from a younger one.
pub fn verify(tx: Read<'_, AuditView>, anchor: Option<&Head>) -> Result<Verdict> {
    let opened = tx.opened();
    chain::verify(opened.conn, &opened.house.keys().chain, anchor)
}

/// The last entry of the trail.
pub fn head(tx: Read<'_, AuditView>) -> Result<Head> {
    chain::head(tx.opened().conn)
}

/// The last entry under one key of the chain.
pub const CHAIN_CLOSED: Event =
    Event::new("keys.chain_closed", "The key of the audit trail was exchanged: its last entry.");
/// The first entry under another key of the chain.
pub const CHAIN_OPENED: Event = Event::new(
    "keys.chain_opened",
    "The key of the audit trail was exchanged: the first entry of the next one.",
);

/// The generation of the key that binds the trail now.
pub fn chain_generation(tx: impl Tx) -> Result<u32> {
    chain::generation(tx.opened().conn)
}

/// From here on the trail is bound by this generation of its key, which the door must know already.
pub fn change_chain_key(tx: Write<'_, InstanceKeep>, to: u32) -> Result<Audited<'_, ()>> {
    let opened = tx.opened();
    let link = opened.row(&CHAIN_CLOSED.alone());
    chain::change_key(opened.conn, &opened.house.keys().chain, to, link)?;
    Ok(Audited { value: (), brand: PhantomData })
}
