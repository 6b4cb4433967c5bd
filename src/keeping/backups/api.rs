//! Backups over JSON.

use super::{Backup, Desk, Health, Progress, Step, pages};
use crate::kernel::access::{BackupRun, BackupView, Gate, Read};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::TargetId;
use crate::web::respond::{Accepted, Body, Json, parsed};
use crate::web::routes::{Route, get, post};
use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

pub(super) fn routes() -> Vec<Route> {
    vec![get("/api/v1/backups", index), post("/api/v1/backups", start), post("/api/v1/backups/stop", stop)]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(index, start, stop))]
pub struct Api;

/// The newest backups first, with what runs now.
#[utoipa::path(get, path = "/api/v1/backups", tag = "backups", responses((status = 200, body = BackupsWire)))]
async fn index(gate: Gate<BackupView>, desk: Data<Desk>) -> Result<Json<BackupsWire>> {
    let running = desk.progress().into_iter().map(RunningWire::from).collect();
    let read = gate.read(|tx: Read<'_, BackupView>| {
        let health = Health::now(tx)?;
        let backups = super::list(tx)?.into_iter().map(BackupWire::from).collect();
        Ok(BackupsWire { state: health.word, sentence: health.sentence, running, backups })
    });
    Ok(Json(read.await?))
}

/// Begins backups and answers at once; the list tells how they went. Without a body, one to every target that is
/// on, one after the other.
#[utoipa::path(post, path = "/api/v1/backups", tag = "backups", request_body = Option<StartWire>,
    responses((status = 202, body = StartedWire, description = "They are being made."),
              (status = 409, description = "No target is set up, or a backup to it is being made already.")))]
async fn start(gate: Gate<BackupRun>, desk: Data<Desk>, Body(body): Body) -> Result<Accepted<StartedWire>> {
    let asked = if body.is_empty() { StartWire::default() } else { parsed::<StartWire>(&body)? };
    let begun = pages::begin(&gate, &desk.into_inner(), asked.target.map(TargetId)).await?;
    let ids: Vec<i64> = begun.into_iter().map(|id| id.0).collect();
    Ok(Accepted(StartedWire { id: ids.first().copied().unwrap_or(0), ids, state: "running" }))
}

/// Stops what runs and waits: all of it, or what goes to one target. What is stored already is used by the next one.
#[utoipa::path(post, path = "/api/v1/backups/stop", tag = "backups", request_body = Option<StartWire>,
    responses((status = 204, description = "It stops."), (status = 409, description = "None runs.")))]
async fn stop(gate: Gate<BackupRun>, desk: Data<Desk>, Body(body): Body) -> Result<HttpResponse> {
    let asked = if body.is_empty() { StartWire::default() } else { parsed::<StartWire>(&body)? };
    gate.admit().await?;
    let is_any =
        desk.progress().iter().any(|at| asked.target.is_none() || at.target.map(|id| id.0) == asked.target);
    if !is_any {
        return Err(Error::conflict("No backup is being made here."));
    }
    gate.write(|tx| tx.audited(super::STOPPED.alone(), ())).await?;
    desk.cancel(asked.target.map(TargetId));
    Ok(HttpResponse::NoContent().finish())
}

/// What is said where no target is set up.
pub fn no_target() -> Error {
    Error::conflict("No target is set up for backups.").hint("Add one on the page of backups.")
}

#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
#[schema(as = StartBackup)]
struct StartWire {
    /// Number of the target; all that are on without it.
    #[serde(default)]
    target: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Backups)]
struct BackupsWire {
    /// How well the instance is protected, in two or three words.
    #[schema(example = "Verified")]
    state: &'static str,
    /// The same with what to do.
    sentence: String,
    /// What runs or waits, oldest first.
    running: Vec<RunningWire>,
    backups: Vec<BackupWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RunningBackup)]
struct RunningWire {
    /// Number of the target, if it is one of the instance.
    target_id: Option<i64>,
    name: String,
    /// `reaching` until the target answers, `waiting` for other backups, `writing` or `reading`.
    step: &'static str,
    bytes_done: u64,
    /// 0 while they are being counted.
    bytes_total: u64,
}

impl From<Progress> for RunningWire {
    fn from(at: Progress) -> RunningWire {
        let step = match at.step {
            Step::Reaching => "reaching",
            Step::Waiting => "waiting",
            Step::Writing => "writing",
            Step::Reading => "reading",
        };
        let target_id = at.target.map(|id| id.0);
        RunningWire { target_id, name: at.name, step, bytes_done: at.done, bytes_total: at.total }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Backup)]
pub(super) struct BackupWire {
    id: i64,
    /// `schedule`, `person` or `command`.
    cause: String,
    /// Address of the place it went to.
    target: String,
    /// Number of the target, if it was one of the instance.
    target_id: Option<i64>,
    /// `running`, `good` or `failed`.
    state: String,
    /// Whether it ended because somebody stopped it.
    stopped: bool,
    /// Milliseconds since 1970 in UTC.
    started_at: i64,
    /// Milliseconds since 1970 in UTC.
    finished_at: Option<i64>,
    /// Number of its signed receipt: what `testkeep restore --backup` takes.
    receipt: Option<i64>,
    files: Option<i64>,
    /// Before compression.
    bytes: Option<i64>,
    /// What it added to the target.
    bytes_added: Option<i64>,
    /// When it was last read back without an error, in milliseconds since 1970 in UTC.
    verified_at: Option<i64>,
    /// When its retention took it away, in milliseconds since 1970 in UTC.
    gone_at: Option<i64>,
    /// Why it failed.
    message: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = StartedBackup)]
struct StartedWire {
    /// The first of them.
    id: i64,
    /// All of them, in the order in which they are made.
    ids: Vec<i64>,
    state: &'static str,
}

impl From<Backup> for BackupWire {
    fn from(backup: Backup) -> BackupWire {
        BackupWire {
            id: backup.id.0,
            cause: backup.cause,
            target: backup.target,
            target_id: backup.target_id.map(|id| id.0),
            state: backup.state,
            stopped: backup.was_stopped,
            started_at: backup.started_at.0,
            finished_at: backup.finished_at.map(|at| at.0),
            receipt: backup.receipt,
            files: backup.files,
            bytes: backup.bytes,
            bytes_added: backup.bytes_added,
            verified_at: backup.verified_at.map(|at| at.0),
            gone_at: backup.gone_at.map(|at| at.0),
            message: backup.message,
        }
    }
}
