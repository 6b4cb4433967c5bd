//! The page of checks: what was looked at, what is wrong, and the button that mends it.

use super::{Cause, Check, DamagedFile, Kind, NIGHTS, Open, RepairPlan};
use crate::keeping::backups::Desk;
use crate::kernel::access::{Caller, Changes, Gate, StorageKeep, StorageView, Tx, Write};
use crate::kernel::audit::Audited;
use crate::kernel::error::Result;
use crate::people;
use crate::web::filters;
use crate::web::forms::{Form, Problems};
use crate::web::layout::{At, Frame};
use crate::web::respond::{Answer, Fragment, Page, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, Responder};
use askama::Template;
use serde::Deserialize;

/// The address of the page.
const PAGE: &str = "/instance/storage/checks";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(PAGE, show),
        post(PAGE, start),
        post("/instance/storage/checks/nights", set_nights),
        post("/instance/storage/repair", repair),
    ]
}

#[derive(Template)]
#[template(path = "keeping/integrity/checks.html", blocks = ["state"])]
struct ChecksPage {
    frame: Frame,
    tab: &'static str,
    may_keep: bool,
    is_fresh: bool,
    is_running: bool,
    last: Vec<(Kind, Option<Check>)>,
    open: Vec<Open>,
    files: Vec<DamagedFile>,
    plan: Vec<String>,
    can_mend: bool,
    checks: Vec<Check>,
    nights: String,
    problems: Problems,
}

impl ChecksPage {
    /// Whether a check of this kind is under way.
    fn is_looked_at(&self, kind: &Kind) -> bool {
        self.checks.iter().any(|check| check.kind == *kind && check.state == "running")
    }
}

async fn show(gate: Gate<StorageView>, visit: Visit, request: HttpRequest) -> Result<HttpResponse> {
    let is_by_script = visit.is_by_script;
    let page = page(&gate, visit, None).await?;
    Ok(if is_by_script {
        Fragment(page.as_state()).respond_to(&request)
    } else {
        Page::new(page).respond_to(&request)
    })
}

async fn page(
    gate: &Gate<StorageView>,
    visit: Visit,
    refused: Option<(String, Problems)>,
) -> Result<ChecksPage> {
    let is_any = gate.read(|tx| Ok(!super::open(tx)?.is_empty())).await?;
    // Looking which parts a damaged page belongs to reads all of them, so only where there is something.
    let plan = if is_any { super::plan(gate).await? } else { RepairPlan::default() };
    gate.read(move |tx| {
        let nights = NIGHTS.get(tx)?;
        let (nights, problems) = refused.unwrap_or_else(|| (nights, Problems::default()));
        Ok(ChecksPage {
            frame: Frame::instance(tx, visit, people::seen(tx)?).at(At::Storage).here("Checks"),
            tab: PAGE,
            may_keep: tx.may::<StorageKeep>(),
            is_fresh: tx.is_fresh(),
            is_running: super::is_running(tx)?,
            last: super::last_of_each(tx)?,
            open: super::open(tx)?,
            files: super::damaged_files(tx)?,
            can_mend: !plan.is_empty(),
            plan: plan.sentences(),
            checks: super::list(tx)?,
            nights,
            problems,
        })
    })
    .await
}

#[derive(Deserialize)]
struct Bare {}

async fn start(
    gate: Gate<StorageKeep>,
    caller: Caller<Changes>,
    desk: Data<Desk>,
    Form(Bare {}): Form<Bare>,
) -> Result<Redirect> {
    if gate.read(|tx| super::is_running(tx)).await? {
        return Ok(Redirect::to(PAGE).warning("A check is being made already."));
    }
    let begun = super::begin_all(&caller, Cause::Person).await?;
    let desk = desk.into_inner();
    desk.clone().go_on(async move {
        if let Err(reason) = super::go_through(&desk.instance, &caller, begun, Cause::Person).await {
            tracing::error!(?reason, "a check could not be made");
        }
    });
    Ok(Redirect::to(PAGE).saying("Everything is being checked. You may leave this page, it goes on."))
}

async fn repair(
    gate: Gate<StorageKeep>,
    caller: Caller<Changes>,
    desk: Data<Desk>,
    Form(Bare {}): Form<Bare>,
) -> Result<Redirect> {
    gate.admit().await?;
    let done = super::repair(&desk.into_inner(), &caller, Cause::Person).await?;
    let said = format!(
        "{} files are brought back, {} indexes are built anew, {} counts are taken anew.",
        done.files, done.indexes, done.sums
    );
    Ok(match done.left.first() {
        None => Redirect::to(PAGE).saying(said),
        Some(first) => Redirect::to(PAGE).warning(format!("{said} Still wrong: {first}")),
    })
}

#[derive(Deserialize)]
struct NightsForm {
    nights: String,
}

async fn set_nights(
    gate: Gate<StorageKeep>,
    look: Gate<StorageView>,
    visit: Visit,
    Form(NightsForm { nights }): Form<NightsForm>,
) -> Result<Answer<ChecksPage>> {
    let nights = nights.trim().to_owned();
    if let Err(refusal) = (NIGHTS.check)(&nights) {
        let mut problems = Problems::default();
        problems.add_error("nights", &refusal);
        return Ok(Page::refused(page(&look, visit, Some((nights, problems))).await?).into());
    }
    gate.write(move |tx| keep_nights(tx, &nights)).await?;
    Ok(Redirect::to(PAGE).saying("The time within which files are read is saved.").into())
}

fn keep_nights<'t>(tx: Write<'t, StorageKeep>, nights: &str) -> Result<Audited<'t, ()>> {
    NIGHTS.set(tx, nights)?;
    tx.audited(super::PLANNED.alone(), ())
}
