//! Jobs: scheduled work. The cron crate ticks; our table decides who is due.
//!
//! Each job has a row with its lease and its last outcome. A job is due when an occurrence of its
//! schedule lies between its last start and now, so what was missed while the server was down is
//! caught up once. The lease keeps two looks from doing the same work; whoever starts holds the folder alone, so
//! a lease that is left then is one of a process that was killed.

mod sql;
pub mod table;

use crate::kernel::access::{Door, Gate, Job, JobKeep, Permission, Tx, Write};
use crate::kernel::alarms::{self, Alarm};
use crate::kernel::audit::{Audited, Quiet};
use crate::kernel::declare::{Scheduled, When};
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::limits;
use crate::kernel::schedule;
use crate::kernel::time::Timestamp;
use std::sync::Arc;
use tokio_cron_scheduler::{Job as Tick, JobScheduler};

/// Keeps the record of every job; may do nothing else.
const RUNNER: Job =
    Job { name: "jobs", meaning: "Keeps the record of scheduled work.", may: &[JobKeep::INFO] };

/// How often the table is looked at.
const TICK: &str = "*/20 * * * * *";

/// The running schedule; dropping it leaves jobs that have begun to finish by themselves.
pub struct Jobs {
    ticker: JobScheduler,
}

impl Jobs {
    /// Starts the ticks. `instance` is handed to each job that is due.
    pub async fn start<I>(door: Door, table: &'static [Scheduled<I>], instance: I) -> Result<Jobs>
    where
        I: Clone + Send + Sync + 'static,
    {
        let ticker = JobScheduler::new().await.map_err(Error::internal)?;
        let started = Arc::new(door.job(&RUNNER).gate::<JobKeep>(()).write(begin).await?);
        look_at_clock(&door).await;
        let tick = Tick::new_async(TICK, move |_, _| {
            let (door, instance, since) = (door.clone(), instance.clone(), *started);
            Box::pin(async move { look(&door, table, &instance, since).await })
        });
        ticker.add(tick.map_err(Error::internal)?).await.map_err(Error::internal)?;
        ticker.start().await.map_err(Error::internal)?;
        Ok(Jobs { ticker })
    }

    /// Stops the ticks.
    pub async fn stop(mut self) {
        if let Err(reason) = self.ticker.shutdown().await {
            tracing::warn!(%reason, "the ticks of scheduled work did not stop cleanly");
        }
    }
}

/// What a process that was killed was doing is free again. Answers when that was.
fn begin(tx: Write<'_, JobKeep>) -> Result<Audited<'_, Timestamp>> {
    sql::free_all(tx)?;
    Ok(tx.quiet(Quiet::JobHeartbeat, tx.now()))
}

async fn look<I: Clone>(door: &Door, table: &'static [Scheduled<I>], instance: &I, since: Timestamp) {
    look_at_clock(door).await;
    for scheduled in table {
        let gate = door.job(&RUNNER).gate::<JobKeep>(());
        match lease(&gate, scheduled, since).await {
            Ok(true) => run(&gate, scheduled, instance.clone()).await,
            Ok(false) => {}
            Err(reason) => {
                tracing::error!(job = scheduled.job.name, %reason, "could not look whether a job is due")
            }
        }
    }
}

async fn look_at_clock(door: &Door) {
    if let Err(reason) = tell_of_clock(&door.job(&RUNNER).gate::<JobKeep>(())).await {
        tracing::error!(%reason, "could not look whether the clock was set back");
    }
}

/// Raises the alarm while something that was noted lately lies in the future, and ends it after.
async fn tell_of_clock(gate: &Gate<JobKeep>) -> Result<()> {
    let seen = gate.read(|tx| {
        let newest = sql::newest_moment(tx)?;
        let ahead = newest.filter(|newest| schedule::known(*newest, tx.now()).is_none());
        let is_raised = alarms::open(tx)?.iter().any(|raised| raised.alarm == Alarm::ClockBack);
        Ok((ahead, is_raised))
    });
    let (ahead, is_raised) = seen.await?;
    if ahead.is_some() == is_raised {
        return Ok(());
    }
    let told = gate.write(move |tx| {
        match ahead {
            Some(newest) => alarms::raise(
                tx,
                Alarm::ClockBack,
                "",
                &format!(
                    "Something here was noted at {newest}, which is yet to come: the clock of this machine was \
                     wrong then or is wrong now. Set it right, and see that it follows a time server."
                ),
            )?,
            None => alarms::clear(tx, Alarm::ClockBack, "")?,
        }
        Ok(tx.quiet(Quiet::JobHeartbeat, ()))
    });
    told.await
}

/// Takes the lease of a job that is due and that nobody else is doing.
async fn lease<I>(gate: &Gate<JobKeep>, scheduled: &'static Scheduled<I>, since: Timestamp) -> Result<bool> {
    let (name, when) = (scheduled.job.name, scheduled.when);
    let is_due = gate
        .read(move |tx| {
            let record = sql::of(tx, name)?;
            let expression = match when {
                When::Cron(expression) => expression.to_owned(),
                When::Setting(setting) => setting.get(tx)?,
            };
            let last = record.as_ref().and_then(|record| record.started_at).unwrap_or(since);
            let is_free = record.is_none_or(|record| !record.is_held(tx.now()));
            Ok(is_free && schedule::is_due(&expression, last, tx.now())?)
        })
        .await?;
    if !is_due {
        return Ok(false);
    }
    gate.write(move |tx| take(tx, name)).await
}

fn take<'t>(tx: Write<'t, JobKeep>, name: &str) -> Result<Audited<'t, bool>> {
    let is_mine = sql::take(tx, name, Timestamp(tx.now().0 + limits::JOB_LEASE_MS))?;
    Ok(tx.quiet(Quiet::JobHeartbeat, is_mine))
}

async fn run<I>(gate: &Gate<JobKeep>, scheduled: &'static Scheduled<I>, instance: I) {
    let name = scheduled.job.name;
    let outcome = (scheduled.run)(instance).await;
    match &outcome {
        Ok(said) => tracing::info!(job = name, said, "job {name} is done"),
        Err(reason) => tracing::error!(job = name, ?reason, "job {name} failed"),
    }
    let (word, said) = match outcome {
        Ok(said) => ("good", said),
        Err(reason) => ("failed", reason.sentence().to_owned()),
    };
    // Until it is noted, the job counts as under way: on a full disk that would be so for as long as its lease.
    while let Err(reason) = noted(gate, name, word, said.clone()).await {
        tracing::error!(job = name, %reason, "the outcome of a job could not be stored");
        if !matches!(reason.kind(), Kind::Full | Kind::Unwritable) {
            break;
        }
        tokio::time::sleep(limits::JOB_NOTE_AGAIN).await;
    }
}

async fn noted(gate: &Gate<JobKeep>, name: &'static str, word: &'static str, said: String) -> Result<()> {
    let noting = gate.write(move |tx| {
        sql::finish(tx, name, word, &said)?;
        match word {
            "good" => alarms::clear(tx, Alarm::JobFailed, name)?,
            _ => alarms::raise(tx, Alarm::JobFailed, name, &said)?,
        }
        Ok(tx.quiet(Quiet::JobHeartbeat, ()))
    });
    noting.await
}
