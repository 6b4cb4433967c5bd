//! The page on which the whole instance comes back: what would be lost, who wants it, how far it is.

use super::pages::PAGE as CHOOSE;
use super::whole::{self, Attempt, Claims, KEPT_DAYS, Order};
use super::whole_compared::{self as compared, Asked, Choice, State};
use super::whole_sql as sql;
use crate::keeping::backup::scratch::Progress;
use crate::keeping::backups::{self, Desk};
use crate::keeping::targets;
use crate::kernel::access::{BackupRun, Gate, Read, RestoreRun, RestoreView, Tx};
use crate::kernel::error::Result;
use crate::kernel::restart::Restart;
use crate::kernel::swap::{self, Kept};
use crate::kernel::time::Timestamp;
use crate::people::{self, sessions};
use crate::web::filters;
use crate::web::forms::{Form, Problems};
use crate::web::layout::{At, Frame};
use crate::web::respond::{Answer, Fragment, Page, Query, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, Responder};
use askama::Template;
use serde::Deserialize;
use std::sync::Arc;

const PAGE: &str = "/instance/backups/whole";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(PAGE, show),
        post(PAGE, begin),
        post("/instance/backups/whole/return", go_back),
        post("/instance/backups/whole/discard", discard),
        post("/instance/backups/whole/stop", stop),
    ]
}

/// A state that was put aside.
struct Aside {
    kept: Kept,
    at: Timestamp,
    expires_at: Timestamp,
}

#[derive(Template)]
#[template(path = "keeping/restores/whole.html", blocks = ["state"])]
struct WholePage {
    frame: Frame,
    may_run: bool,
    is_fresh: bool,
    /// What somebody has to type.
    own_name: String,
    choice: Option<Choice>,
    trouble: Option<String>,
    failure: Option<String>,
    progress: Option<Progress>,
    aside: Vec<Aside>,
    typed: String,
    problems: Problems,
}

#[derive(Deserialize, Clone)]
struct OrderForm {
    #[serde(default)]
    target: String,
    backup: u64,
    /// The moment that was looked at; empty for the backup as it was made.
    #[serde(default)]
    moment: String,
    name: String,
    #[serde(default)]
    without: bool,
}

#[derive(Deserialize)]
struct KeptForm {
    kept: String,
}

async fn show(
    gate: Gate<RestoreView>,
    visit: Visit,
    desk: Data<Desk>,
    Query(asked): Query<Asked>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let attempt = request.app_data::<Data<Attempt>>().and_then(|attempt| attempt.failure());
    let is_by_script = visit.is_by_script;
    let page = page(&gate, visit, &desk, asked, attempt).await?;
    Ok(if is_by_script {
        Fragment(page.as_state()).respond_to(&request)
    } else if page.problems.is_empty() {
        Page::new(page).respond_to(&request)
    } else {
        Page::refused(page).respond_to(&request)
    })
}

async fn page(
    gate: &Gate<RestoreView>,
    visit: Visit,
    desk: &Desk,
    asked: Asked,
    failure: Option<String>,
) -> Result<WholePage> {
    let progress = desk.bench.progress();
    // Only a backup that somebody asked for is looked at: it may lie at the other end of the world.
    let mut problems = Problems::default();
    let found = match asked.is_any() && progress.is_none() {
        true => compared::choice(gate, desk, &asked, &mut problems).await.map(Some),
        false => Ok(None),
    };
    let (choice, trouble) = match found {
        Ok(choice) => (choice, None),
        Err(reason) => {
            (None, Some(format!("{} {}", reason.sentence(), reason.hint_text().unwrap_or_default())))
        }
    };
    let kept = swap::kept(&desk.instance.data)?;
    gate.read(move |tx: Read<'_, RestoreView>| {
        let days: i64 = KEPT_DAYS.get(tx)?.parse().unwrap_or(30);
        let aside = kept.into_iter().map(|kept| Aside {
            at: Timestamp(kept.at),
            expires_at: whole::expires_at(kept.at, days),
            kept,
        });
        let frame = Frame::instance(tx, visit, people::seen(tx)?).at(At::Backups);
        Ok(WholePage {
            frame: frame.crumb("Restore", CHOOSE).here("Whole instance"),
            may_run: tx.may::<RestoreRun>(),
            is_fresh: tx.is_fresh(),
            own_name: sql::instance_name(tx)?,
            choice,
            trouble,
            failure,
            progress,
            aside: aside.collect(),
            typed: String::new(),
            problems,
        })
    })
    .await
}

async fn begin(
    gate: Gate<RestoreRun>,
    (backup, look): (Gate<BackupRun>, Gate<RestoreView>),
    visit: Visit,
    (desk, restart, attempt): (Data<Desk>, Data<Restart>, Data<Attempt>),
    Form(form): Form<OrderForm>,
) -> Result<Answer<WholePage>> {
    let (instance, target) = (Arc::clone(&desk.instance), targets::number(&form.target)?);
    let number = form.backup;
    let (name, from) = gate
        .read(move |tx| {
            sessions::demand_proof(tx)?;
            Ok((sql::instance_name(tx)?, backups::chosen(tx, &instance, target, Some(number))?))
        })
        .await?;
    let state = compared::state(&desk, &from.goal, number, &form.moment).await?;
    let is_named = form.name.trim() == name;
    let Some((receipt, until)) = state.filter(|_| is_named) else {
        let mut page = page(&look, visit, &desk, Asked::again(&form), None).await?;
        if !is_named {
            page.problems.add("name", format!("Type the name of this instance: {name}"));
        }
        page.typed = form.name;
        return Ok(Page::refused(page).into());
    };
    let order = Order { goal: from.goal, receipt, until, even_without_backup: form.without };
    let (claims, attempt) = (Claims { restore: gate, backup }, attempt.into_inner());
    whole::begin(desk.into_inner(), claims, order, restart.into_inner(), attempt).await?;
    Ok(Redirect::to(PAGE)
        .saying("The whole instance is being brought back. It starts again by itself at the end.")
        .into())
}

async fn go_back(
    gate: Gate<RestoreRun>,
    desk: Data<Desk>,
    restart: Data<Restart>,
    Form(form): Form<KeptForm>,
) -> Result<Redirect> {
    whole::go_back(&desk, &gate, form.kept, &restart).await?;
    Ok(Redirect::to(PAGE).saying("The instance goes back and starts again by itself."))
}

async fn discard(gate: Gate<RestoreRun>, desk: Data<Desk>, Form(form): Form<KeptForm>) -> Result<Redirect> {
    whole::discard(&desk, &gate, form.kept).await?;
    Ok(Redirect::to(PAGE).saying("It is deleted."))
}

#[derive(Deserialize)]
struct Nothing {}

/// Stops a restore, of whatever.
async fn stop(gate: Gate<RestoreRun>, desk: Data<Desk>, Form(Nothing {}): Form<Nothing>) -> Result<Redirect> {
    gate.admit().await?;
    let page = Redirect::to(super::pages::PAGE);
    Ok(if desk.bench.stop_only(&[super::WHAT, whole::WHAT]) {
        page.saying("It stops, and what was brought back is wiped.")
    } else {
        page.warning("Nothing is being brought back here.")
    })
}

impl Asked {
    /// What the form was about.
    fn again(form: &OrderForm) -> Asked {
        let until = if form.moment.is_empty() { "backup" } else { "moment" };
        Asked {
            target: form.target.clone(),
            backup: Some(form.backup),
            until: until.into(),
            moment: form.moment.clone(),
        }
    }
}

impl WholePage {
    /// The address of this page with the same choice.
    fn here(&self) -> String {
        self.choice.as_ref().map_or_else(|| PAGE.to_owned(), |choice| choice.address(PAGE))
    }
}
