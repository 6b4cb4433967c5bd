//! The page of maintenance: closing and opening, and the versions that took over.

use crate::keeping::upgrade::{self, Taken};
use crate::kernel::access::{Gate, InstanceKeep, InstanceView, Read, Tx};
use crate::kernel::closure::{Closed, Closure};
use crate::kernel::error::Result;
use crate::people;
use crate::web::filters;
use crate::web::forms::{Form, Problems};
use crate::web::layout::{At, Frame};
use crate::web::respond::{Answer, Page, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

const PAGE: &str = "/instance/maintenance";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(PAGE, show),
        post("/instance/maintenance/close", close),
        post("/instance/maintenance/open", open),
    ]
}

#[derive(Template)]
#[template(path = "keeping/maintenance/show.html")]
struct MaintenancePage {
    frame: Frame,
    may_keep: bool,
    closed: Option<Closed>,
    versions: Vec<Taken>,
    form: CloseForm,
    problems: Problems,
}

#[derive(Deserialize, Clone, Debug)]
struct CloseForm {
    minutes: i64,
    #[serde(default)]
    reason: String,
}

async fn show(gate: Gate<InstanceView>, visit: Visit) -> Result<Page<MaintenancePage>> {
    let form = CloseForm { minutes: 30, reason: String::new() };
    let page = gate.read(move |tx| MaintenancePage::of(tx, visit, form, Problems::default()));
    Ok(Page::new(page.await?))
}

async fn close(
    gate: Gate<InstanceKeep>,
    visit: Visit,
    closure: Data<Closure>,
    Form(form): Form<CloseForm>,
) -> Result<Answer<MaintenancePage>> {
    let asked = form.clone();
    match gate.write(move |tx| super::close(tx, asked.minutes, &asked.reason)).await {
        Ok(closed) => {
            closure.set(Some(closed));
            Ok(Redirect::to(PAGE).saying("The instance is closed to its people.").into())
        }
        Err(refusal) if refusal.hint_text().is_some() => {
            let mut problems = Problems::default();
            let field = if refusal.sentence().contains("reason") { "reason" } else { "minutes" };
            problems
                .add(field, format!("{} {}", refusal.sentence(), refusal.hint_text().unwrap_or_default()));
            let page = gate.read(move |tx| MaintenancePage::of(tx.reading(), visit, form, problems));
            Ok(Page::refused(page.await?).into())
        }
        Err(refusal) => Err(refusal),
    }
}

#[derive(Deserialize)]
struct Nothing {}

async fn open(
    gate: Gate<InstanceKeep>,
    closure: Data<Closure>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Redirect> {
    gate.write(super::open).await?;
    closure.set(None);
    Ok(Redirect::to(PAGE).saying("The instance is open again."))
}

impl MaintenancePage {
    fn of(
        tx: Read<'_, InstanceView>,
        visit: Visit,
        form: CloseForm,
        problems: Problems,
    ) -> Result<MaintenancePage> {
        let seen = people::seen(tx)?;
        Ok(MaintenancePage {
            frame: Frame::instance(tx, visit, seen).at(At::Instance).here("Maintenance"),
            may_keep: tx.may::<InstanceKeep>(),
            closed: super::now(tx)?,
            versions: upgrade::history(tx)?,
            form,
            problems,
        })
    }
}
