//! One drill, from the first look at the target to the signed record.

use super::schedule::DRILLER;
use super::{Evidence, signed, sql};
use crate::keeping::backup::prove::{self, Proven};
use crate::keeping::backup::scratch::{Task, Turn};
use crate::keeping::backup::{Receipt, Scratch};
use crate::keeping::backups::{Cause, Chosen, Desk};
use crate::keeping::targets::Goal;
use crate::kernel::access::{BackupRun, Gate};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::DrillId;
use crate::kernel::time::{Clock, Timestamp};
use ed25519_dalek::SigningKey;
use std::sync::Arc;

/// What is done at the bench.
pub(super) const WHAT: &str = "A drill";

/// Brings the newest backup of a target back, proves it and records that. One at a time.
///
/// Errors: what was wrong with the backup, once that is recorded and the alarm is raised.
pub async fn run(desk: &Desk, gate: &Gate<BackupRun>, cause: Cause, goal: &Goal) -> Result<Evidence> {
    let turn = desk.bench.take(WHAT)?;
    let id = noted(gate, cause, goal).await?;
    carry_out(desk, id, goal, &turn).await
}

/// Begins a drill and leaves it to itself: its record tells how it went.
pub async fn begin(desk: Arc<Desk>, gate: Gate<BackupRun>, cause: Cause, goal: Goal) -> Result<DrillId> {
    let turn = desk.bench.take(WHAT)?;
    let id = noted(&gate, cause, &goal).await?;
    let own = Arc::clone(&desk);
    desk.go_on(async move {
        if let Err(reason) = carry_out(&own, id, &goal, &turn).await {
            tracing::error!(drill = id.0, ?reason, "drill {} failed", id.0);
        }
    });
    Ok(id)
}

async fn noted(gate: &Gate<BackupRun>, cause: Cause, goal: &Goal) -> Result<DrillId> {
    let place = goal.place.to_string();
    gate.write(move |tx| super::start(tx, cause.word(), &place)).await
}

async fn carry_out(desk: &Desk, id: DrillId, goal: &Goal, turn: &Turn) -> Result<Evidence> {
    let mut receipt = None;
    let outcome = work(desk, id, goal, &turn.task, &mut receipt).await;
    // Whoever asked for it may have signed out meanwhile; the record is kept all the same.
    let gate = desk.instance.door.job(&DRILLER).gate::<BackupRun>(());
    let name = goal.name.clone();
    match outcome {
        Ok((proof, sealed)) => {
            let own = proof.clone();
            gate.write(move |tx| super::finish(tx, id, &name, &own, &sealed)).await?;
            Ok(proof)
        }
        Err(reason) if turn.task.brake.is_pulled() => {
            gate.write(move |tx| super::stopped(tx, id)).await?;
            Err(reason)
        }
        Err(reason) => {
            let said = match reason.hint_text() {
                Some(hint) => format!("{} {hint}", reason.sentence()),
                None => reason.sentence().to_owned(),
            };
            gate.write(move |tx| super::fail(tx, id, &name, receipt.as_ref(), &said)).await?;
            Err(reason)
        }
    }
}

async fn work(
    desk: &Desk,
    id: DrillId,
    goal: &Goal,
    task: &Arc<Task>,
    tried: &mut Option<Receipt>,
) -> Result<(Evidence, String)> {
    // The clock of the machine: what is measured is how long people would wait.
    let began = Clock::System.now();
    let newest = desk.receipt(goal, None).await?;
    *tried = Some(newest.clone());
    let chosen = Chosen { goal: goal.clone(), number: Some(newest.number) };
    // Never a copy that was brought back for something else: this is about bringing it back.
    desk.bench.clear();
    let scratch = desk.scratch(&chosen, task).await?;
    let proven = prove::prove(&scratch, task).await?;
    compare(desk, &scratch, &proven).await?;
    if let Some(check) = proven.trouble() {
        return Err(Error::invalid(format!("{}: {}", check.name, check.said))
            .hint("Make a new backup into another target now; then find out what happened to this one."));
    }
    let ended = Clock::System.now();
    let proof = record(id, goal, &scratch, began, ended).with(proven);
    let keyring = desk.instance.keyring()?.copy();
    let sealed = proof.seal(&SigningKey::from_bytes(keyring.backup_signing().expose()))?;
    Ok((proof, sealed))
}

/// The same backup must always hold the same data.
async fn compare(desk: &Desk, scratch: &Scratch, proven: &Proven) -> Result<()> {
    let gate = desk.instance.door.job(&DRILLER).gate::<BackupRun>(());
    let (target, number) = (scratch.target.clone(), signed(scratch.receipt.number));
    let known = gate.read(move |tx| sql::digest_of(tx, &target, number)).await?;
    match known {
        // Another schema adds columns, and they are part of the hash.
        Some(known) if known != proven.digest && scratch.manifest.testkeep == env!("CARGO_PKG_VERSION") => {
            Err(Error::invalid(format!(
                "Backup {number} holds other data than at the drill before: {} then, {} now.",
                known, proven.digest
            )))
        }
        _ => Ok(()),
    }
}

fn record(id: DrillId, goal: &Goal, scratch: &Scratch, began: Timestamp, ended: Timestamp) -> Evidence {
    let made: Option<jiff::Timestamp> = scratch.manifest.made_at.parse().ok();
    let age_ms = made.map_or(0, |made| began.0 - made.as_millisecond());
    Evidence {
        version: 1,
        instance: scratch.receipt.instance.clone(),
        drill: id.0,
        target: goal.place.to_string(),
        receipt: scratch.receipt.number,
        snapshot: scratch.receipt.snapshot.clone(),
        made_at: scratch.manifest.made_at.clone(),
        started_at: began.to_string(),
        finished_at: ended.to_string(),
        rpo_ms: age_ms.max(0),
        rto_ms: (ended.0 - began.0).max(0),
        testkeep: env!("CARGO_PKG_VERSION").to_owned(),
        bytes: scratch.receipt.bytes,
        rows: 0,
        blobs: 0,
        audit_entry: 0,
        digest: String::new(),
        checks: Vec::new(),
    }
}
