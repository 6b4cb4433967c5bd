//! The trash over JSON: delete, look, take out again.

use crate::kernel::access::{CaseWrite, Gate, ProjectView, RunWrite};
use crate::kernel::error::Result;
use crate::kernel::instance::Instance;
use crate::library::cases;
use crate::running::runs;
use crate::web::respond::{Json, Path};
use crate::web::routes::{Route, delete, get, post};
use actix_web::web::Data;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/projects/{project}/trash", show),
        delete("/api/v1/projects/{project}/runs/{run}", trash_run),
        post("/api/v1/projects/{project}/runs/{run}/recover", recover_run),
        delete("/api/v1/projects/{project}/cases/{case}", trash_case),
        post("/api/v1/projects/{project}/cases/{case}/recover", recover_case),
    ]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(show, trash_run, recover_run, trash_case, recover_case))]
pub struct Api;

/// What lies in the trash of a project.
#[utoipa::path(get, path = "/api/v1/projects/{project}/trash", tag = "projects",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP")),
    responses((status = 200, body = TrashWire)))]
async fn show(gate: Gate<ProjectView>) -> Result<Json<TrashWire>> {
    let trash = gate.read(super::contents).await?;
    let cases = trash.cases.into_iter().map(|case| ThingWire {
        number: case.number,
        title: case.title,
        trashed_at: None,
    });
    let runs = trash.runs.into_iter().map(|run| ThingWire {
        number: run.number,
        title: run.title.to_string(),
        trashed_at: Some(run.trashed_at.0),
    });
    Ok(Json(TrashWire { cases: cases.collect(), runs: runs.collect() }))
}

/// Puts a run into the trash, with its results.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/runs/{run}", tag = "runs",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP"),
           ("run" = i64, Path, description = "Number of the run")),
    responses((status = 200, body = MovedWire), (status = 409, description = "It is under a legal hold.")))]
async fn trash_run(
    gate: Gate<RunWrite>,
    path: Path<(String, i64)>,
    instance: Data<Instance>,
) -> Result<Json<MovedWire>> {
    let number = path.0.1;
    gate.write(move |tx| runs::trash::trash(tx, number)).await?;
    super::count_anew(&instance.door).await;
    Ok(Json(MovedWire { number, state: "trashed" }))
}

/// Takes a run out of the trash, as it was.
#[utoipa::path(post, path = "/api/v1/projects/{project}/runs/{run}/recover", tag = "runs",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP"),
           ("run" = i64, Path, description = "Number of the run")),
    responses((status = 200, body = MovedWire)))]
async fn recover_run(
    gate: Gate<RunWrite>,
    path: Path<(String, i64)>,
    instance: Data<Instance>,
) -> Result<Json<MovedWire>> {
    let number = path.0.1;
    gate.write(move |tx| runs::trash::recover(tx, number)).await?;
    super::count_anew(&instance.door).await;
    Ok(Json(MovedWire { number, state: "active" }))
}

/// Puts a case into the trash. Its results stay.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/cases/{case}", tag = "cases",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP"),
           ("case" = String, Path, description = "Number or reference of the case", example = "12")),
    responses((status = 200, body = MovedWire), (status = 409, description = "The project is under a legal hold.")))]
async fn trash_case(
    gate: Gate<CaseWrite>,
    Path((key, case)): Path<(String, String)>,
) -> Result<Json<MovedWire>> {
    let number = cases::named(&key, &case)?;
    gate.write(move |tx| cases::trash(tx, number)).await?;
    Ok(Json(MovedWire { number, state: "trashed" }))
}

/// Takes a case out of the trash, to where it stood.
#[utoipa::path(post, path = "/api/v1/projects/{project}/cases/{case}/recover", tag = "cases",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP"),
           ("case" = String, Path, description = "Number or reference of the case", example = "12")),
    responses((status = 200, body = MovedWire)))]
async fn recover_case(
    gate: Gate<CaseWrite>,
    Path((key, case)): Path<(String, String)>,
) -> Result<Json<MovedWire>> {
    let number = cases::named(&key, &case)?;
    gate.write(move |tx| cases::recover(tx, number)).await?;
    Ok(Json(MovedWire { number, state: "active" }))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Trash)]
struct TrashWire {
    cases: Vec<ThingWire>,
    runs: Vec<ThingWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Trashed)]
struct ThingWire {
    /// Number in the project.
    number: i64,
    title: String,
    /// Milliseconds since 1970 in UTC; of runs only.
    trashed_at: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TrashMove)]
struct MovedWire {
    number: i64,
    /// `trashed` or `active`.
    state: &'static str,
}
