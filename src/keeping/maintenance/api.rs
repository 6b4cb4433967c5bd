//! Maintenance over JSON.

use crate::kernel::access::{Gate, InstanceKeep, InstanceView};
use crate::kernel::closure::{Closed, Closure};
use crate::kernel::error::Result;
use crate::web::respond::Json;
use crate::web::routes::{Route, get, post};
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

pub(super) fn routes() -> Vec<Route> {
    vec![get("/api/v1/maintenance", show), post("/api/v1/maintenance", change)]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(show, change))]
pub struct Api;

/// Whether the instance is closed to its people.
#[utoipa::path(get, path = "/api/v1/maintenance", tag = "instance", responses((status = 200, body = MaintenanceWire)))]
async fn show(gate: Gate<InstanceView>) -> Result<Json<MaintenanceWire>> {
    Ok(Json(MaintenanceWire::of(gate.read(|tx| super::now(tx)).await?)))
}

/// Closes the instance or opens it again.
#[utoipa::path(post, path = "/api/v1/maintenance", tag = "instance", request_body = ChangeWire,
    responses((status = 200, body = MaintenanceWire), (status = 422, description = "Minutes or reason do not fit.")))]
async fn change(
    gate: Gate<InstanceKeep>,
    closure: Data<Closure>,
    Json(change): Json<ChangeWire>,
) -> Result<Json<MaintenanceWire>> {
    let closed = match change.minutes {
        0 => {
            gate.write(super::open).await?;
            None
        }
        minutes => Some(gate.write(move |tx| super::close(tx, minutes, &change.reason)).await?),
    };
    closure.set(closed.clone());
    Ok(Json(MaintenanceWire::of(closed)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MaintenanceChange)]
struct ChangeWire {
    /// For how long it is closed; 0 opens it.
    #[schema(example = 30)]
    minutes: i64,
    /// What people are told.
    #[serde(default)]
    #[schema(example = "New disks are put in.")]
    reason: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Maintenance)]
struct MaintenanceWire {
    /// Whether people are turned away.
    closed: bool,
    /// What they are told.
    reason: Option<String>,
    /// When it is expected to open again, in milliseconds since 1970 in UTC.
    until: Option<i64>,
}

impl MaintenanceWire {
    fn of(closed: Option<Closed>) -> MaintenanceWire {
        let until = closed.as_ref().map(|closed| closed.until.0);
        MaintenanceWire { closed: closed.is_some(), until, reason: closed.map(|closed| closed.reason) }
    }
}
