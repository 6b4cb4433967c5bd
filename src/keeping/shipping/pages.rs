//! The page of the shipped log: whether it is on, and how far it is.

use super::{Chosen, Place, Shipping, Switch, chosen};
use crate::kernel::access::{BackupKeep, BackupView, Gate, Permission, Read, RestoreView, Tx};
use crate::kernel::error::Result;
use crate::kernel::id::TargetId;
use crate::kernel::time::{Clock, Timestamp};
use crate::people;
use crate::web::filters;
use crate::web::forms::{Form, Problems};
use crate::web::layout::{At, Frame};
use crate::web::respond::{Answer, Page, Path, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

/// The address of the page.
const PAGE: &str = "/instance/backups/log";

pub(super) fn routes() -> Vec<Route> {
    vec![get(PAGE, show), post(PAGE, change), post("/instance/backups/log/{target}", choose)]
}

#[derive(Template)]
#[template(path = "keeping/shipping/log.html")]
struct LogPage {
    frame: Frame,
    may_keep: bool,
    is_on: bool,
    rows: Vec<Row>,
    seconds: i64,
    restore: String,
    /// Targets from which another machine can follow, each with the command.
    follow: Vec<(String, String)>,
    problems: Problems,
}

/// A target as the page shows it.
struct Row {
    tone: &'static str,
    word: &'static str,
    id: i64,
    name: String,
    sentence: String,
    has_log: bool,
    is_able: bool,
    reached: Option<Timestamp>,
    seconds: Option<i64>,
    waiting: u32,
}

#[derive(Deserialize)]
struct ChoiceForm {
    on: String,
}

#[derive(Deserialize)]
struct SwitchForm {
    on: Option<String>,
    seconds: i64,
}

async fn show(gate: Gate<BackupView>, visit: Visit, shipping: Data<Shipping>) -> Result<Page<LogPage>> {
    let page = gate.read(move |tx| LogPage::of(tx, visit, &shipping, None)).await?;
    Ok(Page::new(page))
}

async fn change(
    gate: Gate<BackupKeep>,
    visit: Visit,
    shipping: Data<Shipping>,
    Form(form): Form<SwitchForm>,
) -> Result<Answer<LogPage>> {
    let switch = Switch { is_on: form.on.is_some(), seconds: form.seconds };
    if let Err(refusal) = switch.check() {
        let mut problems = Problems::default();
        problems.add("seconds", refusal.sentence().to_owned());
        let page = gate.read(move |tx| LogPage::of(tx.reading(), visit, &shipping, Some((switch, problems))));
        return Ok(Page::refused(page.await?).into());
    }
    let said = if switch.is_on { "The log is shipped." } else { "The log is not shipped any more." };
    gate.write(move |tx| switch.set(tx.narrow())).await?;
    shipping.nudge();
    Ok(Redirect::to(PAGE).saying(said).into())
}

async fn choose(
    gate: Gate<BackupKeep>,
    Path(target): Path<i64>,
    shipping: Data<Shipping>,
    Form(ChoiceForm { on }): Form<ChoiceForm>,
) -> Result<Redirect> {
    let has_log = on == "yes";
    gate.write(move |tx| super::choose(tx.narrow(), TargetId(target), has_log)).await?;
    shipping.nudge();
    let said = if has_log { "The log goes there." } else { "The log does not go there any more." };
    Ok(Redirect::to(PAGE).saying(said))
}

impl LogPage {
    /// Whether to lead to the page on which the instance goes back to a moment.
    fn may_look(&self) -> bool {
        self.frame.leads_to(&RestoreView::INFO)
    }

    fn of(
        tx: Read<'_, BackupView>,
        visit: Visit,
        shipping: &Shipping,
        refused: Option<(Switch, Problems)>,
    ) -> Result<LogPage> {
        let stored = Switch::get(tx)?;
        let (switch, problems) = refused.unwrap_or((stored, Problems::default()));
        let now = Clock::System.now();
        let places = shipping.places();
        let row = |chosen: Chosen| {
            let place = places.iter().find(|place| place.id == chosen.target.id);
            Row::of(chosen, place.filter(|_| stored.is_on), now)
        };
        let chosen = chosen(tx)?;
        let able = chosen.iter().filter(|chosen| chosen.is_able() && chosen.has_log);
        let data = &shipping.desk.instance.data;
        let follow =
            able.map(|Chosen { target, .. }| (target.name.clone(), target.following(data))).collect();
        Ok(LogPage {
            may_keep: tx.may::<BackupKeep>(),
            frame: Frame::instance(tx, visit, people::seen(tx)?).at(At::Backups).here("Point in time"),
            is_on: switch.is_on,
            rows: chosen.into_iter().map(row).collect(),
            follow,
            seconds: switch.seconds,
            restore: format!("testkeep restore --from FOLDER --into NEWDIR --kit-file kit.txt --at {now}"),
            problems,
        })
    }
}

impl Row {
    fn of(chosen: Chosen, place: Option<&Place>, now: Timestamp) -> Row {
        let is_able = chosen.is_able();
        let Chosen { target, has_log } = chosen;
        let (tone, word, sentence) = match place {
            Some(place) => {
                let (tone, word) = match (&place.trouble, place.has_base, place.reached) {
                    _ if place.is_left_behind => ("failed", "Taken over"),
                    (Some(_), ..) => ("failed", "Stuck"),
                    (None, true, Some(_)) => ("passed", "Following"),
                    _ => ("running", "Beginning"),
                };
                (tone, word, place.sentence(now))
            }
            None if !is_able => {
                ("untested", "No log", "It is switched off, or takes only what restic writes.".into())
            }
            None if has_log => ("untested", "Chosen", "The log goes there once it is shipped.".into()),
            None => ("untested", "No log", "The log does not go there.".into()),
        };
        Row {
            tone,
            word,
            id: target.id.0,
            name: target.name,
            sentence,
            has_log,
            is_able,
            reached: place.and_then(|place| place.reached),
            seconds: place.and_then(|place| place.lag_ms(now)).map(|ms| ms / 1_000),
            waiting: place.map_or(0, |place| place.waiting),
        }
    }
}
