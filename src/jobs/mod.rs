//! Jobs: scheduled work. The cron crate ticks; our table decides who is due.
//!
//! Each job has a row with its lease and its last outcome. A job is due when an occurrence of its
//! schedule lies between its last start and now, so what was missed while the server was down is
//! caught up once. The lease keeps two processes from doing the same work.

mod sql;
pub mod table;

use crate::kernel::access::{Door, Gate, Job, JobKeep, Permission, Tx, Write};
use crate::kernel::alarms::{self, Alarm};
use crate::kernel::audit::{Audited, Quiet};
use crate::kernel::declare::{Scheduled, When};
use crate::kernel::error::{Error, Result};
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
        let started = Arc::new(door.clone().job(&RUNNER).gate::<JobKeep>(()).read(|tx| Ok(tx.now())).await?);
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

async fn look<I: Clone>(door: &Door, table: &'static [Scheduled<I>], instance: &I, since: Timestamp) {
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
            let is_free = record.is_none_or(|record| record.lease_until <= tx.now());
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
    let noted = gate.write(move |tx| {
        let (word, said) = match &outcome {
            Ok(said) => ("good", said.clone()),
            Err(reason) => ("failed", reason.sentence().to_owned()),
        };
        sql::finish(tx, name, word, &said)?;
        match word {
            "good" => alarms::clear(tx, Alarm::JobFailed, name)?,
            _ => alarms::raise(tx, Alarm::JobFailed, name, &said)?,
        }
        Ok(tx.quiet(Quiet::JobHeartbeat, ()))
    });
    if let Err(reason) = noted.await {
        tracing::error!(job = name, %reason, "the outcome of a job could not be stored");
    }
}
