//! Tests of `library`: what is to be checked.

mod api;
mod cases;
mod evidence;
mod limits;
mod pages;
mod project_pages;
mod projects;
mod suites;

use crate::kernel::house::{House, at};
use actix_web::body::to_bytes;
use actix_web::http::Method;
use actix_web::test::{TestRequest, init_service};
use actix_web::web::Data;
use actix_web::{App, middleware::from_fn};
use serde_json::Value;
use testkeep::kernel::access::{CaseWrite, ProjectAdmin, ProjectView};
use testkeep::kernel::error::Result;
use testkeep::kernel::id::{ProjectId, SuiteId};
use testkeep::library::cases::{Case, Draft, Kind, Step};
use testkeep::library::projects::{Key, NewProject};
use testkeep::library::suites::{Paths, Tree};
use testkeep::library::text::Title;
use testkeep::library::{cases as cases_, projects as projects_, suites as suites_};
use testkeep::running::{results, runs};
use testkeep::web::{dialect, routes};

/// Makes a project by the operation that people use.
pub async fn project(house: &House, key: &str) -> ProjectId {
    let new = NewProject {
        key: Key::new(key).unwrap(),
        name: Title::new("project", &format!("The {key}")).unwrap(),
        description: String::new(),
    };
    let gate = house.operator::<ProjectAdmin>(());
    gate.write(move |tx| projects_::create(tx, &new)).await.unwrap().id
}

pub fn title(text: &str) -> Title {
    Title::new("case", text).unwrap()
}

/// Finds or makes a suite by its path, such as `Checkout/Payment`.
pub async fn suite(house: &House, path: &str) -> SuiteId {
    let names: Vec<Title> = path.split('/').map(title).collect();
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    let making = gate.write(move |tx| {
        let id = Paths::default().find_or_create(tx, &names)?;
        Ok(tx.quiet(testkeep::kernel::audit::Quiet::Unchanged, id))
    });
    making.await.unwrap()
}

pub fn draft(text: &str, steps: &[(&str, &str)]) -> Draft {
    let step =
        |(action, expected): &(&str, &str)| Step { action: (*action).into(), expected: (*expected).into() };
    Draft::new(title(text), Kind::Steps).with_text("", "", steps.iter().map(step).collect()).unwrap()
}

/// Writes a case into a suite.
pub async fn case(house: &House, suite: SuiteId, text: &str) -> Case {
    write(house, suite, draft(text, &[("Do it", "It is done")])).await.unwrap()
}

pub async fn write(house: &House, suite: SuiteId, draft: Draft) -> Result<Case> {
    let gate = house.operator::<CaseWrite>(at("SHOP"));
    gate.write(move |tx| cases_::create(tx, suite, &draft)).await
}

pub async fn tree(house: &House) -> Tree {
    house.operator::<ProjectView>(at("SHOP")).read(suites_::list).await.unwrap()
}

/// One request of a program with this token; answers status and body.
pub async fn call(
    house: &House,
    token: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let table = || {
        [projects_::routes(), suites_::routes(), cases_::routes(), runs::routes(), results::routes()]
            .into_iter()
            .flatten()
            .collect()
    };
    let app = App::new()
        .app_data(Data::new(house.door.clone()))
        .wrap(from_fn(dialect::speak))
        .configure(|config| routes::mount(config, table()));
    let service = init_service(app).await;
    let request = TestRequest::with_uri(path)
        .method(method)
        .insert_header(("Authorization", format!("Bearer {token}")));
    let request = match body {
        Some(body) => request.set_json(body),
        None => request,
    };
    let response = actix_web::test::call_service(&service, request.to_request()).await;
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body()).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

pub async fn get(house: &House, token: &str, path: &str) -> (u16, Value) {
    call(house, token, Method::GET, path, None).await
}

pub async fn post(house: &House, token: &str, path: &str, body: Value) -> (u16, Value) {
    call(house, token, Method::POST, path, Some(body)).await
}
