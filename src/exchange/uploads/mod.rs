//! Report uploads: files of test results become one run, whole or not at all, and only once.
//!
//! What a report says is `ingest`'s to read, how a verdict is recorded `running`'s. Here they meet: which run,
//! which case, and what happens when the same upload comes again, breaks off, or is larger than one transaction.

mod api;
mod pages;
mod receive;
mod sql;
mod store;
mod sweep;
mod translate;

pub use api::{Api, routes};
pub use sweep::{Leftover, SWEEPER, sweep};

use crate::exchange::ingest::Summary;
use crate::kernel::access::{Gate, InProject, UploadWrite};
use crate::kernel::audit::Event;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::UploadId;
use crate::kernel::instance::Instance;
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use crate::library::text::Title;
use crate::running::runs::Run;
use crate::web::upload::{Bounds, Received};

const BEGUN: Event = Event::new("upload.begun", "A large report upload began to come in.");
const STORED: Event = Event::new("upload.stored", "A report upload was stored.");
const SWEPT: Event = Event::new("upload.swept", "What an upload had left that was cut off was taken away.");
/// What the audit trail may say of report uploads.
pub const EVENTS: &[Event] = &[BEGUN, STORED, SWEPT];

/// What one upload of reports may bring.
pub const BOUNDS: Bounds = Bounds {
    files_max: limits::UPLOAD_FILES_MAX,
    file_bytes_max: limits::UPLOAD_FILE_BYTES_MAX,
    bytes_max: limits::UPLOAD_BYTES_MAX,
};

/// What the reports of an upload held, by how each check ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// All checks.
    pub total: i64,
    /// Did what was expected.
    pub passed: i64,
    /// Did not.
    pub failed: i64,
    /// The check itself broke.
    pub errored: i64,
    /// Left out on purpose.
    pub skipped: i64,
    /// Sum over the checks, in milliseconds.
    pub duration_ms: i64,
}

impl Counts {
    /// Checks that failed or errored.
    pub fn failures(&self) -> i64 {
        self.failed + self.errored
    }

    fn add(&mut self, summary: &Summary) {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.total += count(summary.found);
        self.passed += count(summary.passed);
        self.failed += count(summary.failed);
        self.errored += count(summary.errored);
        self.skipped += count(summary.skipped);
        self.duration_ms = self.duration_ms.saturating_add(summary.duration_ms);
    }
}

/// An upload that is stored, or still coming in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upload {
    /// Its number.
    pub id: UploadId,
    /// Whether it is stored to its end.
    pub is_complete: bool,
    /// Number of its run in the project.
    pub run: i64,
    /// What the run is called.
    pub run_title: String,
    /// The format of its files.
    pub format: String,
    /// How many files it brought.
    pub files: i64,
    /// Their size.
    pub bytes: i64,
    /// What they held.
    pub counts: Counts,
    /// Cases that had to be made.
    pub cases_created: i64,
    /// What the reader noticed, one sentence each.
    pub notes: Vec<String>,
    /// Who sent it.
    pub author: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// Digest of what was sent and for which run.
    content: String,
}

/// Where the results of an upload go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// A run of their own, closed when it is complete.
    New,
    /// The open run of this number.
    Run(i64),
    /// An open run of this title; a new one if there is none, left open for what else comes.
    Titled(Title),
}

impl Target {
    /// The target that a form or a parameter names: nothing, a number, a reference such as `SHOP-R3`, or a title.
    pub fn named(project_key: &str, text: Option<&str>) -> Result<Target> {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(Target::New) };
        let is_digits = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let own = text.strip_prefix(project_key).and_then(|rest| rest.strip_prefix("-R"));
        match own.filter(is_digits).or(Some(text).filter(is_digits)) {
            Some(digits) => digits.parse().map(Target::Run).map_err(|_| {
                Error::not_found("There is no run of this number.").hint("Name the run, or leave it out.")
            }),
            None => Title::new("run", text).map(Target::Titled),
        }
    }

    /// The target as part of what makes two uploads the same.
    fn text(&self) -> String {
        match self {
            Target::New => "new".to_owned(),
            Target::Run(number) => format!("run {number}"),
            Target::Titled(title) => format!("titled {title}"),
        }
    }
}

/// What comes with the files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// Where the results go.
    pub target: Target,
    /// Format of the files; none is what their content says.
    pub format: Option<crate::exchange::ingest::Format>,
    /// The name that the sender gave to this upload: a second one of this name changes nothing.
    pub key: Option<String>,
}

/// What became of an upload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The upload.
    pub upload: Upload,
    /// Its run.
    pub run: Run,
    /// Key of the project.
    pub project: String,
    /// Whether it was stored before, and nothing changed.
    pub is_replayed: bool,
}

/// Reads the files to their end, then stores what they hold: all or nothing, once.
pub async fn import(
    gate: &Gate<UploadWrite>,
    instance: &Instance,
    order: Order,
    files: Vec<Received>,
) -> Result<Outcome> {
    let incoming = receive::read(order, files).await?;
    store::store(gate, &instance.door, incoming).await
}

/// The newest uploads of the project.
pub fn list(tx: impl InProject) -> Result<Vec<Upload>> {
    sql::newest(tx)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_by_number_reference_or_title() {
        let named = |text| Target::named("SHOP", Some(text)).unwrap();
        assert_eq!(Target::named("SHOP", None).unwrap(), Target::New);
        assert_eq!(named("  "), Target::New);
        assert_eq!(named("12"), Target::Run(12));
        assert_eq!(named("SHOP-R12"), Target::Run(12));
        for title in ["Nightly", "SHOP-R", "BANK-R12", "R12", "SHOP-C12", "12 and more"] {
            assert_eq!(named(title), Target::Titled(Title::new("run", title).unwrap()), "{title}");
        }
        assert!(Target::named("SHOP", Some("99999999999999999999")).is_err());
        assert!(Target::named("SHOP", Some("two\nlines")).is_err());
    }
}
