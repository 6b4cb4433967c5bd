//! The shipped log over JSON.

use super::{Place, Shipping, Switch};
use crate::kernel::access::{BackupKeep, BackupView, Gate};
use crate::kernel::error::Result;
use crate::kernel::id::TargetId;
use crate::kernel::time::{Clock, Timestamp};
use crate::web::respond::{Json, Path};
use crate::web::routes::{Route, get, put};
use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/backups/log", show),
        put("/api/v1/backups/log", change),
        put("/api/v1/backups/log/{target}", choose),
    ]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(show, change, choose))]
pub struct Api;

/// Whether the log is shipped between two backups, and how far each target is.
#[utoipa::path(get, path = "/api/v1/backups/log", tag = "backups", responses((status = 200, body = LogWire)))]
async fn show(gate: Gate<BackupView>, shipping: Data<Shipping>) -> Result<Json<LogWire>> {
    let switch = gate.read(|tx| Switch::get(tx)).await?;
    Ok(Json(LogWire::of(switch, &shipping)))
}

/// Switches shipping on or off, and says how often. The log goes to every target that is chosen for it.
#[utoipa::path(put, path = "/api/v1/backups/log", tag = "backups", request_body = SwitchWire,
    responses((status = 200, body = LogWire)))]
async fn change(
    gate: Gate<BackupKeep>,
    shipping: Data<Shipping>,
    Json(wire): Json<SwitchWire>,
) -> Result<Json<LogWire>> {
    let kept = gate.read(|tx| Switch::get(tx)).await?;
    let switch = Switch { is_on: wire.on, seconds: wire.seconds.unwrap_or(kept.seconds) };
    switch.check()?;
    gate.write(move |tx| switch.set(tx.narrow())).await?;
    shipping.nudge();
    Ok(Json(LogWire::of(switch, &shipping)))
}

/// Says whether the log goes to a target, once it is shipped at all.
#[utoipa::path(put, path = "/api/v1/backups/log/{target}", tag = "backups", request_body = ChoiceWire,
    params(("target" = i64, Path, description = "Number of the target")),
    responses((status = 204, description = "It is so."), (status = 404, description = "There is none such.")))]
async fn choose(
    gate: Gate<BackupKeep>,
    shipping: Data<Shipping>,
    Path(target): Path<i64>,
    Json(wire): Json<ChoiceWire>,
) -> Result<HttpResponse> {
    gate.write(move |tx| super::choose(tx.narrow(), TargetId(target), wire.on)).await?;
    shipping.nudge();
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize, ToSchema)]
#[schema(as = LogChoice)]
#[serde(deny_unknown_fields)]
struct ChoiceWire {
    on: bool,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = LogSwitch)]
#[serde(deny_unknown_fields)]
struct SwitchWire {
    on: bool,
    /// Seconds between two shipments, 1 to 3600; as before if left out.
    #[schema(example = 5)]
    seconds: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Log)]
struct LogWire {
    on: bool,
    /// Seconds between two shipments.
    #[schema(example = 5)]
    seconds: i64,
    places: Vec<PlaceWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LogPlace)]
struct PlaceWire {
    /// Number of the target.
    target: i64,
    /// What people call it.
    name: String,
    /// Everything that was committed by then is there; milliseconds since 1970 in UTC.
    reached_at: Option<i64>,
    /// How far that is behind, in milliseconds.
    lag_ms: Option<i64>,
    /// Whether a backup is there that the log follows: without one it is worth nothing.
    has_backup: bool,
    /// Segments that wait.
    waiting: u32,
    /// Why it does not go on.
    trouble: Option<String>,
    /// Whether another machine has taken the instance over, as its mark there says.
    taken_over: bool,
}

impl LogWire {
    fn of(switch: Switch, shipping: &Shipping) -> LogWire {
        let now = Clock::System.now();
        let places = shipping.places().into_iter().map(|place| PlaceWire::of(place, now)).collect();
        LogWire { on: switch.is_on, seconds: switch.seconds, places }
    }
}

impl PlaceWire {
    fn of(place: Place, now: Timestamp) -> PlaceWire {
        PlaceWire {
            lag_ms: place.lag_ms(now),
            target: place.id.0,
            name: place.name,
            reached_at: place.reached.map(|at| at.0),
            has_backup: place.has_base,
            waiting: place.waiting,
            trouble: place.trouble,
            taken_over: place.is_left_behind,
        }
    }
}
