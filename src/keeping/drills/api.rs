//! Drills over JSON.

use super::{Drill, Goals, Proven};
use crate::keeping::backups::{Cause, Desk};
use crate::kernel::access::{BackupRun, BackupView, Gate, Read};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{DrillId, TargetId};
use crate::web::respond::{Accepted, Body, Json, Path, parsed};
use crate::web::routes::{Route, get, post};
use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
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
        let targets = super::proofs(tx)?.into_iter().map(ProvenWire::from).collect();
        Ok(DrillsWire { schedule, rpo_minutes, rto_minutes, targets, drills })
    });
    Ok(Json(read.await?))
}

/// Begins a drill with the newest backup of a target and answers at once; the list tells how it went. Without a body
/// the target whose turn it is.
#[utoipa::path(post, path = "/api/v1/drills", tag = "backups", request_body = Option<HoldWire>,
    responses((status = 202, body = StartedDrillWire, description = "It is being held."),
              (status = 404, description = "There is no such target."),
              (status = 409, description = "There is no target, or something is brought back already.")))]
async fn start(
    gate: Gate<BackupRun>,
    desk: Data<Desk>,
    Body(body): Body,
) -> Result<Accepted<StartedDrillWire>> {
    let asked = if body.is_empty() { None } else { parsed::<Option<HoldWire>>(&body)? };
    let target = asked.unwrap_or_default().target.map(TargetId);
    let instance = Arc::clone(&desk.instance);
    let goal = gate.read(move |tx| super::named(tx, &instance, target)).await?;
    let id = super::begin(desk.into_inner(), gate, Cause::Person, goal).await?;
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

#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
#[schema(as = HoldDrill)]
struct HoldWire {
    /// Number of the target; that whose turn it is without it.
    #[serde(default)]
    target: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = DrillsOfTarget)]
struct ProvenWire {
    /// Number of the target.
    id: i64,
    name: String,
    /// Whether the next drill of the schedule is about it.
    is_next: bool,
    /// Its last good drill.
    drill: Option<i64>,
    /// When that began, in milliseconds since 1970 in UTC.
    proven_at: Option<i64>,
    /// Age of its data then.
    rpo_ms: Option<i64>,
    /// How long it took.
    rto_ms: Option<i64>,
}

impl From<Proven> for ProvenWire {
    fn from(proven: Proven) -> ProvenWire {
        let Proven { target, drill, is_next } = proven;
        let drill = drill.as_ref();
        ProvenWire {
            id: target.id.0,
            name: target.name,
            is_next,
            drill: drill.map(|drill| drill.id.0),
            proven_at: drill.map(|drill| drill.started_at.0),
            rpo_ms: drill.and_then(|drill| drill.rpo_ms),
            rto_ms: drill.and_then(|drill| drill.rto_ms),
        }
    }
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
    /// The targets that are on, each with its last proof.
    targets: Vec<ProvenWire>,
    drills: Vec<DrillWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Drill)]
struct DrillWire {
    id: i64,
    /// `schedule`, `person` or `command`.
    cause: String,
    /// Address of the place where the backup lay.
    target: String,
    /// What people call the target that is there now.
    target_name: Option<String>,
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
            target_name: drill.target_name,
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
