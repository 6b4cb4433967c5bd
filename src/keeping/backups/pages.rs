//! The page of backups: how well the instance is protected, what there is, and the plan.

use super::{Backup, Cause, Desk, Health, Plan, api};
use crate::keeping::backup::Keep;
use crate::kernel::access::{BackupRun, BackupView, Gate, Read, Tx};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
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

/// The address of the page.
const PAGE: &str = "/instance/backups";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(PAGE, show),
        post(PAGE, make),
        post("/instance/backups/stop", stop),
        post("/instance/backups/plan", change_plan),
    ]
}

#[derive(Template)]
#[template(path = "keeping/backups/list.html", blocks = ["state"])]
struct BackupsPage {
    frame: Frame,
    may_run: bool,
    health: Health,
    plan: Plan,
    is_on_same_disk: bool,
    /// The schedule in words.
    schedule_words: String,
    next: Vec<Timestamp>,
    backups: Vec<Backup>,
    good: Option<Backup>,
    progress: Option<Progress>,
    /// What brings the newest backup back.
    restore: String,
    form: PlanForm,
    problems: Problems,
}

/// How far the backup is that runs now.
#[derive(Clone, Copy)]
struct Progress {
    done: u64,
    total: u64,
    left_ms: Option<u64>,
}

#[derive(Deserialize, Clone, Debug)]
struct PlanForm {
    folder: String,
    schedule: String,
    last: u32,
    daily: u32,
    weekly: u32,
    monthly: u32,
}

async fn show(
    gate: Gate<BackupView>,
    visit: Visit,
    desk: Data<Desk>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (is_by_script, desk) = (visit.is_by_script, desk.into_inner());
    let page = gate.read(move |tx| BackupsPage::of(tx, visit, &desk, None)).await?;
    Ok(if is_by_script {
        Fragment(page.as_state()).respond_to(&request)
    } else {
        Page::new(page).respond_to(&request)
    })
}

async fn make(gate: Gate<BackupRun>, desk: Data<Desk>, Form(Nothing {}): Form<Nothing>) -> Result<Redirect> {
    let plan = gate.read(|tx| Plan::get(tx)).await?;
    if !plan.has_folder() {
        return Err(api::no_folder());
    }
    desk.into_inner().begin(gate, Cause::Person, plan.folder).await?;
    Ok(Redirect::to(PAGE).saying("A backup is being made. You may leave this page, it goes on."))
}

async fn stop(gate: Gate<BackupRun>, desk: Data<Desk>, Form(Nothing {}): Form<Nothing>) -> Result<Redirect> {
    if desk.progress().is_none() {
        gate.admit().await?;
        return Ok(Redirect::to(PAGE).warning("No backup is being made here."));
    }
    gate.write(|tx| tx.audited(super::STOPPED.alone(), ())).await?;
    desk.cancel();
    Ok(Redirect::to(PAGE).saying("The backup stops. Nothing of it counts."))
}

async fn change_plan(
    gate: Gate<BackupRun>,
    visit: Visit,
    desk: Data<Desk>,
    Form(form): Form<PlanForm>,
) -> Result<Answer<BackupsPage>> {
    let desk = desk.into_inner();
    let plan = form.plan();
    let problems = problems_of(&plan, &desk);
    if !problems.is_empty() {
        let page = gate.read(move |tx| BackupsPage::of(tx.reading(), visit, &desk, Some((form, problems))));
        return Ok(Page::refused(page.await?).into());
    }
    gate.write(move |tx| plan.set(tx)).await?;
    Ok(Redirect::to(PAGE).saying("The plan of backups is saved.").into())
}

#[derive(Deserialize)]
struct Nothing {}

fn problems_of(plan: &Plan, desk: &Desk) -> Problems {
    let mut problems = Problems::default();
    let mut note = |field: &'static str, outcome: Result<()>| {
        if let Err(refusal) = outcome {
            problems
                .add(field, format!("{} {}", refusal.sentence(), refusal.hint_text().unwrap_or_default()));
        }
    };
    if plan.has_folder() {
        note("folder", desk.check_folder(&plan.folder));
    }
    note("schedule", schedule::check(&plan.schedule));
    if plan.keep.last == 0 {
        note("last", Err(Error::invalid("At least the newest backup stays.").hint("Write 1 or more.")));
    }
    problems
}

impl PlanForm {
    fn of(plan: &Plan) -> PlanForm {
        let Keep { last, daily, weekly, monthly } = plan.keep;
        let (folder, schedule) = (plan.folder.display().to_string(), plan.schedule.clone());
        PlanForm { folder, schedule, last, daily, weekly, monthly }
    }

    fn plan(&self) -> Plan {
        let PlanForm { last, daily, weekly, monthly, .. } = *self;
        Plan {
            folder: self.folder.trim().into(),
            schedule: self.schedule.trim().to_owned(),
            keep: Keep { last, daily, weekly, monthly },
        }
    }
}

impl BackupsPage {
    fn of(
        tx: Read<'_, BackupView>,
        visit: Visit,
        desk: &Arc<Desk>,
        refused: Option<(PlanForm, Problems)>,
    ) -> Result<BackupsPage> {
        let may_run = tx.may::<BackupRun>();
        let mut frame = Frame::instance(tx, visit, people::seen(tx)?).at(At::Backups);
        let (plan, backups, good) = (Plan::get(tx)?, super::list(tx)?, super::newest_good(tx)?);
        if may_run && plan.has_folder() {
            frame = frame.key(&["b"], "Back up now");
        }
        let (form, problems) = refused.unwrap_or_else(|| (PlanForm::of(&plan), Problems::default()));
        Ok(BackupsPage {
            health: Health::of(&plan, backups.first(), good.as_ref(), tx.now())?,
            is_on_same_disk: plan.has_folder() && desk.is_on_same_disk(&plan.folder),
            schedule_words: in_words(&plan.schedule)?,
            next: next(&plan, tx.now())?,
            progress: progress(desk, backups.first(), tx.now()),
            restore: restore_command(&plan.folder, &desk.instance.data),
            frame,
            may_run,
            plan,
            backups,
            good,
            form,
            problems,
        })
    }

    /// Whether somebody else makes one: the command line, or a process that ended in the middle.
    fn runs_elsewhere(&self) -> bool {
        self.progress.is_none() && self.health.tone == "running"
    }
}

fn in_words(expression: &str) -> Result<String> {
    if expression.is_empty() {
        return Ok("Never by itself.".into());
    }
    schedule::describe(expression)
}

/// The next times at which a backup is due; none while there is no folder or no schedule.
fn next(plan: &Plan, now: Timestamp) -> Result<Vec<Timestamp>> {
    let mut times = Vec::new();
    let mut after = now;
    while plan.has_folder() && !plan.schedule.is_empty() && times.len() < limits::SCHEDULE_TIMES_SHOWN {
        let Some(at) = schedule::next(&plan.schedule, after)? else { break };
        times.push(at);
        after = at;
    }
    Ok(times)
}

fn progress(desk: &Desk, newest: Option<&Backup>, now: Timestamp) -> Option<Progress> {
    let (done, total) = desk.progress()?;
    let began = newest.filter(|backup| backup.state == "running").map(|backup| backup.started_at);
    let passed_ms = began.and_then(|at| u64::try_from(now.0 - at.0).ok()).filter(|ms| *ms > 0);
    let left_ms = passed_ms.filter(|_| done > 0 && total > done).map(|ms| {
        let left = u128::from(ms) * u128::from(total - done) / u128::from(done);
        u64::try_from(left).unwrap_or(u64::MAX)
    });
    Some(Progress { done, total, left_ms })
}

/// The command that brings the newest backup back, beside the data folder of this instance.
fn restore_command(folder: &Path, data: &Path) -> String {
    let data = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    let into = format!("{}-restored", data.display());
    format!(
        "testkeep restore --from {} --into {} --kit-file kit.txt",
        quoted(&folder.display().to_string()),
        quoted(&into)
    )
}

/// A path as a shell reads it.
fn quoted(path: &str) -> String {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    if is_plain && !path.is_empty() { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_to_restore_survives_a_shell() {
        let command = restore_command(Path::new("/mnt/my disk"), Path::new("/var/lib/testkeep"));
        let expected =
            "testkeep restore --from '/mnt/my disk' --into /var/lib/testkeep-restored --kit-file kit.txt";
        assert_eq!(command, expected);
        assert_eq!(quoted("a'b"), "'a'\\''b'");
    }
}
