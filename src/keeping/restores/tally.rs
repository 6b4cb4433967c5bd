//! Tally: what a restore would do, or did, in counts and in names.

use crate::kernel::limits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a restore comes to.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Counts by kind of thing.
    pub counts: BTreeMap<String, Count>,
    /// References of what is missing and comes back, as many as a page names.
    pub created: Vec<String>,
    /// What is there and says something else.
    pub changed: Vec<Changed>,
    /// What cannot come back, and why.
    pub conflicts: Vec<String>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

/// How many of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Count {
    /// Missing: they come back.
    pub created: u64,
    /// There, and saying something else.
    pub changed: u64,
    /// There, and saying the same.
    pub same: u64,
    /// Left out: something else stands in their place.
    pub left: u64,
}

/// A thing that is there and says something else.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Changed {
    /// Its reference.
    pub reference: String,
    /// What differs.
    pub fields: Vec<Field>,
}

/// One field of it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it says now.
    pub now: String,
    /// What it said then.
    pub then: String,
}

/// What becomes of one row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Created,
    Changed,
    Same,
    Left,
}

impl Tally {
    pub(super) fn count(&mut self, kind: &str, fate: Fate) {
        let count = self.counts.entry(kind.to_owned()).or_default();
        match fate {
            Fate::Created => count.created += 1,
            Fate::Changed => count.changed += 1,
            Fate::Same => count.same += 1,
            Fate::Left => count.left += 1,
        }
    }

    pub(super) fn name_created(&mut self, reference: String) {
        push(&mut self.created, reference);
    }

    pub(super) fn name_changed(&mut self, changed: Changed) {
        push(&mut self.changed, changed);
    }

    pub(super) fn conflict(&mut self, sentence: String) {
        push(&mut self.conflicts, sentence);
    }

    pub(super) fn note(&mut self, sentence: &str) {
        if !self.notes.iter().any(|known| known == sentence) {
            push(&mut self.notes, sentence.to_owned());
        }
    }

    /// Rows of all kinds.
    pub fn rows(&self) -> u64 {
        self.counts.values().map(|count| count.created + count.changed + count.same + count.left).sum()
    }

    /// Things that come back.
    pub fn created(&self) -> u64 {
        self.counts.values().map(|count| count.created).sum()
    }

    /// Things that say something else.
    pub fn changed(&self) -> u64 {
        self.counts.values().map(|count| count.changed).sum()
    }
}

impl Field {
    pub(super) fn of(name: &str, now: &str, then: &str) -> Field {
        let cut = |text: &str| text.chars().take(limits::RESTORE_FIELD_CHARS_MAX).collect();
        Field { name: name.to_owned(), now: cut(now), then: cut(then) }
    }

    /// Its name as people read it.
    pub fn word(&self) -> String {
        self.name.replace('_', " ")
    }

    /// What it says now and said then, as people read it.
    pub fn said(&self) -> (&str, &str) {
        match self.name.as_str() {
            "state" => (said_of_state(&self.now), said_of_state(&self.then)),
            _ => (&self.now, &self.then),
        }
    }
}

fn said_of_state(state: &str) -> &str {
    match state {
        "trashed" => "in the trash",
        "active" => "in use",
        other => other,
    }
}

fn push<T>(list: &mut Vec<T>, one: T) {
    if list.len() < limits::RESTORE_NAMED_MAX {
        list.push(one);
    }
}
