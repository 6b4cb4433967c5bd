//! The page of space: what takes how much, how it grows, what lies in the trash of the instance.

use super::{DAY_MS, Sample, Share, disk, forecast, sql};
use crate::kernel::access::{Gate, ProjectAdmin, StorageKeep, StorageView, Tx};
use crate::kernel::error::Result;
use crate::kernel::instance::Instance;
use crate::kernel::integrity;
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use crate::library::projects::{self, Trashed};
use crate::people;
use crate::web::filters;
use crate::web::layout::{At, Frame};
use crate::web::respond::Page;
use crate::web::routes::{Route, get};
use crate::web::visit::Visit;
use actix_web::web::Data;
use askama::Template;
use std::fmt::Write as _;

const PAGE: &str = "/instance/storage";

pub(super) fn routes() -> Vec<Route> {
    vec![get(PAGE, show)]
}

#[derive(Template)]
#[template(path = "keeping/storage/show.html")]
struct SpacePage {
    frame: Frame,
    tab: &'static str,
    may_keep: bool,
    may_recover: bool,
    is_fresh: bool,
    database_bytes: i64,
    free_bytes: i64,
    disk_bytes: i64,
    /// Bytes of pages inside the file that hold nothing.
    slack_bytes: i64,
    returns_space: bool,
    last: Option<Sample>,
    samples: Vec<Sample>,
    tables: Vec<(String, i64)>,
    shares: Vec<(String, Share)>,
    forecast: String,
    line: String,
    trashed: Vec<Trashed>,
}

async fn show(gate: Gate<StorageView>, visit: Visit, instance: Data<Instance>) -> Result<Page<SpacePage>> {
    let data = instance.data.clone();
    let view = gate.read(move |tx| {
        let samples = sql::since(tx, Timestamp(tx.now().0 - limits::GROWTH_DAYS_SHOWN * DAY_MS))?;
        let lately = tx.now().0 - limits::FORECAST_DAYS * DAY_MS;
        let recent: Vec<Sample> = samples.iter().filter(|sample| sample.at.0 >= lately).cloned().collect();
        let (free_pages, pages, returns_space) = integrity::free_pages(tx)?;
        let database_bytes =
            std::fs::metadata(layout::database(&data)).map_or(0, |meta| super::signed(meta.len()));
        let (free_bytes, disk_bytes) = disk(&data)?;
        let last = samples.last().cloned();
        let mut tables: Vec<(String, i64)> = last.iter().flat_map(|last| last.tables.clone()).collect();
        tables.sort_by_key(|(_, bytes)| -bytes);
        tables.truncate(12);
        Ok(SpacePage {
            frame: Frame::instance(tx, visit, people::seen(tx)?).at(At::Storage),
            tab: PAGE,
            may_keep: tx.may::<StorageKeep>(),
            may_recover: tx.may::<ProjectAdmin>(),
            is_fresh: tx.is_fresh(),
            database_bytes,
            free_bytes,
            disk_bytes,
            slack_bytes: if pages > 0 { database_bytes / pages * free_pages } else { 0 },
            returns_space,
            tables,
            shares: last.iter().flat_map(|last| last.projects.clone()).collect(),
            forecast: forecast(&recent).sentence(),
            line: line(&samples),
            last,
            samples,
            trashed: projects::trashed(tx)?,
        })
    });
    Ok(Page::new(view.await?))
}

/// What was used, as the path of a drawing 100 by 100; empty for fewer than two samples.
fn line(samples: &[Sample]) -> String {
    let most = samples.iter().map(Sample::used).max().unwrap_or(0).max(1) as f64;
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return String::new() };
    if samples.len() < 2 {
        return String::new();
    }
    let span = (last.at.0 - first.at.0).max(1) as f64;
    let mut path = String::new();
    for (place, sample) in samples.iter().enumerate() {
        let word = if place == 0 { 'M' } else { 'L' };
        let (x, y) =
            ((sample.at.0 - first.at.0) as f64 * 100.0 / span, 100.0 - sample.used() as f64 * 95.0 / most);
        write!(path, "{word}{x:.2} {y:.2}").expect("writing to a string cannot fail");
    }
    path
}
