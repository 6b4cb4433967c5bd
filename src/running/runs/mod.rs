//! Runs: one execution session over a set of items.
//!
//! A run moves receiving → open → closed and never back. A receiving run is an upload under way, which
//! nobody sees. This slice knows nothing of report formats, and nothing of how a verdict is recorded.

mod api;
pub mod groups;
pub mod history;
pub mod items;
mod pages;
mod sql;
pub mod trash;

pub use api::{Api, CaseName, CountsWire};
pub use pages::url;

use crate::kernel::access::{InProject, ProjectView, Read, RunWrite, UploadSweep, Write};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{ItemId, RunId, SuiteId, UserId};
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use crate::kernel::words::words;
use crate::library::text::Title;
use crate::library::verdicts::Status;
use crate::library::{projects, suites};
use crate::web::routes::Route;
use crate::web::tally::Tally;

const CREATED: Event = Event::new("run.created", "A run was started.");
const RENAMED: Event = Event::new("run.renamed", "A run got another title.");
const RECEIVED: Event = Event::new("run.received", "A run that an upload made is complete.");
const CLOSED: Event = Event::new("run.closed", "A run was closed.");
const EXTENDED: Event = Event::new("run.extended", "Cases were added to a run.");
const ASSIGNED: Event = Event::new("run.assigned", "Items of a run were given to somebody, or to nobody.");
/// What the audit trail may say of runs.
pub const EVENTS: &[Event] =
    &[CREATED, RENAMED, RECEIVED, CLOSED, EXTENDED, ASSIGNED, trash::TRASHED, trash::RECOVERED];

/// Every route of this slice.
pub fn routes() -> Vec<Route> {
    [api::routes(), pages::routes()].into_iter().flatten().collect()
}

words! {
    /// Where the verdicts come from.
    Kind = "kind of run" {
        /// People execute it.
        Manual = "manual",
        /// Code reports.
        Automated = "automated",
        /// Both.
        Mixed = "mixed",
    }
}

words! {
    /// How far a run is.
    State = "state of a run" {
        /// An upload is not complete; nobody sees it.
        Receiving = "receiving",
        /// It takes results.
        Open = "open",
        /// It takes none any more.
        Closed = "closed",
    }
}

/// Items by their latest verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Did what was expected.
    pub passed: i64,
    /// Did not.
    pub failed: i64,
    /// The check itself broke.
    pub errored: i64,
    /// Could not be checked.
    pub blocked: i64,
    /// Left out on purpose.
    pub skipped: i64,
    /// Nobody has looked yet.
    pub untested: i64,
    /// Sum over the latest results.
    pub duration_ms: i64,
}

impl Counts {
    /// All items.
    pub fn total(&self) -> i64 {
        Status::ALL.iter().map(|status| self.of(*status)).sum()
    }

    /// Items that failed or errored.
    pub fn failures(&self) -> i64 {
        self.failed + self.errored
    }

    /// Items with this verdict.
    pub fn of(&self, status: Status) -> i64 {
        match status {
            Status::Passed => self.passed,
            Status::Failed => self.failed,
            Status::Errored => self.errored,
            Status::Blocked => self.blocked,
            Status::Skipped => self.skipped,
            Status::Untested => self.untested,
        }
    }

    /// The counts as a tally draws them.
    pub fn tally(&self) -> Tally {
        let count = |count: i64| u64::try_from(count).unwrap_or(0);
        Tally {
            passed: count(self.passed),
            failed: count(self.failed),
            errored: count(self.errored),
            blocked: count(self.blocked),
            skipped: count(self.skipped),
            running: 0,
            untested: count(self.untested),
        }
    }

    /// The count of this verdict, to change it.
    pub fn of_mut(&mut self, status: Status) -> &mut i64 {
        match status {
            Status::Passed => &mut self.passed,
            Status::Failed => &mut self.failed,
            Status::Errored => &mut self.errored,
            Status::Blocked => &mut self.blocked,
            Status::Skipped => &mut self.skipped,
            Status::Untested => &mut self.untested,
        }
    }

    /// Share of passed items among those with a verdict that says something, in tenths of a percent.
    pub fn pass_permille(&self) -> Option<i64> {
        let judged = self.passed + self.failures();
        (judged > 0).then(|| self.passed * 1_000 / judged)
    }
}

/// One execution session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// Number in the instance.
    pub id: RunId,
    /// Number in the project: 3 in `SHOP-R3`.
    pub number: i64,
    /// What it is called.
    pub title: Title,
    /// Where the verdicts come from.
    pub kind: Kind,
    /// How far it is.
    pub state: State,
    /// Who started it.
    pub author: Option<String>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// When it last took a result.
    pub changed_at: Timestamp,
    /// Its items by verdict.
    pub counts: Counts,
}

/// A run that takes results: proof that it is not closed. Good for one transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenRun {
    /// Number in the instance.
    pub id: RunId,
    /// Number in the project.
    pub number: i64,
    /// Whether it has no item yet.
    pub is_empty: bool,
    /// Whether an upload fills it and nobody sees it yet.
    pub is_receiving: bool,
}

impl OpenRun {
    fn of(run: &Run) -> OpenRun {
        let (is_empty, is_receiving) = (run.counts.total() == 0, run.state == State::Receiving);
        OpenRun { id: run.id, number: run.number, is_empty, is_receiving }
    }
}

/// What a new run is to hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Selection {
    /// Nothing yet: results bring their items.
    Nothing,
    /// Every active case of the project.
    Everything,
    /// Active cases of these suites and of those below them.
    Suites(Vec<SuiteId>),
    /// These cases, by number, in this order.
    Cases(Vec<i64>),
}

/// Starts a run with its items pinned to the newest revisions, in the order of the tree.
pub fn create<'t>(tx: Write<'t, RunWrite>, title: &Title, selection: &Selection) -> Result<Audited<'t, Run>> {
    let number = sql::take_number(tx)?;
    let id = sql::insert(tx, number, title, Kind::Manual, State::Open)?;
    let items = fill(tx, id, selection)?;
    let run = one(tx, number)?;
    tx.audited(CREATED.of(id).count("items", items), run)
}

/// Starts a run that an upload fills; nobody sees it before `accept`.
pub fn receive<'t>(tx: Write<'t, RunWrite>, title: &Title) -> Result<Audited<'t, OpenRun>> {
    let number = sql::take_number(tx)?;
    let id = sql::insert(tx, number, title, Kind::Automated, State::Receiving)?;
    let run = OpenRun { id, number, is_empty: true, is_receiving: true };
    tx.audited(CREATED.of(id).count("items", 0), run)
}

/// A run that an upload fills, found again in its next transaction.
pub fn receiving(tx: Write<'_, RunWrite>, number: i64) -> Result<OpenRun> {
    let found = sql::by_number(tx, number)?.filter(|run| run.state == State::Receiving);
    found.as_ref().map(OpenRun::of).ok_or_else(|| {
        Error::conflict("This upload took so long that it was given up.").hint("Send it again.")
    })
}

/// Shows a received run to everybody, open or closed at once.
pub fn accept(tx: Write<'_, RunWrite>, run: OpenRun, state: State) -> Result<Audited<'_, Run>> {
    sql::set_state(tx, run.id, state)?;
    let accepted = one(tx, run.number)?;
    tx.audited(RECEIVED.of(run.id).count("items", accepted.counts.total()), accepted)
}

/// The run as one that takes results. A closed run is a conflict.
pub fn taking(tx: impl InProject, number: i64) -> Result<OpenRun> {
    let run = one(tx, number)?;
    if run.state == State::Closed {
        let key = projects::key(tx)?;
        return Err(Error::conflict(format!("Run {key}-R{number} is closed, so it takes no results."))
            .hint("Start a new run to record another result."));
    }
    Ok(OpenRun::of(&run))
}

/// A run of exactly this title that is not closed: one that an upload fills before all others, then the newest.
pub fn titled(tx: impl InProject, title: &Title) -> Result<Option<OpenRun>> {
    Ok(sql::by_title(tx, title)?.as_ref().map(OpenRun::of))
}

/// Takes away items of a run that an upload began and did not finish, at most so many; answers how many. Its
/// results go before, the run after. Whoever calls this writes the entry.
pub fn discard_items(tx: Write<'_, UploadSweep>, run: RunId, rows_max: i64) -> Result<i64> {
    sql::unmark_cases(tx, run, rows_max)?;
    sql::delete_items(tx, run, rows_max)
}

/// Takes away a run that an upload began and did not finish, once it is empty.
pub fn discard(tx: Write<'_, UploadSweep>, run: RunId) -> Result<()> {
    sql::delete_received(tx, run)
}

/// Closes an open run. Untested items stay untested; nothing is invented.
pub fn close(tx: Write<'_, RunWrite>, number: i64) -> Result<Audited<'_, Run>> {
    let open = changeable(tx, number)?;
    sql::set_state(tx, open.id, State::Closed)?;
    let run = one(tx, number)?;
    let entry = CLOSED.of(run.id).count("items", run.counts.total()).count("untested", run.counts.untested);
    tx.audited(entry, run)
}

/// Gives a run another title.
pub fn rename<'t>(tx: Write<'t, RunWrite>, number: i64, title: &Title) -> Result<Audited<'t, Run>> {
    let run = one(tx, number)?;
    sql::set_title(tx, run.id, title)?;
    let renamed = one(tx, number)?;
    tx.audited(RENAMED.of(run.id), renamed)
}

/// Adds cases to an open run; those it has already are left as they are. Answers how many came in.
pub fn extend<'t>(tx: Write<'t, RunWrite>, number: i64, selection: &Selection) -> Result<Audited<'t, i64>> {
    let open = changeable(tx, number)?;
    let added = fill(tx, open.id, selection)?;
    tx.audited(EXTENDED.of(open.id).count("items", added), added)
}

/// Gives items to somebody with a role in the project, or to nobody.
pub fn assign<'t>(
    tx: Write<'t, RunWrite>,
    number: i64,
    items: &[ItemId],
    assignee: Option<UserId>,
) -> Result<Audited<'t, i64>> {
    let open = changeable(tx, number)?;
    if let Some(user) = assignee
        && !sql::is_member(tx, user)?
    {
        return Err(Error::invalid("Items can be given to members of the project only.")
            .hint("Add the person under Members first."));
    }
    let mut count = 0;
    for item in items {
        count += sql::set_assignee(tx, open.id, *item, assignee)?;
    }
    let entry = ASSIGNED.of(open.id).count("user", assignee.map_or(0, |user| user.0));
    tx.audited(entry.count("items", count), count)
}

/// One run that people see.
pub fn one(tx: impl InProject, number: i64) -> Result<Run> {
    let found = sql::by_number(tx, number)?.filter(|run| run.state != State::Receiving);
    found.ok_or_else(|| no_such_run(number))
}

/// Runs by number, the newest first; `before` goes on below that number.
pub fn list(
    tx: Read<'_, ProjectView>,
    state: Option<State>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Run>> {
    sql::list(tx, state, before.unwrap_or(i64::MAX), limit)
}

/// How many runs are open, and how many there are.
pub fn totals(tx: Read<'_, ProjectView>) -> Result<(i64, i64)> {
    sql::totals(tx)
}

/// Who is offered when items are given away: people who may execute them, by name.
pub fn people(tx: impl InProject) -> Result<Vec<(UserId, String)>> {
    sql::people(tx)
}

/// A run that is open, for changes by people: neither closed nor under way.
fn changeable(tx: Write<'_, RunWrite>, number: i64) -> Result<OpenRun> {
    one(tx, number)?;
    taking(tx, number)
}

fn fill(tx: Write<'_, RunWrite>, run: RunId, selection: &Selection) -> Result<i64> {
    let before = sql::untested(tx, run)?;
    match selection {
        Selection::Nothing => {}
        Selection::Everything => {
            let tree = suites::tree(tx)?;
            for node in tree.nodes().iter().filter(|node| node.suite.cases > 0) {
                sql::add_suite(tx, run, node.suite.id)?;
            }
        }
        Selection::Suites(chosen) => {
            let tree = suites::tree(tx)?;
            for suite in chosen {
                suites::one(tx, *suite)?;
                for node in tree.branch(*suite).iter().filter(|node| node.suite.cases > 0) {
                    sql::add_suite(tx, run, node.suite.id)?;
                }
            }
        }
        Selection::Cases(numbers) => {
            for number in numbers {
                if sql::add_case(tx, run, *number)? == 0 && !sql::holds(tx, run, *number)? {
                    return Err(Error::invalid(format!(
                        "There is no active case C{number} in this project."
                    ))
                    .hint("A case in the trash cannot be run; take it out first."));
                }
            }
        }
    }
    let untested = sql::count_untested(tx, run)?;
    if untested > limits::ITEMS_MAX {
        return Err(Error::too_large(format!("A run holds at most {} items.", limits::ITEMS_MAX)));
    }
    sql::set_untested(tx, run, untested)?;
    Ok(untested - before)
}

fn no_such_run(number: i64) -> Error {
    Error::not_found(format!("There is no run R{number} in this project."))
}
