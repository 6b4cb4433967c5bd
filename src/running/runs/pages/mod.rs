//! Runs in the browser: the list, a new one, and what is done to a run as a whole. A run with its verdicts
//! is shown by `results`.

mod new;
mod tree;

use super::{Run, State};
use crate::kernel::access::{Gate, ProjectView, RunWrite, UploadWrite};
use crate::kernel::error::Result;
use crate::kernel::id::{ItemId, UserId};
use crate::kernel::limits;
use crate::library::projects;
use crate::library::text::Title;
use crate::people;
use crate::web::address::Address;
use crate::web::figures::Count;
use crate::web::filters;
use crate::web::forms::Form;
use crate::web::layout::{At, Frame};
use crate::web::respond::{Page, Path, Redirect, safe_next};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use askama::Template;
use serde::Deserialize;

/// The pages of this slice.
pub fn routes() -> Vec<Route> {
    vec![
        get("/p/{project}/runs", list),
        get("/p/{project}/runs/new", new::show),
        get("/p/{project}/runs/new/count", new::count),
        post("/p/{project}/runs", new::start),
        post("/p/{project}/runs/{run}/close", close),
        post("/p/{project}/runs/{run}/title", rename),
        post("/p/{project}/runs/{run}/assign", assign),
    ]
}

/// The page of a run.
pub fn url(key: &str, run: i64) -> String {
    format!("/p/{key}/runs/{run}")
}

#[derive(Template)]
#[template(path = "running/runs/list.html")]
struct ListPage {
    frame: Frame,
    key: String,
    runs: Vec<Run>,
    state: Option<State>,
    open: i64,
    all: i64,
    may_start: bool,
    may_upload: bool,
    is_later_page: bool,
    next: String,
}

impl ListPage {
    fn run_url(&self, run: &Run) -> String {
        url(&self.key, run.number)
    }

    fn is_of(&self, state: &str) -> bool {
        self.state.map_or("", State::word) == state
    }
}

#[derive(Deserialize)]
struct Asked {
    state: Option<String>,
    before: Option<i64>,
}

async fn list(gate: Gate<ProjectView>, Path(key): Path<String>, visit: Visit) -> Result<Page<ListPage>> {
    let Asked { state, before } = visit.asked()?;
    let state = state.as_deref().map(State::of_word).transpose()?;
    let view = gate.read(move |tx| {
        let mut runs = super::list(tx, state, before, limits::PAGE_ROWS + 1)?;
        let is_more = runs.len() as i64 > limits::PAGE_ROWS;
        runs.truncate(usize::try_from(limits::PAGE_ROWS).unwrap_or(0));
        let last = runs.last().filter(|_| is_more).map(|run| run.number.to_string());
        let (open, all) = super::totals(tx)?;
        let may_start = projects::offers::<RunWrite>(tx)?;
        let may_upload = projects::offers::<UploadWrite>(tx)?;
        let address =
            Address::to(format!("/p/{key}/runs")).with("state", state.map(|state| state.word().to_owned()));
        let mut frame = Frame::project(tx, visit, people::seen(tx)?, projects::head(tx)?).at(At::Runs).count(
            At::Runs,
            if open > 0 { format!("{} open", Count(open.unsigned_abs())) } else { String::new() },
        );
        if may_start {
            frame = frame.action("plus", "New run", format!("/p/{key}/runs/new"), "r");
        }
        Ok(ListPage {
            frame,
            key,
            runs,
            state,
            open,
            all,
            may_start,
            may_upload,
            is_later_page: before.is_some(),
            next: last.map(|last| address.with("before", last).to_string()).unwrap_or_default(),
        })
    });
    Ok(Page::new(view.await?))
}

/// A form that holds its token only.
#[derive(Deserialize)]
struct Bare {}

async fn close(
    gate: Gate<RunWrite>,
    Path((key, number)): Path<(String, i64)>,
    Form(Bare {}): Form<Bare>,
) -> Result<Redirect> {
    let run = gate.write(move |tx| super::close(tx, number)).await?;
    let left = match run.counts.untested {
        0 => String::new(),
        1 => " One item stays untested.".to_owned(),
        more => format!(" {} items stay untested.", Count(more.unsigned_abs())),
    };
    Ok(Redirect::to(url(&key, number)).saying(format!("Run {key}-R{number} is closed.{left}")))
}

#[derive(Deserialize)]
struct TitleForm {
    title: String,
}

async fn rename(
    gate: Gate<RunWrite>,
    Path((key, number)): Path<(String, i64)>,
    Form(form): Form<TitleForm>,
) -> Result<Redirect> {
    let back = Redirect::to(url(&key, number));
    let title = match Title::new("run", &form.title) {
        Ok(title) => title,
        Err(problem) => return Ok(back.warning(problem.sentence().to_owned())),
    };
    gate.write(move |tx| super::rename(tx, number, &title)).await?;
    Ok(back.saying("The run has its new title."))
}

#[derive(Deserialize)]
struct AssignForm {
    #[serde(default)]
    item: Vec<ItemId>,
    to: Option<UserId>,
    back: Option<String>,
}

async fn assign(
    gate: Gate<RunWrite>,
    Path((key, number)): Path<(String, i64)>,
    Form(form): Form<AssignForm>,
) -> Result<Redirect> {
    let own = url(&key, number);
    let back = form.back.as_deref().map(|back| safe_next(Some(back))).filter(|back| back.starts_with(&own));
    let back = Redirect::to(back.unwrap_or(&own));
    if form.item.is_empty() {
        return Ok(back.warning("Choose the items first, then who is to do them."));
    }
    let (items, to) = (form.item, form.to);
    let count = gate.write(move |tx| super::assign(tx, number, &items, to)).await?;
    let items = if count == 1 { "One item has".to_owned() } else { format!("{count} items have") };
    let done = if to.is_some() { "a new owner" } else { "no owner any more" };
    Ok(back.saying(format!("{items} {done}.")))
}
