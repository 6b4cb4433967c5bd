//! The whole instance out of a backup, in the place of the one that runs: proven beside it, exchanged while it
//! starts again, and with the present kept until somebody deletes it.

use super::moment;
use super::whole_sql as sql;
use crate::keeping::backup::prove;
use crate::keeping::backup::scratch::{Task, Turn};
use crate::keeping::backup::{Receipt, Scratch};
use crate::keeping::backups::{self, Cause, Desk};
use crate::keeping::recovery;
use crate::keeping::targets::Goal;
use crate::kernel::access::{BackupRun, Gate, InstanceKeep, Job, Permission, RestoreRun, Tx, Write};
use crate::kernel::audit::{Audited, Entry, Event, Quiet};
use crate::kernel::declare::{Running, Scheduled, When};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::restart::Restart;
use crate::kernel::settings::Setting;
use crate::kernel::swap::{self, Reason};
use crate::kernel::time::{Clock, Timestamp};
use crate::people::sessions;
use std::fs::File;
use std::sync::{Arc, Mutex};

pub(super) const ORDERED: Event = Event::new(
    "instance.restore_ordered",
    "Another state takes the place of the instance at its next start.",
);
pub(super) const RETURNED: Event =
    Event::new("instance.return_ordered", "The instance goes back to a state that was put aside.");
pub(super) const DISCARDED: Event =
    Event::new("instance.kept_discarded", "A state of the instance that was put aside was deleted.");

/// What is done at the bench.
pub(super) const WHAT: &str = "Bringing the whole instance back";
const HELD: &str = "nobody panics while holding it";
const DAY_MS: i64 = 24 * 3_600_000;

/// How long a state that was put aside stays.
pub const KEPT_DAYS: Setting = Setting {
    name: "restore.kept_days",
    default: "30",
    meaning: "Days after which a state that was put aside by a restore is deleted.",
    check: |text| match text.parse::<i64>() {
        Ok(days) if (1..=3_650).contains(&days) => Ok(()),
        _ => Err(Error::invalid("This is no number of days.").hint("Write a number from 1 to 3650.")),
    },
};

/// What is to take the place of the present.
#[derive(Clone, Debug)]
pub struct Order {
    /// Where the backup lies.
    pub goal: Goal,
    /// Its number.
    pub receipt: u64,
    /// The moment up to which its log is followed; none for the backup as it was made.
    pub until: Option<Timestamp>,
    /// Whether it goes on when the present cannot be backed up first.
    pub even_without_backup: bool,
}

impl Order {
    /// An entry of the audit trail that says which state it is.
    fn told(&self, event: Event) -> Entry {
        let entry = event.alone().count("receipt", i64::try_from(self.receipt).unwrap_or(i64::MAX));
        match self.until {
            Some(until) => entry.count("until_ms", until.0),
            None => entry,
        }
    }
}

/// What the last attempt came to, for the page: the instance that it brings back knows nothing of it.
#[derive(Default)]
pub struct Attempt {
    failure: Mutex<Option<String>>,
    /// What must stay locked until the program begins anew.
    held: Mutex<Option<File>>,
}

impl Attempt {
    /// Why the last attempt failed.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().expect(HELD).clone()
    }

    fn note(&self, failure: Option<String>) {
        *self.failure.lock().expect(HELD) = failure;
    }

    fn hold(&self, held: File) {
        *self.held.lock().expect(HELD) = Some(held);
    }
}

/// The claims of whoever orders it: to restore, and to back the present up first.
pub struct Claims {
    /// To restore.
    pub restore: Gate<RestoreRun>,
    /// To back up.
    pub backup: Gate<BackupRun>,
}

/// Begins to bring the whole instance back and leaves that to itself. It ends with a new start.
///
/// Errors: `Forbidden` unless the person proved lately who they are.
pub async fn begin(
    desk: Arc<Desk>,
    claims: Claims,
    order: Order,
    restart: Arc<Restart>,
    attempt: Arc<Attempt>,
) -> Result<()> {
    let turn = desk.bench.take(WHAT)?;
    let entry = order.told(ORDERED);
    claims
        .restore
        .write(move |tx| {
            sessions::demand_proof(tx)?;
            tx.audited(entry, ())
        })
        .await?;
    attempt.note(None);
    let own = Arc::clone(&desk);
    desk.go_on(async move {
        match prepared(&own, &claims, &order, &turn).await {
            Ok(held) => {
                attempt.hold(held);
                drop(turn);
                restart.wish();
            }
            Err(reason) => {
                tracing::error!(?reason, "the instance was not brought back");
                let hint = reason.hint_text().unwrap_or("Nothing was changed.");
                attempt.note(Some(format!("{} {hint}", reason.sentence())));
            }
        }
    });
    Ok(())
}

async fn prepared(desk: &Desk, claims: &Claims, order: &Order, turn: &Turn) -> Result<File> {
    let task = &turn.task;
    task.stage("Backing up the present", 0);
    let made = match desk.goal_for_present(&claims.backup, &order.goal).await {
        Ok(goal) => desk.make(&claims.backup, Cause::Person, goal).await.map(drop),
        Err(reason) => Err(reason),
    };
    if let Err(reason) = made {
        if !order.even_without_backup {
            return Err(reason);
        }
        tracing::warn!(
            ?reason,
            "the present could not be backed up first; it was confirmed to go on without"
        );
    }
    desk.bench.clear();
    let receipt = desk.receipt(&order.goal, Some(order.receipt)).await?;
    let scratch = match order.until {
        None => desk.scratch_within(&order.goal, receipt.clone(), task).await?,
        Some(at) => moment::followed(desk, &order.goal, receipt.clone(), at, task).await?,
    };
    proven(&scratch, task).await?;
    task.stage("Getting ready to start with it", 0);
    carry_over(claims, &scratch, order, &receipt).await?;
    let scratch = Arc::into_inner(scratch).ok_or_else(|| Error::internal("somebody else uses the copy"))?;
    let (staging, held) = scratch.close_and_keep().await;
    task.brake.go_on()?;
    swap::prepare(&desk.instance.data, &staging, Reason::Restore, Clock::System.now())?;
    Ok(held)
}

async fn proven(scratch: &Arc<Scratch>, task: &Arc<Task>) -> Result<()> {
    let proven = prove::prove(scratch, task).await?;
    match proven.trouble() {
        None => Ok(()),
        Some(check) => Err(Error::invalid(format!("{}: {}", check.name, check.said))
            .hint("Nothing was changed. Try another backup.")),
    }
}

/// Nobody who was shut out since then gets in again: sessions and links of then are worth nothing, tokens that were
/// revoked stay so, as do client certificates, and people who were suspended stay out.
async fn carry_over(claims: &Claims, scratch: &Scratch, order: &Order, receipt: &Receipt) -> Result<()> {
    let reading = claims.restore.read(|tx| {
        let (tokens, people) = (sql::revoked(tx)?, sql::suspended(tx)?);
        Ok(sql::ShutOut { tokens, people, certificates: sql::withdrawn(tx)? })
    });
    let out = reading.await?;
    let keep = scratch.shell.operator().gate::<InstanceKeep>(());
    let (receipt, entry) = (receipt.clone(), order.told(recovery::RESTORED));
    keep.write(move |tx| {
        sessions::end_for_everybody(tx)?;
        sql::shut_out(tx, &out)?;
        backups::settle(tx.also()?, &receipt)?;
        tx.audited(entry, ())
    })
    .await
}

/// Orders that a state that was put aside comes back, and starts again.
pub async fn go_back(desk: &Desk, gate: &Gate<RestoreRun>, name: String, restart: &Restart) -> Result<()> {
    let _turn = desk.bench.take(WHAT)?;
    gate.write(|tx| {
        sessions::demand_proof(tx)?;
        tx.audited(RETURNED.alone(), ())
    })
    .await?;
    swap::go_back(&desk.instance.data, &name, Clock::System.now())?;
    restart.wish();
    Ok(())
}

/// Deletes a state that was put aside.
pub async fn discard(desk: &Desk, gate: &Gate<RestoreRun>, name: String) -> Result<()> {
    let data = desk.instance.data.clone();
    gate.write(move |tx| discarded(tx, &data, &name)).await
}

fn discarded<'t>(tx: Write<'t, RestoreRun>, data: &std::path::Path, name: &str) -> Result<Audited<'t, ()>> {
    sessions::demand_proof(tx)?;
    swap::discard(data, name)?;
    tx.audited(DISCARDED.alone(), ())
}

const SWEEPER: Job = Job {
    name: "restore-sweep",
    meaning: "Deletes states of the instance that a restore put aside, and what restores list, once their time is over.",
    may: &[RestoreRun::INFO],
};

/// Deletes what was put aside long ago.
pub const SWEEP: Scheduled<Arc<Desk>> =
    Scheduled { job: &SWEEPER, when: When::Cron("50 5 * * *"), run: sweep };

fn sweep(desk: Arc<Desk>) -> Running {
    Box::pin(async move {
        let gate = desk.instance.door.job(&SWEEPER).gate::<RestoreRun>(());
        let (days, now) = gate.read(|tx| Ok((KEPT_DAYS.get(tx)?, tx.now()))).await?;
        let days: i64 = days.parse().unwrap_or(30);
        let mut gone = 0;
        for kept in swap::kept(&desk.instance.data)? {
            if expires_at(kept.at, days) < now {
                let (data, name) = (desk.instance.data.clone(), kept.name);
                gate.write(move |tx| discarded(tx, &data, &name)).await?;
                gone += 1;
            }
        }
        let texts = gate.write(forget_texts).await?;
        Ok(format!("{gone} states that were put aside are deleted, and the lists of {texts} restores."))
    })
}

/// What a restore would bring back or did is told in words of the cases: these go, or they would outlive what is
/// deleted for good.
fn forget_texts(tx: Write<'_, RestoreRun>) -> Result<Audited<'_, usize>> {
    let count = super::sql::forget_texts(tx, Timestamp(tx.now().0 - limits::RESTORE_TEXT_MS))?;
    Ok(tx.quiet(Quiet::JobHeartbeat, count))
}

/// When a state that was put aside is deleted.
pub fn expires_at(at: i64, days: i64) -> Timestamp {
    Timestamp(at.saturating_add(days.saturating_mul(DAY_MS)))
}
