//! The cases of a project: the tree of suites, a list, and the case that is open beside it.
//!
//! A page holds one page of rows and one tree, whatever the project holds.

use super::show::{Shown, opened};
use super::twigs::{Twig, twigs};
use super::{base, capital, cases as counted, frame};
use crate::kernel::access::{CaseWrite, Gate, ProjectView, Read, UploadWrite};
use crate::kernel::error::Result;
use crate::kernel::id::SuiteId;
use crate::kernel::limits;
use crate::library::cases::list::{self, Line, Look, Place};
use crate::library::cases::{self, Kind, Priority};
use crate::library::projects;
use crate::library::suites::{self, Tree, UNSORTED};
use crate::web::address::Address;
use crate::web::figures::Count;
use crate::web::filters;
use crate::web::layout::{At, Frame};
use crate::web::respond::{Page, Path, Query};
use crate::web::visit::Visit;
use askama::Template;
use serde::Deserialize;

#[derive(Deserialize, Clone, Default)]
pub(super) struct Asked {
    suite: Option<i64>,
    q: Option<String>,
    look: Option<String>,
    /// Where the page before ended.
    after: Option<String>,
    /// The case to show beside the list.
    open: Option<i64>,
    /// The case that was just written by its title.
    added: Option<i64>,
    /// Cases that were just put into the trash: `12.13.14`.
    trashed: Option<String>,
}

/// Which cases the list holds.
enum Listed {
    Tree(Option<SuiteId>),
    Words(String, Option<SuiteId>),
    Look(Look),
}

#[derive(Template)]
#[template(path = "library/cases/browse.html")]
pub(super) struct BrowsePage {
    frame: Frame,
    /// The project.
    home: String,
    base: String,
    may_write: bool,
    may_upload: bool,
    twigs: Vec<Twig>,
    total: i64,
    /// Whether the whole tree is listed.
    is_all: bool,
    heading: String,
    /// How many the list holds, as far as it is known.
    size: String,
    suite: Option<i64>,
    words: String,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    /// The list without what is open beside it.
    here: String,
    /// The first page of the list; empty on the first page.
    start: String,
    later: String,
    is_trash: bool,
    quick: Option<Quick>,
    undo: Vec<i64>,
    undo_word: String,
    case: Option<Shown>,
    nothing: (&'static str, &'static str),
}

struct Tab {
    word: String,
    count: Option<i64>,
    href: String,
    is_current: bool,
}

struct Row {
    number: i64,
    title: String,
    status: &'static str,
    kind: Kind,
    priority: String,
    is_urgent: bool,
    href: String,
    /// The address of the pane alone.
    pane: String,
    edit: String,
    is_current: bool,
}

/// The field that writes a case by its title.
struct Quick {
    suite: Option<i64>,
    name: String,
    /// The case that was written just before.
    added: Option<i64>,
}

/// The list of cases.
pub(super) async fn index(
    gate: Gate<ProjectView>,
    visit: Visit,
    Path(_key): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Page<BrowsePage>> {
    Ok(Page::new(gate.read(move |tx| page(tx, visit, asked)).await?))
}

fn page(tx: Read<'_, ProjectView>, visit: Visit, asked: Asked) -> Result<BrowsePage> {
    let key = projects::key(tx)?;
    let (base, tree) = (base(&key), suites::tree(tx)?);
    let listed = Listed::of(tx, &asked)?;
    let (lines, next) = listed.lines(tx, &tree, asked.after.as_deref())?;
    let first = listed.address(&base).to_string();
    let here = listed.address(&base).with("after", asked.after.clone()).to_string();
    let case = asked.open.map(|number| cases::open(tx, number)).transpose()?;
    let case = case.map(|open| Shown::of(&key, &tree, open));
    let current = asked.open.or(asked.added);
    let suite = listed.suite();
    let may_write = projects::offers::<CaseWrite>(tx)?;
    let undo = if may_write { numbers(asked.trashed.as_deref()) } else { Vec::new() };
    let frame = listed.frame(frame(tx, visit)?, &tree, &base, may_write).narrow();
    Ok(BrowsePage {
        frame: frame.count(At::Cases, Count(u64::try_from(tree.cases()).unwrap_or(0))),
        may_upload: projects::offers::<UploadWrite>(tx)?,
        twigs: twigs(&tree, suite),
        total: tree.cases(),
        is_all: matches!(listed, Listed::Tree(None)),
        heading: listed.heading(&tree),
        size: listed.size(tx, &tree, lines.len(), next.is_some() || asked.after.is_some())?,
        suite: suite.map(|suite| suite.0),
        words: listed.words().to_owned(),
        tabs: listed.tabs(tx, &base, tree.cases())?,
        rows: lines.into_iter().map(|line| Row::of(line, &base, &here, current)).collect(),
        start: if asked.after.is_some() { first } else { String::new() },
        later: next.map(|next| listed.address(&base).with("after", next).to_string()).unwrap_or_default(),
        is_trash: matches!(listed, Listed::Look(Look::Trash)),
        quick: listed.quick(&tree, asked.added).filter(|_| may_write),
        undo_word: format!(
            "{} {} in the trash now.",
            counted(undo.len()),
            if undo.len() == 1 { "is" } else { "are" }
        ),
        nothing: listed.nothing(),
        home: format!("/p/{key}"),
        base,
        may_write,
        here,
        undo,
        case,
    })
}

/// What `trashed` names in an address.
fn numbers(text: Option<&str>) -> Vec<i64> {
    let numbers = text.unwrap_or_default().split('.').filter_map(|number| number.parse().ok());
    numbers.take(limits::SELECTED_CASES_MAX).collect()
}

impl Listed {
    fn of(tx: Read<'_, ProjectView>, asked: &Asked) -> Result<Listed> {
        let suite = asked.suite.map(|id| suites::one(tx, SuiteId(id))).transpose()?.map(|suite| suite.id);
        let words = asked.q.as_deref().unwrap_or_default().trim();
        Ok(match asked.look.as_deref() {
            Some(look) => Listed::Look(Look::of_word(look)?),
            None if words.is_empty() => Listed::Tree(suite),
            None => Listed::Words(words.to_owned(), suite),
        })
    }

    fn lines(
        &self,
        tx: Read<'_, ProjectView>,
        tree: &Tree,
        after: Option<&str>,
    ) -> Result<(Vec<Line>, Option<String>)> {
        let number = after.and_then(|after| after.parse().ok());
        let page = match self {
            Listed::Tree(suite) => {
                let after = after.and_then(Place::of_text);
                let page = list::in_tree(tx, tree, *suite, after, limits::PAGE_ROWS)?;
                return Ok((page.lines, page.next.map(|next| next.text())));
            }
            Listed::Words(words, None) => list::by_words(tx, words, number, limits::PAGE_ROWS)?,
            Listed::Words(words, Some(suite)) => {
                list::by_words_in(tx, tree.branch(*suite), words, number, limits::PAGE_ROWS)?
            }
            Listed::Look(look) => list::to_look_at(tx, *look, number, limits::PAGE_ROWS)?,
        };
        Ok((page.lines, page.next.map(|next| next.to_string())))
    }

    fn suite(&self) -> Option<SuiteId> {
        match self {
            Listed::Tree(suite) | Listed::Words(_, suite) => *suite,
            Listed::Look(_) => None,
        }
    }

    fn words(&self) -> &str {
        match self {
            Listed::Words(words, _) => words,
            Listed::Tree(_) | Listed::Look(_) => "",
        }
    }

    /// The first page of the list.
    fn address(&self, base: &str) -> Address {
        let look = match self {
            Listed::Look(look) => Some(look.word().to_owned()),
            Listed::Tree(_) | Listed::Words(..) => None,
        };
        let words = Some(self.words().to_owned()).filter(|words| !words.is_empty());
        let suite = self.suite().map(|suite| suite.0.to_string());
        Address::to(base).with("suite", suite).with("q", words).with("look", look)
    }

    fn heading(&self, tree: &Tree) -> String {
        let name = |suite: &SuiteId| tree.node(*suite).map_or_else(String::new, |n| n.suite.name.clone());
        match self {
            Listed::Tree(None) => "All cases".to_owned(),
            Listed::Tree(Some(suite)) => name(suite),
            Listed::Words(words, None) => format!("“{words}”"),
            Listed::Words(words, Some(suite)) => format!("“{words}” in {}", name(suite)),
            Listed::Look(look) => look.said().to_owned(),
        }
    }

    /// How many cases: as the tree counts them, or as many as one page shows in full.
    fn size(&self, tx: Read<'_, ProjectView>, tree: &Tree, lines: usize, is_part: bool) -> Result<String> {
        let known = match self {
            Listed::Tree(None) => Some(tree.cases()),
            Listed::Tree(Some(suite)) => tree.node(*suite).map(|node| node.total),
            Listed::Look(look) if *look != Look::Trash => {
                list::counts(tx)?.iter().find(|(known, _)| known == look).map(|(_, count)| *count)
            }
            Listed::Words(..) | Listed::Look(_) => i64::try_from(lines).ok().filter(|_| !is_part),
        };
        Ok(match known {
            Some(1) => "1 case".to_owned(),
            Some(count) => format!("{} cases", Count(u64::try_from(count).unwrap_or(0))),
            None => String::new(),
        })
    }

    fn tabs(&self, tx: Read<'_, ProjectView>, base: &str, total: i64) -> Result<Vec<Tab>> {
        let looks = list::counts(tx)?.map(|(look, count)| (look, Some(count)));
        let looks = looks.into_iter().chain([(Look::Trash, None)]).map(|(look, count)| Tab {
            word: look.said().to_owned(),
            count,
            href: Address::to(base).with("look", look.word().to_owned()).to_string(),
            is_current: matches!(self, Listed::Look(own) if *own == look),
        });
        let is_current = matches!(self, Listed::Tree(None));
        let all = Tab { word: "All".into(), count: Some(total), href: base.to_owned(), is_current };
        Ok([all].into_iter().chain(looks).collect())
    }

    fn frame(&self, frame: Frame, tree: &Tree, base: &str, may_write: bool) -> Frame {
        let new = Address::to(format!("{base}/new")).with("suite", self.suite().map(|id| id.0.to_string()));
        let mut frame = frame.searching(self.words());
        let path = self.suite().map(|suite| tree.path(suite)).unwrap_or_default();
        for suite in path {
            let list = Address::to(base).with("suite", suite.id.0.to_string());
            frame = frame.crumb(&suite.name, list.to_string());
        }
        if let Listed::Look(look) = self {
            frame = frame.here(look.said());
        }
        if may_write {
            frame = frame.action("plus", "Add a case", new.to_string(), "c");
            frame = frame.key(&["x"], "Select the row").key(&["e"], "Edit the case");
        }
        frame.key(&["j"], "Next row").key(&["k"], "Previous row").key(&["Enter"], "Open the row")
    }

    /// Cases are added to a suite; where none is chosen, to the one for what is unsorted.
    fn quick(&self, tree: &Tree, added: Option<i64>) -> Option<Quick> {
        let Listed::Tree(suite) = self else { return None };
        let name = suite.and_then(|suite| tree.node(suite)).map(|node| node.suite.name.clone());
        let suite = suite.map(|suite| suite.0);
        Some(Quick { suite, name: name.unwrap_or_else(|| UNSORTED.to_owned()), added })
    }

    fn nothing(&self) -> (&'static str, &'static str) {
        match self {
            Listed::Tree(None) => ("No case yet", "Write the first one below by its title."),
            Listed::Tree(Some(_)) => {
                ("No case in this suite", "Cases of its suites would stand here as well.")
            }
            Listed::Words(..) => {
                ("Nothing found", "Every word must begin a word of the title or of the automation key.")
            }
            Listed::Look(Look::Failing) => ("Nothing fails", "The latest result of no case failed."),
            Listed::Look(Look::Flaky) => {
                ("Nothing is flaky", "No case takes turns between passed and failed.")
            }
            Listed::Look(Look::NeverRun) => ("Nothing is left out", "Every case has been run at least once."),
            Listed::Look(Look::Trash) => {
                ("The trash is empty", "Cases that are put here keep their results and can come back.")
            }
        }
    }
}

impl Look {
    /// The list in words for people.
    fn said(self) -> &'static str {
        match self {
            Look::Failing => "Failing",
            Look::Flaky => "Flaky",
            Look::NeverRun => "Never run",
            Look::Trash => "Trash",
        }
    }
}

impl Row {
    fn of(line: Line, base: &str, here: &str, current: Option<i64>) -> Row {
        let number = line.number;
        Row {
            number,
            title: line.title,
            status: line.status.map_or("untested", |status| status.word()),
            kind: line.kind,
            priority: capital(line.priority.word()),
            is_urgent: matches!(line.priority, Priority::Critical | Priority::High),
            href: opened(here, number),
            pane: Address::to(format!("{base}/{number}")).with("from", here.to_owned()).to_string(),
            edit: format!("{base}/{number}/edit"),
            is_current: current == Some(number),
        }
    }
}
