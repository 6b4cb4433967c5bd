//! The API document: what every slice says of its handlers, gathered, with what holds for all of them.
//!
//! `GET /api/openapi.json` is for programs, `GET /api` for people. Both come from the code: the paths
//! from the handlers, the permissions from the route table.

mod example;
mod page;

use super::table::table;
use crate::exchange::uploads;
use crate::keeping::{
    backups, certificates, drills, integrity, keys, maintenance, restores, retention, shipping, storage,
    trail,
};
use crate::library::{cases, evidence, projects, suites};
use crate::people::{members, tokens, users};
use crate::running::{results, runs, trash};
use crate::web::routes::{Needs, Route, public};
use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::{Map, Value, json};
use std::sync::OnceLock;
use utoipa::OpenApi;

/// Where the API begins.
const BASE: &str = "/api/v1/";
/// The answer that every refusal shares.
const PROBLEM: &str = "#/components/responses/Problem";

#[derive(OpenApi)]
#[openapi(info(
    title = "Testkeep",
    description = "Test management that keeps its data. Send a token as `Authorization: Bearer …`; people make \
                   theirs under *Account*, pipelines get theirs from a project's *Members*. Bodies are JSON in \
                   UTF-8; unknown fields are refused. Refusals are `application/problem+json` with what happened \
                   and what to do now. Lists give a `next`; send it as `after` to go on."
))]
struct Base;

/// The routes of the document.
pub fn routes() -> Vec<Route> {
    vec![public(Method::GET, "/api/openapi.json", document_json), public(Method::GET, "/api", page::show)]
}

async fn document_json() -> HttpResponse {
    let body = serde_json::to_string(document()).expect("a JSON value becomes text");
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .body(body)
}

/// The whole document, made once.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(make)
}

fn make() -> Value {
    let mut whole = Base::openapi();
    let slices = [
        users::Api::openapi(),
        maintenance::Api::openapi(),
        members::Api::openapi(),
        tokens::Api::openapi(),
        projects::Api::openapi(),
        suites::Api::openapi(),
        cases::Api::openapi(),
        evidence::Api::openapi(),
        runs::Api::openapi(),
        results::Api::openapi(),
        trash::Api::openapi(),
        uploads::Api::openapi(),
        trail::Api::openapi(),
        backups::Api::openapi(),
        keys::Api::openapi(),
        drills::Api::openapi(),
        restores::Api::openapi(),
        certificates::Api::openapi(),
        backups::TargetsApi::openapi(),
        integrity::Api::openapi(),
        retention::Api::openapi(),
        retention::HoldsApi::openapi(),
        storage::Api::openapi(),
        shipping::Api::openapi(),
    ];
    slices.into_iter().for_each(|slice| whole.merge(slice));
    let mut document = serde_json::to_value(whole).expect("the document is made of text and numbers");
    document["info"]["version"] = json!(env!("CARGO_PKG_VERSION"));
    document["info"]["license"] = json!({ "name": "Apache-2.0", "identifier": "Apache-2.0" });
    document["servers"] = json!([{ "url": "/", "description": "This instance" }]);
    document["security"] = json!([{ "token": [] }]);
    document["components"]["securitySchemes"] = json!({
        "token": { "type": "http", "scheme": "bearer", "description": "A personal or a service token, `tk_…`." }
    });
    document["components"]["schemas"]["Problem"] = problem();
    document["components"]["responses"]["Problem"] = json!({
        "description": "Refused: what happened, and what to do now.",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let needed = needs();
    for (path, method, operation) in operations(&mut document) {
        operation.insert("operationId".into(), operation_id(&method, &path).into());
        complete(operation, needed.iter().find(|need| need.path == path && need.method == method));
    }
    document
}

/// What a route asks of its caller.
struct Need {
    path: &'static str,
    method: String,
    permission: Option<&'static str>,
}

fn needs() -> Vec<Need> {
    let need = |route: Route| Need {
        path: route.path,
        method: route.method.as_str().to_ascii_lowercase(),
        permission: match route.needs {
            Needs::Permission(info) => Some(info.name),
            Needs::DecidedInside | Needs::Public => None,
        },
    };
    table().into_iter().filter(|route| route.path.starts_with(BASE)).map(need).collect()
}

/// Every operation with its path and its method in lower case.
fn operations(document: &mut Value) -> impl Iterator<Item = (String, String, &mut Map<String, Value>)> {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    paths.flat_map(|(path, methods)| {
        let methods = methods.as_object_mut().into_iter().flatten();
        methods.filter_map(|(method, operation)| {
            Some((path.clone(), method.clone(), operation.as_object_mut()?))
        })
    })
}

/// A name for generated clients, such as `get_projects_project_cases`; the handlers' own names are not unique.
fn operation_id(method: &str, path: &str) -> String {
    format!("{method}_{}", path.trim_start_matches(BASE).replace(['{', '}'], "").replace(['/', '-'], "_"))
}

/// Adds what holds for every operation: its permission and its refusals.
fn complete(operation: &mut Map<String, Value>, need: Option<&Need>) {
    if let Some(name) = need.and_then(|need| need.permission) {
        operation.insert("x-permission".into(), json!(name));
    }
    let has_body = operation.contains_key("requestBody");
    let Some(answers) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for answer in
        answers.iter_mut().filter(|(status, _)| status.starts_with(['4', '5'])).map(|(_, answer)| answer)
    {
        answer["content"] =
            json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
    }
    let body = if has_body { Some("422") } else { None };
    // Each caller has a bound, and any request may meet a closed instance or a full disk.
    for status in ["401", "403", "404", "429", "503", "507"].into_iter().chain(body) {
        answers.entry(status).or_insert_with(|| json!({ "$ref": PROBLEM }));
    }
}

fn problem() -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "type": "object",
        "description": "A refusal, after RFC 9457.",
        "required": ["type", "title", "status", "detail", "code"],
        "properties": {
            "type": text("Names the kind of refusal."),
            "title": text("The kind in words."),
            "status": { "type": "integer", "description": "The HTTP status." },
            "detail": text("What happened, and to what."),
            "hint": text("What to do now."),
            "code": text("The kind as one word; see the reference of errors."),
            "request_id": text("What the log of the instance calls this request."),
        },
    })
}
