//! Space: what takes how much, how it grows, and when the disk will be full.

mod api;
mod forecast;
mod pages;
mod sql;

pub use api::Api;
pub use forecast::{Forecast, forecast};

use crate::keeping::backups::Desk;
use crate::kernel::access::{Job, Permission, StorageKeep, StorageView, Write};
use crate::kernel::alarms::{self, Alarm};
use crate::kernel::audit::{Audited, Quiet};
use crate::kernel::declare::{Running, Scheduled, When};
use crate::kernel::error::{Error, Result};
use crate::kernel::integrity;
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use crate::web::figures::Bytes;
use crate::web::routes::Route;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Routes of the page and of the API.
pub fn routes() -> Vec<Route> {
    pages::routes().into_iter().chain(api::routes()).collect()
}

/// How large things were at a moment.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// The database file.
    pub database_bytes: i64,
    /// Sealed files of evidence.
    pub files_bytes: i64,
    /// Free on the disk of the data.
    pub free_bytes: i64,
    /// The whole disk.
    pub disk_bytes: i64,
    /// Bytes of each table with its indexes.
    pub tables: BTreeMap<String, i64>,
    /// What each project holds.
    pub projects: BTreeMap<String, Share>,
}

/// What a project holds.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
pub struct Share {
    /// Cases, those in the trash included.
    pub cases: i64,
    /// Runs, those in the trash included.
    pub runs: i64,
    /// Results.
    pub results: i64,
    /// Bytes of files.
    pub files_bytes: i64,
}

impl Sample {
    /// Database and files together.
    pub fn used(&self) -> i64 {
        self.database_bytes + self.files_bytes
    }
}

const SAMPLER: Job = Job {
    name: "growth",
    meaning: "Notes once a day how large things are, and whether the disk will be full.",
    may: &[StorageKeep::INFO],
};

/// The sample of every day.
pub const SAMPLE: Scheduled<Arc<Desk>> =
    Scheduled { job: &SAMPLER, when: When::Cron("25 */6 * * *"), run: daily };

fn daily(desk: Arc<Desk>) -> Running {
    Box::pin(async move {
        let gate = desk.instance.door.job(&SAMPLER).gate::<StorageKeep>(());
        let (files_bytes, _) = desk.instance.blobs.weigh().await?;
        let data = desk.instance.data.clone();
        let read = gate.read_at_length(move |tx| {
            let disk = disk(&data)?;
            let tables = integrity::sizes(tx.reading::<StorageView>())?.into_iter().collect();
            let database_bytes =
                std::fs::metadata(layout::database(&data)).map_or(0, |meta| signed(meta.len()));
            Ok(Sample {
                at: crate::kernel::access::Tx::now(tx),
                database_bytes,
                files_bytes: signed(files_bytes),
                free_bytes: disk.0,
                disk_bytes: disk.1,
                tables,
                projects: sql::projects(tx)?,
            })
        });
        let sample = read.await?;
        let said = gate.write(move |tx| keep(tx, &sample)).await?;
        Ok(said)
    })
}

fn keep<'t>(tx: Write<'t, StorageKeep>, sample: &Sample) -> Result<Audited<'t, String>> {
    sql::insert(tx, sample)?;
    let samples = sql::since(tx, Timestamp(sample.at.0 - limits::FORECAST_DAYS * DAY_MS))?;
    let seen = forecast(&samples);
    let free = Bytes(sample.free_bytes.unsigned_abs());
    let is_short = sample.free_bytes.unsigned_abs() < limits::DISK_FREE_BYTES_MIN;
    if is_short || seen.days().is_some_and(|days| days < limits::DISK_FULL_DAYS) {
        let when = if is_short { String::new() } else { format!(" {}", seen.sentence()) };
        let said = format!(
            "{free} are free on the disk of the data.{when} Make room, or choose what need not stay."
        );
        alarms::raise(tx, Alarm::DiskFull, "", &said)?;
    } else {
        alarms::clear(tx, Alarm::DiskFull, "")?;
    }
    Ok(tx.quiet(Quiet::JobHeartbeat, format!("{free} are free. {}", seen.sentence())))
}

const DAY_MS: i64 = 24 * 3_600_000;

/// Bytes free and bytes in all on the disk of the data.
fn disk(data: &Path) -> Result<(i64, i64)> {
    let disk = rustix::fs::statvfs(data).map_err(Error::internal)?;
    Ok((
        signed(disk.f_bavail.saturating_mul(disk.f_frsize)),
        signed(disk.f_blocks.saturating_mul(disk.f_frsize)),
    ))
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
