//! The API document as a page: no script needed, nothing loaded from elsewhere.

use super::{document, example};
use crate::web::respond::Page;
use askama::Template;
use serde_json::Value;

#[derive(Template)]
#[template(path = "server/api.html")]
pub(super) struct ApiPage {
    about: String,
    groups: Vec<Group>,
}

/// The operations of one tag.
struct Group {
    name: String,
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    description: String,
    permission: String,
    parameters: Vec<Parameter>,
    body: String,
    answers: Vec<Answer>,
    curl: String,
}

struct Parameter {
    name: String,
    place: String,
    kind: String,
    is_required: bool,
    description: String,
}

struct Answer {
    status: String,
    description: String,
    example: String,
}

pub(super) async fn show() -> Page<ApiPage> {
    let document = document();
    let about = text(&document["info"], "description");
    Page::new(ApiPage { about, groups: groups(document) })
}

fn groups(document: &Value) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let name = operation["tags"][0].as_str().unwrap_or("instance").to_owned();
            let read = Operation::read(path, method, operation, document);
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.operations.push(read),
                None => groups.push(Group { name, operations: vec![read] }),
            }
        }
    }
    groups
}

impl Operation {
    fn read(path: &str, method: &str, operation: &Value, document: &Value) -> Operation {
        let method = method.to_uppercase();
        let body = body(&operation["requestBody"], document);
        let parameters =
            operation["parameters"].as_array().into_iter().flatten().map(Parameter::read).collect();
        let answers = operation["responses"].as_object().into_iter().flatten();
        Operation {
            id: format!("{}-{}", method.to_lowercase(), path.replace(['/', '{', '}'], "-").trim_matches('-')),
            summary: text(operation, "summary"),
            description: text(operation, "description"),
            permission: text(operation, "x-permission"),
            curl: curl(&method, path, &body, &operation["requestBody"]),
            answers: answers.map(|(status, answer)| Answer::read(status, answer, document)).collect(),
            method,
            path: path.to_owned(),
            parameters,
            body,
        }
    }
}

impl Parameter {
    fn read(parameter: &Value) -> Parameter {
        Parameter {
            name: text(parameter, "name"),
            place: text(parameter, "in"),
            kind: example::kind(&parameter["schema"]).to_owned(),
            is_required: parameter["required"] == Value::Bool(true),
            description: text(parameter, "description"),
        }
    }
}

impl Answer {
    fn read(status: &str, answer: &Value, document: &Value) -> Answer {
        let is_refusal = answer.get("$ref").is_some();
        let answer = if is_refusal { &document["components"]["responses"]["Problem"] } else { answer };
        let schema = &answer["content"]["application/json"]["schema"];
        let example = if schema.is_null() { String::new() } else { pretty(&example::of(schema, document)) };
        let description = match (status, is_refusal) {
            ("401", true) => "No token, or one that has ended.".to_owned(),
            ("403", true) => "Your role or this token does not allow it.".to_owned(),
            ("404", true) => "Not there, or nothing you may see.".to_owned(),
            _ => text(answer, "description"),
        };
        Answer { status: status.to_owned(), description, example }
    }
}

fn body(request: &Value, document: &Value) -> String {
    let schema = &request["content"]["application/json"]["schema"];
    if schema.is_null() { String::new() } else { pretty(&example::of(schema, document)) }
}

fn curl(method: &str, path: &str, body: &str, request: &Value) -> String {
    let path = path.replace("{project}", "SHOP");
    let verb = if method == "GET" { String::new() } else { format!(" -X {method}") };
    let what = match (body.is_empty(), request.is_null()) {
        (false, _) => " \\\n  -H 'Content-Type: application/json' -d @body.json",
        (true, false) => " \\\n  -F file=@report.xml",
        (true, true) => "",
    };
    format!("curl{verb} -H \"Authorization: Bearer $TESTKEEP_TOKEN\" \"$TESTKEEP_URL{path}\"{what}")
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a JSON value becomes text")
}

fn text(of: &Value, field: &str) -> String {
    of[field].as_str().unwrap_or_default().to_owned()
}
