//! Projects over JSON.

use super::{Key, NewProject, Project};
use crate::kernel::access::{Gate, ProjectAdmin, ProjectList, ProjectView};
use crate::kernel::error::Result;
use crate::library::text::Title;
use crate::web::respond::{Created, Json};
use crate::web::routes::{Route, get, post};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

/// The routes of this slice.
pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/projects", index),
        post("/api/v1/projects", add),
        get("/api/v1/projects/{project}", show),
    ]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(index, add, show))]
pub struct Api;

/// Projects you can see, by key.
#[utoipa::path(get, path = "/api/v1/projects", tag = "projects",
    responses((status = 200, body = ProjectList200)))]
async fn index(gate: Gate<ProjectList>) -> Result<Json<ProjectList200>> {
    let projects = gate.read(super::list).await?;
    Ok(Json(ProjectList200 { projects: projects.into_iter().map(ProjectWire::from).collect() }))
}

/// Creates a project. Its key is for good; a taken key is a conflict (409).
#[utoipa::path(post, path = "/api/v1/projects", tag = "projects", request_body = NewProjectWire,
    responses((status = 201, body = ProjectWire), (status = 409, description = "The key is taken.")))]
async fn add(gate: Gate<ProjectAdmin>, Json(new): Json<NewProjectWire>) -> Result<Created<ProjectWire>> {
    let new = NewProject {
        key: Key::new(&new.key)?,
        name: Title::new("project", &new.name)?,
        description: new.description,
    };
    let project = gate.write(move |tx| super::create(tx, &new)).await?;
    Ok(Created(project.into()))
}

/// One project.
#[utoipa::path(get, path = "/api/v1/projects/{project}", tag = "projects",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP")),
    responses((status = 200, body = ProjectWire)))]
async fn show(gate: Gate<ProjectView>) -> Result<Json<ProjectWire>> {
    Ok(Json(gate.read(super::this).await?.into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewProject)]
struct NewProjectWire {
    /// 2 to 10 letters and digits, a letter first.
    #[schema(example = "SHOP")]
    key: String,
    /// What it is called.
    name: String,
    /// What it is for; Markdown.
    #[serde(default)]
    description: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Projects)]
struct ProjectList200 {
    projects: Vec<ProjectWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Project)]
struct ProjectWire {
    id: i64,
    #[schema(example = "SHOP")]
    key: String,
    name: String,
    /// Markdown.
    description: String,
    /// `active` or `archived`.
    state: &'static str,
    /// Active cases.
    cases: i64,
    /// Milliseconds since 1970 in UTC.
    created_at: i64,
}

impl From<Project> for ProjectWire {
    fn from(project: Project) -> ProjectWire {
        ProjectWire {
            id: project.id.0,
            name: project.name.to_string(),
            state: project.state.word(),
            key: project.key,
            description: project.description,
            cases: project.cases,
            created_at: project.created_at.0,
        }
    }
}
