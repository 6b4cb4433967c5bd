//! The page of the trash, and the buttons that put a run in and take it out.

use super::Trash;
use crate::kernel::access::{CaseWrite, Gate, ProjectView, RunWrite};
use crate::kernel::error::Result;
use crate::kernel::instance::Instance;
use crate::library::{cases, projects};
use crate::people;
use crate::running::runs;
use crate::web::filters;
use crate::web::forms::Form;
use crate::web::layout::{At, Frame};
use crate::web::respond::{Page, Path, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/p/{project}/trash", show),
        post("/p/{project}/runs/{run}/trash", trash),
        post("/p/{project}/runs/{run}/recover", recover),
        post("/p/{project}/cases/{case}/recover", recover_case),
    ]
}

#[derive(Template)]
#[template(path = "running/trash/show.html")]
struct TrashPage {
    frame: Frame,
    key: String,
    trash: Trash,
    may_write: bool,
}

async fn show(gate: Gate<ProjectView>, Path(key): Path<String>, visit: Visit) -> Result<Page<TrashPage>> {
    let view = gate.read(move |tx| {
        let frame = Frame::project(tx, visit, people::seen(tx)?, projects::head(tx)?).at(At::Trash);
        Ok(TrashPage {
            frame,
            key,
            trash: super::contents(tx)?,
            may_write: projects::offers::<RunWrite>(tx)?,
        })
    });
    Ok(Page::new(view.await?))
}

#[derive(Deserialize)]
struct Bare {}

async fn trash(
    gate: Gate<RunWrite>,
    Path((key, number)): Path<(String, i64)>,
    instance: Data<Instance>,
    Form(Bare {}): Form<Bare>,
) -> Result<Redirect> {
    let run = gate.write(move |tx| runs::trash::trash(tx, number)).await?;
    super::count_anew(&instance.door).await;
    let said = format!("{key}-R{} lies in the trash. Restore takes it out again.", run.number);
    Ok(Redirect::to(format!("/p/{key}/trash")).saying(said))
}

async fn recover(
    gate: Gate<RunWrite>,
    Path((key, number)): Path<(String, i64)>,
    instance: Data<Instance>,
    Form(Bare {}): Form<Bare>,
) -> Result<Redirect> {
    gate.write(move |tx| runs::trash::recover(tx, number)).await?;
    super::count_anew(&instance.door).await;
    Ok(Redirect::to(runs::url(&key, number)).saying(format!("{key}-R{number} is back, as it was.")))
}

async fn recover_case(
    gate: Gate<CaseWrite>,
    Path((key, case)): Path<(String, String)>,
    Form(Bare {}): Form<Bare>,
) -> Result<Redirect> {
    let number = cases::named(&key, &case)?;
    gate.write(move |tx| cases::recover(tx, number)).await?;
    Ok(Redirect::to(format!("/p/{key}/cases/{number}"))
        .saying(format!("{key}-C{number} is back, as it was.")))
}
