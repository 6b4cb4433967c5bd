//! The page of backups: how well the instance is protected, where backups go, and what there is.

use super::health::Standing;
use super::{Backup, Cause, Copies, Desk, Health, Step, probe};
use crate::keeping::targets::{self, Goal, Regions};
use crate::kernel::access::{BackupKeep, BackupRun, BackupView, Gate, Read, Tx};
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::id::TargetId;
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
pub(super) const PAGE: &str = "/instance/backups";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(PAGE, show),
        post(PAGE, make),
        post("/instance/backups/stop", stop),
        post("/instance/backups/regions", set_regions),
    ]
}

#[derive(Template)]
#[template(path = "keeping/backups/list.html", blocks = ["state"])]
struct BackupsPage {
    frame: Frame,
    may_run: bool,
    may_keep: bool,
    health: Health,
    targets: Vec<Line>,
    backups: Vec<Backup>,
    good: Option<Backup>,
    /// What runs or waits, oldest first.
    running: Vec<Running>,
    /// The next one by schedule, and where it goes.
    next: Option<(Timestamp, String)>,
    leaves_machine: bool,
    copies: Copies,
    regions: String,
    problems: Problems,
    /// What brings the newest backup back.
    restore: Option<String>,
}

/// A target with what the page says beside it.
struct Line {
    standing: Standing,
    is_elsewhere: bool,
    is_on_same_disk: bool,
}

/// How far a backup is that runs now.
pub(super) struct Running {
    pub name: String,
    pub target: Option<i64>,
    pub step: Step,
    pub done: u64,
    pub total: u64,
    /// Bytes a second since it began.
    pub rate: Option<u64>,
    pub left_ms: Option<u64>,
}

impl Running {
    /// What the desk knows, with the time since the record began.
    pub(super) fn all(tx: impl Tx, desk: &Desk) -> Result<Vec<Running>> {
        let records = super::sql::newest(tx)?;
        let began = |target: Option<TargetId>| {
            let mut own = records.iter().filter(|backup| backup.state == "running");
            own.find(|backup| backup.target_id == target).map(|backup| backup.started_at)
        };
        Ok(desk.progress().into_iter().map(|at| Running::of(at, began, tx.now())).collect())
    }

    /// Says of the records of those that wait for their turn that they do: the tables know no such state.
    pub(super) fn tell_apart(running: &[Running], backups: &mut [Backup]) {
        let waits = |backup: &Backup| {
            let target = backup.target_id.map(|id| id.0);
            backup.state == "running"
                && running.iter().any(|at| at.target == target && at.step == Step::Waiting)
        };
        backups.iter_mut().filter(|backup| waits(backup)).for_each(|backup| backup.state = "waiting".into());
    }

    fn of(
        at: super::Progress,
        began: impl Fn(Option<TargetId>) -> Option<Timestamp>,
        now: Timestamp,
    ) -> Running {
        let passed_ms = began(at.target).and_then(|began| u64::try_from(now.0 - began.0).ok());
        let passed_ms = passed_ms.filter(|ms| *ms > 0 && at.done > 0 && at.step == Step::Writing);
        let scaled = |by: u64, of: u64, to: u64| {
            u64::try_from(u128::from(by) * u128::from(to) / u128::from(of)).unwrap_or(u64::MAX)
        };
        let left_ms =
            passed_ms.filter(|_| at.total > at.done).map(|ms| scaled(ms, at.done, at.total - at.done));
        // Nobody waits for tenths, and they would jump.
        let left_ms = left_ms.map(|ms| ms.div_ceil(1_000).saturating_mul(1_000));
        Running {
            rate: passed_ms.map(|ms| scaled(at.done, ms, 1000)),
            left_ms,
            name: at.name,
            target: at.target.map(|id| id.0),
            step: at.step,
            done: at.done,
            total: at.total,
        }
    }
}

async fn show(
    gate: Gate<BackupView>,
    visit: Visit,
    desk: Data<Desk>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (is_by_script, desk) = (visit.is_by_script, desk.into_inner());
    let page = gate.read(move |tx| BackupsPage::of(tx, visit, &desk)).await?;
    Ok(if is_by_script {
        Fragment(page.as_state()).respond_to(&request)
    } else {
        Page::new(page).respond_to(&request)
    })
}

#[derive(Deserialize)]
struct WhichForm {
    /// Number of the target; all without one.
    target: Option<i64>,
}

async fn make(
    gate: Gate<BackupRun>,
    desk: Data<Desk>,
    Form(WhichForm { target }): Form<WhichForm>,
) -> Result<Redirect> {
    let desk = desk.into_inner();
    let back = Redirect::to(target.map_or(PAGE.to_owned(), |id| format!("{PAGE}/targets/{id}")));
    let begun = match begin(&gate, &desk, target.map(TargetId)).await {
        // The button stays while one is made: whoever presses it again is told, and nothing else happens.
        Err(reason) if reason.kind() == Kind::Conflict && !desk.progress().is_empty() => {
            return Ok(back.warning(reason.sentence()));
        }
        begun => begun?,
    };
    Ok(back.saying(match begun.len() {
        1 => "A backup is being made. You may leave this page, it goes on.".to_owned(),
        count => format!("{count} backups are being made, one after the other. You may leave this page."),
    }))
}

/// Begins a backup to one target, or to all that are on. Answers which began; one that cannot stops no other.
pub(super) async fn begin(
    gate: &Gate<BackupRun>,
    desk: &Arc<Desk>,
    target: Option<TargetId>,
) -> Result<Vec<crate::kernel::id::BackupId>> {
    let instance = Arc::clone(&desk.instance);
    let goals: Vec<Result<Goal>> = gate
        .read(move |tx| {
            let asked = match target {
                Some(id) => vec![targets::get(tx, id)?],
                None => targets::list(tx)?.into_iter().filter(|target| target.is_enabled).collect(),
            };
            Ok(asked.iter().map(|target| Goal::of(tx, &instance, target)).collect())
        })
        .await?;
    if goals.is_empty() {
        return Err(Error::conflict("No target is set up for backups.")
            .hint("Add one on the page of backups, or name a folder: testkeep backup --to /mnt/keep."));
    }
    let (mut begun, mut refused) = (Vec::new(), None);
    for goal in goals {
        let began = match goal {
            Ok(goal) => Arc::clone(desk).begin(gate.clone(), Cause::Person, goal).await,
            Err(reason) => Err(reason),
        };
        match began {
            Ok(id) => begun.push(id),
            Err(reason) => refused = refused.or(Some(reason)),
        }
    }
    match refused {
        Some(reason) if begun.is_empty() => Err(reason),
        _ => Ok(begun),
    }
}

async fn stop(
    gate: Gate<BackupRun>,
    desk: Data<Desk>,
    Form(WhichForm { target }): Form<WhichForm>,
) -> Result<Redirect> {
    let back = Redirect::to(PAGE);
    if desk.progress().is_empty() {
        gate.admit().await?;
        return Ok(back.warning("No backup is being made here."));
    }
    gate.write(|tx| tx.audited(super::STOPPED.alone(), ())).await?;
    desk.cancel(target.map(TargetId));
    Ok(back.saying("The backup stops. What is stored already is used by the next one."))
}

#[derive(Deserialize)]
struct RegionsForm {
    regions: String,
}

async fn set_regions(
    gate: Gate<BackupKeep>,
    visit: Visit,
    desk: Data<Desk>,
    Form(form): Form<RegionsForm>,
) -> Result<Answer<BackupsPage>> {
    let regions = match Regions::parse(&form.regions) {
        Ok(regions) => regions,
        Err(refusal) => {
            let mut problems = Problems::default();
            problems.add_error("regions", &refusal);
            let page = gate.read(move |tx| {
                let page = BackupsPage::of(tx.reading(), visit, &desk)?;
                Ok(BackupsPage { regions: form.regions, problems, ..page })
            });
            return Ok(Page::refused(page.await?).into());
        }
    };
    gate.write(move |tx| targets::set_regions(tx.narrow(), &regions)).await?;
    Ok(Redirect::to(PAGE).saying("The policy of regions is saved.").into())
}

impl BackupsPage {
    fn of(tx: Read<'_, BackupView>, visit: Visit, desk: &Arc<Desk>) -> Result<BackupsPage> {
        let may_run = tx.may::<BackupRun>();
        let mut frame = Frame::instance(tx, visit, people::seen(tx)?).at(At::Backups);
        let (mut standings, mut backups) = (Standing::all(tx)?, super::list(tx)?);
        let running = Running::all(tx, desk)?;
        Running::tell_apart(&running, &mut backups);
        standings.iter_mut().for_each(|standing| standing.tell_apart(&running));
        let health = Health::together(&standings, !backups.is_empty());
        if may_run && standings.iter().any(|standing| standing.target.is_enabled) {
            frame = frame.key(&["b"], "Back up now");
        }
        let next = standings
            .iter()
            .filter_map(|standing| standing.next_at.map(|at| (at, standing.target.name.clone())))
            .min_by_key(|(at, _)| at.0);
        let good = super::newest_good(tx)?;
        let copies = Copies::count(&standings, &desk.instance.data);
        let targets: Vec<Line> = standings.into_iter().map(|standing| Line::of(standing, desk)).collect();
        let is_on = |line: &&Line| line.standing.target.is_enabled;
        Ok(BackupsPage {
            copies,
            leaves_machine: targets.iter().filter(is_on).any(|line| line.is_elsewhere),
            restore: good.as_ref().map(|good| restore_command(&good.target, &desk.instance.data)),
            running,
            regions: Regions::get(tx)?.text(),
            problems: Problems::default(),
            frame,
            may_run,
            may_keep: tx.may::<BackupKeep>(),
            health,
            targets,
            backups,
            good,
            next,
        })
    }

    /// Whether somebody else makes one: the command line, or a process that ended in the middle.
    fn runs_elsewhere(&self) -> bool {
        self.running.is_empty() && self.backups.iter().any(|backup| backup.state == "running")
    }

    /// Whether what the page says is about to change.
    fn is_live(&self) -> bool {
        !self.running.is_empty() || self.runs_elsewhere()
    }

    /// What stands above the sentence about how well all is.
    fn headline(&self) -> &'static str {
        if self.health.word == "Failed" { "A backup failed" } else { self.health.word }
    }

    fn is_any_on(&self) -> bool {
        self.targets.iter().any(|line| line.standing.target.is_enabled)
    }
}

impl Standing {
    fn tell_apart(&mut self, running: &[Running]) {
        let own = running.iter().find(|at| at.target == Some(self.target.id.0));
        if own.is_some_and(|at| at.step == Step::Waiting) {
            self.health.word = "Waiting";
            self.health.sentence = "A backup is made once those before it are done.".into();
        }
    }
}

impl Line {
    fn of(standing: Standing, desk: &Desk) -> Line {
        let place = standing.target.address.parse().ok();
        Line {
            is_elsewhere: place.as_ref().is_some_and(probe::is_off_machine),
            is_on_same_disk: place.as_ref().is_some_and(|place| desk.is_on_same_disk(place)),
            standing,
        }
    }
}

/// The command that brings the newest backup back, beside the data folder of this instance.
fn restore_command(from: &str, data: &Path) -> String {
    let data = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    let into = format!("{}-restored", data.display());
    let access = if from.starts_with('/') { "" } else { " --access-file access.json" };
    format!("testkeep restore --from {}{access} --into {} --kit-file kit.txt", quoted(from), quoted(&into))
}

/// A path as a shell reads it.
pub(super) fn quoted(path: &str) -> String {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    if is_plain && !path.is_empty() { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_to_restore_survives_a_shell() {
        let command = restore_command("/mnt/my disk", Path::new("/var/lib/testkeep"));
        let expected =
            "testkeep restore --from '/mnt/my disk' --into /var/lib/testkeep-restored --kit-file kit.txt";
        assert_eq!(command, expected);
        assert_eq!(quoted("a'b"), "'a'\\''b'");
        let command = restore_command("s3://keep/shop?region=eu-central-1", Path::new("/data"));
        assert!(command.contains("--from 's3://keep/shop?region=eu-central-1' --access-file"), "{command}");
    }
}
