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
    let target = goal.open()?;
    let (uuid, marks) = {
        let keyring = instance.keyring()?;
        let (marks, _) = takeover::marks(target.storage(), &keyring)?;
        (keyring.uuid().to_owned(), marks)
    };
    let lineage = goal.lineage.clone();
    let unknown: Vec<Mark> =
        marks.into_iter().filter(|mark| !lineage.split_whitespace().any(|id| id == mark.id)).collect();
    if unknown.is_empty() {
        return Ok(unknown);
    }
    let now = Clock::System.now();
    let own = Mark::new(&uuid, now, now);
    let ids: Vec<String> = unknown.iter().chain([&own]).map(|mark| mark.id.clone()).collect();
    // Known here before it lies there, so that whatever happens in between, this machine is not left behind by it.
    gate.write(move |tx| {
        takeover::adopt(tx, &ids)?;
        tx.audited(RECLAIMED.alone().count("marks", i64::try_from(ids.len()).unwrap_or(i64::MAX)), ())
    })
    .await?;
    takeover::leave(target.storage(), &*instance.keyring()?, &own)?;
    Ok(unknown)
}
