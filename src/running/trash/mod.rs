//! The trash of a project: cases and runs that were deleted, to be taken out again until they are purged.
//!
//! How each goes in and out is the matter of its own slice; here they stand on one page.

mod api;
mod pages;

pub use api::Api;

use crate::kernel::access::{Door, ProjectView, Read};
use crate::kernel::error::Result;
use crate::kernel::limits;
use crate::library::cases::list::{self, Line, Look};
use crate::running::results::recount;
use crate::running::runs::trash::{Trashed, trashed};
use crate::web::routes::Route;

/// Routes of the page and of the API.
pub fn routes() -> Vec<Route> {
    pages::routes().into_iter().chain(api::routes()).collect()
}

/// What lies in the trash of a project.
pub struct Trash {
    /// Cases, by number.
    pub cases: Vec<Line>,
    /// Runs, the newest first.
    pub runs: Vec<Trashed>,
}

/// What lies in the trash.
pub fn contents(tx: Read<'_, ProjectView>) -> Result<Trash> {
    let cases = list::to_look_at(tx, Look::Trash, None, limits::API_ROWS_MAX)?.lines;
    Ok(Trash { cases, runs: trashed(tx)? })
}

/// Counts cases anew at once where that is quick; else the job does it.
async fn count_anew(door: &Door) {
    let counting = tokio::time::timeout(limits::RECOUNT_WAIT, recount::recount_all(door));
    if let Ok(Err(reason)) = counting.await {
        tracing::error!(?reason, "summaries could not be counted anew");
    }
}
