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
    chart: Option<Chart>,
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
            chart: Chart::of(&samples),
            last,
            samples,
            trashed: projects::trashed(tx)?,
        })
    });
    Ok(Page::new(view.await?))
}

/// What was used, as a drawing 100 by 100.
struct Chart {
    line: String,
    /// The same, closed at the bottom.
    area: String,
    /// Height of the last value, from the top.
    last_y: String,
    /// Bytes at the top, in the middle and at the bottom.
    scale: [i64; 3],
}

impl Chart {
    /// None for fewer than two samples.
    fn of(samples: &[Sample]) -> Option<Chart> {
        let (first, last) = (samples.first()?, samples.last()?);
        if samples.len() < 2 {
            return None;
        }
        let most = samples.iter().map(Sample::used).max().unwrap_or(0).max(1);
        let span = (last.at.0 - first.at.0).max(1) as f64;
        let height = |sample: &Sample| 100.0 - sample.used() as f64 * 100.0 / most as f64;
        let mut line = String::new();
        for (place, sample) in samples.iter().enumerate() {
            let word = if place == 0 { 'M' } else { 'L' };
            let x = (sample.at.0 - first.at.0) as f64 * 100.0 / span;
            write!(line, "{word}{x:.2} {:.2}", height(sample)).expect("writing to a string cannot fail");
        }
        let area = format!("{line}L100 100L0 100Z");
        Some(Chart { line, area, last_y: format!("{:.2}", height(last)), scale: [most, most / 2, 0] })
    }
}
