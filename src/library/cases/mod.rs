//! Cases: what is written to be checked. A case is numbered in its project and keeps its number.
//!
//! Every change is a new revision; none is ever lost. A case leaves by the trash and can come back.
//! This slice knows nothing of runs; how a case fared is told to it in a summary.

mod api;
pub mod bulk;
pub mod diff;
mod draft;
pub mod list;
mod pages;
pub mod selected;
mod sql;

pub use crate::library::references::number_of;
pub use api::Api;
pub use draft::{Draft, Step};

use crate::kernel::access::{CaseWrite, InProject, ProjectView, Read, Write};
use crate::kernel::audit::{Audited, Event, Quiet};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{CaseId, SuiteId};
use crate::kernel::time::Timestamp;
use crate::kernel::words::words;
use crate::library::text::Title;
use crate::library::verdicts::Status;
use crate::library::{holds, projects, suites};
use crate::web::routes::Route;

const CREATED: Event = Event::new("case.created", "A case was written.");
const CHANGED: Event = Event::new("case.changed", "A case got a new revision.");
const RESTORED: Event = Event::new("case.restored", "An earlier revision of a case was made the newest.");
const MOVED: Event = Event::new("case.moved", "A case was moved to another suite.");
const TRASHED: Event = Event::new("case.trashed", "A case was put into the trash.");
const RECOVERED: Event = Event::new("case.recovered", "A case was taken out of the trash.");
/// What the audit trail may say of cases.
pub const EVENTS: &[Event] = &[CREATED, CHANGED, RESTORED, MOVED, TRASHED, RECOVERED];

words! {
    /// Form of a case.
    Kind = "kind of case" {
        /// Actions with expected outcomes, one after the other.
        Steps = "steps",
        /// One text that says what to check.
        Text = "text",
        /// Checked by code, which reports under an automation key.
        Automated = "automated",
    }
}

words! {
    /// How much it matters.
    Priority = "priority" {
        /// The release cannot go out without it.
        Critical = "critical",
        /// It matters much.
        High = "high",
        /// As most cases.
        Normal = "normal",
        /// Good to know.
        Low = "low",
    }
}

words! {
    /// Whether a case counts.
    State = "state of a case" {
        /// It can be run.
        Active = "active",
        /// In the trash, from where it can come back.
        Trashed = "trashed",
    }
}

/// A case with what its newest revision is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// Its number in the instance.
    pub id: CaseId,
    /// Its number in the project: 12 in `SHOP-C12`.
    pub number: i64,
    /// Where it stands.
    pub suite: SuiteId,
    /// What it is called.
    pub title: Title,
    /// Its form.
    pub kind: Kind,
    /// How much it matters.
    pub priority: Priority,
    /// What code reports it under.
    pub automation_key: Option<String>,
    /// Number of the newest revision.
    pub revision: i64,
    /// Whether it counts.
    pub state: State,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it got its newest revision.
    pub updated_at: Timestamp,
}

/// An immutable state of a case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revision {
    /// 1 for the first.
    pub number: i64,
    /// What the case was called.
    pub title: Title,
    /// How much it mattered.
    pub priority: Priority,
    /// What must be so before one begins; Markdown.
    pub precondition: String,
    /// The text; Markdown.
    pub body: String,
    /// What to do and what to see.
    pub steps: Vec<Step>,
    /// Who wrote it; none if it came from a machine's console.
    pub author: Option<String>,
    /// When.
    pub created_at: Timestamp,
}

/// How a case has fared over all its results.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// The latest verdict.
    pub status: Status,
    /// When it was given.
    pub at: Timestamp,
    /// Results that passed.
    pub passed: i64,
    /// Results that failed or errored.
    pub failed: i64,
    /// How often passed and failed took turns.
    pub flips: i64,
}

/// A case as somebody opens it.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The case.
    pub case: Case,
    /// Its newest revision.
    pub revision: Revision,
    /// How it fared; none if it never ran.
    pub summary: Option<Summary>,
}

/// The routes of this slice, for people and for programs.
pub fn routes() -> Vec<Route> {
    pages::routes().into_iter().chain(api::routes()).collect()
}

/// Number of the case that an address names; anything else is a case that is not there.
pub fn named(project_key: &str, name: &str) -> Result<i64> {
    let short: String = name.chars().take(40).collect();
    number_of(project_key, name)
        .ok_or_else(|| Error::not_found(format!("There is no case \"{short}\" in this project.")))
}

/// Writes a case at the end of a suite, with revision 1.
pub fn create<'t>(tx: Write<'t, CaseWrite>, suite: SuiteId, draft: &Draft) -> Result<Audited<'t, Case>> {
    suites::one(tx, suite)?;
    refuse_taken_key(tx, draft, None)?;
    let number = sql::take_numbers(tx, 1)?;
    let case = sql::insert(tx, number, suite, draft)?;
    sql::index_words(tx, &case)?;
    sql::insert_revision(tx, case.id, 1, draft)?;
    suites::count_cases(tx, suite, 1)?;
    tx.audited(CREATED.of(case.id).and(suite), case)
}

/// Makes a new revision. `base` is the revision the writer began with: if there is a newer one, the
/// change is a conflict, and nothing of either side is lost.
pub fn edit<'t>(
    tx: Write<'t, CaseWrite>,
    number: i64,
    base: i64,
    draft: &Draft,
) -> Result<Audited<'t, Case>> {
    let case = one(tx, number)?;
    if case.revision != base {
        return Err(outdated(tx, &case, base)?);
    }
    if sql::revision(tx, case.id, base)?.is_some_and(|newest| draft.says_the_same(&case, &newest)) {
        return Ok(tx.quiet(Quiet::Unchanged, case));
    }
    refuse_taken_key(tx, draft, Some(case.id))?;
    let changed = revise(tx, &case, draft)?;
    tx.audited(CHANGED.of(case.id).count("revision", base + 1), changed)
}

/// Makes an earlier revision the newest one, as a revision of its own.
pub fn restore(tx: Write<'_, CaseWrite>, number: i64, revision: i64) -> Result<Audited<'_, Case>> {
    let case = one(tx, number)?;
    let earlier = sql::revision(tx, case.id, revision)?.ok_or_else(|| no_such_revision(number, revision))?;
    let draft = Draft::again(&case, earlier);
    let restored = revise(tx, &case, &draft)?;
    let entry = RESTORED.of(case.id).count("from", revision).count("revision", restored.revision);
    tx.audited(entry, restored)
}

/// Moves a case to the end of another suite.
pub fn move_to(tx: Write<'_, CaseWrite>, number: i64, suite: SuiteId) -> Result<Audited<'_, Case>> {
    let case = one(tx, number)?;
    suites::one(tx, suite)?;
    if case.state == State::Active {
        suites::count_cases(tx, case.suite, -1)?;
        suites::count_cases(tx, suite, 1)?;
    }
    let moved = sql::set_suite(tx, case.id, suite)?;
    tx.audited(MOVED.of(case.id).and(suite), moved)
}

/// Puts a case into the trash: lists and new runs leave it out, its results stay.
pub fn trash(tx: Write<'_, CaseWrite>, number: i64) -> Result<Audited<'_, Case>> {
    let case = one(tx, number)?;
    if case.state == State::Trashed {
        return Ok(tx.quiet(Quiet::Unchanged, case));
    }
    holds::refuse_whole(tx)?;
    suites::count_cases(tx, case.suite, -1)?;
    let trashed = sql::set_state(tx, case.id, State::Trashed)?;
    tx.audited(TRASHED.of(case.id), trashed)
}

/// Takes a case out of the trash, to where it stood.
pub fn recover(tx: Write<'_, CaseWrite>, number: i64) -> Result<Audited<'_, Case>> {
    let case = one(tx, number)?;
    if case.state == State::Active {
        return Ok(tx.quiet(Quiet::Unchanged, case));
    }
    suites::count_cases(tx, case.suite, 1)?;
    let recovered = sql::set_state(tx, case.id, State::Active)?;
    tx.audited(RECOVERED.of(case.id), recovered)
}

/// One case, those in the trash included.
pub fn one(tx: impl InProject, number: i64) -> Result<Case> {
    sql::by_number(tx, number)?.ok_or_else(|| no_such_case(number))
}

/// A case with its newest revision and how it fared.
pub fn open(tx: Read<'_, ProjectView>, number: i64) -> Result<Opened> {
    let case = one(tx, number)?;
    let revision = revision(tx, number, case.revision)?;
    let summary = sql::summary(tx, case.id)?;
    Ok(Opened { case, revision, summary })
}

/// One revision of a case.
pub fn revision(tx: impl InProject, number: i64, revision: i64) -> Result<Revision> {
    let case = one(tx, number)?;
    sql::revision(tx, case.id, revision)?.ok_or_else(|| no_such_revision(number, revision))
}

/// Revisions of a case, the newest first: those before one, or from the newest on.
pub fn revisions(
    tx: Read<'_, ProjectView>,
    number: i64,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Revision>> {
    let case = one(tx, number)?;
    sql::revisions(tx, case.id, before.unwrap_or(i64::MAX), limit)
}

/// The case that code reports under this key.
pub fn by_automation_key(tx: impl InProject, key: &str) -> Result<Option<Case>> {
    sql::by_automation_key(tx, key)
}

/// Gives a case its next revision and lets it be found by the new words.
fn revise(tx: Write<'_, CaseWrite>, case: &Case, draft: &Draft) -> Result<Case> {
    let next = case.revision + 1;
    sql::forget_words(tx, case)?;
    let revised = sql::set_revision(tx, case.id, next, draft)?;
    sql::index_words(tx, &revised)?;
    sql::insert_revision(tx, case.id, next, draft)?;
    Ok(revised)
}

fn refuse_taken_key(tx: Write<'_, CaseWrite>, draft: &Draft, own: Option<CaseId>) -> Result<()> {
    let Some(key) = &draft.automation_key else { return Ok(()) };
    match sql::by_automation_key(tx, key)? {
        Some(other) if Some(other.id) != own => Err(Error::conflict(format!(
            "The automation key belongs to {}-C{} already.",
            projects::key(tx)?,
            other.number
        ))
        .hint("Give this case another key, or take it away from the other case first.")),
        _ => Ok(()),
    }
}

fn outdated(tx: Write<'_, CaseWrite>, case: &Case, base: i64) -> Result<Error> {
    let (key, number, newest) = (projects::key(tx)?, case.number, case.revision);
    Ok(Error::conflict(format!(
        "{key}-C{number} was changed meanwhile: it has revision {newest}, and you began with {base}."
    ))
    .hint("Read the newest revision, take over what you need, and save on top of it."))
}

fn no_such_case(number: i64) -> Error {
    Error::not_found(format!("There is no case C{number} in this project."))
}

fn no_such_revision(number: i64, revision: i64) -> Error {
    Error::not_found(format!("Case C{number} has no revision {revision}."))
}
