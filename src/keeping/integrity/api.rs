//! Checks and repair over JSON.

use super::{Cause, Check, Kind, Mending};
use crate::keeping::backups::Desk;
use crate::kernel::access::{Caller, Changes, Gate, StorageKeep, StorageView};
use crate::kernel::error::Result;
use crate::web::respond::{Accepted, Json};
use crate::web::routes::{Route, get, post};
use actix_web::web::Data;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/checks", index),
        post("/api/v1/checks", start),
        get("/api/v1/repair", preview),
        post("/api/v1/repair", repair),
    ]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(index, start, preview, repair))]
pub struct Api;

/// What is wrong now, and the newest checks first.
#[utoipa::path(get, path = "/api/v1/checks", tag = "storage", responses((status = 200, body = ChecksWire)))]
async fn index(gate: Gate<StorageView>) -> Result<Json<ChecksWire>> {
    let read = gate.read(|tx| {
        let files = super::damaged_files(tx)?;
        let place = |object: &str| {
            let name = object.strip_prefix("file ")?;
            let file = files.iter().find(|file| file.blob.to_string() == name)?;
            (!file.place.is_empty()).then(|| format!("{} of {}", file.name, file.place))
        };
        let findings = super::open(tx)?.into_iter().map(|open| FindingWire {
            kind: open.kind.word(),
            place: place(&open.object),
            object: open.object,
            sentence: open.sentence,
            found_at: open.found_at.0,
        });
        let findings: Vec<_> = findings.collect();
        let checks = super::list(tx)?.into_iter().map(CheckWire::from).collect();
        Ok(ChecksWire { good: findings.is_empty(), running: super::is_running(tx)?, findings, checks })
    });
    Ok(Json(read.await?))
}

/// Begins all checks and answers at once; the list tells how they went.
#[utoipa::path(post, path = "/api/v1/checks", tag = "storage",
    responses((status = 202, body = BegunWire, description = "They are being made.")))]
async fn start(
    gate: Gate<StorageKeep>,
    caller: Caller<Changes>,
    desk: Data<Desk>,
) -> Result<Accepted<BegunWire>> {
    gate.admit().await?;
    let begun = super::begin_all(&caller, Cause::Person).await?;
    let desk = desk.into_inner();
    desk.clone().go_on(async move {
        if let Err(reason) = super::go_through(&desk.instance, &caller, begun, Cause::Person).await {
            tracing::error!(?reason, "a check could not be made");
        }
    });
    Ok(Accepted(BegunWire { kinds: Kind::ALL.iter().map(|kind| kind.word()).collect() }))
}

/// What a repair would do.
#[utoipa::path(get, path = "/api/v1/repair", tag = "storage", responses((status = 200, body = PreviewWire)))]
async fn preview(gate: Gate<StorageView>) -> Result<Json<PreviewWire>> {
    let plan = super::plan(&gate).await?;
    Ok(Json(PreviewWire { files: plan.files.len(), steps: plan.sentences() }))
}

/// Mends what can be mended, and says what is left.
#[utoipa::path(post, path = "/api/v1/repair", tag = "storage",
    responses((status = 200, body = Mending), (status = 403, description = "Confirm first that it is you.")))]
async fn repair(gate: Gate<StorageKeep>, caller: Caller<Changes>, desk: Data<Desk>) -> Result<Json<Mending>> {
    gate.admit().await?;
    Ok(Json(super::repair(&desk.into_inner(), &caller, Cause::Person).await?))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Checks)]
struct ChecksWire {
    /// Whether nothing is known to be wrong.
    good: bool,
    /// Whether a check is being made at this moment.
    running: bool,
    findings: Vec<FindingWire>,
    checks: Vec<CheckWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Finding)]
struct FindingWire {
    /// `database`, `files`, `trail`, `keys` or `sums`.
    kind: &'static str,
    /// What it is about, such as `page 12` or `file` with its name in the store.
    object: String,
    /// Where a damaged file is attached.
    #[schema(example = "screenshot.png of SHOP-C3 in SHOP-R4")]
    place: Option<String>,
    sentence: String,
    /// Milliseconds since 1970 in UTC.
    found_at: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Check)]
struct CheckWire {
    id: i64,
    kind: &'static str,
    /// `schedule`, `person`, `command`, `start` or `damage`.
    cause: &'static str,
    /// `running`, `good`, `bad` or `failed`.
    state: String,
    /// Milliseconds since 1970 in UTC.
    started_at: i64,
    finished_at: Option<i64>,
    /// Pages, files, entries or keys that were looked at.
    looked: i64,
    findings: i64,
    message: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ChecksBegun)]
struct BegunWire {
    kinds: Vec<&'static str>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RepairPreview)]
struct PreviewWire {
    /// Files that would be looked for in the backups.
    files: usize,
    /// What would be done, and what cannot be, one sentence each.
    steps: Vec<String>,
}

impl From<Check> for CheckWire {
    fn from(check: Check) -> CheckWire {
        CheckWire {
            id: check.id.0,
            kind: check.kind.word(),
            cause: check.cause.word(),
            state: check.state,
            started_at: check.started_at.0,
            finished_at: check.finished_at.map(|at| at.0),
            looked: check.looked,
            findings: check.findings,
            message: check.message,
        }
    }
}
