//! Verdicts in the browser: a run with its items, executing one by hand, and how a case fared over time.

mod execute;
mod history;
mod record;
mod region;
mod run;
mod view;

use super::Verdict;
use crate::kernel::access::{ProjectView, Read};
use crate::kernel::error::Result;
use crate::kernel::markdown;
use crate::library::evidence::{self, Evidence};
use crate::running::runs::Run;
use crate::running::runs::items::Item;
use crate::web::routes::{Route, get, post};

/// The pages of this slice.
pub fn routes() -> Vec<Route> {
    vec![
        get("/p/{project}/runs/{run}", run::show),
        get("/p/{project}/runs/{run}/live", run::live),
        get("/p/{project}/runs/{run}/items/{item}", execute::show),
        post("/p/{project}/runs/{run}/items/{item}", record::verdict),
        post("/p/{project}/runs/{run}/items/{item}/evidence", record::attach),
        get("/p/{project}/cases/{case}/results", history::show),
    ]
}

/// The page on which an item is executed.
fn item_url(key: &str, run: i64, item: i64) -> String {
    format!("/p/{key}/runs/{run}/items/{item}")
}

/// One result with all that belongs to it.
struct Attempt {
    verdict: Verdict,
    comment: String,
    evidence: Vec<Evidence>,
}

/// The results of an item with their files, the newest first.
fn attempts(tx: Read<'_, ProjectView>, run: &Run, item: &Item) -> Result<Vec<Attempt>> {
    let each = super::of_item(tx, run, item)?.into_iter().map(|verdict| {
        let evidence = evidence::of_result(tx, verdict.id)?;
        let comment = verdict.comment.as_deref().map(markdown::html).unwrap_or_default();
        Ok(Attempt { verdict, comment, evidence })
    });
    each.collect()
}

/// The first line of a message, for a row.
fn first_line(message: &str) -> &str {
    message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim()
}
