//! Executing an item by hand: the case exactly as it was pinned, a verdict, and what belongs to it.

use super::{Attempt, attempts, item_url};
use crate::kernel::access::{Gate, ProjectView, Read, ResultWrite, Tx};
use crate::kernel::error::Result;
use crate::kernel::id::{EvidenceId, ItemId, UserId};
use crate::kernel::limits;
use crate::kernel::markdown;
use crate::library::cases::{self, Revision};
use crate::library::evidence::{self, Evidence};
use crate::library::projects;
use crate::library::verdicts::Status;
use crate::people;
use crate::running::runs::history::{self, Entry};
use crate::running::runs::items::{self, Item};
use crate::running::runs::{self, Run, State};
use crate::web::filters;
use crate::web::forms::Problems;
use crate::web::layout::{At, Frame};
use crate::web::respond::{Page, Path};
use crate::web::visit::Visit;
use askama::Template;
use serde::Deserialize;

/// What was typed so far.
#[derive(Clone, Default, Debug)]
pub struct Typed {
    /// The verdict, as the form has it.
    pub status: Option<String>,
    /// What the tester says.
    pub comment: String,
    /// How long it took, as minutes and seconds.
    pub took: String,
    /// The verdicts of the steps, by place.
    pub steps: Vec<Status>,
    /// Files that came in before the verdict.
    pub kept: Vec<EvidenceId>,
    /// Whether the next item is to be one of one's own.
    pub is_mine: bool,
}

impl Typed {
    /// Whether nothing was said of the item at all.
    pub fn is_nothing(&self) -> bool {
        let is_silent = self.comment.trim().is_empty() && self.kept.is_empty();
        self.status.is_none() && is_silent && self.steps.iter().all(|step| *step == Status::Untested)
    }
}

/// A page with one item.
#[derive(Template)]
#[template(path = "running/results/execute.html")]
pub struct ExecutePage {
    frame: Frame,
    key: String,
    run: Run,
    item: Item,
    text: Text,
    around: Vec<Item>,
    attempts: Vec<Attempt>,
    history: Vec<Entry>,
    typed: Typed,
    kept: Vec<Evidence>,
    problems: Problems,
    may_record: bool,
    next: String,
}

/// A revision as it is shown.
struct Text {
    title: String,
    precondition: String,
    body: String,
    steps: Vec<StepText>,
}

struct StepText {
    action: String,
    expected: String,
}

impl Text {
    fn of(revision: Revision) -> Text {
        let shown = |text: &str| if text.is_empty() { String::new() } else { markdown::html(text) };
        let step =
            |step: &cases::Step| StepText { action: shown(&step.action), expected: shown(&step.expected) };
        Text {
            title: revision.title.to_string(),
            precondition: shown(&revision.precondition),
            body: shown(&revision.body),
            steps: revision.steps.iter().map(step).collect(),
        }
    }
}

impl ExecutePage {
    fn url_of(&self, item: &Item) -> String {
        item_url(&self.key, self.run.number, item.id.0) + self.whose()
    }

    fn url(&self) -> String {
        item_url(&self.key, self.run.number, self.item.id.0)
    }

    fn whose(&self) -> &'static str {
        if self.typed.is_mine { "?who=me" } else { "" }
    }

    fn run_url(&self) -> String {
        runs::url(&self.key, self.run.number)
    }

    fn entry_url(&self, entry: &Entry) -> String {
        format!("{}?item={}", runs::url(&self.key, entry.run), entry.item.0)
    }

    fn case_url(&self) -> String {
        format!("/p/{}/cases/{}", self.key, self.item.number)
    }

    fn done(&self) -> i64 {
        self.run.counts.total() - self.run.counts.untested
    }

    /// Steps by place, with the verdict that was ticked so far.
    fn steps(&self) -> impl Iterator<Item = (usize, &StepText, Status)> {
        let ticked = self.typed.steps.iter().copied().chain(std::iter::repeat(Status::Untested));
        (1..).zip(&self.text.steps).zip(ticked).map(|((place, step), ticked)| (place, step, ticked))
    }

    fn is_this(&self, item: &Item) -> bool {
        item.id == self.item.id
    }
}

#[derive(Deserialize)]
struct Asked {
    who: Option<String>,
}

/// The item, with a form for its verdict if the reader may give one.
pub async fn show(
    gate: Gate<ProjectView>,
    Path((key, run, item)): Path<(String, i64, i64)>,
    visit: Visit,
) -> Result<Page<ExecutePage>> {
    let asked: Asked = visit.asked()?;
    let typed = Typed { is_mine: asked.who.as_deref() == Some("me"), ..Typed::default() };
    let view = gate.read(move |tx| page(tx, visit, (key, run, ItemId(item)), typed, Problems::default()));
    Ok(Page::new(view.await?))
}

/// The page with what was typed and what is wrong with it.
pub fn page(
    tx: Read<'_, ProjectView>,
    visit: Visit,
    (key, number, item): (String, i64, ItemId),
    typed: Typed,
    problems: Problems,
) -> Result<ExecutePage> {
    let run = runs::one(tx, number)?;
    let item = items::one(tx, &run, item)?;
    let revision = cases::revision(tx, item.number, item.revision)?;
    let mut history = history::of_case(tx, item.case)?;
    history.retain(|entry| entry.run != number && entry.status != Status::Untested);
    history.truncate(limits::HISTORY_SHOWN);
    let next = items::next_untested(tx, run.id, item.id, own(tx, typed.is_mine))?;
    let whose = if typed.is_mine { "?who=me" } else { "" };
    let may_record = run.state == State::Open && projects::offers::<ResultWrite>(tx)?;
    let mut frame = Frame::project(tx, visit, people::seen(tx)?, projects::head(tx)?)
        .at(At::Runs)
        .crumb(format!("R{number}"), runs::url(&key, number))
        .here(format!("C{}", item.number))
        .narrow();
    if may_record {
        let keys = [("p", "Passed"), ("f", "Failed"), ("b", "Blocked"), ("s", "Skipped"), ("c", "Comment")];
        frame = keys.into_iter().fold(frame, |frame, (key, word)| frame.key(&[key], word));
    }
    Ok(ExecutePage {
        frame: frame
            .key(&["n"], "Record the verdict, if there is one, and go to the next untested item")
            .key(&["j", "k"], "Next, previous item"),
        around: items::around(tx, run.id, item.id, limits::ITEMS_AROUND)?,
        attempts: attempts(tx, &run, &item)?,
        text: Text::of(revision),
        next: next.map(|next| item_url(&key, number, next.0) + whose).unwrap_or_default(),
        key,
        run,
        item,
        history,
        kept: typed.kept.iter().map(|id| evidence::one(tx, *id)).collect::<Result<_>>()?,
        typed,
        problems,
        may_record,
    })
}

/// The reader, if only their own items count.
pub fn own(tx: impl Tx, is_mine: bool) -> Option<UserId> {
    tx.actor().user().filter(|_| is_mine)
}
