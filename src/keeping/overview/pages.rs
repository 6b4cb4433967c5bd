//! The page of the instance.

use super::{About, Certificate, Counts, JobLine, Room, Ways};
use crate::keeping::backups::Health;
use crate::keeping::maintenance;
use crate::keeping::trail::Checked;
use crate::kernel::access::{
    AuditView, BackupView, Gate, InstanceKeep, InstanceView, PeopleView, Read, StorageView, Tx,
};
use crate::kernel::alarms::{self, Raised};
use crate::kernel::build;
use crate::kernel::closure::Closed;
use crate::kernel::error::Result;
use crate::kernel::instance::Instance;
use crate::kernel::limits;
use crate::people;
use crate::web::filters;
use crate::web::forms::{Form, Problems};
use crate::web::layout::{At, Frame};
use crate::web::respond::{Answer, Page, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;
use std::sync::Arc;

/// The address of the page.
const PAGE: &str = "/instance";
/// The list of what the program is made of.
const PARTS: &str = "/instance/sbom.json";

/// The routes of this slice.
pub fn routes() -> Vec<Route> {
    vec![get(PAGE, show), get(PARTS, parts), post("/instance/name", rename)]
}

#[derive(Template)]
#[template(path = "keeping/overview/show.html")]
struct OverviewPage {
    frame: Frame,
    may: May,
    counts: Counts,
    room: Room,
    ways: Ways,
    address: String,
    certificate: Option<Certificate>,
    certificate_days: i64,
    /// How long the program has been running, in milliseconds.
    up_ms: i64,
    health: Health,
    alarms: Vec<Raised>,
    checked: Option<Checked>,
    sandbox: Option<&'static str>,
    closed: Option<Closed>,
    jobs: Vec<JobLine>,
    typed: String,
    problems: Problems,
}

/// What the reader may see beyond this page.
#[derive(Clone, Copy)]
struct May {
    keep: bool,
    people: bool,
    backups: bool,
    audit: bool,
    storage: bool,
}

/// The parts that only the composition root can hand out.
#[derive(Clone)]
struct Parts {
    about: Arc<About>,
    instance: Arc<Instance>,
}

async fn show(
    gate: Gate<InstanceView>,
    visit: Visit,
    about: Data<About>,
    instance: Data<Instance>,
) -> Result<Page<OverviewPage>> {
    let parts = Parts { about: about.into_inner(), instance: instance.into_inner() };
    let page = gate.read(move |tx| OverviewPage::of(tx, visit, &parts, None));
    Ok(Page::new(page.await?))
}

/// Whoever must know what runs here need not ask us.
async fn parts(gate: Gate<InstanceView>) -> Result<HttpResponse> {
    gate.admit().await?;
    let name = format!("attachment; filename=\"testkeep-{}.cdx.json\"", build::VERSION);
    let mut response = HttpResponse::Ok();
    response.content_type("application/vnd.cyclonedx+json; version=1.6");
    Ok(response.insert_header((CONTENT_DISPOSITION, name)).body(build::parts()))
}

#[derive(Deserialize)]
struct NameForm {
    name: String,
}

async fn rename(
    gate: Gate<InstanceKeep>,
    visit: Visit,
    (about, instance): (Data<About>, Data<Instance>),
    Form(form): Form<NameForm>,
) -> Result<Answer<OverviewPage>> {
    if let Err(refusal) = super::checked(&form.name) {
        let parts = Parts { about: about.into_inner(), instance: instance.into_inner() };
        let sentence = format!("{} {}", refusal.sentence(), refusal.hint_text().unwrap_or_default());
        let page =
            gate.read(move |tx| OverviewPage::of(tx.reading(), visit, &parts, Some((form.name, sentence))));
        return Ok(Page::refused(page.await?).into());
    }
    gate.write(move |tx| super::rename(tx, &form.name)).await?;
    Ok(Redirect::to(PAGE).saying("The name of the instance is saved.").into())
}

impl OverviewPage {
    fn of(
        tx: Read<'_, InstanceView>,
        visit: Visit,
        parts: &Parts,
        refused: Option<(String, String)>,
    ) -> Result<OverviewPage> {
        const DAY_MS: i64 = 24 * 3_600_000;
        let seen = people::seen(tx)?;
        let mut problems = Problems::default();
        let typed = match refused {
            Some((typed, sentence)) => {
                problems.add("name", sentence);
                typed
            }
            None => seen.instance.clone(),
        };
        let certificate = (parts.about.certificate)();
        let ends = certificate.as_ref().map_or(0, |certificate| certificate.not_after.0);
        Ok(OverviewPage {
            frame: Frame::instance(tx, visit, seen).at(At::Instance),
            may: May {
                keep: tx.may::<InstanceKeep>(),
                people: tx.may::<PeopleView>(),
                backups: tx.may::<BackupView>(),
                audit: tx.may::<AuditView>(),
                storage: tx.may::<StorageView>(),
            },
            counts: super::counts(tx)?,
            room: Room::of(&parts.instance.data)?,
            ways: Ways::of(&parts.instance)?,
            address: parts.about.address.clone(),
            certificate_days: (ends - tx.now().0) / DAY_MS,
            certificate,
            up_ms: (tx.now().0 - parts.about.started_at.0).max(0),
            health: Health::now(tx)?,
            alarms: alarms::open(tx)?,
            checked: Checked::last(tx)?,
            sandbox: parts.about.sandbox,
            closed: maintenance::now(tx)?,
            jobs: super::jobs(tx, &parts.about.jobs)?,
            typed,
            problems,
        })
    }

    fn certificate_is_short(&self) -> bool {
        self.certificate.is_some() && self.certificate_days < limits::CERTIFICATE_WARNING_DAYS
    }
}
