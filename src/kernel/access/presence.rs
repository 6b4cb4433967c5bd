//! Presence: when a session or a token was last used. Kept in memory, because looking changes nothing;
//! a job stores it now and then.

use super::actor::Actor;
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use std::collections::HashMap;
use std::sync::Mutex;

/// What this process remembers of uses.
#[derive(Default)]
pub(super) struct Presence {
    seen: Mutex<HashMap<Actor, Timestamp>>,
    /// Credentials that were found under an earlier key, with their digest under the key of today.
    digests: Mutex<HashMap<Actor, [u8; 32]>>,
}

impl Presence {
    /// Remembers that a credential which held was used.
    pub(super) fn note(&self, actor: Actor, now: Timestamp) {
        if matches!(actor, Actor::Session { .. } | Actor::Token { .. }) {
            self.seen.lock().expect("nobody panics while holding it").insert(actor, now);
        }
    }

    /// When it was last used, as far as this process knows.
    pub(super) fn of(&self, actor: Actor) -> Option<Timestamp> {
        self.seen.lock().expect("nobody panics while holding it").get(&actor).copied()
    }

    /// All that is known, and forgets who has been idle for so long that their session is over.
    ///
    /// What is stored stays in memory: between the look and the commit nobody must seem idle.
    pub(super) fn gather(&self, now: Timestamp) -> Vec<(Actor, Timestamp)> {
        let mut known = self.seen.lock().expect("nobody panics while holding it");
        known.retain(|_, at| now.0 - at.0 < limits::SESSION_IDLE_MS);
        known.iter().map(|(actor, at)| (*actor, *at)).collect()
    }

    /// Remembers that a row still has a digest under an earlier key.
    pub(super) fn note_digest(&self, actor: Actor, digest: [u8; 32]) {
        self.digests.lock().expect("nobody panics while holding it").insert(actor, digest);
    }

    /// Whether there is such a row.
    pub(super) fn is_any_digest(&self) -> bool {
        !self.digests.lock().expect("nobody panics while holding it").is_empty()
    }

    /// All such rows, and forgets them.
    pub(super) fn take_digests(&self) -> HashMap<Actor, [u8; 32]> {
        std::mem::take(&mut *self.digests.lock().expect("nobody panics while holding it"))
    }
}
