//! Sites: the targets that have the log, and the way to each.

use super::chosen;
use super::state::{Reached, State};
use crate::keeping::backup::Target;
use crate::keeping::targets::{self, Goal};
use crate::kernel::access::Tx;
use crate::kernel::error::Result;
use crate::kernel::id::TargetId;
use crate::kernel::instance::Instance;
use crate::kernel::time::Timestamp;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// A target as it is configured.
#[derive(Clone)]
pub(super) struct Site {
    pub id: TargetId,
    pub name: String,
    pub goal: Goal,
    changed_at: Timestamp,
}

/// The way to one target.
#[derive(Default)]
pub(super) struct Line {
    pub is_busy: AtomicBool,
    /// Opened once, as long as nobody changes the target.
    opened: Mutex<Option<(Timestamp, Target)>>,
    /// Marks of takeovers there that were looked at.
    takeovers: AtomicU64,
    look: Mutex<Look>,
}

/// A look at the backups of a target. It takes as long as the target does, and no shipment waits for it.
#[derive(Default)]
struct Look {
    is_under_way: bool,
    /// Whether the log of this name has a backup to begin with, once that was found out.
    found: Option<(String, bool)>,
    /// The log that was looked for last.
    last: String,
}

impl Line {
    /// Whether a look may begin; it has then.
    pub fn begin_look(&self) -> bool {
        let mut look = self.look.lock().expect("nobody panics while holding it");
        !std::mem::replace(&mut look.is_under_way, true)
    }

    /// Ends a look; answers whether somebody should hear of it at once: what was found ends the looking, or is
    /// the first word about this log.
    pub fn end_look(&self, stream: String, has_base: Option<bool>) -> bool {
        let mut look = self.look.lock().expect("nobody panics while holding it");
        look.is_under_way = false;
        let Some(has_base) = has_base else { return false };
        let is_news = has_base || look.last != stream;
        look.last.clone_from(&stream);
        look.found = Some((stream, has_base));
        is_news
    }

    /// What the last look at this log found, told once.
    pub fn found(&self, stream: &str) -> Option<bool> {
        let found = self.look.lock().expect("nobody panics while holding it").found.take();
        found.filter(|(looked, _)| looked == stream).map(|(_, has_base)| has_base)
    }

    /// The target. Blocks where it has to be opened.
    pub fn open(&self, site: &Site) -> Result<Target> {
        let mut opened = self.opened.lock().expect("nobody panics while holding it");
        if let Some((_, target)) = opened.as_ref().filter(|(at, _)| *at == site.changed_at) {
            return Ok(target.clone());
        }
        let target = site.goal.open()?;
        *opened = Some((site.changed_at, target.clone()));
        Ok(target)
    }

    /// The same for writing there. Errors: `Forbidden` once another machine has taken the instance over.
    pub fn open_to_write(&self, site: &Site, instance: &Instance) -> Result<Target> {
        let target = self.open(site)?;
        let known = self.takeovers.load(Relaxed);
        let known = site.goal.refuse_left_behind(target.storage(), instance, known)?;
        self.takeovers.store(known, Relaxed);
        Ok(target)
    }
}

impl Site {
    /// The target in the state on the disk.
    pub fn key(&self) -> String {
        format!("target {}", self.id.0)
    }
}

/// The targets that have the log. One that backups may not go to has none.
pub(super) fn sites(tx: impl Tx, instance: &Instance) -> Result<Vec<Site>> {
    let wanted = chosen(tx)?.into_iter().filter(|chosen| chosen.has_log && chosen.is_able());
    let sites = wanted.filter_map(|chosen| {
        let goal = Goal::of(tx, instance, &chosen.target);
        let targets::Target { id, name, changed_at, .. } = chosen.target;
        Some(Site { id, name, goal: goal.ok()?, changed_at })
    });
    Ok(sites.collect())
}

/// A target that is new has the log from now on; one that is gone is forgotten.
pub(super) fn match_places(state: &mut State, sites: &[Site]) {
    state.places.retain(|key, _| sites.iter().any(|site| site.key() == *key));
    let place = state.cursor.map(|cursor| cursor.position);
    // While nobody has anything, nothing is gone: whoever comes now gets the log from its beginning.
    let is_first = state.cleared == 0 || state.places.is_empty();
    for site in sites {
        let (since, begins) = if is_first { (0, state.begins) } else { (state.sealed, place) };
        let fresh = Reached { since, begins, segments: since, is_lost: false };
        let reached = state.places.entry(site.key()).or_insert(fresh);
        // Where a log begins is known with its first segment.
        if reached.since == 0 {
            reached.begins = state.begins;
        }
    }
}
