//! A run: its figures, its items with failures first, the one that is open, and what can be done with it.

use super::region::{Region, mark};
use super::view::View;
use crate::kernel::access::{Gate, ProjectView};
use crate::kernel::error::Result;
use crate::library::projects;
use crate::people;
use crate::running::runs;
use crate::web::filters;
use crate::web::layout::{At, Frame};
use crate::web::respond::{Fragment, Page, Path};
use crate::web::visit::Visit;
use actix_web::{Either, HttpResponse};
use askama::Template;

/// A run, as a page.
#[derive(Template)]
#[template(path = "running/results/run.html")]
pub struct RunPage {
    frame: Frame,
    region: Region,
}

/// The whole page.
pub async fn show(
    gate: Gate<ProjectView>,
    Path((key, number)): Path<(String, i64)>,
    visit: Visit,
) -> Result<Page<RunPage>> {
    let view: View = visit.asked()?;
    let view = gate.read(move |tx| {
        let run = runs::one(tx, number)?;
        let csrf = visit.csrf.clone();
        let frame = Frame::project(tx, visit, people::seen(tx)?, projects::head(tx)?);
        let region = Region::read(tx, &key, run, view, csrf)?;
        Ok(RunPage { frame: region.on(frame.at(At::Runs).here(format!("R{number}"))), region })
    });
    Ok(Page::new(view.await?))
}

/// The part that changes; nothing if it is what the page shows already.
pub async fn live(
    gate: Gate<ProjectView>,
    Path((key, number)): Path<(String, i64)>,
    visit: Visit,
) -> Result<Either<Fragment<Region>, HttpResponse>> {
    let view: View = visit.asked()?;
    let region = gate.read(move |tx| {
        let run = runs::one(tx, number)?;
        if view.since.as_ref().is_some_and(|since| *since == mark(&run)) {
            return Ok(None);
        }
        Region::read(tx, &key, run, view, visit.csrf).map(Some)
    });
    Ok(match region.await? {
        Some(region) => Either::Left(Fragment(region)),
        None => Either::Right(HttpResponse::NoContent().finish()),
    })
}
