//! How a case fared in the latest runs that held it: a page, and a part of the page of the case.

use crate::kernel::access::{Gate, ProjectView, Read};
use crate::kernel::error::Result;
use crate::library::cases::{self, Case};
use crate::library::projects;
use crate::people;
use crate::running::runs;
use crate::running::runs::history::{self, Entry};
use crate::web::filters;
use crate::web::layout::{At, Frame};
use crate::web::respond::{Fragment, Page, Path};
use crate::web::tally::Tally;
use crate::web::visit::Visit;
use actix_web::Either;
use askama::Template;

/// How a case fared, as a page.
#[derive(Template)]
#[template(path = "running/results/history.html")]
pub struct HistoryPage {
    frame: Frame,
    key: String,
    case: Case,
    tally: Tally,
    part: HistoryPart,
}

/// The table alone.
#[derive(Template)]
#[template(path = "running/results/history_part.html")]
pub struct HistoryPart {
    key: String,
    entries: Vec<Entry>,
    /// The page of all, if some are left out here.
    all: Option<String>,
}

/// Results that stand on the page of a case; their own page has all.
const RECENT: usize = 8;

impl HistoryPart {
    fn read(tx: Read<'_, ProjectView>, key: &str, case: &Case) -> Result<HistoryPart> {
        Ok(HistoryPart { key: key.to_owned(), entries: history::of_case(tx, case.id)?, all: None })
    }

    fn recent(mut self, number: i64) -> HistoryPart {
        if self.entries.len() > RECENT {
            self.entries.truncate(RECENT);
            self.all = Some(format!("/p/{}/cases/{number}/results", self.key));
        }
        self
    }

    fn url(&self, entry: &Entry) -> String {
        format!("{}?item={}", runs::url(&self.key, entry.run), entry.item.0)
    }

    fn line(&self, entry: &Entry) -> String {
        entry.message.as_deref().map(super::first_line).unwrap_or_default().to_owned()
    }
}

/// The page for the browser, the table for a script.
pub async fn show(
    gate: Gate<ProjectView>,
    Path((key, case)): Path<(String, String)>,
    visit: Visit,
) -> Result<Either<Page<HistoryPage>, Fragment<HistoryPart>>> {
    let number = cases::named(&key, &case)?;
    if visit.is_by_script {
        let part = gate.read(move |tx| HistoryPart::read(tx, &key, &cases::one(tx, number)?));
        let part = part.await?.recent(number);
        return Ok(Either::Right(Fragment(part)));
    }
    let view = gate.read(move |tx| {
        let case = cases::one(tx, number)?;
        let frame = Frame::project(tx, visit, people::seen(tx)?, projects::head(tx)?)
            .at(At::Cases)
            .crumb(format!("C{number}"), format!("/p/{key}/cases/{number}"))
            .here("Results");
        let part = HistoryPart::read(tx, &key, &case)?;
        let mut counts = runs::Counts::default();
        part.entries.iter().for_each(|entry| *counts.of_mut(entry.status) += 1);
        Ok(HistoryPage { frame, key, case, tally: counts.tally(), part })
    });
    Ok(Either::Left(Page::new(view.await?)))
}
