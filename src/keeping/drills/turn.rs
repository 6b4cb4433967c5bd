//! Whose turn it is: every target that is on has its backups brought back, one after the other.

use super::{Drill, sql};
use crate::keeping::backups::{is_any_at, no_target};
use crate::keeping::targets::{self, Goal, Target};
use crate::kernel::access::Tx;
use crate::kernel::error::Result;
use crate::kernel::id::TargetId;
use crate::kernel::instance::Instance;

/// A target and the last proof of its backups.
#[derive(Clone, Debug)]
pub struct Proven {
    /// The target.
    pub target: Target,
    /// The last good drill; none if none was.
    pub drill: Option<Drill>,
    /// Whether the next drill of the schedule is about it.
    pub is_next: bool,
}

/// The targets that are on, each with the last proof of its backups.
pub fn proofs(tx: impl Tx) -> Result<Vec<Proven>> {
    let next = next(tx)?.map(|target| target.id);
    let proven = |target: Target| {
        let drill = sql::newest_good_at(tx, &target.address)?;
        Ok(Proven { is_next: next == Some(target.id), drill, target })
    };
    on(tx)?.into_iter().map(proven).collect()
}

/// The target whose turn it is: that whose last drill is longest ago. None if no target that is on has a backup.
pub fn next(tx: impl Tx) -> Result<Option<Target>> {
    let mut waiting = Vec::new();
    for target in on(tx)? {
        if is_any_at(tx, &target.address)? {
            waiting.push((sql::last_begun(tx, &target.address)?, target));
        }
    }
    // Those never looked at come first; of several, that which was added first.
    waiting.sort_by_key(|(at, target)| (*at, target.id.0));
    Ok(waiting.into_iter().next().map(|(_, target)| target))
}

/// How to get to the target whose turn it is.
///
/// Errors: `Conflict` if no target is set up.
pub fn in_turn(tx: impl Tx, instance: &Instance) -> Result<Goal> {
    let target = match next(tx)? {
        Some(target) => target,
        None => on(tx)?.into_iter().next().ok_or_else(no_target)?,
    };
    Goal::even_if_off(tx, instance, &target)
}

/// How to get to the target of this number, or to that whose turn it is.
pub fn named(tx: impl Tx, instance: &Instance, target: Option<TargetId>) -> Result<Goal> {
    match target {
        Some(id) => Goal::even_if_off(tx, instance, &targets::get(tx, id)?),
        None => in_turn(tx, instance),
    }
}

pub(super) fn on(tx: impl Tx) -> Result<Vec<Target>> {
    Ok(targets::list(tx)?.into_iter().filter(|target| target.is_enabled).collect())
}
