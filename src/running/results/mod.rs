//! Results: one recorded verdict each, manual or automated. Appended, never changed.
//!
//! A result of an item that has one already is another attempt: the last counts, all are kept.

mod api;
mod pages;
mod recorder;
pub mod recount;
mod sql;

pub use api::Api;
pub use recorder::{Batch, Recorder};

use crate::kernel::access::{InProject, ProjectView, Read, ResultWrite, UploadSweep, Write};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{ItemId, ResultId, RunId, UploadId};
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use crate::library::text::Title;
use crate::library::verdicts::Status;
use crate::running::runs::{self, Kind, OpenRun};
use crate::web::routes::Route;

const RECORDED: Event = Event::new("results.recorded", "Results were recorded in a run.");
/// What the audit trail may say of results.
pub const EVENTS: &[Event] = &[RECORDED];

/// Every route of this slice.
pub fn routes() -> Vec<Route> {
    [api::routes(), pages::routes()].into_iter().flatten().collect()
}

/// A verdict to be recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewResult {
    /// What was checked.
    pub case: CaseOf,
    /// The verdict; anything but untested.
    pub status: Status,
    /// How long it took.
    pub elapsed_ms: Option<i64>,
    /// Why it failed, in short.
    pub message: Option<String>,
    /// Where it failed.
    pub stack: Option<String>,
    /// What the check printed.
    pub output: Option<String>,
    /// What a person says of it.
    pub comment: Option<String>,
    /// How each step fared, in their order; empty if nobody said.
    pub steps: Vec<Status>,
}

/// How a result names its case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CaseOf {
    /// By its number in the project.
    Number(i64),
    /// By what code reports it under. A key that nobody has makes a case.
    Key {
        /// The automation key.
        key: String,
        /// What a new case is called.
        title: Title,
        /// Where a new case stands, from the root; empty is "Unsorted".
        suite: Vec<Title>,
    },
    /// By a number that a report names; if there is no such case, as if it had named none.
    Marked {
        /// The number in the project.
        number: i64,
        /// How the case is found without it.
        otherwise: Box<CaseOf>,
    },
}

impl CaseOf {
    /// A case by its key alone: class and name are read out of it.
    pub fn key(key: &str, title: Option<&str>) -> CaseOf {
        let (class, name) = class_and_name(key);
        let title = Title::from_machine(title.filter(|title| !title.trim().is_empty()).unwrap_or(name));
        let suite = class.map(Title::from_machine).into_iter().collect();
        CaseOf::Key { key: key.to_owned(), title, suite }
    }
}

impl NewResult {
    /// A bare verdict.
    pub fn new(case: CaseOf, status: Status) -> NewResult {
        NewResult {
            case,
            status,
            elapsed_ms: None,
            message: None,
            stack: None,
            output: None,
            comment: None,
            steps: Vec::new(),
        }
    }
}

/// From where results come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Source {
    /// People, or code.
    pub kind: Kind,
    /// The report upload they came with.
    pub upload: Option<UploadId>,
}

impl Source {
    /// A person who executes an item.
    pub const MANUAL: Source = Source { kind: Kind::Manual, upload: None };
    /// A program that speaks our API.
    pub const AUTOMATED: Source = Source { kind: Kind::Automated, upload: None };
}

/// What became of a new result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recorded {
    /// Its number.
    pub id: ResultId,
    /// The item it belongs to.
    pub item: ItemId,
    /// Number of the case in the project.
    pub case: i64,
    /// 1 for the first result of the item.
    pub attempt: i64,
}

/// One verdict as it was recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// Its number.
    pub id: ResultId,
    /// The item.
    pub item: ItemId,
    /// Number of the case in the project.
    pub case: i64,
    /// What code reports the case under.
    pub automation_key: Option<String>,
    /// What the case is called.
    pub title: String,
    /// The verdict.
    pub status: Status,
    /// How long it took.
    pub elapsed_ms: Option<i64>,
    /// Why it failed, in short.
    pub message: Option<String>,
    /// Where it failed.
    pub stack: Option<String>,
    /// What the check printed.
    pub output: Option<String>,
    /// What a person says of it.
    pub comment: Option<String>,
    /// How each step fared, in their order; empty if nobody said.
    pub steps: Vec<Status>,
    /// 1 for the first of the item.
    pub attempt: i64,
    /// Who recorded it.
    pub author: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Records results, all or none; the answers stand in the order of the results.
pub fn record<'t>(
    tx: Write<'t, ResultWrite>,
    run: OpenRun,
    source: Source,
    results: Vec<NewResult>,
) -> Result<Audited<'t, Batch>> {
    let mut recorder = Recorder::open(tx, run, source)?;
    for (place, result) in results.into_iter().enumerate() {
        recorder.push(result).map_err(|error| error.at(format!("results[{place}]")))?;
    }
    recorder.finish()
}

/// Lets the cases of a received run know how they fared: recording into one leaves that to the end, so that
/// nothing is seen of an upload before it is complete. Belongs into the transaction that accepts the run.
pub fn settle(tx: Write<'_, ResultWrite>, run: RunId) -> Result<()> {
    sql::summarise_run(tx, run)
}

/// Takes away results of a run that an upload began and did not finish, at most so many; answers how many.
/// Whoever calls this writes the entry.
pub fn discard(tx: Write<'_, UploadSweep>, run: RunId, rows_max: i64) -> Result<i64> {
    sql::delete(tx, run, rows_max)
}

/// Results of a run in the order in which they came in; `after` goes on behind that one.
pub fn list(
    tx: Read<'_, ProjectView>,
    run: i64,
    after: Option<ResultId>,
    limit: i64,
) -> Result<Vec<Verdict>> {
    let run = runs::one(tx, run)?;
    sql::of_run(tx, run.id, after.unwrap_or(ResultId(0)), limit)
}

/// The latest results of an item, the newest first.
pub fn of_item(tx: impl InProject, run: &runs::Run, item: &runs::items::Item) -> Result<Vec<Verdict>> {
    sql::of_item(tx, run.id, item.id, item.attempts.min(limits::ATTEMPTS_SHOWN))
}

/// One result of this project.
pub fn one(tx: impl InProject, id: ResultId) -> Result<Verdict> {
    sql::one(tx, id)?.ok_or_else(|| Error::not_found(format!("There is no result {} in this project.", id.0)))
}

/// Class and name in a key such as `shop.CheckoutTest.pays` or `tests/test_pay.py::test_card`.
fn class_and_name(key: &str) -> (Option<&str>, &str) {
    let has_words = key.contains(char::is_whitespace);
    let dot = if has_words { None } else { key.rsplit_once('.') };
    let parts = key.rsplit_once("::").or_else(|| key.rsplit_once('#')).or(dot);
    match parts {
        Some((class, name)) if !class.trim().is_empty() && !name.trim().is_empty() => (Some(class), name),
        _ => (None, key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_class_and_name() {
        assert_eq!(class_and_name("shop.CheckoutTest.pays"), (Some("shop.CheckoutTest"), "pays"));
        assert_eq!(class_and_name("tests/t.py::test_a"), (Some("tests/t.py"), "test_a"));
        assert_eq!(class_and_name("Checkout#pays"), (Some("Checkout"), "pays"));
        assert_eq!(class_and_name("Pays. By card"), (None, "Pays. By card"));
        assert_eq!(class_and_name("pays"), (None, "pays"));
        assert_eq!(class_and_name(".pays"), (None, ".pays"));
    }
}
