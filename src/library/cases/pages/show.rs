//! One case to read: as a page, and as the pane beside the list.

use super::{base, capital, frame};
use crate::kernel::access::{CaseWrite, Gate, ProjectView, Read, ResultWrite};
use crate::kernel::error::Result;
use crate::kernel::markdown;
use crate::kernel::time::Timestamp;
use crate::library::cases::{self, Kind, Opened, Revision, State, Step, Summary};
use crate::library::evidence::{self, Evidence};
use crate::library::projects;
use crate::library::suites::{self, Tree};
use crate::web::address::Address;
use crate::web::filters;
use crate::web::layout::Frame;
use crate::web::respond::{Fragment, Page, Path, Query};
use crate::web::visit::Visit;
use actix_web::{Either, Responder};
use askama::Template;
use serde::Deserialize;

/// Revisions that the page of a case names; its history holds all of them.
const RECENT_REVISIONS: i64 = 5;

/// A case as pages show it.
pub(super) struct Shown {
    pub number: i64,
    /// `SHOP-C12`
    pub reference: String,
    pub title: String,
    /// The page of this case.
    pub url: String,
    pub kind: &'static str,
    pub priority: String,
    /// Suites from the root down, each with its list.
    pub path: Vec<(String, String)>,
    pub automation_key: Option<String>,
    pub revision: i64,
    pub author: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub is_trashed: bool,
    pub summary: Option<Summary>,
    pub text: Text,
}

/// What a case says, as safe HTML.
pub(super) struct Text {
    pub precondition: String,
    pub body: String,
    pub steps: Vec<Step>,
}

impl Text {
    /// The Markdown of a writer, made safe.
    pub fn of(precondition: &str, body: &str, steps: &[Step]) -> Text {
        let html = |text: &str| if text.is_empty() { String::new() } else { markdown::html(text) };
        let step = |step: &Step| Step { action: html(&step.action), expected: html(&step.expected) };
        Text { precondition: html(precondition), body: html(body), steps: steps.iter().map(step).collect() }
    }

    /// Whether nothing is written yet.
    pub fn is_empty(&self) -> bool {
        self.precondition.is_empty() && self.body.is_empty() && self.steps.is_empty()
    }
}

impl Shown {
    /// Brings together what a page says of a case.
    pub fn of(key: &str, tree: &Tree, Opened { case, revision, summary }: Opened) -> Shown {
        let base = base(key);
        let place = |suite: &&suites::Suite| {
            let list = Address::to(&base).with("suite", suite.id.0.to_string());
            (suite.name.clone(), list.to_string())
        };
        Shown {
            number: case.number,
            reference: format!("{key}-C{}", case.number),
            title: case.title.to_string(),
            url: format!("{base}/{}", case.number),
            kind: case.kind.said(),
            priority: capital(case.priority.word()),
            path: tree.path(case.suite).iter().map(place).collect(),
            automation_key: case.automation_key,
            revision: revision.number,
            author: revision.author,
            created_at: case.created_at,
            updated_at: case.updated_at,
            is_trashed: case.state == State::Trashed,
            summary,
            text: Text::of(&revision.precondition, &revision.body, &revision.steps),
        }
    }
}

impl Kind {
    /// The kind in words for people.
    pub(super) fn said(self) -> &'static str {
        match self {
            Kind::Steps => "Steps",
            Kind::Text => "Text",
            Kind::Automated => "Automated",
        }
    }
}

#[derive(Template)]
#[template(path = "library/cases/show.html")]
pub(super) struct CasePage {
    frame: Frame,
    case: Shown,
    revisions: Vec<Revision>,
    list_of_cases: String,
    /// The list of its suite: where one goes when the case is gone.
    list: String,
    files: Vec<Evidence>,
    may_write: bool,
    may_attach: bool,
}

/// The case beside the list.
#[derive(Template)]
#[template(path = "library/cases/pane.html")]
pub(super) struct Pane {
    case: Shown,
    /// The list it was opened from.
    back: String,
    may_write: bool,
}

#[derive(Deserialize)]
pub(super) struct From {
    /// The list that the pane stands beside.
    from: Option<String>,
}

/// A case: its page, or its pane for the list that asks by script.
pub(super) async fn case(
    gate: Gate<ProjectView>,
    visit: Visit,
    Path((key, case)): Path<(String, String)>,
    Query(From { from }): Query<From>,
) -> Result<Either<impl Responder, Page<CasePage>>> {
    let number = cases::named(&key, &case)?;
    if !visit.is_by_script {
        return Ok(Either::Right(Page::new(gate.read(move |tx| page(tx, visit, number)).await?)));
    }
    let reading = gate.read(move |tx| {
        let key = projects::key(tx)?;
        let back = super::change::list_of(&key, from.as_deref());
        let address = opened(&back, number);
        let case = Shown::of(&key, &suites::tree(tx)?, cases::open(tx, number)?);
        Ok((Pane { case, back, may_write: projects::offers::<CaseWrite>(tx)? }, address))
    });
    let (pane, address) = reading.await?;
    Ok(Either::Left(Fragment(pane).customize().insert_header(("HX-Push-Url", address))))
}

/// A list with this case opened beside it.
pub(super) fn opened(list: &str, number: i64) -> String {
    let sign = if list.contains('?') { '&' } else { '?' };
    format!("{list}{sign}open={number}")
}

fn page(tx: Read<'_, ProjectView>, visit: Visit, number: i64) -> Result<CasePage> {
    let frame = frame(tx, visit)?;
    let key = projects::key(tx)?;
    let case = Shown::of(&key, &suites::tree(tx)?, cases::open(tx, number)?);
    let may_write = projects::offers::<CaseWrite>(tx)?;
    let list = case.path.last().map_or_else(|| base(&key), |(_, list)| list.clone());
    let mut frame = case.path.iter().fold(frame, |frame, (name, list)| frame.crumb(name, list));
    frame = frame.here(format!("C{number}"));
    if may_write && !case.is_trashed {
        frame = frame.action("edit", "Edit this case", format!("{}/edit", case.url), "e");
    }
    frame = frame.action("audit", "History of this case", format!("{}/history", case.url), "h");
    let revisions = cases::revisions(tx, number, None, RECENT_REVISIONS)?;
    let files = evidence::of_case(tx, cases::one(tx, number)?.id)?;
    let may_attach = projects::offers::<ResultWrite>(tx)?;
    Ok(CasePage { frame, case, revisions, list_of_cases: base(&key), list, files, may_write, may_attach })
}
