//! Pages of the audit trail: of the instance, and of one project.

use super::asked::Asked;
use super::checked::{self, Checked};
use super::{Entry, events, sql};
use crate::kernel::access::{AuditExport, AuditView, Gate, ProjectAudit, Read, Tx};
use crate::kernel::audit::Verdict;
use crate::kernel::error::Result;
use crate::kernel::instance::Instance;
use crate::library::projects;
use crate::people;
use crate::web::filters;
use crate::web::forms::{Choice, Form};
use crate::web::layout::{At, Frame};
use crate::web::respond::{Page, Query, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/instance/audit", of_the_instance),
        post("/instance/audit/verify", verify),
        get("/p/{project}/audit", of_a_project),
    ]
}

#[derive(Template)]
#[template(path = "keeping/trail/list.html")]
struct TrailPage {
    frame: Frame,
    /// Address of the list without its filter.
    base: String,
    /// Whether the reader may check and export the trail.
    may_export: bool,
    checked: Option<Checked>,
    kinds: Vec<Choice>,
    people: Vec<Choice>,
    entries: Vec<Entry>,
    open: Option<Entry>,
    asked: Asked,
}

async fn of_the_instance(
    gate: Gate<AuditView>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Result<Page<TrailPage>> {
    let filter = asked.filter()?;
    let view = gate.read(move |tx: Read<'_, AuditView>| {
        let mut frame = Frame::instance(tx, visit, people::seen(tx)?).at(At::Audit);
        let may_export = tx.may::<AuditExport>();
        if may_export {
            frame = frame.key(&["v"], "Verify the trail");
        }
        let (entries, people) = (super::list(tx, &filter)?, sql::everybody(tx)?);
        let page = TrailPage::of(frame, "/instance/audit".into(), entries, people, asked);
        Ok(TrailPage { may_export, checked: Checked::last(tx)?, ..page })
    });
    Ok(Page::new(view.await?))
}

async fn of_a_project(
    gate: Gate<ProjectAudit>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Result<Page<TrailPage>> {
    let filter = asked.filter()?;
    let view = gate.read(move |tx: Read<'_, ProjectAudit>| {
        let project = projects::head(tx)?;
        let base = format!("/p/{}/audit", project.key);
        let frame = Frame::project(tx, visit, people::seen(tx)?, project).at(At::ProjectAudit);
        let (entries, people) = (super::list_in_project(tx, &filter)?, sql::members(tx)?);
        Ok(TrailPage::of(frame, base, entries, people, asked))
    });
    Ok(Page::new(view.await?))
}

impl TrailPage {
    fn of(
        frame: Frame,
        base: String,
        entries: Vec<Entry>,
        people: Vec<sql::Named>,
        asked: Asked,
    ) -> TrailPage {
        let mut people: Vec<(String, String)> =
            people.into_iter().map(|person| (person.id.to_string(), person.name)).collect();
        people.insert(0, (String::new(), "Everybody".into()));
        if !people.iter().any(|(id, _)| *id == asked.user) {
            // Somebody who acted here without a role here, such as an owner of the instance.
            let entry =
                entries.first().map_or_else(|| format!("Account {}", asked.user), |entry| entry.who.clone());
            people.push((asked.user.clone(), entry));
        }
        TrailPage {
            frame: frame.key(&["j", "k"], "Next, previous entry").key(&["Enter"], "Open the entry"),
            base,
            may_export: false,
            checked: None,
            kinds: Choice::among(events::kinds(&asked.event), &asked.event),
            people: Choice::among(people, &asked.user),
            open: entries.iter().find(|entry| Some(entry.line.seq) == asked.entry).cloned(),
            entries,
            asked,
        }
    }

    fn is_filtered(&self) -> bool {
        !self.asked.query().is_empty()
    }

    fn is_open(&self, entry: &Entry) -> bool {
        self.asked.entry == Some(entry.line.seq)
    }

    /// Address of this list from an entry on.
    fn url(&self, before: Option<i64>) -> String {
        let before = before.map(|seq| format!("before={seq}"));
        let query: Vec<String> = [Some(self.asked.query()), before]
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{mark}{}", self.base, query.join("&"))
    }

    /// Address of the page after this one; empty at the end.
    fn later(&self) -> String {
        super::next(&self.entries).map(|seq| self.url(Some(seq))).unwrap_or_default()
    }

    /// Address of the newest page; empty on it.
    fn newest(&self) -> String {
        self.asked.before.map(|_| self.url(None)).unwrap_or_default()
    }

    /// Address of this list with nothing open.
    fn closed_url(&self) -> String {
        self.url(self.asked.before)
    }

    /// Address of this list with one entry open.
    fn entry_url(&self, entry: &Entry) -> String {
        let list = self.closed_url();
        let mark = if list.contains('?') { '&' } else { '?' };
        format!("{list}{mark}entry={}#entry", entry.line.seq)
    }
}

#[derive(Deserialize)]
struct Nothing {}

async fn verify(
    gate: Gate<AuditExport>,
    instance: Data<Instance>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Redirect> {
    let verdict = checked::verify(&instance, &gate).await?;
    let (back, words) = (Redirect::to("/instance/audit"), super::in_words(&verdict));
    Ok(match verdict {
        Verdict::Whole(_) => back.saying(words),
        Verdict::BrokenAt(_) | Verdict::CutShort { .. } => back.warning(words),
    })
}
