//! The part of a run's page that stays true while one looks at it: figures, items, the open one.

use super::view::View;
use super::{Attempt, attempts, first_line, item_url};
use crate::kernel::access::{ProjectView, Read, ResultWrite, RunWrite, Tx};
use crate::kernel::error::Result;
use crate::kernel::id::{ItemId, SuiteId, UserId};
use crate::kernel::limits;
use crate::library::verdicts::Status;
use crate::library::{cases, projects, suites};
use crate::running::runs::groups::{self, OfMessage, Share};
use crate::running::runs::items::{self, Item};
use crate::running::runs::{self, Counts, Run, State};
use crate::web::filters;
use crate::web::layout::Frame;
use askama::Template;
use std::collections::HashMap;

/// Figures, items and the open one.
#[derive(Template)]
#[template(path = "running/results/region.html")]
pub struct Region {
    key: String,
    /// The run.
    pub run: Run,
    view: View,
    csrf: String,
    list: List,
    shares: Vec<Share>,
    people: Vec<(UserId, String)>,
    own: Option<UserId>,
    opened: Option<Opened>,
    /// Where executing goes on; empty if nothing is left or the reader may not.
    execute: String,
    may_record: bool,
    /// Whether the reader may close the run and give its items away.
    pub may_change: bool,
    pub may_delete: bool,
}

/// What stands on the left.
enum List {
    Items { sections: Vec<Section>, next: String },
    Suites(Vec<SuiteLine>),
    Messages(Vec<OfMessage>),
}

/// Items with the same verdict.
struct Section {
    status: Status,
    /// How many there are in the run; none if only some of them are asked for.
    count: Option<i64>,
    items: Vec<Item>,
}

struct SuiteLine {
    id: SuiteId,
    path: String,
    counts: Counts,
}

struct Opened {
    item: Item,
    suite: String,
    attempts: Vec<Attempt>,
}

/// What of a run its counts and its state depend on: the page looks again when it is another one.
pub fn mark(run: &Run) -> String {
    let Counts { untested, passed, .. } = run.counts;
    format!("{}.{}.{}.{untested}.{passed}", run.changed_at.0, run.state, run.counts.total())
}

impl Region {
    /// Reads what the view asks for.
    pub fn read(tx: Read<'_, ProjectView>, key: &str, run: Run, view: View, csrf: String) -> Result<Region> {
        let own = tx.actor().user();
        let is_open = run.state == State::Open;
        let may_record = is_open && projects::offers::<ResultWrite>(tx)?;
        let may_delete = projects::offers::<RunWrite>(tx)?;
        let may_change = is_open && may_delete;
        let shares = groups::shares(tx, run.id)?;
        let opened = match view.item {
            Some(id) => Some(Opened::read(tx, &run, id)?),
            None => None,
        };
        Ok(Region {
            key: key.to_owned(),
            list: List::read(tx, key, &run, &view)?,
            execute: if may_record { to_execute(tx, key, &run, own, &shares)? } else { String::new() },
            people: if may_change { runs::people(tx)? } else { Vec::new() },
            run,
            view,
            csrf,
            shares,
            own,
            opened,
            may_record,
            may_change,
            may_delete,
        })
    }

    /// The frame of the page, with what can be done here.
    pub fn on(&self, frame: Frame) -> Frame {
        let mut frame = frame.key(&["j", "k"], "Next, previous item").key(&["Enter"], "Open the item");
        if self.may_change {
            frame = frame.key(&["x"], "Choose the item").key(&["c"], "Close the run");
        }
        if !self.execute.is_empty() {
            frame = frame.action("run", "Execute the next item", self.execute.clone(), "e");
        }
        frame.action("person", "My items of this run", format!("{}?who=me", self.base()), "")
    }

    /// The address of the run.
    pub fn base(&self) -> String {
        runs::url(&self.key, self.run.number)
    }

    fn with(&self, change: impl FnOnce(&mut View)) -> String {
        let mut view = View { since: None, ..self.view.clone() };
        change(&mut view);
        view.address(&self.base()).to_string()
    }

    fn here(&self) -> String {
        self.with(|_| {})
    }

    /// Where this part is to be had again, once it has changed.
    pub fn live(&self) -> String {
        let view = View { since: Some(mark(&self.run)), ..self.view.clone() };
        view.address(&format!("{}/live", self.base())).to_string()
    }

    fn with_item(&self, item: &Item) -> String {
        self.with(|view| view.item = Some(item.id))
    }

    fn part_with_item(&self, item: &Item) -> String {
        let view = View { since: None, item: Some(item.id), ..self.view.clone() };
        view.address(&format!("{}/live", self.base())).to_string()
    }

    fn without_item(&self) -> String {
        self.with(|view| view.item = None)
    }

    fn grouped_by(&self, group: &str) -> String {
        let group = (!group.is_empty()).then(|| group.to_owned());
        View { group, ..View::default() }.address(&self.base()).to_string()
    }

    fn of_suite(&self, suite: &SuiteId) -> String {
        View { suite: Some(*suite), ..View::default() }.address(&self.base()).to_string()
    }

    fn of_message(&self, message: &str) -> String {
        let speechless = message.is_empty();
        let message = (!speechless).then(|| message.to_owned());
        View { message, speechless, ..View::default() }.address(&self.base()).to_string()
    }

    fn of_person(&self, share: &Share, status: &str) -> String {
        let status = (!status.is_empty()).then(|| status.to_owned());
        View { who: Some(self.who(share)), status, ..View::default() }.address(&self.base()).to_string()
    }

    fn item_url(&self, item: &Item) -> String {
        item_url(&self.key, self.run.number, item.id.0)
    }

    fn case_url(&self, item: &Item) -> String {
        format!("/p/{}/cases/{}", self.key, item.number)
    }

    fn is_opened(&self, item: &Item) -> bool {
        self.view.item == Some(item.id)
    }

    fn is_status(&self, status: &str) -> bool {
        self.view.status.as_deref().unwrap_or_default() == status && !self.view.is_narrowed()
    }

    fn is_grouped_by(&self, group: &str) -> bool {
        self.view.group.as_deref().unwrap_or_default() == group
    }

    /// The person as an address names them.
    fn who(&self, share: &Share) -> String {
        if self.own == Some(share.user) { "me".to_owned() } else { share.user.0.to_string() }
    }

    fn is_whose(&self, share: &Share) -> bool {
        self.view.who.as_deref() == Some(self.who(share).as_str())
    }

    fn is_me(&self) -> bool {
        self.view.who.as_deref() == Some("me")
    }

    fn own_share(&self) -> Option<&Share> {
        self.shares.iter().find(|share| self.own == Some(share.user))
    }

    fn done(&self) -> i64 {
        self.run.counts.total() - self.run.counts.untested
    }

    fn line(&self, item: &Item) -> String {
        item.message.as_deref().map(first_line).unwrap_or_default().to_owned()
    }
}

impl Opened {
    fn read(tx: Read<'_, ProjectView>, run: &Run, id: ItemId) -> Result<Opened> {
        let item = items::one(tx, run, id)?;
        let suite = place_of(tx, item.number)?;
        let attempts = attempts(tx, run, &item)?;
        Ok(Opened { item, suite, attempts })
    }
}

impl List {
    fn read(tx: Read<'_, ProjectView>, key: &str, run: &Run, view: &View) -> Result<List> {
        match view.group.as_deref() {
            Some("suite") => by_suite(tx, run).map(List::Suites),
            Some("message") => groups::by_message(tx, run.id).map(List::Messages),
            _ => of_items(tx, key, run, view),
        }
    }
}

fn of_items(tx: Read<'_, ProjectView>, key: &str, run: &Run, view: &View) -> Result<List> {
    let mut filter = view.filter(tx.actor().user())?;
    if view.has_message() && filter.statuses.is_empty() {
        filter.statuses = vec![Status::Failed, Status::Errored];
    }
    let (found, next) = items::list(tx, run, &filter, view.place()?, limits::PAGE_ROWS)?;
    let next = next.map(|place| {
        let view = View { after: Some(place.text()), since: None, item: None, ..view.clone() };
        view.address(&runs::url(key, run.number)).to_string()
    });
    let mut sections: Vec<Section> = Vec::new();
    for item in found {
        match sections.last_mut() {
            Some(section) if section.status == item.status => section.items.push(item),
            _ => {
                let count = (!view.is_narrowed()).then(|| run.counts.of(item.status));
                sections.push(Section { status: item.status, count, items: vec![item] });
            }
        }
    }
    Ok(List::Items { sections, next: next.unwrap_or_default() })
}

/// Suites with items, in the order of the tree.
fn by_suite(tx: Read<'_, ProjectView>, run: &Run) -> Result<Vec<SuiteLine>> {
    let tree = suites::tree(tx)?;
    let found = groups::by_suite(tx, run.id)?.into_iter();
    let mut counts: HashMap<SuiteId, Counts> = found.map(|line| (line.suite, line.counts)).collect();
    let path =
        |suite| tree.path(suite).iter().map(|suite| suite.name.as_str()).collect::<Vec<_>>().join(" / ");
    let in_order = tree.nodes().iter().map(|node| node.suite.id);
    Ok(in_order
        .filter_map(|id| counts.remove(&id).map(|counts| SuiteLine { id, path: path(id), counts }))
        .collect())
}

/// Names from the root down to the suite of a case.
fn place_of(tx: Read<'_, ProjectView>, number: i64) -> Result<String> {
    let mut names = Vec::new();
    let mut next = Some(cases::one(tx, number)?.suite);
    while let Some(id) = next.filter(|_| names.len() < limits::SUITE_DEPTH_MAX) {
        let suite = suites::one(tx, id)?;
        names.push(suite.name);
        next = suite.parent;
    }
    names.reverse();
    Ok(names.join(" / "))
}

/// The next item to execute: of one's own if any are left, else of all.
fn to_execute(
    tx: Read<'_, ProjectView>,
    key: &str,
    run: &Run,
    own: Option<UserId>,
    shares: &[Share],
) -> Result<String> {
    let has_own = shares.iter().any(|share| own == Some(share.user) && share.untested > 0);
    let next = items::next_untested(tx, run.id, ItemId(0), own.filter(|_| has_own))?;
    let whose = if has_own { "?who=me" } else { "" };
    Ok(next.map(|item| item_url(key, run.number, item.0) + whose).unwrap_or_default())
}
