//! Space over JSON.

use super::{DAY_MS, Share, forecast, sql};
use crate::kernel::access::{Gate, StorageView, Tx};
use crate::kernel::error::Result;
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use crate::web::respond::Json;
use crate::web::routes::{Route, get};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::{OpenApi, ToSchema};

pub(super) fn routes() -> Vec<Route> {
    vec![get("/api/v1/storage", show)]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(show))]
pub struct Api;

/// How large things were, the oldest first, and when the disk will be full.
#[utoipa::path(get, path = "/api/v1/storage", tag = "storage", responses((status = 200, body = StorageWire)))]
async fn show(gate: Gate<StorageView>) -> Result<Json<StorageWire>> {
    let read = gate.read(|tx| {
        let samples = sql::since(tx, Timestamp(tx.now().0 - limits::FORECAST_DAYS * DAY_MS))?;
        let seen = forecast(&samples);
        let days = seen.days();
        Ok(StorageWire {
            forecast: seen.sentence(),
            full_in_days: days,
            projects: samples.last().map(|last| last.projects.clone()).unwrap_or_default(),
            tables: samples.last().map(|last| last.tables.clone()).unwrap_or_default(),
            samples: samples
                .into_iter()
                .map(|sample| SampleWire {
                    at: sample.at.0,
                    database_bytes: sample.database_bytes,
                    files_bytes: sample.files_bytes,
                    free_bytes: sample.free_bytes,
                })
                .collect(),
        })
    });
    Ok(Json(read.await?))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Storage)]
struct StorageWire {
    /// When the disk will be full, in words, with how sure that is.
    forecast: String,
    /// The same in days, if it can be told.
    full_in_days: Option<i64>,
    /// Bytes by table with its indexes.
    tables: BTreeMap<String, i64>,
    /// What each project holds.
    projects: BTreeMap<String, Share>,
    samples: Vec<SampleWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = StorageSample)]
struct SampleWire {
    /// Milliseconds since 1970 in UTC.
    at: i64,
    database_bytes: i64,
    files_bytes: i64,
    free_bytes: i64,
}
