//! Backups over JSON.

use super::{Backup, Cause, Desk, Health, Plan};
use crate::keeping::backup::Keep;
use crate::kernel::access::{BackupRun, BackupView, Gate, Read, Tx};
use crate::kernel::error::{Error, Result};
use crate::kernel::schedule;
use crate::web::respond::{Accepted, Json};
use crate::web::routes::{Route, get, post};
use actix_web::web::Data;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

pub(super) fn routes() -> Vec<Route> {
    vec![get("/api/v1/backups", index), post("/api/v1/backups", start)]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(index, start))]
pub struct Api;

/// The newest backups first, with the plan by which they are made.
#[utoipa::path(get, path = "/api/v1/backups", tag = "backups", responses((status = 200, body = BackupsWire)))]
async fn index(gate: Gate<BackupView>) -> Result<Json<BackupsWire>> {
    let read = gate.read(|tx: Read<'_, BackupView>| {
        let (plan, health) = (Plan::get(tx)?, Health::now(tx)?);
        let next = if plan.schedule.is_empty() { None } else { schedule::next(&plan.schedule, tx.now())? };
        let Keep { last, daily, weekly, monthly } = plan.keep;
        let folder = Some(plan.folder.display().to_string()).filter(|folder| !folder.is_empty());
        let next_at = next.filter(|_| folder.is_some()).map(|at| at.0);
        let backups = super::list(tx)?.into_iter().map(BackupWire::from).collect();
        let plan = PlanWire { folder, schedule: plan.schedule, next_at, last, daily, weekly, monthly };
        Ok(BackupsWire { state: health.word, sentence: health.sentence, plan, backups })
    });
    Ok(Json(read.await?))
}

/// Begins a backup into the folder of the plan and answers at once; the list tells how it went.
#[utoipa::path(post, path = "/api/v1/backups", tag = "backups",
    responses((status = 202, body = StartedWire, description = "It is being made."),
              (status = 409, description = "No folder is chosen, or a backup is being made already.")))]
async fn start(gate: Gate<BackupRun>, desk: Data<Desk>) -> Result<Accepted<StartedWire>> {
    let plan = gate.read(|tx| Plan::get(tx)).await?;
    if !plan.has_folder() {
        return Err(no_folder());
    }
    let id = desk.into_inner().begin(gate, Cause::Person, plan.folder).await?;
    Ok(Accepted(StartedWire { id: id.0, state: "running" }))
}

/// What is said where no target is chosen.
pub fn no_folder() -> Error {
    Error::conflict("No folder is chosen for backups.").hint("Choose one on the page of backups.")
}

#[derive(Serialize, ToSchema)]
#[schema(as = Backups)]
struct BackupsWire {
    /// How well the instance is protected, in two or three words.
    #[schema(example = "Verified")]
    state: &'static str,
    /// The same with what to do.
    sentence: String,
    plan: PlanWire,
    backups: Vec<BackupWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = BackupPlan)]
struct PlanWire {
    /// Where backups go; `null` while no folder is chosen.
    folder: Option<String>,
    /// Cron expression of five fields in the zone of the server; empty for none.
    #[schema(example = "30 2 * * *")]
    schedule: String,
    /// When the next one is due, in milliseconds since 1970 in UTC.
    next_at: Option<i64>,
    /// How many of the newest stay.
    last: u32,
    /// For how many days one stays.
    daily: u32,
    /// For how many weeks one stays.
    weekly: u32,
    /// For how many months one stays.
    monthly: u32,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Backup)]
struct BackupWire {
    id: i64,
    /// `schedule`, `person` or `command`.
    cause: String,
    /// Folder it went to.
    target: String,
    /// `running`, `good` or `failed`.
    state: String,
    /// Milliseconds since 1970 in UTC.
    started_at: i64,
    /// Milliseconds since 1970 in UTC.
    finished_at: Option<i64>,
    /// Number of its signed receipt: what `testkeep restore --backup` takes.
    receipt: Option<i64>,
    files: Option<i64>,
    /// Before compression.
    bytes: Option<i64>,
    /// What it added to the folder.
    bytes_added: Option<i64>,
    /// When it was last read back without an error, in milliseconds since 1970 in UTC.
    verified_at: Option<i64>,
    /// Why it failed.
    message: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = StartedBackup)]
struct StartedWire {
    id: i64,
    state: &'static str,
}

impl From<Backup> for BackupWire {
    fn from(backup: Backup) -> BackupWire {
        BackupWire {
            id: backup.id.0,
            cause: backup.cause,
            target: backup.target,
            state: backup.state,
            started_at: backup.started_at.0,
            finished_at: backup.finished_at.map(|at| at.0),
            receipt: backup.receipt,
            files: backup.files,
            bytes: backup.bytes,
            bytes_added: backup.bytes_added,
            verified_at: backup.verified_at.map(|at| at.0),
            message: backup.message,
        }
    }
}
