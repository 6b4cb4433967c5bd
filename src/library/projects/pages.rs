//! Projects in a browser: the list one lands on, a new project, and the settings of one.

use super::{Key, NewProject, Project, State};
use crate::kernel::access::{Gate, ProjectAdmin, ProjectKeep, ProjectList, ProjectView, Refusal, Tx};
use crate::kernel::error::{Kind, Result};
use crate::library::text::Title;
use crate::people;
use crate::web::filters;
use crate::web::forms::{Form, Problems};
use crate::web::layout::{At, Frame};
use crate::web::respond::{Answer, Page, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use askama::Template;
use serde::Deserialize;

/// The pages of this slice.
pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/", index),
        get("/projects/new", new),
        post("/projects/new", add),
        get("/p/{project}/settings", settings),
        post("/p/{project}/settings", change),
        post("/p/{project}/archive", archive),
        post("/p/{project}/reopen", reopen),
        post("/p/{project}/trash", trash),
        post("/projects/recover", recover),
    ]
}

#[derive(Template)]
#[template(path = "library/projects/list.html")]
struct ListPage {
    frame: Frame,
    projects: Vec<Project>,
    archived: Vec<Project>,
    may_create: bool,
}

async fn index(gate: Gate<ProjectList>, visit: Visit) -> Result<Page<ListPage>> {
    let view = gate.read(move |tx| {
        let frame = Frame::instance(tx, visit, people::seen(tx)?).at(At::Projects);
        let (projects, archived) = super::list(tx)?.into_iter().partition(|p| p.state == State::Active);
        Ok(ListPage { frame, projects, archived, may_create: tx.may::<ProjectAdmin>() })
    });
    Ok(Page::new(view.await?))
}

#[derive(Template)]
#[template(path = "library/projects/new.html")]
struct NewPage {
    frame: Frame,
    form: NewForm,
    problems: Problems,
}

#[derive(Deserialize, Default, Clone)]
struct NewForm {
    key: String,
    name: String,
    #[serde(default)]
    description: String,
}

async fn new(gate: Gate<ProjectList>, visit: Visit) -> Result<Page<NewPage>> {
    Ok(Page::new(new_page(&gate, visit, NewForm::default(), Problems::default()).await?))
}

async fn new_page(
    gate: &Gate<ProjectList>,
    visit: Visit,
    form: NewForm,
    problems: Problems,
) -> Result<NewPage> {
    let reading = gate.read(move |tx| {
        if !tx.may::<ProjectAdmin>() {
            return Err(Refusal::Role.into());
        }
        let frame = Frame::instance(tx, visit, people::seen(tx)?).at(At::Projects).here("New project");
        Ok(NewPage { frame, form, problems })
    });
    reading.await
}

async fn add(
    gate: Gate<ProjectAdmin>,
    look: Gate<ProjectList>,
    visit: Visit,
    Form(form): Form<NewForm>,
) -> Result<Answer<NewPage>> {
    let mut problems = Problems::default();
    let key = problems.keep("key", Key::new(&form.key));
    let name = problems.keep("name", Title::new("project", &form.name));
    if let (Some(key), Some(name)) = (key, name) {
        let new = NewProject { key, name, description: form.description.clone() };
        match gate.write(move |tx| super::create(tx, &new)).await {
            Ok(made) => {
                let said = format!("{} is ready for its first case.", made.key);
                return Ok(Redirect::to(format!("/p/{}", made.key)).saying(said).into());
            }
            Err(wrong) if wrong.kind() == Kind::Conflict => problems.add_error("key", &wrong),
            Err(wrong) if wrong.kind() == Kind::TooLarge => problems.add_error("description", &wrong),
            Err(other) => return Err(other),
        }
    }
    Ok(Page::refused(new_page(&look, visit, form, problems).await?).into())
}

#[derive(Template)]
#[template(path = "library/projects/settings.html")]
struct SettingsPage {
    frame: Frame,
    project: Project,
    form: SettingsForm,
    problems: Problems,
    is_archived: bool,
}

#[derive(Deserialize, Default, Clone)]
struct SettingsForm {
    name: String,
    #[serde(default)]
    description: String,
}

async fn settings(gate: Gate<ProjectView>, visit: Visit) -> Result<Page<SettingsPage>> {
    Ok(Page::new(settings_page(&gate, visit, None, Problems::default()).await?))
}

/// The settings as they are, or as somebody typed them.
async fn settings_page(
    gate: &Gate<ProjectView>,
    visit: Visit,
    typed: Option<SettingsForm>,
    problems: Problems,
) -> Result<SettingsPage> {
    let reading = gate.read(move |tx| {
        if !tx.may::<ProjectKeep>() {
            return Err(Refusal::Role.into());
        }
        let project = super::this(tx)?;
        let stored =
            SettingsForm { name: project.name.to_string(), description: project.description.clone() };
        let frame = Frame::project(tx, visit, people::seen(tx)?, super::head(tx)?).at(At::ProjectSettings);
        let is_archived = project.state == State::Archived;
        Ok(SettingsPage { frame, project, form: typed.unwrap_or(stored), problems, is_archived })
    });
    reading.await
}

async fn change(
    gate: Gate<ProjectKeep>,
    look: Gate<ProjectView>,
    visit: Visit,
    Form(form): Form<SettingsForm>,
) -> Result<Answer<SettingsPage>> {
    let mut problems = Problems::default();
    if let Some(name) = problems.keep("name", Title::new("project", &form.name)) {
        let description = form.description.clone();
        match gate.write(move |tx| super::change(tx, &name, &description)).await {
            Ok(changed) => return Ok(back(&changed, "The settings are saved.").into()),
            Err(wrong) if wrong.kind() == Kind::TooLarge => problems.add_error("description", &wrong),
            Err(other) => return Err(other),
        }
    }
    Ok(Page::refused(settings_page(&look, visit, Some(form), problems).await?).into())
}

async fn archive(gate: Gate<ProjectKeep>) -> Result<Redirect> {
    let archived = gate.write(super::archive).await?;
    let said = format!("{} is archived: it can be read, and nothing in it changes.", archived.key);
    Ok(back(&archived, &said))
}

async fn reopen(gate: Gate<ProjectKeep>) -> Result<Redirect> {
    let reopened = gate.write(super::reopen).await?;
    Ok(back(&reopened, &format!("{} is taken up again.", reopened.key)))
}

#[derive(Deserialize)]
struct KeyForm {
    key: String,
}

/// The key is typed: a project is more than can be glanced over.
async fn trash(gate: Gate<ProjectKeep>, Form(typed): Form<KeyForm>) -> Result<Redirect> {
    let typed = typed.key.trim().to_ascii_uppercase();
    let key = gate.read(|tx| super::key(tx)).await?;
    if typed != key {
        return Ok(
            Redirect::to(format!("/p/{key}/settings")).warning(format!("Type {key} to delete this project."))
        );
    }
    gate.write(super::trash).await?;
    Ok(Redirect::to("/").saying(format!(
        "{key} lies in the trash. An owner of the instance can take it out again under Storage."
    )))
}

async fn recover(gate: Gate<ProjectAdmin>, Form(form): Form<KeyForm>) -> Result<Redirect> {
    let key = gate.write(move |tx| super::recover(tx, &form.key)).await?;
    Ok(Redirect::to(format!("/p/{key}")).saying(format!("{key} is out of the trash, as it was.")))
}

fn back(project: &Project, said: &str) -> Redirect {
    Redirect::to(format!("/p/{}/settings", project.key)).saying(said)
}
