//! A server with one page of each sort, mounted as the program mounts its own.

use crate::kernel::house::{House, at};
use actix_http::Request;
use actix_web::App;
use actix_web::body::{BoxBody, to_bytes};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{ACCEPT, HeaderMap};
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, init_service};
use actix_web::web::{Bytes, Data};
use askama::Template;
use serde::Deserialize;
use testkeep::kernel::access::ProjectView;
use testkeep::kernel::error::{Error, Result};
use testkeep::kernel::time::Timestamp;
use testkeep::web::forms::{Choice, Form, Problems};
use testkeep::web::layout::{At, Frame, ProjectHead, Seen};
use testkeep::web::respond::{Answer, Page, Redirect};
use testkeep::web::routes::{self, Route, public};
use testkeep::web::tally::Tally;
use testkeep::web::visit::Visit;
use testkeep::web::{assets, csrf, dialect, filters, headers};

/// A list of cases with a form below: every part of the kit once.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"{% extends "layout/page.html" %}{% import "parts/form.html" as form %}{% import "parts/list.html" as list %}{% import "parts/notice.html" as note %}{% import "parts/dialog.html" as dialog %}
{% block title %}Payment{% endblock %}
{% block main %}
<div class="head"><div><h1>Payment</h1><p>{{ tally.total()|count }} cases, last run {{ at|moment }}, {{ 94000|elapsed }}, {{ 4200|bytes }}</p></div><a class="button act" href="/p/SHOP/cases/new" data-key="c">{{ "plus"|icon }}Case <kbd>c</kbd></a></div>
{{ tally|tally }}
{% call list::legend(tally, "/p/SHOP/cases?status=") %}{% endcall %}
<table class="table" data-rows><tbody><tr><td>{{ "failed"|status_mark }}</td><td><a href="/p/SHOP/cases/1" data-open>Pay</a></td><td>{{ "Tester <b>"|face }}</td><td>{{ tally|tally_small }}</td><td>{{ "passed"|status }} {{ "passed"|badge }}</td></tr></tbody></table>
{% call list::pager("", "/p/SHOP/cases?after=1") %}{% endcall %}
{% call note::notice("failed", "stop", "Not yet") %}Try again.{% endcall %}
<form method="post" action="/p/SHOP/cases" class="stack">{% call form::csrf(frame) %}{% endcall %}
{% call form::text("title", "Title", title, problems, "Shown in lists.", more = "required") %}{% endcall %}
{% call form::lines("text", "Text", "<two>", problems) %}{% endcall %}
{% call form::choice("priority", "Priority", priorities, problems) %}{% endcall %}
{% call form::tick("is_draft", "Draft", true) %}{% endcall %}
<button class="button act">Save</button></form>
{% endblock %}
{% block dialogs %}{% call dialog::confirm("remove", "Remove it?", "It goes.", "/p/SHOP/cases/1/delete", "Remove", frame.csrf) %}{% endcall %}{% endblock %}"#
)]
struct CasesPage {
    frame: Frame,
    tally: Tally,
    at: Timestamp,
    title: String,
    priorities: Vec<Choice>,
    problems: Problems,
}

#[derive(Deserialize)]
struct NewCase {
    title: String,
    #[serde(default)]
    is_draft: bool,
}

fn cases_page(frame: Frame, title: String, problems: Problems) -> CasesPage {
    let tally =
        Tally { passed: 1_031, failed: 12, errored: 0, blocked: 9, skipped: 18, running: 0, untested: 214 };
    let priorities = Choice::among([("low", "Low"), ("high", "High")], "high");
    CasesPage { frame, priorities, tally, at: crate::kernel::house::NOW, title, problems }
}

async fn frame(house: &House, visit: Visit) -> Result<Frame> {
    let gate = house.operator::<ProjectView>(at("SHOP"));
    let reading = gate.read(move |tx| {
        let (instance, name, email) = ("Quality".into(), "QA lead".into(), "qa.lead@shop.example".into());
        let seen = Seen { instance, name, email, sees_instance: true, alarms: 0 };
        let head = ProjectHead { key: "SHOP".into(), name: "Web shop <b>".into() };
        Ok(Frame::project(tx, visit, seen, head).at(At::Cases).count(At::Cases, "1,284").here("Payment"))
    });
    Ok(reading.await?.action("plus", "New case here", "/p/SHOP/cases/new", "c"))
}

async fn cases(house: Data<House>, visit: Visit) -> Result<Page<CasesPage>> {
    Ok(Page::new(cases_page(frame(&house, visit).await?, String::new(), Problems::default())))
}

async fn add(house: Data<House>, visit: Visit, form: Form<NewCase>) -> Result<Answer<CasesPage>> {
    let Form(NewCase { title, is_draft }) = form;
    if title.trim().is_empty() {
        let mut problems = Problems::default();
        problems.add("title", "A case needs a title.");
        return Ok(Page::refused(cases_page(frame(&house, visit).await?, title, problems)).into());
    }
    let how = if is_draft { "kept as a draft" } else { "written" };
    Ok(Redirect::to("/p/SHOP/cases").saying(format!("“{title}” is {how}.")).into())
}

/// A form with a file: everything it holds, to see that the check gave back what it read.
async fn upload(body: Bytes) -> Bytes {
    body
}

async fn busy() -> Result<&'static str> {
    Err(Error::busy("Too many changes wait at once.").hint("Try again in a moment."))
}

async fn closed() -> Result<&'static str> {
    Err(Error::unauthenticated("Sign in first."))
}

fn table() -> Vec<Route> {
    let demo = vec![
        public(Method::GET, "/p/SHOP/cases", cases),
        public(Method::POST, "/p/SHOP/cases", add),
        public(Method::POST, "/p/SHOP/upload", upload),
        public(Method::GET, "/p/SHOP/busy", busy),
        public(Method::GET, "/p/SHOP/runs", closed),
        public(Method::GET, "/api/v1/runs", closed),
        public(Method::POST, "/api/v1/runs", closed),
    ];
    demo.into_iter().chain(assets::routes()).collect()
}

/// Starts the server and gives what answers its requests.
pub async fn server() -> impl Service<Request, Response = ServiceResponse<BoxBody>, Error = actix_web::Error>
{
    let house = House::start();
    house.project("SHOP").await;
    let stack = App::new()
        .app_data(Data::new(house))
        .configure(|config| routes::mount(config, table()))
        .wrap(from_fn(csrf::check))
        .wrap(from_fn(dialect::speak))
        .wrap(from_fn(headers::add));
    init_service(stack).await
}

/// A browser's request for a page.
pub fn get(address: &str) -> TestRequest {
    TestRequest::get().uri(address).insert_header((ACCEPT, "text/html,application/xhtml+xml"))
}

/// What came back, as text.
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
    /// Length of the body as it was sent.
    pub bytes: usize,
}

impl Reply {
    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The cookie of this name that the answer sets, with its flags.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let set = self.headers.get_all("set-cookie").map(|cookie| cookie.to_str().unwrap().to_owned());
        set.into_iter().find(|cookie| cookie.starts_with(&format!("{name}=")))
    }
}

/// Sends a request.
pub async fn send<S>(server: &S, request: TestRequest) -> Reply
where
    S: Service<Request, Response = ServiceResponse<BoxBody>, Error = actix_web::Error>,
{
    let response = match server.call(request.to_request()).await {
        Ok(response) => response.into_parts().1,
        Err(error) => error.error_response(),
    };
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = to_bytes(response.into_body()).await.unwrap();
    Reply { status, headers, bytes: body.len(), body: String::from_utf8_lossy(&body).into_owned() }
}
