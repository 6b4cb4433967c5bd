//! Presence: when a session or a token was last used. Kept in memory, because looking changes nothing;
//! a job stores it now and then.

use super::actor::Actor;
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use std::collections::HashMap;
use std::sync::Mutex;

/// What this process remembers of uses.
#[derive(Default)]
pub(super) struct Presence(Mutex<HashMap<Actor, Timestamp>>);

impl Presence {
    /// Remembers that a credential which held was used.
    pub(super) fn note(&self, actor: Actor, now: Timestamp) {
        if matches!(actor, Actor::Session { .. } | Actor::Token { .. }) {
            self.0.lock().expect("nobody panics while holding it").insert(actor, now);
        }
    }

    /// When it was last used, as far as this process knows.
    pub(super) fn of(&self, actor: Actor) -> Option<Timestamp> {
        self.0.lock().expect("nobody panics while holding it").get(&actor).copied()
    }

    /// All that is known, and forgets who has been idle for so long that their session is over.
    ///
    /// What is stored stays in memory: between the look and the commit nobody must seem idle.
    pub(super) fn gather(&self, now: Timestamp) -> Vec<(Actor, Timestamp)> {
        let mut known = self.0.lock().expect("nobody panics while holding it");
        known.retain(|_, at| now.0 - at.0 < limits::SESSION_IDLE_MS);
        known.iter().map(|(actor, at)| (*actor, *at)).collect()
    }
}
