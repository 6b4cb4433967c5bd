//! Suites over JSON.

use super::{Node, Suite};
use crate::kernel::access::{CaseWrite, Gate, ProjectView};
use crate::kernel::error::Result;
use crate::kernel::id::SuiteId;
use crate::library::text::Title;
use crate::web::respond::{Created, Json};
use crate::web::routes::{Route, get, post};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

/// The routes for programs.
pub(super) fn routes() -> Vec<Route> {
    vec![get("/api/v1/projects/{project}/suites", index), post("/api/v1/projects/{project}/suites", add)]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(index, add))]
pub struct Api;

/// The tree of suites, parents before children, with the number of active cases.
#[utoipa::path(get, path = "/api/v1/projects/{project}/suites", tag = "suites",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP")),
    responses((status = 200, body = SuitesWire)))]
async fn index(gate: Gate<ProjectView>) -> Result<Json<SuitesWire>> {
    let tree = gate.read(super::list).await?;
    Ok(Json(SuitesWire { suites: tree.nodes().iter().map(SuiteWire::from).collect() }))
}

/// Makes a suite after its sisters. A name that one of them has is a conflict (409).
#[utoipa::path(post, path = "/api/v1/projects/{project}/suites", tag = "suites", request_body = NewSuiteWire,
    params(("project" = String, Path, description = "Key of the project", example = "SHOP")),
    responses((status = 201, body = SuiteWire), (status = 409, description = "The name is taken.")))]
async fn add(gate: Gate<CaseWrite>, Json(new): Json<NewSuiteWire>) -> Result<Created<SuiteWire>> {
    let name = Title::new("suite", &new.name)?;
    let parent = new.parent.map(SuiteId);
    let suite = gate.write(move |tx| super::create(tx, parent, &name)).await?;
    Ok(Created(suite.into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSuite)]
struct NewSuiteWire {
    name: String,
    /// The suite it stands in; none puts it at the root.
    #[serde(default)]
    parent: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Suites)]
struct SuitesWire {
    suites: Vec<SuiteWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Suite)]
struct SuiteWire {
    id: i64,
    /// The suite it stands in; `null` at the root.
    parent: Option<i64>,
    name: String,
    /// Active cases directly in it.
    cases: i64,
    /// Active cases in it and in all suites below it.
    total: i64,
}

impl From<Suite> for SuiteWire {
    fn from(suite: Suite) -> SuiteWire {
        let parent = suite.parent.map(|parent| parent.0);
        SuiteWire { id: suite.id.0, parent, name: suite.name, cases: suite.cases, total: suite.cases }
    }
}

impl From<&Node> for SuiteWire {
    fn from(node: &Node) -> SuiteWire {
        SuiteWire { total: node.total, ..node.suite.clone().into() }
    }
}
