//! What slices declare for others to gather: scheduled work.
//!
//! Declarations travel upward as constants, never as calls downward: `jobs` runs what it finds here.

use super::access::Job;
use super::error::Result;
use super::settings::Setting;
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
