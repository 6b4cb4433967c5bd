//! Cases in the browser: the list with its tree, one case, the editor, the history of a case.

mod browse;
mod change;
mod conflict;
mod differences;
mod edit;
mod form;
mod history;
mod show;
mod twigs;

use crate::kernel::access::InProject;
use crate::kernel::error::Result;
use crate::library::projects;
use crate::people;
use crate::web::layout::{At, Frame};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;

/// The routes for people. What `running` knows of a case is mounted there, below the same address.
pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/p/{project}/cases", browse::index),
        post("/p/{project}/cases", edit::create),
        post("/p/{project}/cases/quick", change::quick),
        post("/p/{project}/cases/selected", change::selected),
        get("/p/{project}/cases/new", edit::blank),
        get("/p/{project}/cases/{case}", show::case),
        get("/p/{project}/cases/{case}/edit", edit::open),
        post("/p/{project}/cases/{case}/edit", edit::save),
        get("/p/{project}/cases/{case}/history", history::show),
        post("/p/{project}/cases/{case}/restore", history::restore),
    ]
}

/// The list of cases of a project.
fn base(project_key: &str) -> String {
    format!("/p/{project_key}/cases")
}

fn frame(tx: impl InProject, visit: Visit) -> Result<Frame> {
    Ok(Frame::project(tx, visit, people::seen(tx)?, projects::head(tx)?).at(At::Cases))
}

/// A word of one of our lists as it begins a line.
fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// `1 case`, `12 cases`.
fn cases(count: usize) -> String {
    if count == 1 { "1 case".to_owned() } else { format!("{count} cases") }
}
