//! The pages of one target: added, changed, tested, its history and what its retention leaves.

use super::health::Standing;
use super::pages::{PAGE, Running};
use super::targets_form::{TargetForm, kinds};
use super::{Backup, Desk, Step, Sums, probe};
use crate::keeping::backup::Keep;
use crate::keeping::backup::storage::Place;
use crate::keeping::targets::{self, Regions};
use crate::kernel::access::{BackupKeep, BackupRun, BackupView, Gate, Read, Tx};
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::id::TargetId;
use crate::kernel::schedule::zones;
use crate::kernel::time::Timestamp;
use crate::people;
use crate::web::filters;
use crate::web::forms::{Choice, Form, Problems};
use crate::web::layout::{At, Frame};
use crate::web::respond::{Answer, Fragment, Page, Path, Query, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, Responder};
use askama::Template;
use serde::Deserialize;
use std::sync::Arc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/instance/backups/targets/new", show_new),
        post("/instance/backups/targets", add),
        get("/instance/backups/targets/{target}", show),
        post("/instance/backups/targets/{target}", change),
        post("/instance/backups/targets/{target}/secrets", set_secrets),
        post("/instance/backups/targets/{target}/test", test),
        post("/instance/backups/targets/{target}/trust", trust),
        post("/instance/backups/targets/{target}/enable", enable),
        post("/instance/backups/targets/{target}/disable", disable),
        post("/instance/backups/targets/{target}/remove", remove),
    ]
}

#[derive(Template)]
#[template(path = "keeping/backups/target_new.html")]
struct NewPage {
    frame: Frame,
    kinds: Vec<Choice>,
    form: TargetForm,
    problems: Problems,
    zones: Vec<&'static str>,
    regions: String,
}

#[derive(Template)]
#[template(path = "keeping/backups/target.html", blocks = ["state"])]
struct TargetPage {
    frame: Frame,
    may_run: bool,
    may_keep: bool,
    is_fresh: bool,
    standing: Standing,
    kind: &'static str,
    is_on_same_disk: bool,
    is_elsewhere: bool,
    schedule_words: String,
    upcoming: Vec<String>,
    history: Vec<Backup>,
    sums: Sums,
    running: Vec<Running>,
    keep: Keep,
    judged: Vec<(Backup, bool)>,
    form: TargetForm,
    problems: Problems,
    zones: Vec<&'static str>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct KindQuery {
    kind: String,
}

async fn show_new(
    gate: Gate<BackupView>,
    visit: Visit,
    Query(asked): Query<KindQuery>,
) -> Result<Page<NewPage>> {
    let form = TargetForm::new(&asked.kind);
    let page = gate.read(move |tx| {
        if !tx.may::<BackupKeep>() {
            return Err(
                Error::forbidden("Your role does not allow this.").hint("Ask an owner of the instance.")
            );
        }
        NewPage::of(tx, visit, form, Problems::default())
    });
    Ok(Page::new(page.await?))
}

async fn add(
    gate: Gate<BackupKeep>,
    visit: Visit,
    desk: Data<Desk>,
    Form(form): Form<TargetForm>,
) -> Result<Answer<NewPage>> {
    let instance = Arc::clone(&desk.instance);
    let mut problems = Problems::default();
    match form.checked(&instance) {
        Ok(draft) => {
            let secrets = form.secrets();
            let added = gate.write(move |tx| targets::add(tx.narrow(), &instance, &draft, secrets.as_ref()));
            match added.await {
                Ok(id) => {
                    let to = format!("{PAGE}/targets/{}", id.0);
                    return Ok(Redirect::to(to)
                        .saying("The target is added. Test it, then make a backup.")
                        .into());
                }
                Err(reason) => note(&mut problems, &form, &reason)?,
            }
        }
        Err(wrong) => problems = wrong,
    }
    let form = form.without_secrets();
    let page = gate.read(move |tx| NewPage::of(tx.reading(), visit, form, problems));
    Ok(Page::refused(page.await?).into())
}

/// Puts the refusal of an operation beside its field; others go on as they are.
fn note(problems: &mut Problems, form: &TargetForm, reason: &Error) -> Result<()> {
    let field = match reason.kind() {
        Kind::Conflict if reason.sentence().contains("called") => "name",
        Kind::Conflict => form.address_field(),
        Kind::Invalid => "region",
        _ => return Err(reason.clone()),
    };
    problems.add_error(field, reason);
    Ok(())
}

/// A retention to try: what would stay under it.
#[derive(Deserialize, Default)]
#[serde(default)]
struct KeepQuery {
    last: Option<u32>,
    daily: Option<u32>,
    weekly: Option<u32>,
    monthly: Option<u32>,
}

async fn show(
    gate: Gate<BackupView>,
    visit: Visit,
    desk: Data<Desk>,
    (Path(id), Query(tried)): (Path<i64>, Query<KeepQuery>),
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (is_by_script, desk) = (visit.is_by_script, desk.into_inner());
    let page = gate.read(move |tx| TargetPage::of(tx, visit, &desk, TargetId(id), &tried, None)).await?;
    Ok(if is_by_script {
        Fragment(page.as_state()).respond_to(&request)
    } else {
        Page::new(page).respond_to(&request)
    })
}

async fn change(
    gate: Gate<BackupKeep>,
    visit: Visit,
    desk: Data<Desk>,
    Path(id): Path<i64>,
    Form(form): Form<TargetForm>,
) -> Result<Answer<TargetPage>> {
    let desk = desk.into_inner();
    let mut problems = Problems::default();
    match form.checked(&desk.instance) {
        Ok(draft) => match gate.write(move |tx| targets::change(tx.narrow(), TargetId(id), &draft)).await {
            Ok(()) => return Ok(to(id).saying("The target is saved.").into()),
            Err(reason) => note(&mut problems, &form, &reason)?,
        },
        Err(wrong) => problems = wrong,
    }
    let refused = Some((form, problems));
    let page = gate.read(move |tx| {
        TargetPage::of(tx.reading(), visit, &desk, TargetId(id), &KeepQuery::default(), refused)
    });
    Ok(Page::refused(page.await?).into())
}

async fn set_secrets(
    gate: Gate<BackupKeep>,
    desk: Data<Desk>,
    Path(id): Path<i64>,
    Form(form): Form<TargetForm>,
) -> Result<Redirect> {
    let Some(secrets) = form.secrets() else {
        gate.admit().await?;
        return Ok(to(id).warning("Nothing was entered, so the secrets stay as they are."));
    };
    let instance = Arc::clone(&desk.instance);
    gate.write(move |tx| targets::set_secrets(tx.narrow(), &instance, TargetId(id), &secrets)).await?;
    Ok(to(id).saying("The secrets are sealed and stored. They are not shown again."))
}

async fn test(gate: Gate<BackupRun>, desk: Data<Desk>, Path(id): Path<i64>) -> Result<Redirect> {
    Ok(match desk.test(&gate, TargetId(id)).await {
        Ok(found) => to(id).saying(found.sentence()),
        Err(reason) if reason.kind() == Kind::Internal => {
            // Ours: not what the target said.
            gate.admit().await?;
            to(id).warning(reason.sentence())
        }
        Err(reason) => {
            gate.admit().await?;
            to(id).warning(format!("{} {}", reason.sentence(), reason.hint_text().unwrap_or_default()))
        }
    })
}

#[derive(Deserialize)]
struct TrustForm {
    host_key: String,
}

async fn trust(gate: Gate<BackupKeep>, Path(id): Path<i64>, Form(form): Form<TrustForm>) -> Result<Redirect> {
    match gate.write(move |tx| targets::trust(tx.narrow(), TargetId(id), form.host_key.trim())).await {
        Ok(()) => {}
        Err(refusal) if refusal.kind() == Kind::Invalid => {
            let hint = refusal.hint_text().unwrap_or_default();
            return Ok(to(id).warning(format!("{} {hint}", refusal.sentence())));
        }
        Err(refusal) => return Err(refusal),
    }
    Ok(to(id).saying("The host key is confirmed. From now on only this server is spoken to."))
}

async fn enable(gate: Gate<BackupKeep>, Path(id): Path<i64>) -> Result<Redirect> {
    gate.write(move |tx| targets::enable(tx.narrow(), TargetId(id))).await?;
    Ok(to(id).saying("Backups go there again."))
}

async fn disable(gate: Gate<BackupKeep>, desk: Data<Desk>, Path(id): Path<i64>) -> Result<Redirect> {
    gate.write(move |tx| targets::disable(tx.narrow(), TargetId(id))).await?;
    desk.cancel(Some(TargetId(id)));
    Ok(to(id).saying("No backup goes there any more. What is there stays."))
}

async fn remove(gate: Gate<BackupKeep>, desk: Data<Desk>, Path(id): Path<i64>) -> Result<Redirect> {
    gate.write(move |tx| targets::remove(tx.narrow(), TargetId(id))).await?;
    desk.cancel(Some(TargetId(id)));
    let said = "The target is removed and its secrets are forgotten. The data there is untouched.";
    Ok(Redirect::to(PAGE).saying(said))
}

fn to(id: i64) -> Redirect {
    Redirect::to(format!("{PAGE}/targets/{id}"))
}

impl NewPage {
    fn of(tx: Read<'_, BackupView>, visit: Visit, form: TargetForm, problems: Problems) -> Result<NewPage> {
        Ok(NewPage {
            frame: Frame::instance(tx, visit, people::seen(tx)?).at(At::Backups).here("Add a target"),
            kinds: kinds(&form.kind),
            form,
            problems,
            zones: zones().collect(),
            regions: Regions::get(tx)?.text(),
        })
    }
}

impl TargetPage {
    fn of(
        tx: Read<'_, BackupView>,
        visit: Visit,
        desk: &Arc<Desk>,
        id: TargetId,
        tried: &KeepQuery,
        refused: Option<(TargetForm, Problems)>,
    ) -> Result<TargetPage> {
        let standing = Standing::one(tx, id)?;
        let target = &standing.target;
        let keep = Keep {
            last: tried.last.unwrap_or(target.keep.last).max(1),
            daily: tried.daily.unwrap_or(target.keep.daily),
            weekly: tried.weekly.unwrap_or(target.keep.weekly),
            monthly: tried.monthly.unwrap_or(target.keep.monthly),
        };
        let (form, problems) =
            refused.unwrap_or_else(|| (TargetForm::of_target(target), Problems::default()));
        let place: Option<Place> = target.address.parse().ok();
        let written = |at: Timestamp| target.zone().written(at);
        let mut running = Running::all(tx, desk)?;
        running.retain(|at| at.target == Some(id.0));
        let mut history = super::history(tx, id)?;
        Running::tell_apart(&running, &mut history);
        Ok(TargetPage {
            frame: Frame::instance(tx, visit, people::seen(tx)?)
                .at(At::Backups)
                .here(target.name.clone())
                .key(&["b"], "Back up now"),
            may_run: tx.may::<BackupRun>(),
            may_keep: tx.may::<BackupKeep>(),
            is_fresh: tx.is_fresh(),
            kind: place.as_ref().map_or("folder", Place::kind),
            is_on_same_disk: place.as_ref().is_some_and(|place| desk.is_on_same_disk(place)),
            is_elsewhere: place.as_ref().is_some_and(probe::is_off_machine),
            schedule_words: target.schedule_words(),
            upcoming: target.upcoming(tx.now())?.into_iter().map(written).collect(),
            history,
            sums: super::sums(tx, id)?,
            running,
            judged: super::judged(tx, id, &keep)?,
            zones: zones().collect(),
            standing,
            keep,
            form,
            problems,
        })
    }

    /// The key to compare: the one that is confirmed, or the one that the test was shown.
    fn offered_key(&self) -> &str {
        let target = &self.standing.target;
        let shown = || target.tested.as_deref().and_then(|said| said.split_once('(')?.1.split(')').next());
        target.host_key.as_deref().or_else(|| shown().filter(|key| key.contains(' '))).unwrap_or_default()
    }

    /// Whether what the page says is about to change: the record of a backup may be there before its progress.
    fn is_live(&self) -> bool {
        !self.running.is_empty() || self.standing.health.tone == "running"
    }

    /// Whether backups wait until a person has said that the server is the right one.
    fn wants_trust(&self) -> bool {
        self.kind == "sftp" && self.standing.target.host_key.is_none()
    }

    fn stays(&self) -> usize {
        self.judged.iter().filter(|(_, stays)| *stays).count()
    }
}
