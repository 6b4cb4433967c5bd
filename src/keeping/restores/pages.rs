//! Pages of restores: what to bring back, what that would do, and what it did.

use super::{Mode, Request, Restore, Tally, What};
use crate::keeping::backup::scratch::Progress;
use crate::keeping::backups::{Desk, Plan, no_folder};
use crate::kernel::access::{BackupView, Gate, Read, RestoreRun, Tx};
use crate::kernel::error::Result;
use crate::kernel::id::RestoreId;
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

/// The address of the page.
pub(super) const PAGE: &str = "/instance/backups/restore";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(PAGE, choose),
        post(PAGE, start),
        get("/instance/backups/restore/{restore}", show),
        post("/instance/backups/restore/{restore}/apply", apply),
    ]
}

#[derive(Template)]
#[template(path = "keeping/restores/choose.html")]
struct ChoosePage {
    frame: Frame,
    may_run: bool,
    has_target: bool,
    target: String,
    backups: Vec<Choice>,
    what: String,
    problems: Problems,
    restores: Vec<Restore>,
    trouble: Option<String>,
}

#[derive(Template)]
#[template(path = "keeping/restores/show.html", blocks = ["state"])]
struct ShowPage {
    frame: Frame,
    may_run: bool,
    is_fresh: bool,
    restore: Restore,
    progress: Option<Progress>,
}

#[derive(Deserialize, Clone, Default)]
struct AskedForm {
    what: String,
    backup: Option<u64>,
}

#[derive(Deserialize, Clone, Default)]
struct Asked {
    what: Option<String>,
}

async fn choose(
    gate: Gate<BackupView>,
    visit: Visit,
    desk: Data<Desk>,
    Query(asked): Query<Asked>,
) -> Result<Page<ChoosePage>> {
    let form = AskedForm { what: asked.what.unwrap_or_default(), backup: None };
    Ok(Page::new(chooser(&gate, visit, &desk, form, Problems::default()).await?))
}

async fn chooser(
    gate: &Gate<BackupView>,
    visit: Visit,
    desk: &Desk,
    form: AskedForm,
    problems: Problems,
) -> Result<ChoosePage> {
    let plan = gate.read(|tx| Plan::get(tx)).await?;
    let found = if plan.has_folder() { super::choices(desk, &plan.folder).await } else { Ok(Vec::new()) };
    let (receipts, trouble) = match found {
        Ok(receipts) => (receipts, None),
        Err(reason) => {
            (Vec::new(), Some(format!("{} {}", reason.sentence(), reason.hint_text().unwrap_or_default())))
        }
    };
    let lines = receipts.iter().map(|receipt| {
        let moment = receipt.finished_at.parse::<jiff::Timestamp>().map(|at| Timestamp(at.as_millisecond()));
        let moment = moment.map_or_else(|_| receipt.finished_at.clone(), |at| at.to_string());
        (
            receipt.number.to_string(),
            format!("Backup {} of {}", receipt.number, &moment[..moment.len().min(16)]),
        )
    });
    let chosen = form.backup.map(|number| number.to_string()).unwrap_or_default();
    let backups = Choice::among(lines.collect::<Vec<_>>(), &chosen);
    gate.read(move |tx: Read<'_, BackupView>| {
        Ok(ChoosePage {
            frame: Frame::instance(tx, visit, people::seen(tx)?).at(At::Backups).here("Restore"),
            may_run: tx.may::<RestoreRun>(),
            has_target: plan.has_folder(),
            target: plan.folder.display().to_string(),
            backups,
            what: form.what,
            problems,
            restores: super::list(tx)?,
            trouble,
        })
    })
    .await
}

async fn start(
    gate: Gate<RestoreRun>,
    look: Gate<BackupView>,
    visit: Visit,
    desk: Data<Desk>,
    Form(form): Form<AskedForm>,
) -> Result<Answer<ChoosePage>> {
    let what = match What::parse(&form.what) {
        Ok(what) => what,
        Err(refusal) => {
            gate.admit().await?;
            let mut problems = Problems::default();
            problems
                .add("what", format!("{} {}", refusal.sentence(), refusal.hint_text().unwrap_or_default()));
            return Ok(Page::refused(chooser(&look, visit, &desk, form, problems).await?).into());
        }
    };
    let plan = gate.read(|tx| Plan::get(tx)).await?;
    if !plan.has_folder() {
        return Err(no_folder());
    }
    let request = Request { folder: plan.folder, receipt: form.backup, what, mode: Mode::Missing };
    let id = super::begin(desk.into_inner(), gate, request).await?;
    Ok(Redirect::to(format!("{PAGE}/{}", id.0)).into())
}

async fn show(
    gate: Gate<BackupView>,
    visit: Visit,
    desk: Data<Desk>,
    Path(id): Path<i64>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (is_by_script, progress) = (visit.is_by_script, desk.bench.progress());
    let page = gate.read(move |tx: Read<'_, BackupView>| {
        let restore = super::get(tx, RestoreId(id))?;
        let frame = Frame::instance(tx, visit, people::seen(tx)?).at(At::Backups);
        Ok(ShowPage {
            frame: frame.crumb("Restore", PAGE).here(restore.what.clone()),
            may_run: tx.may::<RestoreRun>(),
            is_fresh: tx.is_fresh(),
            progress: progress.filter(|_| restore.state.is_busy()),
            restore,
        })
    });
    let page = page.await?;
    Ok(if is_by_script {
        Fragment(page.as_state()).respond_to(&request)
    } else {
        Page::new(page).respond_to(&request)
    })
}

#[derive(Deserialize)]
struct ApplyForm {
    #[serde(default)]
    replace: bool,
}

async fn apply(
    gate: Gate<RestoreRun>,
    desk: Data<Desk>,
    Path(id): Path<i64>,
    Form(form): Form<ApplyForm>,
) -> Result<Redirect> {
    let mode = if form.replace { Mode::Replace } else { Mode::Missing };
    super::begin_apply(desk.into_inner(), gate, RestoreId(id), mode).await?;
    Ok(Redirect::to(format!("{PAGE}/{id}")).saying("It is coming back. You may leave this page."))
}

impl ShowPage {
    /// What there is to tell: what came back, or else what would.
    fn tally(&self) -> Option<&Tally> {
        self.restore.outcome.as_ref().or(self.restore.preview.as_ref())
    }

    fn is_done(&self) -> bool {
        self.restore.state == super::State::Done
    }

    fn is_busy(&self) -> bool {
        self.restore.state.is_busy()
    }
}
