//! Reclaiming: a machine that another one had taken the instance over from goes on all the same, because somebody
//! decided so. It leaves a mark of its own, so that the other one is the one left behind.

use crate::keeping::takeover::{self, Mark, RECLAIMED};
use crate::keeping::targets::Goal;
use crate::kernel::access::{BackupRun, Gate};
use crate::kernel::error::Result;
use crate::kernel::instance::Instance;
use crate::kernel::time::Clock;

/// Takes the marks at a target for part of the own history and leaves one after them; answers whose they were.
pub async fn reclaim(instance: &Instance, gate: &Gate<BackupRun>, goal: &Goal) -> Result<Vec<Mark>> {
    let unknown = unknown(instance, goal)?;
    if unknown.is_empty() {
        return Ok(unknown);
    }
    let now = Clock::System.now();
    let own = Mark::new(instance.keyring()?.uuid(), now, now);
    let ids: Vec<String> = unknown.iter().chain([&own]).map(|mark| mark.id.clone()).collect();
    // Known here before it lies there, so that whatever happens in between, this machine is not left behind by it.
    gate.write(move |tx| {
        takeover::adopt(tx, &ids)?;
        tx.audited(RECLAIMED.alone().count("marks", i64::try_from(ids.len()).unwrap_or(i64::MAX)), ())
    })
    .await?;
    let keyring = instance.keyring()?.copy();
    takeover::leave(goal.open()?.storage(), &keyring, &own)?;
    Ok(unknown)
}

/// The marks at a target that this copy of the instance does not know: by their words it was left behind. Blocks.
pub fn unknown(instance: &Instance, goal: &Goal) -> Result<Vec<Mark>> {
    let target = goal.open()?;
    let keyring = instance.keyring()?.copy();
    let (marks, _) = takeover::marks(target.storage(), &keyring)?;
    let is_known = |mark: &Mark| goal.lineage.split_whitespace().any(|id| id == mark.id);
    Ok(marks.into_iter().filter(|mark| !is_known(mark)).collect())
}
