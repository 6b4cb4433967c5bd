//! The history of a case: its revisions, what two of them say differently, and the way back to one.

use super::differences::{Piece, Tag, pieces};
use super::frame;
use crate::kernel::access::{CaseWrite, Gate, ProjectView, Read};
use crate::kernel::error::Result;
use crate::kernel::limits;
use crate::library::cases::diff::diff;
use crate::library::cases::{self, Case, Revision};
use crate::library::projects;
use crate::web::filters;
use crate::web::forms::{Choice, Form};
use crate::web::layout::Frame;
use crate::web::respond::{Page, Path, Query, Redirect};
use crate::web::visit::Visit;
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "library/cases/history.html")]
pub(super) struct HistoryPage {
    frame: Frame,
    /// Page of the case.
    url: String,
    reference: String,
    case: Case,
    revisions: Vec<Revision>,
    /// The revision before which the next page of revisions begins.
    earlier: Option<i64>,
    compared: Option<Compared>,
    may_write: bool,
}

/// Two revisions side by side.
struct Compared {
    from: i64,
    to: i64,
    /// What can be chosen instead.
    froms: Vec<Choice>,
    tos: Vec<Choice>,
    pieces: Vec<Piece>,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    from: Option<i64>,
    to: Option<i64>,
    before: Option<i64>,
}

/// The revisions of a case; compares two of them, the last two unless others are asked for.
pub(super) async fn show(
    gate: Gate<ProjectView>,
    visit: Visit,
    Path((key, case)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Page<HistoryPage>> {
    let number = cases::named(&key, &case)?;
    Ok(Page::new(gate.read(move |tx| page(tx, visit, number, &asked)).await?))
}

fn page(tx: Read<'_, ProjectView>, visit: Visit, number: i64, asked: &Asked) -> Result<HistoryPage> {
    let key = projects::key(tx)?;
    let url = format!("{}/{number}", super::base(&key));
    let case = cases::one(tx, number)?;
    let mut revisions = cases::revisions(tx, number, asked.before, limits::PAGE_ROWS + 1)?;
    let is_more = revisions.len() as i64 > limits::PAGE_ROWS;
    revisions.truncate(limits::PAGE_ROWS as usize);
    let earlier = revisions.last().filter(|_| is_more).map(|last| last.number);
    let to = asked.to.unwrap_or(case.revision);
    let from = asked.from.unwrap_or(to - 1);
    let compared =
        (from != to && from > 0).then(|| compare(tx, number, (from, to), case.revision)).transpose()?;
    let frame = frame(tx, visit)?.crumb(format!("C{number}"), &url).here("History");
    let reference = format!("{key}-C{number}");
    let may_write = projects::offers::<CaseWrite>(tx)?;
    Ok(HistoryPage { frame, url, reference, case, revisions, earlier, compared, may_write })
}

fn compare(tx: Read<'_, ProjectView>, number: i64, (from, to): (i64, i64), newest: i64) -> Result<Compared> {
    let (old, new) = (cases::revision(tx, number, from)?, cases::revision(tx, number, to)?);
    let all = || (1..=newest).rev().take(limits::PAGE_ROWS as usize).map(|n| (n, format!("Revision {n}")));
    let (froms, tos) = (Choice::among(all(), from), Choice::among(all(), to));
    Ok(Compared { from, to, froms, tos, pieces: pieces(&diff(&old, &new)) })
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    revision: i64,
}

/// Makes an earlier revision the newest one.
pub(super) async fn restore(
    gate: Gate<CaseWrite>,
    Path((key, case)): Path<(String, String)>,
    Form(Wanted { revision }): Form<Wanted>,
) -> Result<Redirect> {
    let number = cases::named(&key, &case)?;
    let restored = gate.write(move |tx| cases::restore(tx, number, revision)).await?;
    let newest = restored.revision;
    Ok(Redirect::to(format!("{}/{number}", super::base(&key)))
        .saying(format!("Revision {revision} is the newest again, as revision {newest}.")))
}
