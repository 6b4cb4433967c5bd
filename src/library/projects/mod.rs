//! Projects: isolated containers of cases and runs, known by a short key such as `SHOP`.
//!
//! A key never changes: it stands in references (`SHOP-C12`) that people have written down elsewhere.

mod api;
mod pages;
mod sql;

pub use api::Api;

use crate::kernel::access::{
    InProject, Permission, Project as ProjectScope, ProjectAdmin, ProjectKeep, ProjectList, ProjectView,
    Read, Tx, Write,
};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::ProjectId;
use crate::kernel::time::Timestamp;
use crate::kernel::words::words;
use crate::library::holds;
use crate::library::text::{self, Title};
use crate::web::layout::ProjectHead;
use crate::web::routes::Route;

const CREATED: Event = Event::new("project.created", "A project was created.");
const CHANGED: Event = Event::new("project.changed", "A project got another name or description.");
const ARCHIVED: Event = Event::new("project.archived", "A project was put away.");
const REOPENED: Event = Event::new("project.reopened", "An archived project was taken up again.");
const TRASHED: Event = Event::new("project.trashed", "A project was put into the trash, with all in it.");
const RECOVERED: Event = Event::new("project.recovered", "A project was taken out of the trash.");
/// What the audit trail may say of projects.
pub const EVENTS: &[Event] = &[CREATED, CHANGED, ARCHIVED, REOPENED, TRASHED, RECOVERED];

words! {
    /// Whether a project is worked in.
    State = "state of a project" {
        /// People work in it.
        Active = "active",
        /// Put away: it can be read, and lists leave it out.
        Archived = "archived",
    }
}

/// An isolated container of cases and runs.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its number.
    pub id: ProjectId,
    /// Its key, such as `SHOP`.
    pub key: String,
    /// What it is called.
    pub name: Title,
    /// What it is for; Markdown.
    pub description: String,
    /// Whether it is worked in.
    pub state: State,
    /// Its active cases.
    pub cases: i64,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A key that fits: 2 to 10 letters and digits, a letter first.
#[derive(Clone, Debug)]
pub struct Key(String);

impl Key {
    /// The key, if it fits. Small letters are taken as capitals.
    pub fn new(text: &str) -> Result<Key> {
        let key = text.trim().to_ascii_uppercase();
        let starts_well = key.starts_with(|first: char| first.is_ascii_uppercase());
        let is_plain = key.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if !starts_well || !is_plain || !(2..=10).contains(&key.len()) {
            return Err(Error::invalid("This key does not fit.")
                .hint("A key is 2 to 10 letters and digits, a letter first, such as SHOP."));
        }
        Ok(Key(key))
    }

    /// The letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A project to be created.
#[derive(Clone, Debug)]
pub struct NewProject {
    /// Its key, for good.
    pub key: Key,
    /// What it is called.
    pub name: Title,
    /// What it is for; Markdown.
    pub description: String,
}

/// The routes of this slice.
pub fn routes() -> Vec<Route> {
    pages::routes().into_iter().chain(api::routes()).collect()
}

/// Creates a project under a key that nobody uses yet.
pub fn create<'t>(tx: Write<'t, ProjectAdmin>, new: &NewProject) -> Result<Audited<'t, Project>> {
    let description = text::body("The description", &new.description)?;
    let project = sql::insert(tx, new, &description)?.ok_or_else(|| {
        Error::conflict(format!("The key {} is taken by another project.", new.key.as_str()))
            .hint("Choose another key.")
    })?;
    tx.audited(CREATED.of(project.id), project)
}

/// The projects the actor may see, by key: all with a role in the instance, else those with a role there.
pub fn list(tx: Read<'_, ProjectList>) -> Result<Vec<Project>> {
    sql::visible(tx)
}

/// The project of this transaction.
pub fn this(tx: Read<'_, ProjectView>) -> Result<Project> {
    sql::this(tx)
}

/// Gives a project another name and description.
pub fn change<'t>(
    tx: Write<'t, ProjectKeep>,
    name: &Title,
    description: &str,
) -> Result<Audited<'t, Project>> {
    let description = text::body("The description", description)?;
    let project = sql::set_words(tx, name, &description)?;
    tx.audited(CHANGED.of(project.id), project)
}

/// Puts a project away: it stays readable, takes no change, and lists leave it out.
pub fn archive(tx: Write<'_, ProjectKeep>) -> Result<Audited<'_, Project>> {
    let project = sql::set_state(tx, State::Archived)?;
    tx.audited(ARCHIVED.of(project.id), project)
}

/// Takes an archived project up again.
pub fn reopen(tx: Write<'_, ProjectKeep>) -> Result<Audited<'_, Project>> {
    let project = sql::set_state(tx, State::Active)?;
    tx.audited(REOPENED.of(project.id), project)
}

/// Puts a project into the trash, with all in it: nobody finds it any more until it is taken out.
pub fn trash(tx: Write<'_, ProjectKeep>) -> Result<Audited<'_, Project>> {
    holds::refuse_project(tx)?;
    let project = sql::this(tx)?;
    sql::set_trashed(tx)?;
    tx.audited(TRASHED.of(project.id), project)
}

/// Takes a project out of the trash, as it was; answers its key.
pub fn recover<'t>(tx: Write<'t, ProjectAdmin>, key: &str) -> Result<Audited<'t, String>> {
    let id = sql::recover(tx, key)?.ok_or_else(|| {
        Error::not_found(format!("There is no project {key} in the trash.")).hint("It may be purged already.")
    })?;
    tx.audited(RECOVERED.of(id), key.to_owned())
}

/// A project in the trash.
#[derive(Clone, Debug)]
pub struct Trashed {
    /// Its key.
    pub key: String,
    /// What it is called.
    pub name: String,
    /// Since when it lies there.
    pub trashed_at: Timestamp,
}

/// Projects in the trash, the newest first.
pub fn trashed(tx: impl Tx) -> Result<Vec<Trashed>> {
    sql::trashed(tx)
}

/// The key of the project of this transaction.
pub fn key(tx: impl InProject) -> Result<String> {
    sql::key(tx)
}

/// The project as the frame of a page names it.
pub fn head(tx: impl InProject) -> Result<ProjectHead> {
    Ok(sql::head(tx)?.0)
}

/// Whether the actor may do this here and the project is not put away: for showing a button.
pub fn offers<P: Permission<Scope = ProjectScope>>(tx: impl InProject) -> Result<bool> {
    Ok(tx.may::<P>() && sql::head(tx)?.1 == State::Active)
}
