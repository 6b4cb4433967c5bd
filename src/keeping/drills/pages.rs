//! The page of drills: the last proof, what it proved, how long it took, and those before.

use super::{Drill, Evidence, Goals, Proven};
use crate::keeping::backup::scratch::Progress;
use crate::keeping::backups::{Cause, Desk};
use crate::keeping::targets;
use crate::kernel::access::{BackupKeep, BackupRun, BackupView, Gate, Read, Tx};
use crate::kernel::error::{Error, Result};
use crate::kernel::schedule;
use crate::kernel::time::Timestamp;
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
use std::path::Path;
use std::sync::Arc;

const PAGE: &str = "/instance/backups/drills";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(PAGE, show),
        post(PAGE, hold),
        post("/instance/backups/drills/stop", stop),
        post("/instance/backups/drills/plan", change_goals),
    ]
}

#[derive(Template)]
#[template(path = "keeping/drills/list.html", blocks = ["state"])]
struct DrillsPage {
    frame: Frame,
    may_run: bool,
    may_keep: bool,
    /// The targets that are on, each with its last proof.
    targets: Vec<Proven>,
    goals: Goals,
    schedule_words: String,
    /// When one is held by itself next.
    next_at: Option<Timestamp>,
    drills: Vec<Drill>,
    good: Option<Drill>,
    proof: Option<Evidence>,
    progress: Option<Progress>,
    form: GoalsForm,
    problems: Problems,
}

/// What was measured, beside its goal.
struct Measured {
    ms: i64,
    goal_ms: i64,
    tone: &'static str,
}

fn tone(goal_ms: i64, ms: i64) -> &'static str {
    if ms <= goal_ms { "passed" } else { "failed" }
}

#[derive(Deserialize, Clone, Debug)]
struct GoalsForm {
    schedule: String,
    rpo: i64,
    rto: i64,
    scratch: String,
}

async fn show(
    gate: Gate<BackupView>,
    visit: Visit,
    desk: Data<Desk>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (is_by_script, progress) = (visit.is_by_script, desk.bench.progress());
    let page = gate.read(move |tx| DrillsPage::of(tx, visit, progress, None)).await?;
    Ok(if is_by_script {
        Fragment(page.as_state()).respond_to(&request)
    } else {
        Page::new(page).respond_to(&request)
    })
}

#[derive(Deserialize)]
struct HoldForm {
    /// Number of the target; empty for that whose turn it is.
    #[serde(default)]
    target: String,
}

#[derive(Deserialize)]
struct Nothing {}

async fn hold(gate: Gate<BackupRun>, desk: Data<Desk>, Form(form): Form<HoldForm>) -> Result<Redirect> {
    let target = targets::number(&form.target)?;
    let instance = Arc::clone(&desk.instance);
    let goal = gate.read(move |tx| super::named(tx, &instance, target)).await?;
    let name = goal.name.clone();
    super::begin(desk.into_inner(), gate, Cause::Person, goal).await?;
    Ok(Redirect::to(PAGE)
        .saying(format!("The newest backup of {name} is being brought back. You may leave this page.")))
}

async fn stop(gate: Gate<BackupRun>, desk: Data<Desk>, Form(Nothing {}): Form<Nothing>) -> Result<Redirect> {
    gate.admit().await?;
    Ok(if desk.bench.stop_only(&[super::run::WHAT]) {
        Redirect::to(PAGE).saying("It stops, and what was brought back is wiped.")
    } else {
        Redirect::to(PAGE).warning("No drill is under way here.")
    })
}

async fn change_goals(
    gate: Gate<BackupKeep>,
    visit: Visit,
    desk: Data<Desk>,
    Form(form): Form<GoalsForm>,
) -> Result<Answer<DrillsPage>> {
    let problems = form.problems();
    if !problems.is_empty() {
        let progress = desk.bench.progress();
        let page = gate.read(move |tx| DrillsPage::of(tx.reading(), visit, progress, Some((form, problems))));
        return Ok(Page::refused(page.await?).into());
    }
    gate.write(move |tx| form.goals().set(tx.narrow())).await?;
    Ok(Redirect::to(PAGE).saying("The plan of drills is saved.").into())
}

impl GoalsForm {
    fn of(goals: &Goals) -> GoalsForm {
        let Goals { schedule, rpo_minutes, rto_minutes, scratch } = goals.clone();
        GoalsForm { schedule, rpo: rpo_minutes, rto: rto_minutes, scratch }
    }

    fn goals(&self) -> Goals {
        Goals {
            schedule: self.schedule.trim().to_owned(),
            rpo_minutes: self.rpo,
            rto_minutes: self.rto,
            scratch: self.scratch.trim().to_owned(),
        }
    }

    fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        let mut note = |field: &'static str, outcome: Result<()>| {
            if let Err(refusal) = outcome {
                let hint = refusal.hint_text().unwrap_or_default();
                problems.add(field, format!("{} {hint}", refusal.sentence()));
            }
        };
        note("schedule", schedule::check(self.schedule.trim()));
        for (field, minutes) in [("rpo", self.rpo), ("rto", self.rto)] {
            if minutes < 1 {
                note(field, Err(Error::invalid("A goal is a number of minutes.").hint("Write 1 or more.")));
            }
        }
        let scratch = Path::new(self.scratch.trim());
        if scratch.is_relative() && scratch != Path::new("") {
            note("scratch", Err(Error::invalid("This is not a whole path.").hint("Write it from the root.")));
        }
        problems
    }
}

impl DrillsPage {
    fn of(
        tx: Read<'_, BackupView>,
        visit: Visit,
        progress: Option<Progress>,
        refused: Option<(GoalsForm, Problems)>,
    ) -> Result<DrillsPage> {
        let may_run = tx.may::<BackupRun>();
        let frame = Frame::instance(tx, visit, people::seen(tx)?).at(At::Backups).here("Drills");
        let (goals, drills, good) = (Goals::get(tx)?, super::list(tx)?, super::newest_good(tx)?);
        let (form, problems) = refused.unwrap_or_else(|| (GoalsForm::of(&goals), Problems::default()));
        let schedule_words = match goals.schedule.as_str() {
            "" => "Never by itself.".to_owned(),
            expression => schedule::describe(expression)?,
        };
        let next_at = match goals.schedule.as_str() {
            "" => None,
            expression => schedule::next(expression, tx.now())?,
        };
        Ok(DrillsPage {
            next_at,
            proof: good.as_ref().and_then(Drill::proof),
            targets: super::proofs(tx)?,
            frame,
            may_run,
            may_keep: tx.may::<BackupKeep>(),
            goals,
            schedule_words,
            drills,
            good,
            progress,
            form,
            problems,
        })
    }

    fn measured_rpo(&self) -> Option<Measured> {
        let ms = self.good.as_ref()?.rpo_ms?;
        Some(Measured { ms, goal_ms: self.goals.rpo_ms(), tone: tone(self.goals.rpo_ms(), ms) })
    }

    fn measured_rto(&self) -> Option<Measured> {
        let ms = self.good.as_ref()?.rto_ms?;
        Some(Measured { ms, goal_ms: self.goals.rto_ms(), tone: tone(self.goals.rto_ms(), ms) })
    }

    /// Why the last drill was no proof, if it was none.
    fn failure(&self) -> Option<&Drill> {
        self.drills.first().filter(|drill| drill.state == "failed")
    }
}
