//! Results over JSON.

use super::{CaseOf, NewResult, Recorded, Source, Verdict};
use crate::kernel::access::{Gate, ProjectView, ResultWrite};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::ResultId;
use crate::kernel::limits;
use crate::library::verdicts::Status;
use crate::running::runs::{self, CaseName};
use crate::web::respond::{Body, Created, Json, Path, Query, parsed};
use crate::web::routes::{Route, get, post};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

/// The routes of this slice.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/projects/{project}/runs/{run}/results", index),
        post("/api/v1/projects/{project}/runs/{run}/results", add),
    ]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(index, add))]
pub struct Api;

/// Results of a run in the order in which they came in. `next` goes into `after` for the next page.
#[utoipa::path(get, path = "/api/v1/projects/{project}/runs/{run}/results", tag = "results",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP"),
           ("run" = i64, Path, description = "Number of the run in the project"), Asked),
    responses((status = 200, body = VerdictsWire)))]
async fn index(
    gate: Gate<ProjectView>,
    path: Path<(String, i64)>,
    Query(asked): Query<Asked>,
) -> Result<Json<VerdictsWire>> {
    let Path((_, run)) = path;
    let limit = asked.limit.unwrap_or(limits::PAGE_ROWS).clamp(1, limits::API_ROWS_MAX);
    let after = asked.after.map(ResultId);
    let mut results = gate.read(move |tx| super::list(tx, run, after, limit + 1)).await?;
    let is_more = results.len() as i64 > limit;
    results.truncate(usize::try_from(limit).unwrap_or(0));
    let next = results.last().filter(|_| is_more).map(|last| last.id.0);
    Ok(Json(VerdictsWire { results: results.into_iter().map(VerdictWire::from).collect(), next }))
}

/// Records results, all or none: a bad entry is named by its place (`results[3]`) and nothing is stored.
/// The ids in the answer stand in the order of the request. A case is named by number or reference, or by an
/// automation key; a key that no case has makes one. A closed run is a conflict (409).
#[utoipa::path(post, path = "/api/v1/projects/{project}/runs/{run}/results", tag = "results",
    request_body = NewResultsWire,
    params(("project" = String, Path, description = "Key of the project", example = "SHOP"),
           ("run" = i64, Path, description = "Number of the run in the project")),
    responses((status = 201, body = RecordedWire), (status = 409, description = "The run is closed."),
              (status = 422, description = "An entry does not fit; nothing was recorded.")))]
async fn add(
    gate: Gate<ResultWrite>,
    Path((key, run)): Path<(String, i64)>,
    Body(body): Body,
) -> Result<Created<RecordedWire>> {
    let NewResultsWire { results } = parsed(&body).map_err(|error| place_of(&body).unwrap_or(error))?;
    if results.len() > limits::RESULTS_PER_CALL_MAX {
        return Err(Error::too_large(format!(
            "One call takes at most {} results.",
            limits::RESULTS_PER_CALL_MAX
        ))
        .hint("Send the rest in further calls; each is recorded as a whole."));
    }
    let is_by_code = results.iter().any(|result| result.automation_key.is_some());
    let source = if is_by_code { Source::AUTOMATED } else { Source::MANUAL };
    let read = results
        .into_iter()
        .enumerate()
        .map(|(place, result)| result.result(&key).map_err(|error| error.at(format!("results[{place}]"))));
    let results = read.collect::<Result<Vec<_>>>()?;
    let written = gate.write(move |tx| {
        let run = runs::taking(tx, run)?;
        super::record(tx, run, source, results)
    });
    let recorded = written.await?.recorded;
    Ok(Created(RecordedWire { results: recorded.into_iter().map(RecordedOneWire::from).collect() }))
}

/// Which entry of a body did not fit. Slower than reading it, so done only when reading failed.
fn place_of(body: &[u8]) -> Option<Error> {
    let all: serde_json::Value = serde_json::from_slice(body).ok()?;
    for (place, one) in all.get("results")?.as_array()?.iter().enumerate() {
        if let Err(reason) = NewResultWire::deserialize(one) {
            let sentence = format!("results[{place}] does not fit.");
            return Some(Error::invalid(sentence).hint(reason.to_string()));
        }
    }
    None
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Results of one answer, at most 1,000; 100 if left out.
    limit: Option<i64>,
    /// The number that `next` gave.
    after: Option<i64>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewResults)]
struct NewResultsWire {
    /// At most 10,000.
    results: Vec<NewResultWire>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewResult)]
struct NewResultWire {
    /// Number or reference of the case; either this or `automation_key`.
    case: Option<CaseName>,
    /// What code reports the case under; makes the case if there is none.
    #[schema(example = "shop.CheckoutTest.pays_by_card")]
    automation_key: Option<String>,
    /// What a new case is called.
    title: Option<String>,
    /// `passed`, `failed`, `errored`, `blocked` or `skipped`.
    #[schema(example = "passed")]
    status: String,
    /// How long it took, in milliseconds.
    elapsed_ms: Option<i64>,
    /// Why it failed, in short.
    message: Option<String>,
    /// Where it failed.
    stack: Option<String>,
    /// What the check printed.
    output: Option<String>,
    /// What a person says of it; Markdown.
    comment: Option<String>,
    /// How each step fared, in their order: words as in `status`, or `untested`.
    #[serde(default)]
    steps: Vec<String>,
}

impl NewResultWire {
    fn result(self, key: &str) -> Result<NewResult> {
        let case = match (&self.case, &self.automation_key) {
            (Some(case), None) => CaseOf::Number(case.number(key)?),
            (None, Some(key)) => CaseOf::key(key.trim(), self.title.as_deref()),
            (Some(_), Some(_)) | (None, None) => {
                return Err(Error::invalid("A result names its case in one way.")
                    .hint("Send either `case` or `automation_key`."));
            }
        };
        Ok(NewResult {
            case,
            status: Status::of_word(&self.status)?,
            elapsed_ms: self.elapsed_ms,
            message: self.message,
            stack: self.stack,
            output: self.output,
            comment: self.comment,
            steps: self.steps.iter().map(|word| Status::of_word(word)).collect::<Result<_>>()?,
        })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Recorded)]
struct RecordedWire {
    /// In the order of the request.
    results: Vec<RecordedOneWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RecordedResult)]
struct RecordedOneWire {
    id: i64,
    /// Number of the case in the project.
    case: i64,
    /// 1 for the first result of this case in the run.
    attempt: i64,
}

impl From<Recorded> for RecordedOneWire {
    fn from(recorded: Recorded) -> RecordedOneWire {
        RecordedOneWire { id: recorded.id.0, case: recorded.case, attempt: recorded.attempt }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Results)]
struct VerdictsWire {
    results: Vec<VerdictWire>,
    /// Goes into `after` for the next page; `null` at the end.
    next: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Result)]
struct VerdictWire {
    id: i64,
    /// Number of the case in the project.
    case: i64,
    automation_key: Option<String>,
    /// What the case is called.
    title: String,
    status: &'static str,
    elapsed_ms: Option<i64>,
    message: Option<String>,
    stack: Option<String>,
    output: Option<String>,
    comment: Option<String>,
    /// How each step fared, in their order; empty if nobody said.
    steps: Vec<&'static str>,
    /// 1 for the first result of this case in the run.
    attempt: i64,
    /// Milliseconds since 1970 in UTC.
    at: i64,
}

impl From<Verdict> for VerdictWire {
    fn from(verdict: Verdict) -> VerdictWire {
        VerdictWire {
            id: verdict.id.0,
            case: verdict.case,
            automation_key: verdict.automation_key,
            title: verdict.title,
            status: verdict.status.word(),
            elapsed_ms: verdict.elapsed_ms,
            message: verdict.message,
            stack: verdict.stack,
            output: verdict.output,
            comment: verdict.comment,
            steps: verdict.steps.iter().map(|status| status.word()).collect(),
            attempt: verdict.attempt,
            at: verdict.at.0,
        }
    }
}
