//! Runs over JSON.

use super::{Counts, Run, Selection, State};
use crate::kernel::access::{Gate, ProjectView, RunWrite};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::SuiteId;
use crate::kernel::limits;
use crate::library::cases::number_of;
use crate::library::text::Title;
use crate::web::respond::{Created, Json, Path, Query};
use crate::web::routes::{Route, get, post};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

/// The routes of this slice.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/projects/{project}/runs", index),
        post("/api/v1/projects/{project}/runs", add),
        get("/api/v1/projects/{project}/runs/{run}", show),
        post("/api/v1/projects/{project}/runs/{run}/close", close),
    ]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(index, add, show, close))]
pub struct Api;

/// Runs, the newest first. `next` goes into `after` for the next page.
#[utoipa::path(get, path = "/api/v1/projects/{project}/runs", tag = "runs",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP"), Asked),
    responses((status = 200, body = RunsWire)))]
async fn index(
    gate: Gate<ProjectView>,
    Path(key): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<RunsWire>> {
    let limit = asked.limit.unwrap_or(limits::PAGE_ROWS).clamp(1, limits::API_ROWS_MAX);
    let state = asked.state.as_deref().map(State::of_word).transpose()?;
    let mut runs = gate.read(move |tx| super::list(tx, state, asked.after, limit + 1)).await?;
    let is_more = runs.len() as i64 > limit;
    runs.truncate(usize::try_from(limit).unwrap_or(0));
    let next = runs.last().filter(|_| is_more).map(|run| run.number);
    Ok(Json(RunsWire { runs: runs.into_iter().map(|run| RunWire::of(&key, run)).collect(), next }))
}

/// Starts a run. `cases` or `suite` choose its items, pinned to their newest revisions; without either
/// it is empty, and results bring their items.
#[utoipa::path(post, path = "/api/v1/projects/{project}/runs", tag = "runs", request_body = NewRunWire,
    params(("project" = String, Path, description = "Key of the project", example = "SHOP")),
    responses((status = 201, body = RunWire)))]
async fn add(
    gate: Gate<RunWrite>,
    Path(key): Path<String>,
    Json(new): Json<NewRunWire>,
) -> Result<Created<RunWire>> {
    let title = Title::new("run", &new.title)?;
    let selection = new.selection(&key)?;
    let run = gate.write(move |tx| super::create(tx, &title, &selection)).await?;
    Ok(Created(RunWire::of(&key, run)))
}

/// One run with the counts of its items by latest verdict.
#[utoipa::path(get, path = "/api/v1/projects/{project}/runs/{run}", tag = "runs",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP"),
           ("run" = i64, Path, description = "Number of the run in the project")),
    responses((status = 200, body = RunWire)))]
async fn show(gate: Gate<ProjectView>, Path((key, run)): Path<(String, i64)>) -> Result<Json<RunWire>> {
    let run = gate.read(move |tx| super::one(tx, run)).await?;
    Ok(Json(RunWire::of(&key, run)))
}

/// Closes a run: it takes no more results, and untested items stay untested. Closing twice is a conflict (409).
#[utoipa::path(post, path = "/api/v1/projects/{project}/runs/{run}/close", tag = "runs",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP"),
           ("run" = i64, Path, description = "Number of the run in the project")),
    responses((status = 200, body = RunWire), (status = 409, description = "The run is closed already.")))]
async fn close(gate: Gate<RunWrite>, Path((key, run)): Path<(String, i64)>) -> Result<Json<RunWire>> {
    let run = gate.write(move |tx| super::close(tx, run)).await?;
    Ok(Json(RunWire::of(&key, run)))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// `open` or `closed`; both if left out.
    state: Option<String>,
    /// Runs of one answer, at most 1,000; 100 if left out.
    limit: Option<i64>,
    /// The number that `next` gave.
    after: Option<i64>,
}

/// A case by its number in the project or by its reference.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum CaseName {
    /// Number in the project.
    Number(i64),
    /// Number or reference as text, such as `SHOP-C12`.
    Text(String),
}

impl CaseName {
    /// The number in the project.
    pub fn number(&self, project_key: &str) -> Result<i64> {
        match self {
            CaseName::Number(number) => Ok(*number),
            CaseName::Text(text) => number_of(project_key, text).ok_or_else(|| {
                let short: String = text.chars().take(40).collect();
                Error::invalid(format!("\"{short}\" is no case of this project."))
                    .hint(format!("Name it by its number or as {project_key}-C12."))
            }),
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRun)]
struct NewRunWire {
    title: String,
    /// Cases by number or reference.
    cases: Option<Vec<CaseName>>,
    /// Number of a suite; its cases and those of the suites below it.
    suite: Option<i64>,
}

impl NewRunWire {
    fn selection(&self, key: &str) -> Result<Selection> {
        match (&self.cases, self.suite) {
            (Some(_), Some(_)) => Err(Error::invalid("A run is made of cases or of a suite, not of both.")
                .hint("Send either `cases` or `suite`.")),
            (Some(cases), None) => {
                let numbers = cases.iter().enumerate().map(|(place, case)| {
                    case.number(key).map_err(|error| error.at(format!("cases[{place}]")))
                });
                Ok(Selection::Cases(numbers.collect::<Result<_>>()?))
            }
            (None, Some(suite)) => Ok(Selection::Suites(vec![SuiteId(suite)])),
            (None, None) => Ok(Selection::Nothing),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Runs)]
struct RunsWire {
    runs: Vec<RunWire>,
    /// Goes into `after` for the next page; `null` at the end.
    next: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Run)]
struct RunWire {
    id: i64,
    number: i64,
    #[schema(example = "SHOP-R3")]
    reference: String,
    title: String,
    /// `manual`, `automated` or `mixed`.
    kind: &'static str,
    /// `open` or `closed`.
    state: &'static str,
    counts: CountsWire,
    /// Who started it; `null` for the command line.
    author: Option<String>,
    /// Milliseconds since 1970 in UTC.
    created_at: i64,
    /// Milliseconds since 1970 in UTC; `null` while it is open.
    closed_at: Option<i64>,
}

impl RunWire {
    fn of(key: &str, run: Run) -> RunWire {
        RunWire {
            id: run.id.0,
            number: run.number,
            reference: format!("{key}-R{}", run.number),
            title: run.title.to_string(),
            kind: run.kind.word(),
            state: run.state.word(),
            counts: run.counts.into(),
            author: run.author,
            created_at: run.created_at.0,
            closed_at: run.closed_at.map(|at| at.0),
        }
    }
}

/// Items of a run by latest verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = Counts)]
pub struct CountsWire {
    /// All items.
    pub total: i64,
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
    /// Sum over the latest results, in milliseconds.
    pub duration_ms: i64,
}

impl From<Counts> for CountsWire {
    fn from(counts: Counts) -> CountsWire {
        let Counts { passed, failed, errored, blocked, skipped, untested, duration_ms } = counts;
        CountsWire { total: counts.total(), passed, failed, errored, blocked, skipped, untested, duration_ms }
    }
}
