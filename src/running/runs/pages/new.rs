//! A new run: what it is called and which cases it holds. How many those are is said before it starts.

use super::tree::{Twig, cases_of, twigs};
use super::url;
use crate::kernel::access::{Gate, ProjectView, Read, RunWrite, UploadWrite};
use crate::kernel::error::Result;
use crate::kernel::id::SuiteId;
use crate::kernel::limits;
use crate::library::cases::{self, State};
use crate::library::projects;
use crate::library::suites::{self, Tree};
use crate::library::text::Title;
use crate::people;
use crate::running::runs::{self, Selection};
use crate::web::figures::Count;
use crate::web::filters;
use crate::web::forms::{Form, Problems};
use crate::web::layout::{At, Frame};
use crate::web::respond::{Answer, Fragment, Page, Path, Redirect};
use crate::web::visit::Visit;
use askama::Template;
use serde::Deserialize;

/// Which cases.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
enum What {
    All,
    Suites,
    Cases,
}

/// What was asked for: by the form, or by a page that leads here with cases or suites chosen.
#[derive(Deserialize, Clone, Debug)]
pub struct NewRun {
    title: Option<String>,
    what: Option<What>,
    #[serde(default)]
    suite: Vec<SuiteId>,
    #[serde(default)]
    case: Vec<i64>,
}

impl NewRun {
    fn what(&self) -> What {
        match self.what {
            Some(what) => what,
            None if !self.case.is_empty() => What::Cases,
            None if !self.suite.is_empty() => What::Suites,
            None => What::All,
        }
    }

    fn selection(&self) -> Selection {
        match self.what() {
            What::All => Selection::Everything,
            What::Suites => Selection::Suites(self.suite.clone()),
            What::Cases => Selection::Cases(self.case.clone()),
        }
    }
}

/// A case that a page has chosen.
struct Chosen {
    number: i64,
    title: String,
}

/// The form of a new run.
#[derive(Template)]
#[template(path = "running/runs/new.html")]
pub struct NewPage {
    frame: Frame,
    key: String,
    title: String,
    what: What,
    problems: Problems,
    suites: Vec<Twig>,
    cases: Vec<Chosen>,
    all: i64,
    count: CountPart,
    may_upload: bool,
}

/// How many cases a choice comes to.
#[derive(Template)]
#[template(path = "running/runs/count.html")]
pub struct CountPart {
    count: i64,
}

/// The form, with what the address asks for.
pub async fn show(gate: Gate<ProjectView>, Path(key): Path<String>, visit: Visit) -> Result<Page<NewPage>> {
    let new: NewRun = visit.asked()?;
    let view = gate.read(move |tx| page(tx, visit, key, &new, Problems::default()));
    Ok(Page::new(view.await?))
}

/// How many cases the choice in the address comes to.
pub async fn count(gate: Gate<ProjectView>, visit: Visit) -> Result<Fragment<CountPart>> {
    let new: NewRun = visit.asked()?;
    let count = gate.read(move |tx| {
        let tree = suites::tree(tx)?;
        count_of(tx, &tree, &new)
    });
    Ok(Fragment(CountPart { count: count.await? }))
}

/// Starts the run, or says what is missing.
pub async fn start(
    gate: Gate<RunWrite>,
    Path(key): Path<String>,
    visit: Visit,
    Form(new): Form<NewRun>,
) -> Result<Answer<NewPage>> {
    let mut problems = Problems::default();
    let title = Title::new("run", new.title.as_deref().unwrap_or_default());
    if let Err(problem) = &title {
        problems.add("title", problem.sentence());
    }
    let asked = new.clone();
    let counted = gate.read(move |tx| {
        let tx = tx.reading::<ProjectView>();
        count_of(tx, &suites::tree(tx)?, &asked)
    });
    if counted.await? == 0 {
        problems.add("what", "This choice holds no case. Choose others.");
    }
    let Some(title) = title.ok().filter(|_| problems.is_empty()) else {
        let view = gate.read(move |tx| page(tx.reading(), visit, key, &new, problems));
        return Ok(Page::refused(view.await?).into());
    };
    let selection = new.selection();
    let run = gate.write(move |tx| runs::create(tx, &title, &selection)).await?;
    let items = run.counts.total();
    let said = match items {
        1 => format!("Run {key}-R{} is started with one item.", run.number),
        _ => format!("Run {key}-R{} is started with {} items.", run.number, Count(items.unsigned_abs())),
    };
    Ok(Redirect::to(url(&key, run.number)).saying(said).into())
}

fn page(
    tx: Read<'_, ProjectView>,
    visit: Visit,
    key: String,
    new: &NewRun,
    problems: Problems,
) -> Result<NewPage> {
    let tree = suites::tree(tx)?;
    let frame =
        Frame::project(tx, visit, people::seen(tx)?, projects::head(tx)?).at(At::Runs).here("New run");
    Ok(NewPage {
        frame,
        key,
        title: new.title.clone().unwrap_or_default(),
        what: new.what(),
        problems,
        suites: twigs(&tree, &new.suite),
        cases: chosen(tx, new)?,
        all: tree.cases(),
        count: CountPart { count: count_of(tx, &tree, new)? },
        may_upload: projects::offers::<UploadWrite>(tx)?,
    })
}

fn count_of(tx: Read<'_, ProjectView>, tree: &Tree, new: &NewRun) -> Result<i64> {
    Ok(match new.what() {
        What::All => tree.cases(),
        What::Suites => cases_of(tree, &new.suite),
        What::Cases => chosen(tx, new)?.len() as i64,
    })
}

/// The chosen cases that can be run, each once.
fn chosen(tx: Read<'_, ProjectView>, new: &NewRun) -> Result<Vec<Chosen>> {
    let mut numbers = new.case.clone();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.truncate(limits::RUN_CASES_CHOSEN_MAX);
    let found = numbers.into_iter().map(|number| cases::one(tx, number));
    let found = found.collect::<Result<Vec<_>>>()?;
    let active = found.into_iter().filter(|case| case.state == State::Active);
    Ok(active.map(|case| Chosen { number: case.number, title: case.title.to_string() }).collect())
}
