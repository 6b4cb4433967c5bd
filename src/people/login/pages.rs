//! Signing in and out in a browser: forms that work without script.

use super::browser::{Browser, keeping};
use super::totp::Provisioning;
use super::{Attempt, Begun, Proof, Step, factor, passphrase, second, sql};
use crate::kernel::access::{AccountWrite, Gate, SignIn};
use crate::kernel::error::{Kind, Result};
use crate::kernel::secret::Secret;
use crate::people::{UNNAMED, sessions};
use crate::web::cookies;
use crate::web::entrance::Visitor;
use crate::web::filters;
use crate::web::forms::Form;
use crate::web::respond::{Page, Query, Redirect, safe_next};
use crate::web::routes::{Route, post, public};
use crate::web::visit::Visit;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, Responder};
use askama::Template;
use serde::Deserialize;

/// The routes of signing in and out.
pub fn routes() -> Vec<Route> {
    vec![
        public(Method::GET, "/signin", show),
        public(Method::POST, "/signin", submit),
        public(Method::GET, "/signin/code", show_code),
        public(Method::POST, "/signin/code", submit_code),
        public(Method::GET, "/signin/recovery", show_recovery),
        public(Method::POST, "/signin/recovery", submit_recovery),
        public(Method::GET, "/signin/enrol", show_enrol),
        public(Method::POST, "/signin/enrol", submit_enrol),
        post("/signout", sign_out),
    ]
}

#[derive(Template)]
#[template(path = "people/login/signin.html")]
struct SignInPage {
    csrf: String,
    instance: String,
    is_claimed: bool,
    email: String,
    next: String,
    is_refused: bool,
}

#[derive(Template)]
#[template(path = "people/login/code.html")]
struct CodePage {
    csrf: String,
    instance: String,
    next: String,
    is_recovery: bool,
    is_refused: bool,
}

#[derive(Template)]
#[template(path = "people/login/enrol.html")]
struct EnrolPage {
    csrf: String,
    instance: String,
    next: String,
    offer: Provisioning,
    is_refused: bool,
}

#[derive(Template)]
#[template(path = "people/login/codes.html")]
struct CodesPage {
    instance: String,
    next: String,
    codes: Vec<String>,
}

#[derive(Deserialize)]
struct NextQuery {
    next: Option<String>,
}

#[derive(Deserialize)]
struct SignInForm {
    email: String,
    passphrase: Secret<String>,
    #[serde(default)]
    next: Option<String>,
}

#[derive(Deserialize)]
struct CodeForm {
    code: String,
    #[serde(default)]
    next: Option<String>,
}

/// What every page of a visitor shows of the instance.
struct Place {
    instance: String,
    is_claimed: bool,
}

async fn place(gate: &Gate<SignIn>) -> Result<Place> {
    let head = gate.read(|tx| sql::head(tx)).await?;
    Ok(head.map_or(Place { instance: String::new(), is_claimed: false }, |head| Place {
        instance: if head.name == UNNAMED { String::new() } else { head.name },
        is_claimed: head.is_claimed,
    }))
}

async fn show(
    Visitor(caller): Visitor,
    visit: Visit,
    Query(query): Query<NextQuery>,
) -> Result<Page<SignInPage>> {
    let Place { instance, is_claimed } = place(&caller.gate(())).await?;
    let next = safe_next(query.next.as_deref()).to_owned();
    let (csrf, email) = (visit.csrf, String::new());
    Ok(Page::new(SignInPage { csrf, instance, is_claimed, email, next, is_refused: false }))
}

async fn submit(
    Visitor(caller): Visitor,
    visit: Visit,
    browser: Browser,
    request: HttpRequest,
    Form(form): Form<SignInForm>,
) -> Result<HttpResponse> {
    let (gate, email) = (caller.gate::<SignIn>(()), form.email.clone());
    let next = safe_next(form.next.as_deref()).to_owned();
    let Browser { device, agent, .. } = browser;
    let attempt = Attempt { email: form.email, passphrase: form.passphrase, device, agent };
    match passphrase(&gate, attempt).await? {
        Some(begun) => Ok(onward(&begun, &next).respond_to(&request)),
        None => {
            let Place { instance, is_claimed } = place(&gate).await?;
            let view = SignInPage { csrf: visit.csrf, instance, is_claimed, email, next, is_refused: true };
            Ok(Page::with_status(view, StatusCode::UNAUTHORIZED).respond_to(&request))
        }
    }
}

/// To the page of the next step, under its cookie.
pub(in crate::people) fn onward(begun: &Begun, next: &str) -> Redirect {
    let page = match begun.step {
        Step::Code => "/signin/code",
        Step::Enrol => "/signin/enrol",
    };
    // What `safe_next` lets through holds nothing that an address must not.
    let address = if next == "/" { page.to_owned() } else { format!("{page}?next={}", escaped(next)) };
    Redirect::to(address).with_cookie(cookies::opening(begun.cookie.expose().clone()))
}

/// A path as the value of a parameter.
pub(in crate::people) fn escaped(path: &str) -> String {
    path.chars().fold(String::new(), |text, letter| match letter {
        '&' | '#' | '+' | '%' | '?' | '=' => format!("{text}%{:02X}", u32::from(letter)),
        _ => text + &letter.to_string(),
    })
}

async fn show_code(caller: Visitor, visit: Visit, Query(query): Query<NextQuery>) -> Result<Page<CodePage>> {
    code_page(caller, visit, query.next, false).await
}

async fn show_recovery(
    caller: Visitor,
    visit: Visit,
    Query(query): Query<NextQuery>,
) -> Result<Page<CodePage>> {
    code_page(caller, visit, query.next, true).await
}

async fn code_page(
    Visitor(caller): Visitor,
    visit: Visit,
    next: Option<String>,
    is_recovery: bool,
) -> Result<Page<CodePage>> {
    let Place { instance, .. } = place(&caller.gate(())).await?;
    let next = safe_next(next.as_deref()).to_owned();
    Ok(Page::new(CodePage { csrf: visit.csrf, instance, next, is_recovery, is_refused: false }))
}

async fn submit_code(
    caller: Visitor,
    visit: Visit,
    browser: Browser,
    request: HttpRequest,
    Form(form): Form<CodeForm>,
) -> Result<HttpResponse> {
    prove(caller, visit, browser, request, Proof::Code(form.code), form.next, false).await
}

async fn submit_recovery(
    caller: Visitor,
    visit: Visit,
    browser: Browser,
    request: HttpRequest,
    Form(form): Form<CodeForm>,
) -> Result<HttpResponse> {
    prove(caller, visit, browser, request, Proof::Recovery(form.code), form.next, true).await
}

async fn prove(
    Visitor(caller): Visitor,
    visit: Visit,
    browser: Browser,
    request: HttpRequest,
    proof: Proof,
    next: Option<String>,
    is_recovery: bool,
) -> Result<HttpResponse> {
    let (gate, next) = (caller.gate::<SignIn>(()), safe_next(next.as_deref()).to_owned());
    let Browser { cookie, device, .. } = browser;
    let signing_in = gate.write(move |tx| second(tx, &cookie, &proof, device.as_deref()));
    match signing_in.await? {
        Some(signed_in) => {
            let response = Redirect::to(next).respond_to(&request);
            Ok(keeping(response, &signed_in))
        }
        None => {
            let Place { instance, .. } = place(&gate).await?;
            let view = CodePage { csrf: visit.csrf, instance, next, is_recovery, is_refused: true };
            Ok(Page::with_status(view, StatusCode::UNAUTHORIZED).respond_to(&request))
        }
    }
}

async fn show_enrol(
    Visitor(caller): Visitor,
    visit: Visit,
    browser: Browser,
    Query(query): Query<NextQuery>,
) -> Result<Page<EnrolPage>> {
    let gate = caller.gate::<SignIn>(());
    let next = safe_next(query.next.as_deref()).to_owned();
    Ok(Page::new(enrol_page(&gate, visit, browser.cookie, next, false).await?))
}

async fn enrol_page(
    gate: &Gate<SignIn>,
    visit: Visit,
    cookie: String,
    next: String,
    is_refused: bool,
) -> Result<EnrolPage> {
    let offer = gate.read(move |tx| factor::offered(tx, &cookie)).await?;
    let Place { instance, .. } = place(gate).await?;
    Ok(EnrolPage { csrf: visit.csrf, instance, next, offer, is_refused })
}

async fn submit_enrol(
    Visitor(caller): Visitor,
    visit: Visit,
    browser: Browser,
    request: HttpRequest,
    Form(form): Form<CodeForm>,
) -> Result<HttpResponse> {
    let (gate, cookie) = (caller.gate::<SignIn>(()), browser.cookie.clone());
    let next = safe_next(form.next.as_deref()).to_owned();
    let code = form.code;
    match gate.write(move |tx| factor::enrol(tx, &cookie, &code)).await? {
        Some(enrolled) => {
            let Place { instance, .. } = place(&gate).await?;
            let view = CodesPage { instance, next, codes: exposed(&enrolled.codes) };
            Ok(keeping(Page::new(view).respond_to(&request), &enrolled.signed_in))
        }
        None => {
            let view = enrol_page(&gate, visit, browser.cookie, next, true).await?;
            Ok(Page::refused(view).respond_to(&request))
        }
    }
}

/// Codes for a page that shows them once.
pub(in crate::people) fn exposed(codes: &[Secret<String>]) -> Vec<String> {
    codes.iter().map(|code| code.expose().clone()).collect()
}

/// Signs out, and makes the browser forget all that we gave it.
async fn sign_out(gate: Gate<AccountWrite>, request: HttpRequest) -> Result<HttpResponse> {
    match gate.write(sessions::sign_out).await {
        // Who is out already gets the same.
        Err(refusal) if refusal.kind() != Kind::Unauthenticated => return Err(refusal),
        Ok(()) | Err(_) => {}
    }
    let redirect = Redirect::to("/signin").with_cookie(cookies::closing());
    let mut response = redirect.respond_to(&request);
    response.headers_mut().insert(CLEAR_SITE_DATA, CLEARED);
    Ok(response)
}

const CLEAR_SITE_DATA: actix_web::http::header::HeaderName =
    actix_web::http::header::HeaderName::from_static("clear-site-data");
/// Not `"cookies"`: the mark of the browser stays, and our own line ends the session.
const CLEARED: actix_web::http::header::HeaderValue =
    actix_web::http::header::HeaderValue::from_static("\"cache\", \"storage\"");
