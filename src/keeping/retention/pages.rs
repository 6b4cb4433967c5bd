//! The pages of retention, holds and certificates.

use super::{Certificate, Class, Deletion, Due, Hold, Rule, clear, holds, purge, sql};
use crate::keeping::backups::Desk;
use crate::kernel::access::{Gate, StorageKeep, StorageView, Tx};
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::id::{DeletionId, HoldId};
use crate::kernel::integrity;
use crate::people;
use crate::people::sessions::demand_proof;
use crate::web::filters;
use crate::web::forms::{Choice, Form, Problems};
use crate::web::layout::{At, Frame};
use crate::web::respond::{Answer, Json, Page, Path, Redirect};
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
    form: RuleForm,
    problems: Problems,
}

async fn show(gate: Gate<StorageView>, visit: Visit) -> Result<Page<RulesPage>> {
    let form = RuleForm { class: "trash".into(), ..RuleForm::default() };
    Ok(Page::new(rules_page(&gate, visit, form, Problems::default()).await?))
}

async fn rules_page(
    gate: &Gate<StorageView>,
    visit: Visit,
    form: RuleForm,
    problems: Problems,
) -> Result<RulesPage> {
    let view = gate.read_at_length(move |tx| {
        Ok(RulesPage {
            frame: Frame::instance(tx, visit, people::seen(tx)?).at(At::Storage).here("Retention"),
            tab: RETENTION,
            may_keep: tx.may::<StorageKeep>(),
            is_fresh: tx.is_fresh(),
            rules: super::rules(tx)?,
            due: super::due(tx)?,
            unused: clear::unused(tx)?,
            classes: Choice::among(Class::ALL.iter().map(|class| (class.word(), class.title())), &form.class),
            form,
            problems,
        })
    });
    view.await
}

#[derive(Deserialize, Clone, Default)]
struct RuleForm {
    class: String,
    #[serde(default)]
    project: String,
    #[serde(default)]
    days: String,
}

async fn set(
    gate: Gate<StorageKeep>,
    look: Gate<StorageView>,
    visit: Visit,
    Form(form): Form<RuleForm>,
) -> Result<Answer<RulesPage>> {
    let refused = match form.rule() {
        Ok((class, key, days)) => {
            let changing = gate.write(move |tx| super::set_rule(tx, class, key.as_deref(), days));
            changing.await.err()
        }
        Err(refusal) => {
            gate.admit().await?;
            Some(refusal)
        }
    };
    let Some(refusal) = refused else {
        return Ok(Redirect::to(RETENTION)
            .saying("The rule is saved. What is due by it stands below.")
            .into());
    };
    let field = if refusal.sentence().contains("days") { "days" } else { "project" };
    let problems = beside(field, refusal)?;
    Ok(Page::refused(rules_page(&look, visit, form, problems).await?).into())
}

impl RuleForm {
    /// Class, key of a project, days.
    fn rule(&self) -> Result<(Class, Option<String>, Option<i64>)> {
        let key = Some(self.project.trim().to_ascii_uppercase()).filter(|key| !key.is_empty());
        let days = match self.days.trim() {
            "" => None,
            days => Some(days.parse().map_err(|_| {
                Error::invalid("This is no number of days.").hint("Write 0 for ever, or a number of days.")
            })?),
        };
        Ok((Class::of_word(&self.class)?, key, days))
    }
}

/// Puts what is wrong with a form beside a field of it; other refusals go on as they are.
fn beside(field: &'static str, refusal: Error) -> Result<Problems> {
    if !matches!(refusal.kind(), Kind::Invalid | Kind::NotFound) {
        return Err(refusal);
    }
    let mut problems = Problems::default();
    problems.add_error(field, &refusal);
    Ok(problems)
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
    is_fresh: bool,
    holds: Vec<Hold>,
    form: HoldForm,
    problems: Problems,
}

async fn show_holds(gate: Gate<StorageView>, visit: Visit) -> Result<Page<HoldsPage>> {
    Ok(Page::new(holds_page(&gate, visit, HoldForm::default(), Problems::default()).await?))
}

async fn holds_page(
    gate: &Gate<StorageView>,
    visit: Visit,
    form: HoldForm,
    problems: Problems,
) -> Result<HoldsPage> {
    let view = gate.read(move |tx| {
        Ok(HoldsPage {
            frame: Frame::instance(tx, visit, people::seen(tx)?).at(At::Storage).here("Legal holds"),
            tab: HOLDS,
            may_keep: tx.may::<StorageKeep>(),
            is_fresh: tx.is_fresh(),
            holds: holds::in_force(tx)?,
            form,
            problems,
        })
    });
    view.await
}

#[derive(Deserialize, Clone, Default)]
struct HoldForm {
    project: String,
    #[serde(default)]
    run: String,
    reason: String,
}

impl HoldForm {
    fn key(&self) -> String {
        self.project.trim().to_ascii_uppercase()
    }

    /// Number of the run; none for the whole project.
    fn run(&self) -> Result<Option<i64>> {
        let run = self.run.trim().to_ascii_uppercase();
        let number = run.trim_start_matches(&format!("{}-R", self.key())).trim_start_matches('R');
        if number.is_empty() {
            return Ok(None);
        }
        number.parse().map(Some).map_err(|_| {
            Error::invalid("This is no number of a run.").hint("Write it as in SHOP-R3, or leave it empty.")
        })
    }
}

async fn set_hold(
    gate: Gate<StorageKeep>,
    look: Gate<StorageView>,
    visit: Visit,
    Form(form): Form<HoldForm>,
) -> Result<Answer<HoldsPage>> {
    let refused = match form.run() {
        Ok(run) => {
            let (key, reason) = (form.key(), form.reason.clone());
            gate.write(move |tx| holds::hold(tx, &key, run, &reason)).await.err()
        }
        Err(refusal) => {
            gate.admit().await?;
            Some(refusal)
        }
    };
    let Some(refusal) = refused else {
        let said = "The hold is in force: what it covers cannot be deleted.";
        return Ok(Redirect::to(HOLDS).saying(said).into());
    };
    let field = match refusal.sentence() {
        sentence if sentence.contains("reason") => "reason",
        sentence if sentence.contains("project") => "project",
        _ => "run",
    };
    let problems = beside(field, refusal)?;
    Ok(Page::refused(holds_page(&look, visit, form, problems).await?).into())
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
        let frame = Frame::instance(tx, visit, people::seen(tx)?).at(At::Storage).here("Deletions");
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
