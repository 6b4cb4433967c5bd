//! Cases over JSON.

use super::list::{self, Line};
use super::{Case, Draft, Kind, Opened, Priority, Step};
use crate::kernel::access::{CaseWrite, Gate, ProjectView};
use crate::kernel::error::Result;
use crate::kernel::id::SuiteId;
use crate::kernel::limits;
use crate::library::projects;
use crate::library::suites::Paths;
use crate::library::text::Title;
use crate::web::respond::{Created, Json, Path, Query};
use crate::web::routes::{Route, get, post, put};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

/// The routes for programs.
pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/projects/{project}/cases", index),
        post("/api/v1/projects/{project}/cases", add),
        get("/api/v1/projects/{project}/cases/{case}", show),
        put("/api/v1/projects/{project}/cases/{case}", change),
    ]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(index, add, show, change))]
pub struct Api;

/// Active cases by number. `q` keeps those with all its words; `next` goes into `after` for the next page.
#[utoipa::path(get, path = "/api/v1/projects/{project}/cases", tag = "cases",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP"), Asked),
    responses((status = 200, body = CasesWire)))]
async fn index(gate: Gate<ProjectView>, Query(asked): Query<Asked>) -> Result<Json<CasesWire>> {
    let limit = asked.limit.unwrap_or(limits::PAGE_ROWS).clamp(1, limits::API_ROWS_MAX);
    let read = gate.read(move |tx| {
        let page = list::by_words(tx, asked.q.as_deref().unwrap_or(""), asked.after, limit)?;
        Ok((projects::key(tx)?, page))
    });
    let (key, page) = read.await?;
    let cases = page.lines.into_iter().map(|line| LineWire::of(&key, line)).collect();
    Ok(Json(CasesWire { cases, next: page.next }))
}

/// Writes a case. Without a suite it stands in "Unsorted".
#[utoipa::path(post, path = "/api/v1/projects/{project}/cases", tag = "cases", request_body = DraftWire,
    params(("project" = String, Path, description = "Key of the project", example = "SHOP")),
    responses((status = 201, body = CaseWire), (status = 409, description = "The automation key is taken.")))]
async fn add(gate: Gate<CaseWrite>, Json(new): Json<DraftWire>) -> Result<Created<CaseWire>> {
    let suite = new.suite.map(SuiteId);
    let draft = new.draft()?;
    let written = gate.write(move |tx| {
        let suite = suite.map_or_else(|| Paths::default().find_or_create(tx, &[]), Ok)?;
        let case = super::create(tx, suite, &draft)?;
        let opened = super::open(tx.reading(), case.value.number)?;
        let key = projects::key(tx)?;
        Ok(case.map(|_| CaseWire::of(&key, opened)))
    });
    Ok(Created(written.await?))
}

/// One case with its newest revision.
#[utoipa::path(get, path = "/api/v1/projects/{project}/cases/{case}", tag = "cases",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP"),
           ("case" = String, Path, description = "Number or reference of the case", example = "12")),
    responses((status = 200, body = CaseWire)))]
async fn show(gate: Gate<ProjectView>, Path((key, case)): Path<(String, String)>) -> Result<Json<CaseWire>> {
    let number = super::named(&key, &case)?;
    let opened = gate.read(move |tx| super::open(tx, number)).await?;
    Ok(Json(CaseWire::of(&key, opened)))
}

/// Changes a case: makes a new revision. `revision` is the one you began with; if there is a newer one, the
/// answer is a conflict (409) and nothing changes. What the body leaves out becomes empty.
#[utoipa::path(put, path = "/api/v1/projects/{project}/cases/{case}", tag = "cases", request_body = ChangeWire,
    params(("project" = String, Path, description = "Key of the project", example = "SHOP"),
           ("case" = String, Path, description = "Number or reference of the case", example = "12")),
    responses((status = 200, body = CaseWire), (status = 409, description = "There is a newer revision.")))]
async fn change(
    gate: Gate<CaseWrite>,
    Path((key, case)): Path<(String, String)>,
    Json(change): Json<ChangeWire>,
) -> Result<Json<CaseWire>> {
    let number = super::named(&key, &case)?;
    let base = change.revision;
    let draft = change.draft()?;
    let written = gate.write(move |tx| {
        let case = super::edit(tx, number, base, &draft)?;
        let opened = super::open(tx.reading(), number)?;
        Ok(case.map(|_| opened))
    });
    Ok(Json(CaseWire::of(&key, written.await?)))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Words to look for in titles and automation keys, or a reference.
    q: Option<String>,
    /// Cases of one answer, at most 1,000; 100 if left out.
    limit: Option<i64>,
    /// The number that `next` gave.
    after: Option<i64>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Step)]
struct StepWire {
    /// What to do; Markdown.
    #[serde(default)]
    action: String,
    /// What is then to be seen; Markdown.
    #[serde(default)]
    expected: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCase)]
struct DraftWire {
    title: String,
    /// `steps`, `text` or `automated`; follows from the other fields if left out.
    kind: Option<String>,
    /// `critical`, `high`, `normal` (if left out) or `low`.
    priority: Option<String>,
    /// Number of the suite; "Unsorted" if left out.
    suite: Option<i64>,
    /// Markdown.
    #[serde(default)]
    precondition: String,
    /// Markdown.
    #[serde(default)]
    body: String,
    #[serde(default)]
    steps: Vec<StepWire>,
    /// What code reports it under; belongs to one case of the project.
    automation_key: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangedCase)]
struct ChangeWire {
    /// The revision you began with.
    revision: i64,
    title: String,
    /// `steps`, `text` or `automated`; follows from the other fields if left out.
    kind: Option<String>,
    /// `critical`, `high`, `normal` (if left out) or `low`.
    priority: Option<String>,
    /// Markdown.
    #[serde(default)]
    precondition: String,
    /// Markdown.
    #[serde(default)]
    body: String,
    #[serde(default)]
    steps: Vec<StepWire>,
    /// What code reports it under; belongs to one case of the project.
    automation_key: Option<String>,
}

impl ChangeWire {
    fn draft(self) -> Result<Draft> {
        let ChangeWire { title, kind, priority, precondition, body, steps, automation_key, revision: _ } =
            self;
        DraftWire { title, kind, priority, suite: None, precondition, body, steps, automation_key }.draft()
    }
}

impl DraftWire {
    fn draft(self) -> Result<Draft> {
        let kind = match &self.kind {
            Some(word) => Kind::of_word(word)?,
            None if self.automation_key.is_some() => Kind::Automated,
            None if self.steps.is_empty() && !self.body.is_empty() => Kind::Text,
            None => Kind::Steps,
        };
        let mut draft = Draft::new(Title::new("case", &self.title)?, kind);
        draft.priority = self.priority.as_deref().map_or(Ok(Priority::Normal), Priority::of_word)?;
        let steps = self.steps.into_iter().map(|s| Step { action: s.action, expected: s.expected });
        draft
            .with_text(&self.precondition, &self.body, steps.collect())?
            .with_automation_key(self.automation_key.as_deref())
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Cases)]
struct CasesWire {
    cases: Vec<LineWire>,
    /// Goes into `after` for the next page; `null` at the end.
    next: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CaseLine)]
struct LineWire {
    id: i64,
    number: i64,
    #[schema(example = "SHOP-C12")]
    reference: String,
    title: String,
    kind: &'static str,
    priority: &'static str,
    /// Number of its suite.
    suite: i64,
    automation_key: Option<String>,
    /// Number of the newest revision.
    revision: i64,
    /// Latest verdict; `null` if it never ran.
    status: Option<&'static str>,
}

impl LineWire {
    fn of(key: &str, line: Line) -> LineWire {
        LineWire {
            id: line.id.0,
            number: line.number,
            reference: format!("{key}-C{}", line.number),
            title: line.title,
            kind: line.kind.word(),
            priority: line.priority.word(),
            suite: line.suite.0,
            automation_key: line.automation_key,
            revision: line.revision,
            status: line.status.map(|status| status.word()),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Case)]
struct CaseWire {
    id: i64,
    number: i64,
    #[schema(example = "SHOP-C12")]
    reference: String,
    title: String,
    kind: &'static str,
    priority: &'static str,
    /// Number of its suite.
    suite: i64,
    automation_key: Option<String>,
    /// `active` or `trashed`.
    state: &'static str,
    /// Number of the newest revision; send it back with a change.
    revision: i64,
    precondition: String,
    body: String,
    steps: Vec<StepWire>,
    /// Latest verdict; `null` if it never ran.
    status: Option<&'static str>,
    /// Milliseconds since 1970 in UTC.
    created_at: i64,
    /// Milliseconds since 1970 in UTC.
    updated_at: i64,
}

impl CaseWire {
    fn of(key: &str, Opened { case, revision, summary }: Opened) -> CaseWire {
        let Case { id, number, suite, title, kind, priority, automation_key, state, .. } = case;
        let steps = revision.steps.into_iter().map(|s| StepWire { action: s.action, expected: s.expected });
        CaseWire {
            id: id.0,
            number,
            reference: format!("{key}-C{number}"),
            title: title.to_string(),
            kind: kind.word(),
            priority: priority.word(),
            suite: suite.0,
            automation_key,
            state: state.word(),
            revision: revision.number,
            precondition: revision.precondition,
            body: revision.body,
            steps: steps.collect(),
            status: summary.map(|summary| summary.status.word()),
            created_at: case.created_at.0,
            updated_at: case.updated_at.0,
        }
    }
}
