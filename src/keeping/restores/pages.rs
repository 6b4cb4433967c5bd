//! Pages of restores: what to bring back, what that would do, and what it did.

use super::{Mode, Request, Restore, Tally, What};
use crate::keeping::backup::scratch::Progress;
use crate::keeping::backups::{self, Chosen, Desk};
use crate::keeping::targets;
use crate::kernel::access::{Gate, Read, RestoreRun, RestoreView, Tx};
use crate::kernel::error::Result;
use crate::kernel::id::RestoreId;
use crate::kernel::time::Timestamp;
use crate::people;
use crate::web::figures::Moment;
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
#[template(path = "keeping/restores/choose.html", blocks = ["backups"])]
struct ChoosePage {
    frame: Frame,
    may_run: bool,
    /// What people call the target that was chosen; none if there is none.
    target: Option<String>,
    /// Its number.
    target_id: String,
    targets: Vec<Choice>,
    backups: Vec<Choice>,
    /// Whether the target was asked which backups are there; it may take its time to answer.
    is_asked: bool,
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
    /// Number of a target; empty for that with the newest backup that was read back.
    #[serde(default)]
    target: String,
    backup: Option<u64>,
}

#[derive(Deserialize, Clone, Default)]
struct Asked {
    what: Option<String>,
    target: Option<String>,
    /// Anything, to wait for the target: the link for whoever has no script.
    list: Option<String>,
}

async fn choose(
    gate: Gate<RestoreView>,
    visit: Visit,
    desk: Data<Desk>,
    Query(asked): Query<Asked>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let form = AskedForm {
        what: asked.what.unwrap_or_default(),
        target: asked.target.unwrap_or_default(),
        backup: None,
    };
    let is_by_script = visit.is_by_script;
    let ask = if is_by_script || asked.list.is_some() { Ask::Now } else { Ask::Later };
    let page = chooser(&gate, visit, &desk, form, (ask, Problems::default())).await?;
    Ok(if is_by_script {
        Fragment(page.as_backups()).respond_to(&request)
    } else {
        Page::new(page).respond_to(&request)
    })
}

/// Whether the target is asked which backups are there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    Now,
    /// The page comes first, and asks by itself.
    Later,
}

async fn chooser(
    gate: &Gate<RestoreView>,
    visit: Visit,
    desk: &Desk,
    form: AskedForm,
    (ask, problems): (Ask, Problems),
) -> Result<ChoosePage> {
    let (instance, asked) = (Arc::clone(&desk.instance), targets::number(&form.target)?);
    let known = gate.read(|tx| targets::list(tx)).await?;
    // A target whose secrets are missing must not keep the others from being chosen.
    let chosen = match gate.read(move |tx| backups::chosen(tx, &instance, asked, form.backup)).await {
        Err(_) if known.is_empty() => Ok(None),
        chosen => chosen.map(Some),
    };
    let found = match &chosen {
        Ok(_) if ask == Ask::Later => Ok(Vec::new()),
        Ok(Some(Chosen { goal, .. })) => super::choices(desk, goal).await,
        Ok(None) => Ok(Vec::new()),
        Err(reason) => Err(reason.clone()),
    };
    let (receipts, trouble) = match found {
        Ok(receipts) => (receipts, None),
        Err(reason) => {
            (Vec::new(), Some(format!("{} {}", reason.sentence(), reason.hint_text().unwrap_or_default())))
        }
    };
    let chosen = chosen.ok().flatten();
    let number = chosen.as_ref().and_then(|chosen| chosen.number);
    let lines = receipts.iter().map(|receipt| {
        let at = receipt.finished_at.parse::<jiff::Timestamp>();
        let at = at.map(|at| Moment(Timestamp(at.as_millisecond())).to_string());
        let words = format!("Backup {} of {}", receipt.number, at.as_deref().unwrap_or(&receipt.finished_at));
        (receipt.number.to_string(), words)
    });
    let number = number.map(|number| number.to_string()).unwrap_or_default();
    let backups = Choice::among(lines.collect::<Vec<_>>(), &number);
    let id = chosen.as_ref().and_then(|chosen| chosen.goal.id).or(asked);
    let target_id = id.map(|id| id.0.to_string()).unwrap_or_default();
    let name = known.iter().find(|target| Some(target.id) == id).map(|target| target.name.clone());
    let targets = known.into_iter().map(|target| (target.id.0.to_string(), target.name));
    let targets = Choice::among(targets.collect::<Vec<_>>(), &target_id);
    gate.read(move |tx: Read<'_, RestoreView>| {
        Ok(ChoosePage {
            frame: Frame::instance(tx, visit, people::seen(tx)?).at(At::Backups).here("Restore"),
            may_run: tx.may::<RestoreRun>(),
            target: name,
            target_id,
            targets,
            backups,
            is_asked: ask == Ask::Now,
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
    look: Gate<RestoreView>,
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
            return Ok(Page::refused(chooser(&look, visit, &desk, form, (Ask::Now, problems)).await?).into());
        }
    };
    let (instance, target) = (Arc::clone(&desk.instance), targets::number(&form.target)?);
    let from = gate.read(move |tx| backups::chosen(tx, &instance, target, form.backup)).await?;
    let request = Request { from, what, mode: Mode::Missing };
    let id = super::begin(desk.into_inner(), gate, request).await?;
    Ok(Redirect::to(format!("{PAGE}/{}", id.0)).into())
}

async fn show(
    gate: Gate<RestoreView>,
    visit: Visit,
    desk: Data<Desk>,
    Path(id): Path<i64>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (is_by_script, progress) = (visit.is_by_script, desk.bench.progress());
    let page = gate.read(move |tx: Read<'_, RestoreView>| {
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

impl ChoosePage {
    /// The address that lists the backups of the target.
    fn listing(&self) -> String {
        let what: String = self.what.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        format!("{PAGE}?list=now&target={}&what={what}", self.target_id)
    }

    fn target_words(&self) -> &str {
        self.target.as_deref().unwrap_or_default()
    }
}
