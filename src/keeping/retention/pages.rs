//! The pages of retention, holds and certificates.

use super::{Certificate, Class, Deletion, Due, Hold, Rule, clear, holds, purge, sql};
use crate::keeping::backups::Desk;
use crate::kernel::access::{Gate, StorageKeep, StorageView, Tx};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{DeletionId, HoldId};
use crate::kernel::integrity;
use crate::people;
use crate::people::sessions::demand_proof;
use crate::web::filters;
use crate::web::forms::{Choice, Form};
use crate::web::layout::{At, Frame};
use crate::web::respond::{Json, Page, Path, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

const RETENTION: &str = "/instance/storage/retention";
const HOLDS: &str = "/instance/storage/holds";
const CERTIFICATES: &str = "/instance/storage/certificates";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(RETENTION, show),
        post(RETENTION, set),
        post("/instance/storage/retention/run", run),
        post("/instance/storage/rebuild", rebuild),
        get(HOLDS, show_holds),
        post(HOLDS, set_hold),
        post("/instance/storage/holds/{hold}/lift", lift),
        get(CERTIFICATES, show_certificates),
        get("/instance/storage/certificates/{certificate}", download),
    ]
}

#[derive(Template)]
#[template(path = "keeping/retention/rules.html")]
struct RulesPage {
    frame: Frame,
    tab: &'static str,
    may_keep: bool,
    is_fresh: bool,
    rules: Vec<Rule>,
    due: Vec<Due>,
    unused: clear::Unused,
    classes: Vec<Choice>,
}

async fn show(gate: Gate<StorageView>, visit: Visit) -> Result<Page<RulesPage>> {
    let view = gate.read_at_length(move |tx| {
        Ok(RulesPage {
            frame: Frame::instance(tx, visit, people::seen(tx)?).at(At::Storage).here("Retention"),
            tab: RETENTION,
            may_keep: tx.may::<StorageKeep>(),
            is_fresh: tx.is_fresh(),
            rules: super::rules(tx)?,
            due: super::due(tx)?,
            unused: clear::unused(tx)?,
            classes: Choice::among(Class::ALL.iter().map(|class| (class.word(), class.title())), "trash"),
        })
    });
    Ok(Page::new(view.await?))
}

#[derive(Deserialize)]
struct RuleForm {
    class: String,
    #[serde(default)]
    project: String,
    #[serde(default)]
    days: String,
}

async fn set(gate: Gate<StorageKeep>, Form(form): Form<RuleForm>) -> Result<Redirect> {
    let class = Class::of_word(&form.class)?;
    let key = Some(form.project.trim().to_ascii_uppercase()).filter(|key| !key.is_empty());
    let days = match form.days.trim() {
        "" => None,
        days => Some(days.parse().map_err(|_| {
            Error::invalid("This is no number of days.").hint("Write 0 for ever, or a number of days.")
        })?),
    };
    let changing = gate.write(move |tx| super::set_rule(tx, class, key.as_deref(), days));
    Ok(match changing.await {
        Ok(()) => Redirect::to(RETENTION).saying("The rule is saved. What is due by it stands below."),
        Err(refusal) => Redirect::to(RETENTION).warning(said(&refusal)),
    })
}

fn said(refusal: &Error) -> String {
    format!("{} {}", refusal.sentence(), refusal.hint_text().unwrap_or_default())
}

#[derive(Deserialize)]
struct Bare {}

async fn run(gate: Gate<StorageKeep>, desk: Data<Desk>, Form(Bare {}): Form<Bare>) -> Result<Redirect> {
    gate.read(|tx| demand_proof(tx)).await?;
    let done = purge::run(&desk.into_inner(), &gate).await?;
    Ok(Redirect::to(CERTIFICATES).saying(done.to_string()))
}

async fn rebuild(gate: Gate<StorageKeep>, Form(Bare {}): Form<Bare>) -> Result<Redirect> {
    gate.read(|tx| demand_proof(tx)).await?;
    integrity::rebuild_file(&gate).await?;
    Ok(Redirect::to("/instance/storage")
        .saying("The database is written anew. The next backup is as large as a first one."))
}

#[derive(Template)]
#[template(path = "keeping/retention/holds.html")]
struct HoldsPage {
    frame: Frame,
    tab: &'static str,
    may_keep: bool,
    holds: Vec<Hold>,
}

async fn show_holds(gate: Gate<StorageView>, visit: Visit) -> Result<Page<HoldsPage>> {
    let view = gate.read(move |tx| {
        Ok(HoldsPage {
            frame: Frame::instance(tx, visit, people::seen(tx)?).at(At::Storage).here("Legal holds"),
            tab: HOLDS,
            may_keep: tx.may::<StorageKeep>(),
            holds: holds::in_force(tx)?,
        })
    });
    Ok(Page::new(view.await?))
}

#[derive(Deserialize)]
struct HoldForm {
    project: String,
    #[serde(default)]
    run: String,
    reason: String,
}

async fn set_hold(gate: Gate<StorageKeep>, Form(form): Form<HoldForm>) -> Result<Redirect> {
    let key = form.project.trim().to_ascii_uppercase();
    let run = form.run.trim().trim_start_matches(&format!("{key}-R")).trim_start_matches('R').to_owned();
    let run = match run.as_str() {
        "" => None,
        number => Some(number.parse().map_err(|_| {
            Error::invalid("This is no number of a run.").hint("Write it as in SHOP-R3, or leave it empty.")
        })?),
    };
    let setting = gate.write(move |tx| holds::hold(tx, &key, run, &form.reason));
    Ok(match setting.await {
        Ok(_) => Redirect::to(HOLDS).saying("The hold is in force: what it covers cannot be deleted."),
        Err(refusal) => Redirect::to(HOLDS).warning(said(&refusal)),
    })
}

async fn lift(gate: Gate<StorageKeep>, Path(id): Path<i64>, Form(Bare {}): Form<Bare>) -> Result<Redirect> {
    gate.read(|tx| demand_proof(tx)).await?;
    gate.write(move |tx| holds::lift(tx, HoldId(id))).await?;
    Ok(Redirect::to(HOLDS).saying("The hold is lifted. The rules of retention apply again."))
}

#[derive(Template)]
#[template(path = "keeping/retention/certificates.html")]
struct CertificatesPage {
    frame: Frame,
    tab: &'static str,
    deletions: Vec<Deletion>,
}

async fn show_certificates(gate: Gate<StorageView>, visit: Visit) -> Result<Page<CertificatesPage>> {
    let view = gate.read(move |tx| {
        let frame = Frame::instance(tx, visit, people::seen(tx)?).at(At::Storage).here("Certificates");
        Ok(CertificatesPage { frame, tab: CERTIFICATES, deletions: super::deletions(tx)? })
    });
    Ok(Page::new(view.await?))
}

/// The certificate as it was signed.
async fn download(gate: Gate<StorageView>, Path(id): Path<i64>) -> Result<Json<Certificate>> {
    let found = gate.read(move |tx| sql::deletion(tx, DeletionId(id))).await?;
    let text = found.and_then(|deletion| deletion.certificate);
    let text = text.ok_or_else(|| Error::not_found(format!("There is no certificate {id}.")))?;
    serde_json::from_str(&text).map(Json).map_err(Error::internal)
}
