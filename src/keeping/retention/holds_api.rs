//! Legal holds over JSON.

use super::holds::{self, Hold};
use crate::kernel::access::{Gate, StorageKeep, StorageView};
use crate::kernel::error::Result;
use crate::kernel::id::HoldId;
use crate::people::sessions::demand_proof_of_people;
use crate::web::respond::{Created, Json, Path};
use crate::web::routes::{Route, delete, get, post};
use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

pub(super) fn routes() -> Vec<Route> {
    vec![get("/api/v1/holds", index), post("/api/v1/holds", set), delete("/api/v1/holds/{hold}", lift)]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(index, set, lift))]
pub struct Api;

/// Holds that are in force, the newest first.
#[utoipa::path(get, path = "/api/v1/holds", tag = "storage", responses((status = 200, body = HoldsWire)))]
async fn index(gate: Gate<StorageView>) -> Result<Json<HoldsWire>> {
    let holds = gate.read(|tx| holds::in_force(tx)).await?;
    Ok(Json(HoldsWire { holds: holds.into_iter().map(HoldWire::from).collect() }))
}

/// Sets a hold on a project, or on one of its runs: what it covers cannot be deleted.
#[utoipa::path(post, path = "/api/v1/holds", tag = "storage", request_body = NewHoldWire,
    responses((status = 201, body = MadeHoldWire), (status = 404, description = "There is no such project or run."),
              (status = 422, description = "The reason is missing or too long.")))]
async fn set(gate: Gate<StorageKeep>, Json(wire): Json<NewHoldWire>) -> Result<Created<MadeHoldWire>> {
    let id = gate.write(move |tx| holds::hold(tx, &wire.project, wire.run, &wire.reason)).await?;
    Ok(Created(MadeHoldWire { id: id.0 }))
}

/// Lifts a hold; the rules of retention apply again.
#[utoipa::path(delete, path = "/api/v1/holds/{hold}", tag = "storage",
    params(("hold" = i64, Path, description = "Its number")),
    responses((status = 204, description = "It is lifted."), (status = 404, description = "It is not in force.")))]
async fn lift(gate: Gate<StorageKeep>, Path(id): Path<i64>) -> Result<HttpResponse> {
    gate.write(move |tx| {
        demand_proof_of_people(tx)?;
        holds::lift(tx, HoldId(id))
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Serialize, ToSchema)]
#[schema(as = Holds)]
struct HoldsWire {
    holds: Vec<HoldWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Hold)]
struct HoldWire {
    id: i64,
    /// Key of the project.
    project: String,
    /// Number of the run; null if the whole project is held.
    run: Option<i64>,
    reason: String,
    /// Who set it, if it was a person.
    author: Option<String>,
    /// Milliseconds since 1970 in UTC.
    created_at: i64,
}

impl From<Hold> for HoldWire {
    fn from(hold: Hold) -> HoldWire {
        let Hold { id, key, run, reason, author, created_at } = hold;
        HoldWire { id: id.0, project: key, run, reason, author, created_at: created_at.0 }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewHold)]
struct NewHoldWire {
    /// Key of the project.
    #[schema(example = "SHOP")]
    project: String,
    /// Number of one run; without it the whole project.
    #[serde(default)]
    run: Option<i64>,
    /// Who asked for it, and when.
    #[schema(example = "Asked for by the court, file 12")]
    reason: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = MadeHold)]
struct MadeHoldWire {
    id: i64,
}
