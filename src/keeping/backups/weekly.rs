//! Weekly: once a week everything at every target is read back, older backups too. After a backup only what that one
//! needs is: damage to what only older ones need would else be found when one of them is brought back.

use super::desk::Desk;
use crate::keeping::alarms::{self, Alarm};
use crate::keeping::targets::{self, Goal, Target};
use crate::kernel::access::{BackupRun, Gate, Job, Permission};
use crate::kernel::audit::Quiet;
use crate::kernel::declare::{Running, Scheduled, When};
use crate::kernel::error::{Error, Kind, Result};
use std::sync::Arc;

const READER: Job = Job {
    name: "backup-read",
    meaning: "Reads everything back at every target, older backups too.",
    may: &[BackupRun::INFO],
};

/// After the space of old backups was returned: what is deleted need not be read.
pub const READ: Scheduled<Arc<Desk>> =
    Scheduled { job: &READER, when: When::Cron("15 6 * * SUN"), run: read };

fn read(desk: Arc<Desk>) -> Running {
    Box::pin(async move {
        let gate = desk.instance.door.job(&READER).gate::<BackupRun>(());
        let (mut failed, mut count) = (Vec::new(), 0);
        let all = gate.read(|tx| targets::list(tx)).await?;
        for target in all.into_iter().filter(|target| target.is_enabled) {
            if desk.is_closed() {
                break;
            }
            match read_one(&desk, &gate, &target).await {
                Ok(()) => count += 1,
                // No backup was made there yet.
                Err(reason) if reason.kind() == Kind::NotFound => {}
                Err(reason) => failed.push(format!("{}: {}", target.name, reason.sentence())),
            }
        }
        if failed.is_empty() {
            return Ok(format!("Everything at {count} targets was read back."));
        }
        Err(Error::busy(failed.join(" ")))
    })
}

async fn read_one(desk: &Desk, gate: &Gate<BackupRun>, target: &Target) -> Result<()> {
    let (instance, of) = (Arc::clone(&desk.instance), target.clone());
    let goal = gate.read(move |tx| Goal::of(tx, &instance, &of)).await?;
    let errors = desk.verify(gate, goal).await?.findings.errors;
    let (name, worst) = (target.name.clone(), errors.into_iter().next());
    let told = worst.clone();
    gate.write(move |tx| {
        match told {
            None => alarms::clear(tx, Alarm::BackupDamaged, &name)?,
            Some(worst) => {
                let said = format!(
                    "What lies at “{name}” is not as it was written: {worst} Make a backup now, and see which older \
                     ones `testkeep verify` and a drill still find whole."
                );
                alarms::raise(tx, Alarm::BackupDamaged, &name, &said)?;
            }
        }
        Ok(tx.quiet(Quiet::Unchanged, ()))
    })
    .await?;
    worst.map_or(Ok(()), |worst| Err(Error::invalid(worst)))
}
