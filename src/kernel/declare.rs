//! What slices declare for others to gather: scheduled work. What became of it stands in the table of jobs.
//!
//! Declarations travel upward as constants, never as calls downward: `jobs` runs what it finds here.

use super::access::{Job, Tx};
use super::db::row::{FromRow, Row};
use super::error::Result;
use super::limits;
use super::settings::Setting;
use super::time::Timestamp;
use std::future::Future;
use std::pin::Pin;

/// What a job leaves behind: one sentence for its record.
pub type Running = Pin<Box<dyn Future<Output = Result<String>> + Send>>;

/// Scheduled work: who it is, when it is due, what it does with the instance `I`.
pub struct Scheduled<I: 'static> {
    /// Its name and the only permissions it will ever have.
    pub job: &'static Job,
    /// When it is due.
    pub when: When,
    /// What it does.
    pub run: fn(I) -> Running,
}

/// When a job is due. Times are those of the server's own zone.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// Always by this cron expression.
    Cron(&'static str),
    /// By the cron expression in a setting; an empty one switches the job off.
    Setting(&'static Setting),
}

/// What a job did last.
#[derive(Clone, Debug)]
pub struct Work {
    /// Name of the job.
    pub name: String,
    /// Until when somebody is doing it.
    pub lease_until: Timestamp,
    /// When it last began.
    pub started_at: Option<Timestamp>,
    /// When it last ended.
    pub finished_at: Option<Timestamp>,
    /// `good` or `failed`.
    pub outcome: Option<String>,
    /// What it said.
    pub message: Option<String>,
}

impl Work {
    /// Whether somebody is doing it. A lease that ends later than any that is given now is one of a clock that was
    /// set back since.
    pub fn is_held(&self, now: Timestamp) -> bool {
        (1..=limits::JOB_LEASE_MS).contains(&(self.lease_until.0 - now.0))
    }
}

/// What every job did last, by name; those that never ran are missing.
pub fn records(tx: impl Tx) -> Result<Vec<Work>> {
    tx.rows("SELECT name, lease_until, started_at, finished_at, outcome, message FROM jobs ORDER BY name", [])
}

impl FromRow for Work {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Work> {
        Ok(Work {
            name: row.get("name")?,
            lease_until: row.get("lease_until")?,
            started_at: row.get("started_at")?,
            finished_at: row.get("finished_at")?,
            outcome: row.get("outcome")?,
            message: row.get("message")?,
        })
    }
}
