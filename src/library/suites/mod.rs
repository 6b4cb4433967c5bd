//! Suites: the tree in which cases stand. Knows how many cases it holds, and not which.

mod api;
mod pages;
mod sql;
mod tree;

pub use api::Api;
pub use pages::choices;
pub use tree::{Node, Tree};

use crate::kernel::access::{CaseWrite, InProject, ProjectView, Read, Write};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::SuiteId;
use crate::kernel::limits;
use crate::library::text::Title;
use crate::web::routes::Route;
use std::collections::HashMap;

const CREATED: Event = Event::new("suite.created", "A suite was made.");
const RENAMED: Event = Event::new("suite.renamed", "A suite got another name.");
const MOVED: Event = Event::new("suite.moved", "A suite was moved in the tree.");
const DELETED: Event = Event::new("suite.deleted", "An empty suite was deleted.");
/// What the audit trail may say of suites.
pub const EVENTS: &[Event] = &[CREATED, RENAMED, MOVED, DELETED];

/// Where cases go that name no suite.
pub const UNSORTED: &str = "Unsorted";

/// The routes of this slice, for people and for programs.
pub fn routes() -> Vec<Route> {
    pages::routes().into_iter().chain(api::routes()).collect()
}

/// A node of the case tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Suite {
    /// Its number.
    pub id: SuiteId,
    /// The suite it stands in; none at the root.
    pub parent: Option<SuiteId>,
    /// What it is called, unlike its sisters.
    pub name: String,
    /// Active cases directly in it.
    pub cases: i64,
}

/// The whole tree with its counts, read in one statement.
pub fn tree(tx: impl InProject) -> Result<Tree> {
    Ok(Tree::of(sql::all(tx)?))
}

/// One suite.
pub fn one(tx: impl InProject, id: SuiteId) -> Result<Suite> {
    sql::one(tx, id)?.ok_or_else(|| no_such_suite(id))
}

/// Makes a suite after its sisters.
pub fn create<'t>(
    tx: Write<'t, CaseWrite>,
    parent: Option<SuiteId>,
    name: &Title,
) -> Result<Audited<'t, Suite>> {
    let tree = tree(tx)?;
    if let Some(parent) = parent {
        let depth = tree.depth(parent).ok_or_else(|| no_such_suite(parent))?;
        refuse_too_deep(depth + 1)?;
    }
    if tree.len() >= limits::SUITES_MAX {
        return Err(Error::conflict(format!("A project holds at most {} suites.", limits::SUITES_MAX)));
    }
    let suite = sql::insert(tx, parent, name.as_str())?.ok_or_else(|| taken(name))?;
    tx.audited(CREATED.of(suite.id), suite)
}

/// Gives a suite another name.
pub fn rename<'t>(tx: Write<'t, CaseWrite>, id: SuiteId, name: &Title) -> Result<Audited<'t, Suite>> {
    let suite = one(tx, id)?;
    if sql::named(tx, suite.parent, name.as_str())?.is_some_and(|found| found != id) {
        return Err(taken(name));
    }
    let suite = sql::set_name(tx, id, name.as_str())?;
    tx.audited(RENAMED.of(id), suite)
}

/// Moves a suite with all in it under another one, or to the root.
pub fn move_under(
    tx: Write<'_, CaseWrite>,
    id: SuiteId,
    parent: Option<SuiteId>,
) -> Result<Audited<'_, Suite>> {
    let suite = one(tx, id)?;
    if let Some(parent) = parent {
        let tree = tree(tx)?;
        let depth = tree.depth(parent).ok_or_else(|| no_such_suite(parent))?;
        if tree.is_within(parent, id) {
            return Err(Error::invalid("A suite cannot be moved into itself.")
                .hint("Choose a suite outside of it, or the root."));
        }
        refuse_too_deep(depth + tree.height(id))?;
    }
    let name = Title::stored(suite.name);
    if sql::named(tx, parent, name.as_str())?.is_some_and(|found| found != id) {
        return Err(taken(&name));
    }
    let moved = sql::set_parent(tx, id, parent)?;
    tx.audited(MOVED.of(id).count("parent", parent.map_or(0, |parent| parent.0)), moved)
}

/// Deletes a suite that holds neither suites nor cases, those in the trash included.
pub fn delete(tx: Write<'_, CaseWrite>, id: SuiteId) -> Result<Audited<'_, ()>> {
    one(tx, id)?;
    if sql::is_in_use(tx, id)? {
        return Err(Error::conflict("This suite is not empty.")
            .hint("Move its suites and cases elsewhere first; cases in the trash count as well."));
    }
    sql::delete(tx, id)?;
    tx.audited(DELETED.of(id), ())
}

/// Suites by their path, remembered while many cases are filed.
#[derive(Default, Debug)]
pub struct Paths {
    known: HashMap<(Option<SuiteId>, String), SuiteId>,
    /// Suites of the project, counted when the first is about to be made.
    all: Option<i64>,
    /// How many suites had to be made.
    pub made: i64,
}

impl Paths {
    /// The suite at a path of names from the root; missing ones are made. An empty path is "Unsorted", and so is
    /// all that would make more suites than a project holds.
    ///
    /// Whoever calls this writes the entry in the audit trail, with `made`.
    pub fn find_or_create(&mut self, tx: Write<'_, CaseWrite>, names: &[Title]) -> Result<SuiteId> {
        let (own, deep) = names.split_at(names.len().min(limits::SUITE_DEPTH_MAX - 1));
        let mut place = None;
        for name in own {
            place = Some(self.child(tx, place, name.as_str())?);
        }
        if !deep.is_empty() {
            let rest: Vec<&str> = deep.iter().map(Title::as_str).collect();
            let rest = Title::from_machine(&rest.join(" / "));
            place = Some(self.child(tx, place, rest.as_str())?);
        }
        place.map_or_else(|| self.child(tx, None, UNSORTED), Ok)
    }

    fn child(&mut self, tx: Write<'_, CaseWrite>, parent: Option<SuiteId>, name: &str) -> Result<SuiteId> {
        let place = (parent, name.to_owned());
        if let Some(known) = self.known.get(&place) {
            return Ok(*known);
        }
        let id = match sql::named(tx, parent, name)? {
            Some(id) => id,
            // A report with a class for each of its checks must not make a tree that nobody can open.
            None if self.is_full(tx)? && place != (None, UNSORTED.to_owned()) => {
                self.child(tx, None, UNSORTED)?
            }
            None => {
                self.made += 1;
                let made = sql::insert(tx, parent, name)?;
                made.ok_or_else(|| Error::internal("a suite appeared inside our own transaction"))?.id
            }
        };
        self.known.insert(place, id);
        Ok(id)
    }

    fn is_full(&mut self, tx: Write<'_, CaseWrite>) -> Result<bool> {
        let before = match self.all {
            Some(count) => count,
            None => *self.all.insert(sql::count(tx)?),
        };
        Ok(before + self.made >= limits::SUITES_MAX)
    }
}

/// Adds to the number of active cases of a suite. Whoever adds, trashes or moves a case calls this.
pub fn count_cases(tx: Write<'_, CaseWrite>, id: SuiteId, by: i64) -> Result<()> {
    sql::add_cases(tx, id, by)
}

/// The tree, for those who may look.
pub fn list(tx: Read<'_, ProjectView>) -> Result<Tree> {
    tree(tx)
}

fn refuse_too_deep(depth: usize) -> Result<()> {
    if depth > limits::SUITE_DEPTH_MAX {
        return Err(Error::invalid(format!("Suites nest at most {} deep.", limits::SUITE_DEPTH_MAX))
            .hint("Choose a suite nearer to the root."));
    }
    Ok(())
}

fn taken(name: &Title) -> Error {
    Error::conflict(format!("There is already a suite \"{name}\" at this place."))
        .hint("Choose another name.")
}

fn no_such_suite(id: SuiteId) -> Error {
    Error::not_found(format!("There is no suite {} in this project.", id.0))
}
