//! Drills over JSON.

use super::{Drill, Goals};
use crate::keeping::backups::{Cause, Desk, Plan, no_folder};
use crate::kernel::access::{BackupRun, BackupView, Gate, Read};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::DrillId;
use crate::web::respond::{Accepted, Json, Path};
use crate::web::routes::{Route, get, post};
use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::Data;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/drills", index),
        post("/api/v1/drills", start),
        get("/api/v1/drills/{drill}/evidence", evidence),
    ]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(index, start, evidence))]
pub struct Api;

/// The newest drills first, with what they are held against.
#[utoipa::path(get, path = "/api/v1/drills", tag = "backups", responses((status = 200, body = DrillsWire)))]
async fn index(gate: Gate<BackupView>) -> Result<Json<DrillsWire>> {
    let read = gate.read(|tx: Read<'_, BackupView>| {
        let Goals { schedule, rpo_minutes, rto_minutes, .. } = Goals::get(tx)?;
        let drills = super::list(tx)?.into_iter().map(DrillWire::from).collect();
        Ok(DrillsWire { schedule, rpo_minutes, rto_minutes, drills })
    });
    Ok(Json(read.await?))
}

/// Begins a drill with the newest backup and answers at once; the list tells how it went.
#[utoipa::path(post, path = "/api/v1/drills", tag = "backups",
    responses((status = 202, body = StartedDrillWire, description = "It is being held."),
              (status = 409, description = "There is no target, or something is brought back already.")))]
async fn start(gate: Gate<BackupRun>, desk: Data<Desk>) -> Result<Accepted<StartedDrillWire>> {
    let plan = gate.read(|tx| Plan::get(tx)).await?;
    if !plan.has_folder() {
        return Err(no_folder());
    }
    let id = super::begin(desk.into_inner(), gate, Cause::Person, plan.folder).await?;
    Ok(Accepted(StartedDrillWire { id: id.0, state: "running" }))
}

/// The signed record of a drill that was good: `body`, its Ed25519 `signature`, and the `public_key`, which is
/// that of the receipts.
#[utoipa::path(get, path = "/api/v1/drills/{drill}/evidence", tag = "backups",
    params(("drill" = i64, Path, description = "Number of the drill")),
    responses((status = 200, body = SealedWire, description = "The record."),
              (status = 404, description = "There is no such drill, or it was not good.")))]
async fn evidence(gate: Gate<BackupView>, Path(id): Path<i64>) -> Result<HttpResponse> {
    let drill = gate.read(move |tx| super::get(tx, DrillId(id))).await?;
    let sealed = drill
        .evidence
        .ok_or_else(|| Error::not_found("This drill proved nothing, so there is no signed record of it."))?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"testkeep-drill-{id}.json\"")))
        .body(sealed))
}

#[derive(Serialize, ToSchema)]
#[schema(as = SealedDrill)]
struct SealedWire {
    /// JSON as text: what was brought back, what was looked at, how long it took.
    body: String,
    /// Ed25519 over the bytes of `body`, hex.
    signature: String,
    /// The key that also signs receipts, hex.
    public_key: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Drills)]
struct DrillsWire {
    /// Cron expression of five fields in the zone of the server; empty for none.
    #[schema(example = "10 4 * * SAT")]
    schedule: String,
    /// How old the data may be.
    rpo_minutes: i64,
    /// How long bringing it back may take.
    rto_minutes: i64,
    drills: Vec<DrillWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Drill)]
struct DrillWire {
    id: i64,
    /// `schedule`, `person` or `command`.
    cause: String,
    /// Where the backup lay.
    target: String,
    /// `running`, `good`, `failed` or `stopped`.
    state: String,
    /// Milliseconds since 1970 in UTC.
    started_at: i64,
    /// Milliseconds since 1970 in UTC.
    finished_at: Option<i64>,
    /// Number of the backup.
    receipt: Option<i64>,
    /// Age of its data when the drill began.
    rpo_ms: Option<i64>,
    /// From the beginning until everything was proven.
    rto_ms: Option<i64>,
    /// One hash over all user data in it.
    digest: Option<String>,
    /// Why it failed.
    message: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = StartedDrill)]
struct StartedDrillWire {
    id: i64,
    state: &'static str,
}

impl From<Drill> for DrillWire {
    fn from(drill: Drill) -> DrillWire {
        DrillWire {
            id: drill.id.0,
            cause: drill.cause,
            target: drill.target,
            state: drill.state,
            started_at: drill.started_at.0,
            finished_at: drill.finished_at.map(|at| at.0),
            receipt: drill.receipt,
            rpo_ms: drill.rpo_ms,
            rto_ms: drill.rto_ms,
            digest: drill.digest,
            message: drill.message,
        }
    }
}
