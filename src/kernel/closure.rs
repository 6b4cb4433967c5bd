//! Closure: whether the instance is closed to its people for maintenance, as every request asks.
//!
//! A copy in memory, so that a request costs nothing; whoever changes the setting refreshes it.

use super::time::Timestamp;
use std::sync::RwLock;

/// What everybody else is told, and by which the page of it is known.
pub const SENTENCE: &str = "This instance is closed for maintenance.";

/// Why and until when the instance is closed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Closed {
    /// What people are told; may be empty.
    pub reason: String,
    /// When it is expected to open again.
    pub until: Timestamp,
}

/// Handed to whoever lets requests in, and to whoever closes the instance.
#[derive(Debug, Default)]
pub struct Closure(RwLock<Option<Closed>>);

impl Closure {
    /// Why it is closed, if it is.
    pub fn now(&self) -> Option<Closed> {
        self.0.read().expect("nobody panics while holding it").clone()
    }

    /// From now on it is as said.
    pub fn set(&self, closed: Option<Closed>) {
        *self.0.write().expect("nobody panics while holding it") = closed;
    }
}
