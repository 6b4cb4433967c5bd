//! The jobs of backups: what is due is made, each target by its own plan; one that fails stops no other.

use super::desk::Desk;
use super::watch::Changes;
use super::work::{self, blocking};
use super::{Cause, probe};
use crate::keeping::alarms::{self, Alarm};
use crate::keeping::backup::turn::is_at_work;
use crate::keeping::targets::{self, Goal, Target};
use crate::kernel::access::{BackupRun, Gate, Job, Permission, Tx};
use crate::kernel::audit::Quiet;
use crate::kernel::declare::{Running, Scheduled, When};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::TargetId;
use std::sync::Arc;

/// Makes the backups of the schedules, and notes how those of people ended.
pub(super) const MAKER: Job = Job {
    name: "backup",
    meaning: "Makes the backups that are due, reads them back and takes away what is past its retention.",
    may: &[BackupRun::INFO],
};
const PRUNER: Job = Job {
    name: "backup-prune",
    meaning: "Returns the space of backups that were taken away.",
    may: &[BackupRun::INFO],
};
const LOOKER: Job = Job {
    name: "backup-look",
    meaning: "Looks whether every target can be reached.",
    may: &[BackupRun::INFO],
};

/// Looks every minute who is due: each target has a plan of its own.
pub const BACKUP: Scheduled<Arc<Desk>> = Scheduled { job: &MAKER, when: When::Cron("* * * * *"), run: make };

/// Space is returned by a job of its own: never in the same run as a backup, and two-phase, because
/// that delay is what protects a backup that somebody makes meanwhile.
pub const PRUNE: Scheduled<Arc<Desk>> =
    Scheduled { job: &PRUNER, when: When::Cron("15 5 * * SUN"), run: prune };

/// Looks at targets between their backups, so that a dead one is known before the night.
pub const LOOK: Scheduled<Arc<Desk>> = Scheduled { job: &LOOKER, when: When::Cron("25 * * * *"), run: look };

fn make(desk: Arc<Desk>) -> Running {
    Box::pin(async move {
        let gate = desk.instance.door.job(&MAKER).gate::<BackupRun>(());
        let mut said = Vec::new();
        let mut made = Vec::new();
        // Asked anew after each: what the first one took may have made the next one wait for its window.
        while let Some(target) = next_due(&desk, &gate, &made).await? {
            if desk.is_closed() {
                break;
            }
            made.push(target.id);
            said.push(match make_one(&desk, &gate, &target).await {
                Ok(words) => format!("{}: {words}", target.name),
                Err(reason) => format!("{}: {}", target.name, reason.sentence()),
            });
        }
        let changes = gate.read(|tx| Changes::find(tx)).await?;
        if !changes.is_empty() {
            gate.write(move |tx| changes.make(tx).map(|()| tx.quiet(Quiet::Unchanged, ()))).await?;
        }
        Ok(if said.is_empty() { "Nothing was due.".into() } else { said.join(" ") })
    })
}

/// The target that has waited longest for its backup, of those not tried in this round.
async fn next_due(desk: &Desk, gate: &Gate<BackupRun>, made: &[TargetId]) -> Result<Option<Target>> {
    settle_cut(desk, gate).await?;
    let made = made.to_vec();
    let due = gate.read(move |tx| {
        let mut due = Vec::new();
        for target in targets::list(tx)? {
            if !made.contains(&target.id) && target.is_due(tx.now())? {
                due.push(target);
            }
        }
        Ok(due)
    });
    Ok(due.await?.into_iter().find(|target| !desk.is_at_work(target.id)))
}

/// Closes records that a killed program left running, so that what it began is tried again.
async fn settle_cut(desk: &Desk, gate: &Gate<BackupRun>) -> Result<()> {
    let running = gate.read(|tx| Ok((super::sql::running_places(tx)?, targets::list(tx)?))).await?;
    let (places, known) = running;
    for place in places {
        let is_here = known.iter().any(|target| target.address == place && desk.is_at_work(target.id));
        let Ok(parsed) = place.parse() else { continue };
        let receipts = Goal::receipts_of(&parsed, &desk.instance.data);
        if is_here || blocking(move || is_at_work(&receipts)).await? {
            continue;
        }
        gate.write(move |tx| {
            let count = super::settle_abandoned(tx, &place)?;
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            tx.audited(super::FAILED.alone().count("cut", count), ())
        })
        .await?;
    }
    Ok(())
}

async fn make_one(desk: &Arc<Desk>, gate: &Gate<BackupRun>, target: &Target) -> Result<String> {
    let (instance, of) = (Arc::clone(&desk.instance), target.clone());
    let goal = match gate.read(move |tx| Goal::of(tx, &instance, &of)).await {
        Ok(goal) => goal,
        Err(reason) => {
            note_unusable(gate, target, &reason).await?;
            return Err(reason);
        }
    };
    let made = desk.make(gate, Cause::Schedule, goal.clone()).await?;
    let forgotten = desk.forget(gate, goal).await;
    let said = match &forgotten {
        Ok(gone) => format!("{gone} were past their retention."),
        Err(reason) => format!("what is past its retention is still there: {}", reason.sentence()),
    };
    tell_of_retention(gate, target.name.clone(), forgotten.err()).await?;
    Ok(format!("Backup {} is made and read back; {said}", made.receipt.number))
}

/// A backup is good although the old ones could not be taken away; but somebody has to know, because the target
/// fills up and nothing is deleted that should be.
async fn tell_of_retention(gate: &Gate<BackupRun>, target: String, failed: Option<Error>) -> Result<()> {
    let told = gate.write(move |tx| {
        match failed {
            None => alarms::clear(tx, Alarm::RetentionStuck, &target)?,
            Some(reason) => {
                let said = format!(
                    "What is past its retention at “{target}” could not be taken away: {}",
                    reason.sentence()
                );
                alarms::raise(tx, Alarm::RetentionStuck, &target, &said)?;
            }
        }
        Ok(tx.quiet(Quiet::Unchanged, ()))
    });
    told.await
}

/// A target that could not even be begun with is tried again like one that failed.
async fn note_unusable(gate: &Gate<BackupRun>, target: &Target, reason: &Error) -> Result<()> {
    let (id, said) = (target.id, reason.sentence().to_owned());
    gate.write(move |tx| {
        targets::note_tried(tx, id)?;
        targets::note_failed(tx, id, true, &said)?;
        Ok(tx.quiet(Quiet::Unchanged, ()))
    })
    .await
}

fn prune(desk: Arc<Desk>) -> Running {
    Box::pin(async move {
        let gate = desk.instance.door.job(&PRUNER).gate::<BackupRun>(());
        let mut failed = Vec::new();
        let mut count = 0;
        for target in gate.read(|tx| targets::list(tx)).await? {
            let (instance, of) = (Arc::clone(&desk.instance), target.clone());
            let pruned = match gate.read(move |tx| Goal::of(tx, &instance, &of)).await {
                Ok(goal) => desk.prune(goal).await,
                Err(reason) => Err(reason),
            };
            match pruned {
                Ok(was_there) => count += usize::from(was_there),
                Err(reason) if target.is_enabled => {
                    failed.push(format!("{}: {}", target.name, reason.sentence()));
                }
                Err(_) => {}
            }
        }
        if failed.is_empty() {
            return Ok(format!("The space of old backups is returned at {count} targets."));
        }
        Err(Error::busy(failed.join(" ")))
    })
}

fn look(desk: Arc<Desk>) -> Running {
    Box::pin(async move {
        let gate = desk.instance.door.job(&LOOKER).gate::<BackupRun>(());
        let all = gate.read(|tx| targets::list(tx)).await?;
        let (mut reached, mut count) = (0, 0);
        for target in all.into_iter().filter(|target| target.is_enabled) {
            count += 1;
            reached += usize::from(look_at(&desk, &gate, target).await?);
        }
        Ok(format!("{reached} of {count} targets can be reached."))
    })
}

/// Whether a target answers. An alarm is raised where it does not, and cleared where it does again.
async fn look_at(desk: &Desk, gate: &Gate<BackupRun>, target: Target) -> Result<bool> {
    let (instance, of) = (Arc::clone(&desk.instance), target.clone());
    let reached = match gate.read(move |tx| Goal::even_if_off(tx, &instance, &of)).await {
        Ok(goal) => work::blocking(move || probe::reach(&goal)).await,
        Err(reason) => Err(reason),
    };
    let (is_reached, name, id) = (reached.is_ok(), target.name.clone(), target.id);
    let before = gate.read(move |tx| {
        let is_alarmed = alarms::open(tx)?
            .iter()
            .any(|raised| raised.alarm == Alarm::TargetUnreachable && raised.subject == name);
        Ok((is_alarmed, super::sql::newest_good_of(tx, id)?.is_some()))
    });
    let (is_alarmed, was_used) = before.await?;
    // A target whose first backup is yet to come may lack its folder.
    if is_reached != is_alarmed || !(is_reached || was_used) {
        return Ok(is_reached);
    }
    gate.write(move |tx| {
        match &reached {
            Ok(()) => alarms::clear(tx, Alarm::TargetUnreachable, &target.name)?,
            Err(reason) => alarms::raise(tx, Alarm::TargetUnreachable, &target.name, reason.sentence())?,
        }
        Ok(tx.quiet(Quiet::Unchanged, ()))
    })
    .await?;
    Ok(is_reached)
}
