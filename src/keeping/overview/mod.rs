//! The instance at a glance: what it is, how much it holds, how it is kept, and what it did last by itself.
//!
//! What only the composition root knows (address, certificate, list of jobs) comes in as `About`; the rest is
//! read where it lies. Nothing here is estimated.

mod pages;
mod sql;

pub use pages::routes;

use crate::kernel::access::{InstanceKeep, InstanceView, Job, Read, Write};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::declare::{When, Work, records};
use crate::kernel::error::{Error, Result};
use crate::kernel::instance::Instance;
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::options::Value;
use crate::kernel::schedule;
use crate::kernel::time::Timestamp;
use std::path::Path;

const RENAMED: Event = Event::new("instance.renamed", "The instance got another name.");
/// Events of this slice.
pub const EVENTS: &[Event] = &[RENAMED];

/// What the composition root knows of the running program.
pub struct About {
    /// When the program started.
    pub started_at: Timestamp,
    /// Where people find the instance.
    pub address: String,
    /// The certificate in force; none where a proxy does the TLS.
    pub certificate: Box<dyn Fn() -> Option<Certificate> + Send + Sync>,
    /// What the program has closed to itself; none where the sandbox is off.
    pub sandbox: Option<&'static str>,
    /// The boot options, as they were said.
    pub options: Vec<Value>,
    /// All scheduled work.
    pub jobs: Vec<(&'static Job, When)>,
}

/// What people compare with what their browser shows.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// SHA-256, as browsers write it.
    pub fingerprint: String,
    /// When it ends.
    pub not_after: Timestamp,
}

/// How much there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Projects, archived ones included.
    pub projects: i64,
    /// Accounts of people that are not suspended.
    pub people: i64,
    /// Cases that are not in the trash.
    pub cases: i64,
    /// Verdicts.
    pub results: i64,
    /// Entries of the audit trail.
    pub entries: i64,
    /// Files of evidence.
    pub files: i64,
    /// Bytes of these files.
    pub files_bytes: i64,
}

/// How much there is at this moment.
pub fn counts(tx: Read<'_, InstanceView>) -> Result<Counts> {
    sql::counts(tx)
}

/// Room on the disk of the data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// Bytes of the database and its log.
    pub database_bytes: u64,
    /// Bytes that are free for us.
    pub free_bytes: u64,
    /// Bytes of the whole disk.
    pub disk_bytes: u64,
}

impl Room {
    /// Asks the system.
    pub fn of(data: &Path) -> Result<Room> {
        let disk = rustix::fs::statvfs(data).map_err(Error::internal)?;
        let database = layout::database(data);
        let with_ending = |ending: &str| database.with_extension(format!("db{ending}"));
        let files = [database.clone(), with_ending("-wal"), with_ending("-shm")];
        let bytes = files.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|file| file.len());
        Ok(Room {
            database_bytes: bytes.sum(),
            free_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
            disk_bytes: disk.f_blocks.saturating_mul(disk.f_frsize),
        })
    }

    /// Whether so little is free that somebody should act.
    pub fn is_short(&self) -> bool {
        self.free_bytes < limits::DISK_FREE_BYTES_MIN
    }
}

/// Scheduled work with what it did last.
#[derive(Clone, Debug)]
pub struct JobLine {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub meaning: &'static str,
    /// When it is due, in words.
    pub when: String,
    /// What it did last; none if it never ran.
    pub last: Option<Work>,
}

/// All scheduled work, in the order in which it was declared.
pub fn jobs(tx: Read<'_, InstanceView>, declared: &[(&'static Job, When)]) -> Result<Vec<JobLine>> {
    let done = records(tx)?;
    let line = |(job, when): &(&'static Job, When)| {
        let expression = match when {
            When::Cron(expression) => (*expression).to_owned(),
            When::Setting(setting) => setting.get(tx)?,
        };
        let when = if expression.is_empty() { "Never".to_owned() } else { schedule::describe(&expression)? };
        let last = done.iter().find(|record| record.name == job.name).cloned();
        Ok(JobLine { name: job.name, meaning: job.meaning, when, last })
    };
    declared.iter().map(line).collect()
}

/// Gives the instance another name.
pub fn rename<'t>(tx: Write<'t, InstanceKeep>, name: &str) -> Result<Audited<'t, ()>> {
    let name = checked(name)?;
    sql::set_name(tx, name)?;
    tx.audited(RENAMED.alone(), ())
}

/// A name that fits, without the white space around it.
fn checked(name: &str) -> Result<&str> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > limits::NAME_CHARS_MAX || name.chars().any(char::is_control)
    {
        return Err(Error::invalid("This name does not fit.")
            .hint(format!("Write 1 to {} characters on one line.", limits::NAME_CHARS_MAX)));
    }
    Ok(name)
}

/// The ways in which the instance opens, and since when its keys are.
#[derive(Clone, Debug)]
pub struct Ways {
    /// Its id, as backups name it.
    pub uuid: String,
    /// In words, such as "the key file".
    pub ways: Vec<&'static str>,
    /// When the keys were made.
    pub made_at: Timestamp,
}

impl Ways {
    /// As they are on the disk now.
    pub fn of(instance: &Instance) -> Result<Ways> {
        let keyring = instance.keyring()?;
        let ways = keyring.slots().map(|slot| slot.spoken()).collect();
        Ok(Ways { uuid: keyring.uuid().to_owned(), ways, made_at: keyring.created_at() })
    }
}
