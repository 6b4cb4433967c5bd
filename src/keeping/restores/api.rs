//! Restores over JSON: look first, then bring back.

use super::{Mode, Request, Restore, State, Tally, What};
use crate::keeping::backups::{self, Desk};
use crate::kernel::access::{Gate, RestoreRun, RestoreView};
use crate::kernel::error::Result;
use crate::kernel::id::{RestoreId, TargetId};
use crate::web::respond::{Accepted, Json, Path};
use crate::web::routes::{Route, get, post};
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::{OpenApi, ToSchema};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/restores", index),
        post("/api/v1/restores", start),
        get("/api/v1/restores/{restore}", show),
        post("/api/v1/restores/{restore}/apply", apply),
    ]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(index, start, show, apply))]
pub struct Api;

/// The newest restores first.
#[utoipa::path(get, path = "/api/v1/restores", tag = "backups", responses((status = 200, body = RestoresWire)))]
async fn index(gate: Gate<RestoreView>) -> Result<Json<RestoresWire>> {
    let restores = gate.read(super::list).await?.into_iter().map(RestoreWire::from).collect();
    Ok(Json(RestoresWire { restores }))
}

/// Brings a backup back beside the instance and compares; changes nothing. The restore tells how far it is and, once
/// it is `previewed`, what would come back.
#[utoipa::path(post, path = "/api/v1/restores", tag = "backups", request_body = AskedWire,
    responses((status = 202, body = BegunWire, description = "It is being compared."),
              (status = 409, description = "There is no target, or something is brought back already."),
              (status = 422, description = "`what` names nothing.")))]
async fn start(
    gate: Gate<RestoreRun>,
    desk: Data<Desk>,
    Json(asked): Json<AskedWire>,
) -> Result<Accepted<BegunWire>> {
    let what = What::parse(&asked.what)?;
    let (instance, target) = (Arc::clone(&desk.instance), asked.target.map(TargetId));
    let from = gate.read(move |tx| backups::chosen(tx, &instance, target, asked.backup)).await?;
    let request = Request { from, what, mode: Mode::Missing };
    let id = super::begin(desk.into_inner(), gate, request).await?;
    Ok(Accepted(BegunWire { id: id.0, state: State::Reading.word() }))
}

/// One restore: how far it is, what would come back, what came back.
#[utoipa::path(get, path = "/api/v1/restores/{restore}", tag = "backups",
    params(("restore" = i64, Path, description = "Number of the restore")),
    responses((status = 200, body = RestoreWire), (status = 404, description = "There is no such restore.")))]
async fn show(gate: Gate<RestoreView>, Path(id): Path<i64>) -> Result<Json<RestoreWire>> {
    Ok(Json(gate.read(move |tx| super::get(tx, RestoreId(id))).await?.into()))
}

/// Brings back what was previewed. Done twice, it changes nothing the second time.
#[utoipa::path(post, path = "/api/v1/restores/{restore}/apply", tag = "backups", request_body = ApplyWire,
    params(("restore" = i64, Path, description = "Number of the restore")),
    responses((status = 202, body = BegunWire, description = "It is coming back."),
              (status = 409, description = "There is no preview of it, or something is brought back already.")))]
async fn apply(
    gate: Gate<RestoreRun>,
    desk: Data<Desk>,
    Path(id): Path<i64>,
    Json(asked): Json<ApplyWire>,
) -> Result<Accepted<BegunWire>> {
    let mode = if asked.replace { Mode::Replace } else { Mode::Missing };
    super::begin_apply(desk.into_inner(), gate, RestoreId(id), mode).await?;
    Ok(Accepted(BegunWire { id, state: State::Applying.word() }))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = NewRestore)]
#[serde(deny_unknown_fields)]
struct AskedWire {
    /// A project, a case or a run.
    #[schema(example = "SHOP-C12")]
    what: String,
    /// Number of the target; that with the newest backup that was read back without it.
    target: Option<i64>,
    /// Number of the backup there; the newest that was read back without it.
    backup: Option<u64>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ApplyRestore)]
#[serde(deny_unknown_fields)]
struct ApplyWire {
    /// Whether things that are there are made as they were. What they say now stays as a revision.
    #[serde(default)]
    replace: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = BegunRestore)]
struct BegunWire {
    id: i64,
    state: &'static str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Restores)]
struct RestoresWire {
    restores: Vec<RestoreWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Restore)]
struct RestoreWire {
    id: i64,
    what: String,
    /// `reading`, `previewed`, `applying`, `done` or `failed`.
    state: &'static str,
    /// Address of the place where the backup lies.
    target: String,
    /// What people call the target that is there now.
    target_name: Option<String>,
    /// Number of the backup.
    backup: Option<i64>,
    /// Milliseconds since 1970 in UTC.
    started_at: i64,
    /// What would come back.
    preview: Option<TallyWire>,
    /// What came back.
    outcome: Option<TallyWire>,
    /// Why it failed.
    message: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RestoreTally)]
struct TallyWire {
    /// By kind of thing: how many are missing, differ, are equal, or stay away.
    counts: BTreeMap<String, CountWire>,
    /// References of what is missing.
    created: Vec<String>,
    /// What is there and says something else.
    changed: Vec<ChangedWire>,
    /// What cannot come back.
    conflicts: Vec<String>,
    notes: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RestoreCount)]
struct CountWire {
    created: u64,
    changed: u64,
    same: u64,
    left: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RestoreChange)]
struct ChangedWire {
    reference: String,
    fields: Vec<FieldWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RestoreField)]
struct FieldWire {
    name: String,
    now: String,
    then: String,
}

impl From<Restore> for RestoreWire {
    fn from(restore: Restore) -> RestoreWire {
        RestoreWire {
            id: restore.id.0,
            what: restore.what,
            state: restore.state.word(),
            target: restore.target,
            target_name: restore.target_name,
            backup: restore.receipt,
            started_at: restore.started_at.0,
            preview: restore.preview.map(TallyWire::from),
            outcome: restore.outcome.map(TallyWire::from),
            message: restore.message,
        }
    }
}

impl From<Tally> for TallyWire {
    fn from(tally: Tally) -> TallyWire {
        let count = |count: super::Count| CountWire {
            created: count.created,
            changed: count.changed,
            same: count.same,
            left: count.left,
        };
        let field = |field: super::Field| FieldWire { name: field.name, now: field.now, then: field.then };
        let changed = |changed: super::Changed| ChangedWire {
            reference: changed.reference,
            fields: changed.fields.into_iter().map(field).collect(),
        };
        TallyWire {
            counts: tally.counts.into_iter().map(|(kind, one)| (kind, count(one))).collect(),
            created: tally.created,
            changed: tally.changed.into_iter().map(changed).collect(),
            conflicts: tally.conflicts,
            notes: tally.notes,
        }
    }
}
