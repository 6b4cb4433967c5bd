//! Suites in the browser: add one, rename or move it, delete an empty one. Its cases are listed by `cases`.

use super::{Suite, Tree};
use crate::kernel::access::{CaseWrite, Gate, ProjectView, Read, Write};
use crate::kernel::audit::{Audited, Quiet};
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::id::SuiteId;
use crate::library::projects;
use crate::library::text::Title;
use crate::people;
use crate::web::filters;
use crate::web::forms::{Choice, Form, Problems};
use crate::web::layout::{At, Frame};
use crate::web::respond::{Answer, Page, Path, Query, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use askama::Template;
use serde::Deserialize;

/// The routes for people.
pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/p/{project}/suites", add),
        get("/p/{project}/suites/new", blank),
        get("/p/{project}/suites/{suite}", show),
        post("/p/{project}/suites/{suite}", change),
        post("/p/{project}/suites/{suite}/delete", delete),
    ]
}

/// The suites to choose from, each with its path.
pub fn choices(tree: &Tree, chosen: Option<SuiteId>) -> Vec<Choice> {
    let mut path: Vec<&str> = Vec::new();
    let mut choices = Vec::with_capacity(tree.nodes().len());
    for node in tree.nodes() {
        path.truncate(node.depth - 1);
        path.push(&node.suite.name);
        let is_chosen = chosen == Some(node.suite.id);
        choices.push(Choice { value: node.suite.id.0.to_string(), word: path.join(" / "), is_chosen });
    }
    choices
}

#[derive(Template)]
#[template(path = "library/suites/edit.html")]
struct SuitePage {
    frame: Frame,
    /// The suite; none while a new one is named.
    suite: Option<Suite>,
    /// Cases in it and below it.
    total: i64,
    /// Suites directly below it.
    below: usize,
    /// Where the form goes.
    action: String,
    /// The list of cases to go back to.
    leave: String,
    home: String,
    /// What the field holds.
    called: String,
    parents: Vec<Choice>,
    problems: Problems,
}

#[derive(Deserialize, Clone)]
struct SuiteForm {
    name: String,
    parent: Option<i64>,
}

#[derive(Deserialize)]
struct Where {
    parent: Option<i64>,
}

/// A form for a new suite.
async fn blank(
    gate: Gate<ProjectView>,
    visit: Visit,
    Query(Where { parent }): Query<Where>,
) -> Result<Page<SuitePage>> {
    let form = SuiteForm { name: String::new(), parent };
    Ok(Page::new(gate.read(move |tx| page(tx, visit, None, Some(form), Problems::default())).await?))
}

/// A form for a suite that is there.
async fn show(
    gate: Gate<ProjectView>,
    visit: Visit,
    Path((_, suite)): Path<(String, i64)>,
) -> Result<Page<SuitePage>> {
    let suite = SuiteId(suite);
    Ok(Page::new(gate.read(move |tx| page(tx, visit, Some(suite), None, Problems::default())).await?))
}

/// Makes a suite.
async fn add(gate: Gate<CaseWrite>, visit: Visit, Form(form): Form<SuiteForm>) -> Result<Answer<SuitePage>> {
    let sent = form.clone();
    let written = gate.write(move |tx| {
        let name = Title::new("suite", &sent.name)?;
        let made = super::create(tx, sent.parent.map(SuiteId), &name)?;
        let key = projects::key(tx)?;
        Ok(made.map(|suite| (key, suite.id)))
    });
    match written.await {
        Ok((key, suite)) => Ok(Redirect::to(list(&key, Some(suite))).saying("The suite is added.").into()),
        Err(refusal) => refused(&gate, visit, None, form, refusal).await,
    }
}

/// Renames and moves a suite.
async fn change(
    gate: Gate<CaseWrite>,
    visit: Visit,
    Path((key, suite)): Path<(String, i64)>,
    Form(form): Form<SuiteForm>,
) -> Result<Answer<SuitePage>> {
    let (id, sent) = (SuiteId(suite), form.clone());
    match gate.write(move |tx| changed(tx, id, &sent)).await {
        Ok(()) => Ok(Redirect::to(list(&key, Some(id))).saying("The suite is saved.").into()),
        Err(refusal) => refused(&gate, visit, Some(id), form, refusal).await,
    }
}

fn changed<'t>(tx: Write<'t, CaseWrite>, id: SuiteId, form: &SuiteForm) -> Result<Audited<'t, ()>> {
    let suite = super::one(tx, id)?;
    let (name, parent) = (Title::new("suite", &form.name)?, form.parent.map(SuiteId));
    let mut proof = tx.quiet(Quiet::Unchanged, ());
    if parent != suite.parent {
        proof = super::move_under(tx, id, parent)?.map(drop);
    }
    if name.as_str() != suite.name {
        proof = super::rename(tx, id, &name)?.map(drop);
    }
    Ok(proof)
}

/// Deletes a suite that is empty.
async fn delete(gate: Gate<CaseWrite>, Path((key, suite)): Path<(String, i64)>) -> Result<Redirect> {
    let id = SuiteId(suite);
    let deleting = gate.write(move |tx| {
        let parent = super::one(tx, id)?.parent;
        Ok(super::delete(tx, id)?.map(|()| parent))
    });
    let parent = deleting.await?;
    Ok(Redirect::to(list(&key, parent)).saying("The suite is deleted."))
}

/// What a person can mend is said at its field; everything else is an error page.
async fn refused(
    gate: &Gate<CaseWrite>,
    visit: Visit,
    suite: Option<SuiteId>,
    form: SuiteForm,
    refusal: Error,
) -> Result<Answer<SuitePage>> {
    if !matches!(refusal.kind(), Kind::Invalid | Kind::Conflict) {
        return Err(refusal);
    }
    let mut problems = Problems::default();
    let hint = refusal.hint_text().map(|hint| format!(" {hint}")).unwrap_or_default();
    problems.add("name", format!("{}{hint}", refusal.sentence()));
    let reading = gate.read(move |tx| page(tx.reading(), visit, suite, Some(form), problems));
    Ok(Page::refused(reading.await?).into())
}

fn page(
    tx: Read<'_, ProjectView>,
    visit: Visit,
    suite: Option<SuiteId>,
    form: Option<SuiteForm>,
    problems: Problems,
) -> Result<SuitePage> {
    if !projects::offers::<CaseWrite>(tx)? {
        return Err(Error::forbidden("You can read the suites of this project, but not change them.")
            .hint("Whoever keeps the project can give you the role of a tester."));
    }
    let head = projects::head(tx)?;
    let (tree, home) = (super::tree(tx)?, format!("/p/{}", head.key));
    let node = suite.map(|id| tree.node(id).ok_or_else(|| super::no_such_suite(id))).transpose()?;
    let known = node.map(|node| SuiteForm {
        name: node.suite.name.clone(),
        parent: node.suite.parent.map(|parent| parent.0),
    });
    let form = form.or(known).unwrap_or(SuiteForm { name: String::new(), parent: None });
    let leave = list(&head.key, suite.or(form.parent.map(SuiteId)));
    let mut frame = Frame::project(tx, visit, people::seen(tx)?, head).at(At::Cases);
    if let Some(node) = node {
        frame = frame.crumb(&node.suite.name, &leave);
    }
    Ok(SuitePage {
        frame: frame.here(if suite.is_some() { "Change" } else { "New suite" }),
        total: node.map_or(0, |node| node.total),
        below: node.map_or(0, |node| node.below),
        action: suite.map_or(format!("{home}/suites"), |id| format!("{home}/suites/{}", id.0)),
        parents: parents(&tree, suite, form.parent.map(SuiteId)),
        suite: node.map(|node| node.suite.clone()),
        called: form.name,
        leave,
        home,
        problems,
    })
}

/// Where a suite may stand: anywhere but in itself.
fn parents(tree: &Tree, suite: Option<SuiteId>, chosen: Option<SuiteId>) -> Vec<Choice> {
    let own = suite.map(|id| tree.branch(id)).unwrap_or_default();
    let own: Vec<String> = own.iter().map(|node| node.suite.id.0.to_string()).collect();
    let root =
        Choice { value: String::new(), word: "No other suite".to_owned(), is_chosen: chosen.is_none() };
    let others = choices(tree, chosen).into_iter().filter(|choice| !own.contains(&choice.value));
    [root].into_iter().chain(others).collect()
}

/// The list of the cases of a suite, or of all.
fn list(key: &str, suite: Option<SuiteId>) -> String {
    let base = format!("/p/{key}/cases");
    suite.map_or(base.clone(), |suite| format!("{base}?suite={}", suite.0))
}
