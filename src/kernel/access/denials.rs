//! Refused claims: remembered in the audit trail, but not as often as somebody cares to knock.

use super::actor::{Actor, Origin};
use super::decide::Refusal;
use super::locate::Found;
use super::permission::Info;
use crate::kernel::audit::chain::Link;
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use std::collections::HashMap;
use std::sync::Mutex;

/// A claim that did not hold, with what its entry needs.
pub(super) struct Denied {
    pub refusal: Refusal,
    pub actor: Option<Actor>,
    pub asked: Info,
    pub found: Found,
    pub now: Timestamp,
    pub origin: Origin,
}

/// When each known actor was last refused each permission.
#[derive(Default)]
pub(super) struct Denials(Mutex<HashMap<(Actor, &'static str), Timestamp>>);

impl Denials {
    /// The entry of this refusal, if it is the first of its sort in a while. Only for an actor we
    /// know; strangers are the business of `guard`.
    pub(super) fn entry(&self, denied: &Denied) -> Option<Link> {
        let actor = denied.actor.filter(|actor| self.is_news(*actor, denied))?;
        let project = match denied.found {
            Found::Project(project) => Some(project),
            Found::Instance | Found::Nothing => None,
        };
        let facts = format!("asked={}", denied.asked.name);
        let (at, actor) = (denied.now, actor.to_string());
        Some(Link { at, actor, project, event: "access.denied".into(), facts, origin: denied.origin.clone() })
    }

    fn is_news(&self, actor: Actor, denied: &Denied) -> bool {
        let mut last = self.0.lock().expect("nobody panics while holding it");
        let kind = (actor, denied.asked.name);
        let since = last.get(&kind).map(|at| denied.now.0 - at.0);
        if since.is_some_and(|since_ms| since_ms < limits::DENIAL_ENTRY_EVERY_MS) {
            return false;
        }
        if last.len() >= limits::DENIALS_REMEMBERED_MAX {
            last.clear();
        }
        last.insert(kind, denied.now);
        true
    }
}
