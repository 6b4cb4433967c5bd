//! The editor of a case, new or known; what to do when somebody else saved first.

use super::conflict::{ConflictPage, conflict};
use super::differences::{Piece, Tag, pieces};
use super::form::{Act, CaseForm};
use super::show::Text;
use super::{base, capital, frame};
use crate::kernel::access::{CaseWrite, Gate, ProjectView, Read, Tx, Write};
use crate::kernel::audit::{Audited, Quiet};
use crate::kernel::error::{Error, Result};
use crate::library::cases::diff::diff;
use crate::library::cases::{self, Draft, Kind, Priority};
use crate::library::projects;
use crate::library::suites::{self, Paths, Tree, UNSORTED};
use crate::web::address::Address;
use crate::web::filters;
use crate::web::forms::{Choice, Form, Problems};
use crate::web::layout::Frame;
use crate::web::respond::{Fragment, Page, Path, Query, Redirect};
use crate::web::visit::Visit;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, Responder};
use askama::Template;
use serde::Deserialize;

/// Empty rows below the steps of a case.
const EMPTY_ROWS: usize = 1;
/// Empty rows of a new case, and how many "More rows" gives.
const MORE_ROWS: usize = 4;

#[derive(Template)]
#[template(path = "library/cases/edit.html")]
pub(super) struct EditPage {
    frame: Frame,
    heading: String,
    /// Where the form goes.
    action: String,
    /// Where one goes who gives up.
    leave: String,
    /// Under which name the browser keeps what is typed.
    draft: String,
    save: String,
    notice: &'static str,
    title_more: &'static str,
    form: CaseForm,
    rows: Vec<(String, String)>,
    problems: Problems,
    kinds: Vec<Choice>,
    suites: Vec<Choice>,
    priorities: Vec<Choice>,
    preview: Option<Preview>,
}

/// How a case will look, and what that changes.
struct Preview {
    text: Text,
    base: Option<i64>,
    pieces: Vec<Piece>,
}

#[derive(Template)]
#[template(path = "library/cases/preview.html")]
pub(super) struct PreviewPart {
    preview: Preview,
}

/// What a sent form comes to.
pub(super) enum Answer {
    Preview(PreviewPart),
    Form(Box<Page<EditPage>>),
    Conflict(Box<ConflictPage>),
    Done(Redirect),
}

impl Responder for Answer {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        match self {
            Answer::Preview(part) => Fragment(part).respond_to(request),
            Answer::Form(page) => page.respond_to(request),
            Answer::Conflict(page) => Page::with_status(*page, StatusCode::CONFLICT).respond_to(request),
            Answer::Done(redirect) => redirect.respond_to(request),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Where {
    suite: Option<i64>,
}

/// An empty editor.
pub(super) async fn blank(
    gate: Gate<ProjectView>,
    visit: Visit,
    Query(Where { suite }): Query<Where>,
) -> Result<Page<EditPage>> {
    let reading = gate.read(move |tx| {
        refuse_readers(tx)?;
        editor(tx, visit, None, CaseForm::blank(suite), Problems::default())
    });
    Ok(Page::new(reading.await?))
}

/// The editor of a case.
pub(super) async fn open(
    gate: Gate<ProjectView>,
    visit: Visit,
    Path((key, case)): Path<(String, String)>,
) -> Result<Page<EditPage>> {
    let number = cases::named(&key, &case)?;
    let reading = gate.read(move |tx| {
        refuse_readers(tx)?;
        let form = CaseForm::of(cases::open(tx, number)?);
        editor(tx, visit, Some(number), form, Problems::default())
    });
    Ok(Page::new(reading.await?))
}

/// A page that only writers have use for.
fn refuse_readers(tx: Read<'_, ProjectView>) -> Result<()> {
    if projects::offers::<CaseWrite>(tx)? {
        return Ok(());
    }
    Err(Error::forbidden("You can read the cases of this project, but not write them.")
        .hint("Whoever keeps the project can give you the role of a tester."))
}

/// Writes a new case.
pub(super) async fn create(
    gate: Gate<CaseWrite>,
    visit: Visit,
    Form(form): Form<CaseForm>,
) -> Result<Answer> {
    let draft = match prepared(&gate, visit.clone(), None, &form).await? {
        Ok(draft) => draft,
        Err(answer) => return Ok(answer),
    };
    let suite = form.suite();
    let written = gate.write(move |tx| {
        if let Some(taken) = taken(tx, None, &draft)? {
            return Ok(tx.quiet(Quiet::Nothing, Err(taken)));
        }
        let suite = suite.map_or_else(|| Paths::default().find_or_create(tx, &[]), Ok)?;
        let key = projects::key(tx)?;
        Ok(cases::create(tx, suite, &draft)?.map(|case| Ok((key, case.number))))
    });
    match written.await? {
        Ok((key, number)) => {
            let case = Redirect::to(format!("{}/{number}", base(&key)));
            Ok(Answer::Done(case.saying(format!("{key}-C{number} is written."))))
        }
        Err(taken) => refused(&gate, visit, None, form, taken).await,
    }
}

/// What saving came to.
enum Saved {
    Now(i64),
    /// Another case has the automation key.
    Taken(Problems),
    /// Somebody else saved first.
    Outdated,
}

/// Makes a new revision of a case, unless somebody else did meanwhile: then both stand side by side.
pub(super) async fn save(
    gate: Gate<CaseWrite>,
    visit: Visit,
    Path((key, case)): Path<(String, String)>,
    Form(form): Form<CaseForm>,
) -> Result<Answer> {
    let number = cases::named(&key, &case)?;
    let url = format!("{}/{number}", base(&key));
    if form.act == Act::Theirs {
        return Ok(Answer::Done(Redirect::to(url).saying("Your text was left out; theirs stands.")));
    }
    let draft = match prepared(&gate, visit.clone(), Some(number), &form).await? {
        Ok(draft) => draft,
        Err(answer) => return Ok(answer),
    };
    let (written, sent) = (draft.clone(), form.clone());
    match gate.write(move |tx| saved(tx, number, &sent, &written)).await? {
        Saved::Now(revision) => {
            let sentence = format!("{key}-C{number} is saved as revision {revision}.");
            Ok(Answer::Done(Redirect::to(url).saying(sentence)))
        }
        Saved::Taken(problems) => refused(&gate, visit, Some(number), form, problems).await,
        Saved::Outdated => {
            let page = gate.read(move |tx| conflict(tx.reading(), visit, number, &form, &draft));
            Ok(Answer::Conflict(Box::new(page.await?)))
        }
    }
}

fn saved<'t>(
    tx: Write<'t, CaseWrite>,
    number: i64,
    form: &CaseForm,
    draft: &Draft,
) -> Result<Audited<'t, Saved>> {
    let base = form.base_revision.unwrap_or(0);
    let case = cases::one(tx, number)?;
    if case.revision != base {
        return Ok(tx.quiet(Quiet::Nothing, Saved::Outdated));
    }
    if let Some(taken) = taken(tx, Some(number), draft)? {
        return Ok(tx.quiet(Quiet::Nothing, Saved::Taken(taken)));
    }
    let edited = cases::edit(tx, number, base, draft)?;
    let moved = match form.suite().filter(|suite| *suite != case.suite) {
        Some(suite) => cases::move_to(tx, number, suite)?,
        None => edited,
    };
    Ok(moved.map(|case| Saved::Now(case.revision)))
}

/// What is wrong if the automation key belongs to another case.
fn taken(tx: Write<'_, CaseWrite>, number: Option<i64>, draft: &Draft) -> Result<Option<Problems>> {
    let Some(key) = &draft.automation_key else { return Ok(None) };
    let other = cases::by_automation_key(tx, key)?.filter(|other| Some(other.number) != number);
    let Some(other) = other else { return Ok(None) };
    let mut problems = Problems::default();
    let sentence = format!("This key belongs to {}-C{}: {}.", projects::key(tx)?, other.number, other.title);
    problems.add("automation_key", sentence);
    Ok(Some(problems))
}

/// The draft of a form that is to be saved; else what to show instead.
async fn prepared(
    gate: &Gate<CaseWrite>,
    visit: Visit,
    number: Option<i64>,
    form: &CaseForm,
) -> Result<Result<Draft, Answer>> {
    let draft = match (form.act, form.draft()) {
        (Act::Save | Act::Preview, Err(problems)) => {
            return refused(gate, visit, number, form.clone(), problems).await.map(Err);
        }
        (Act::Save, Ok(draft)) => return Ok(Ok(draft)),
        (_, draft) => draft.ok(),
    };
    let (act, form, is_by_script) = (form.act, form.clone(), visit.is_by_script);
    let reading = gate.read(move |tx| {
        let preview = match draft.filter(|_| act == Act::Preview) {
            Some(draft) => Some(preview(tx.reading(), number, &form, &draft)?),
            None => None,
        };
        Ok(match preview {
            Some(preview) if is_by_script => Answer::Preview(PreviewPart { preview }),
            preview => {
                let mut page = editor(tx.reading(), visit, number, form, Problems::default())?;
                page.preview = preview;
                if act == Act::More {
                    page.rows = page.form.rows(MORE_ROWS);
                }
                if act == Act::Further {
                    page.notice = "You write on top of the newest revision now.";
                }
                Answer::Form(Box::new(Page::new(page)))
            }
        })
    });
    reading.await.map(Err)
}

async fn refused(
    gate: &Gate<CaseWrite>,
    visit: Visit,
    number: Option<i64>,
    form: CaseForm,
    problems: Problems,
) -> Result<Answer> {
    let page = gate.read(move |tx| editor(tx.reading(), visit, number, form, problems)).await?;
    Ok(Answer::Form(Box::new(Page::refused(page))))
}

fn preview(
    tx: Read<'_, ProjectView>,
    number: Option<i64>,
    form: &CaseForm,
    draft: &Draft,
) -> Result<Preview> {
    let text = Text::of(&draft.precondition, &draft.body, &draft.steps);
    let base = number.and(form.base_revision);
    let pieces = match number.zip(base) {
        Some((number, base)) => {
            let old = cases::revision(tx, number, base)?;
            pieces(&diff(&old, &draft.as_revision(base, tx.now())))
        }
        None => Vec::new(),
    };
    Ok(Preview { text, base, pieces })
}

fn editor(
    tx: Read<'_, ProjectView>,
    visit: Visit,
    number: Option<i64>,
    form: CaseForm,
    problems: Problems,
) -> Result<EditPage> {
    let (key, tree) = (projects::key(tx)?, suites::tree(tx)?);
    let base = base(&key);
    let mut frame = frame(tx, visit)?;
    if let Some(number) = number {
        frame = frame.crumb(format!("C{number}"), format!("{base}/{number}"));
    }
    let list = Address::to(&base).with("suite", form.suite.map(|suite| suite.to_string()));
    let next = form.base_revision.unwrap_or(0) + 1;
    let priorities = Priority::ALL.iter().map(|priority| (priority.word(), capital(priority.word())));
    Ok(EditPage {
        frame: frame.here(if number.is_some() { "Edit" } else { "New case" }).key(&["Ctrl S"], "Save"),
        heading: number.map_or("New case".to_owned(), |number| format!("Edit {key}-C{number}")),
        action: number.map_or(base.clone(), |number| format!("{base}/{number}/edit")),
        leave: number.map_or(list.to_string(), |number| format!("{base}/{number}")),
        draft: number.map_or(format!("{key}.new"), |number| format!("{key}.{number}")),
        save: number.map_or("Write the case".to_owned(), |_| format!("Save revision {next}")),
        notice: "",
        title_more: if number.is_some() {
            "required maxlength=500 class=title-input"
        } else {
            "required maxlength=500 class=title-input autofocus"
        },
        rows: form.rows(if number.is_some() { EMPTY_ROWS } else { MORE_ROWS }),
        problems,
        kinds: kinds(&form),
        suites: places(&tree, &form),
        priorities: Choice::among(priorities, &form.priority),
        preview: None,
        form,
    })
}

/// People write steps or a text; what a report made is automated and may stay so.
fn kinds(form: &CaseForm) -> Vec<Choice> {
    let is_automated = form.kind == Kind::Automated.word();
    let kinds = Kind::ALL.iter().filter(|kind| is_automated || **kind != Kind::Automated);
    Choice::among(kinds.map(|kind| (kind.word(), kind.said())), &form.kind)
}

/// The suites to choose from; before there is one, that for what is unsorted is offered.
fn places(tree: &Tree, form: &CaseForm) -> Vec<Choice> {
    let known = suites::choices(tree, form.suite());
    let has_unsorted = tree.nodes().iter().any(|node| node.depth == 1 && node.suite.name == UNSORTED);
    let unsorted = (!has_unsorted && form.base_revision.is_none()).then(|| Choice {
        value: String::new(),
        word: UNSORTED.to_owned(),
        is_chosen: form.suite.is_none(),
    });
    known.into_iter().chain(unsorted).collect()
}
