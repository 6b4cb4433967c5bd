//! The page of keys: which there are, how old they are, what opens the instance, and their exchange.

use super::{Change, DAYS_MAX, Kind, Reached, age};
use crate::kernel::access::{Gate, InstanceKeep, InstanceView, Read, Tx};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::instance::Instance;
use crate::kernel::keyring::{Line, Purpose, Share, ShareCount, State, Way};
use crate::kernel::time::Timestamp;
use crate::people;
use crate::web::filters;
use crate::web::forms::{Form, Problems};
use crate::web::layout::{At, Frame};
use crate::web::respond::{Answer, Page, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, Responder};
use askama::Template;
use serde::Deserialize;

/// The address of the page.
pub(super) const PAGE: &str = "/instance/keys";

/// The routes of this slice.
pub fn routes() -> Vec<Route> {
    let pages = vec![
        get(PAGE, show),
        post("/instance/keys/exchange", exchange),
        post("/instance/keys/ages", change_days),
        post("/instance/keys/shares", print_shares),
    ];
    pages.into_iter().chain(super::kit_pages::routes()).chain(super::api::routes()).collect()
}

#[derive(Template)]
#[template(path = "keeping/keys/show.html")]
struct KeysPage {
    frame: Frame,
    uuid: String,
    created_at: Timestamp,
    keys: Vec<Line>,
    ways: Vec<Way>,
    kinds: Vec<Choice>,
    changes: Vec<Change>,
    /// The exchange of the recovery kit that is in force; 1 for the one that came with the instance.
    kit: u32,
    targets: Vec<Reached>,
    days_max: String,
    now: Timestamp,
    may_keep: bool,
    is_fresh: bool,
    shares: SharesForm,
    problems: Problems,
}

/// A key that can be exchanged, with the age of the one in use.
struct Choice {
    kind: Kind,
    days: i64,
    is_overdue: bool,
}

#[derive(Template)]
#[template(path = "keeping/keys/shares.html")]
struct SharesPage {
    frame: Frame,
    instance: String,
    uuid: String,
    need: u8,
    of: u8,
    set: String,
    papers: Vec<Paper>,
}

/// One share as it is shown: its number, and its groups in lines.
struct Paper {
    number: u8,
    lines: Vec<String>,
}

async fn show(gate: Gate<InstanceView>, visit: Visit, instance: Data<Instance>) -> Result<Page<KeysPage>> {
    let instance = instance.into_inner();
    let page = gate.read(move |tx| KeysPage::of(tx, visit, &instance));
    Ok(Page::new(page.await?))
}

#[derive(Deserialize)]
struct ExchangeForm {
    #[serde(default)]
    key: Vec<String>,
}

async fn exchange(gate: Gate<InstanceKeep>, Form(form): Form<ExchangeForm>) -> Result<Redirect> {
    if form.key.is_empty() {
        gate.admit().await?;
        return Ok(Redirect::to(PAGE).warning("No key was named. Choose at least one."));
    }
    let kinds = kinds(&form.key)?;
    gate.write(move |tx| super::order(tx, &kinds)).await?;
    Ok(Redirect::to(PAGE)
        .saying("The exchange is ordered. It begins within seconds, and the instance goes on answering."))
}

/// The keys of these words.
pub(super) fn kinds(words: &[String]) -> Result<Vec<Kind>> {
    let kind = |word: &String| {
        Kind::of_word(word).ok_or_else(|| Error::invalid(format!("There is no key “{word}” to exchange.")))
    };
    words.iter().map(kind).collect()
}

#[derive(Deserialize)]
struct DaysForm {
    days: String,
}

async fn change_days(
    gate: Gate<InstanceKeep>,
    visit: Visit,
    instance: Data<Instance>,
    Form(form): Form<DaysForm>,
) -> Result<Answer<KeysPage>> {
    if let Err(refusal) = (DAYS_MAX.check)(form.days.trim()) {
        let mut problems = Problems::default();
        problems.add_error("days", &refusal);
        let page = gate.read(move |tx| {
            let page = KeysPage::of(tx.reading(), visit, &instance)?;
            Ok(KeysPage { days_max: form.days, problems, ..page })
        });
        return Ok(Page::refused(page.await?).into());
    }
    gate.write(move |tx| super::set_days(tx, form.days.trim())).await?;
    Ok(Redirect::to(PAGE).saying("The age that keys may reach is saved.").into())
}

#[derive(Deserialize, Clone, Copy)]
struct SharesForm {
    of: u8,
    need: u8,
}

async fn print_shares(
    gate: Gate<InstanceKeep>,
    visit: Visit,
    instance: Data<Instance>,
    request: HttpRequest,
    Form(form): Form<SharesForm>,
) -> Result<HttpResponse> {
    let (instance, count) = (instance.into_inner(), ShareCount { of: form.of, need: form.need });
    let own = instance.clone();
    let papers = match gate.write(move |tx| super::new_shares(tx, &own, count)).await {
        Ok(papers) => papers,
        Err(refusal) if refusal.kind() == error::Kind::Invalid => {
            let mut problems = Problems::default();
            problems.add_error("need", &refusal);
            let page = gate.read(move |tx| {
                let page = KeysPage::of(tx.reading(), visit, &instance)?;
                Ok(KeysPage { shares: form, problems, ..page })
            });
            return Ok(Page::refused(page.await?).respond_to(&request));
        }
        Err(refusal) => return Err(refusal),
    };
    let page = gate.read(move |tx| {
        let seen = people::seen(tx)?;
        let name = seen.instance.clone();
        Ok(SharesPage {
            frame: Frame::instance(tx, visit, seen).at(At::Keys).here("Shares"),
            instance: name,
            uuid: instance.keyring()?.uuid().to_owned(),
            need: count.need,
            of: count.of,
            set: papers.first().map(Share::set_name).unwrap_or_default(),
            papers: papers.iter().map(Paper::of).collect(),
        })
    });
    Ok(Page::new(page.await?).respond_to(&request))
}

impl Paper {
    fn of(share: &Share) -> Paper {
        let printed = share.print();
        let groups: Vec<&str> = printed.expose().split('-').collect();
        Paper { number: share.number, lines: groups.chunks(6).map(|line| line.join("-")).collect() }
    }
}

impl KeysPage {
    fn of(tx: Read<'_, InstanceView>, visit: Visit, instance: &Instance) -> Result<KeysPage> {
        let days_max = age::days(&DAYS_MAX.get(tx)?)?;
        let keyring = instance.keyring()?;
        let choice = |kind: &Kind| {
            let days = age::age(&keyring, *kind, tx.now())?;
            Some(Choice { kind: *kind, days, is_overdue: days_max > 0 && days > days_max })
        };
        Ok(KeysPage {
            frame: Frame::instance(tx, visit, people::seen(tx)?).at(At::Keys),
            uuid: keyring.uuid().to_owned(),
            created_at: keyring.created_at(),
            keys: keyring.lines(),
            ways: keyring.ways(),
            kinds: Kind::ALL.iter().filter_map(choice).collect(),
            changes: super::changes(tx)?,
            kit: keyring.generation(Purpose::BackupPassword),
            targets: super::reached(tx)?,
            days_max: days_max.to_string(),
            now: tx.now(),
            may_keep: tx.may::<InstanceKeep>(),
            is_fresh: tx.is_fresh(),
            shares: SharesForm { of: 5, need: 3 },
            problems: Problems::default(),
        })
    }

    fn is_working(&self) -> bool {
        self.changes.iter().any(Change::is_open)
    }

    fn days(&self, line: &Line) -> i64 {
        ((self.now.0 - line.made_at.0) / (24 * 3_600_000)).max(0)
    }

    /// How long the secret of a way has been set, in days; those of an older keyring came with the instance.
    fn days_of(&self, way: &Way) -> i64 {
        let made_at = way.made_at.map_or(self.created_at.0, |at| at.0);
        ((self.now.0 - made_at) / (24 * 3_600_000)).max(0)
    }

    /// Whether the kit was ever exchanged, and some target may still know the one before.
    fn has_kit_news(&self) -> bool {
        self.kit > 1 && !self.targets.is_empty()
    }

    fn in_use(&self) -> impl Iterator<Item = &Line> {
        self.keys.iter().filter(|line| line.state != State::Retired)
    }

    fn retired(&self) -> impl Iterator<Item = &Line> {
        self.keys.iter().filter(|line| line.state == State::Retired)
    }

    fn has_retired(&self) -> bool {
        self.retired().next().is_some()
    }
}
