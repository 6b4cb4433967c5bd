//! Set-up in a browser, in calm steps: claim, administrator, second factor, codes and kit, first project.
//!
//! What was done survives a closed browser: from the second step on, signing in goes on from there.

use super::PendingKit;
use crate::kernel::access::{Claim, SignIn};
use crate::kernel::error::{Error, Result};
use crate::kernel::secret::Secret;
use crate::kernel::time::Timestamp;
use crate::people::login::browser::{Browser, keeping};
use crate::people::login::exposed;
use crate::people::login::password::{self, Strength};
use crate::people::login::{factor, totp::Provisioning};
use crate::people::users::{Email, Name};
use crate::web::cookies;
use crate::web::entrance::Visitor;
use crate::web::filters;
use crate::web::forms::{Form, Problems};
use crate::web::respond::{Answer, Page, Query, Redirect};
use crate::web::routes::{Route, public};
use crate::web::visit::Visit;
use actix_web::http::Method;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, Responder};
use askama::Template;
use serde::Deserialize;

/// The routes of the set-up.
pub fn routes() -> Vec<Route> {
    vec![
        public(Method::GET, "/setup", show),
        public(Method::GET, "/setup/owner", show_owner),
        public(Method::POST, "/setup/owner", submit_owner),
        public(Method::GET, "/setup/factor", show_factor),
        public(Method::POST, "/setup/factor", submit_factor),
    ]
}

/// The steps, as the list beside the form names them.
const STEPS: [&str; 5] =
    ["Claim this instance", "Administrator", "Second factor", "Recovery codes and kit", "First project"];

/// One line of the list of steps.
struct Stage {
    number: usize,
    word: &'static str,
    is_done: bool,
    is_current: bool,
}

fn stages(current: usize) -> Vec<Stage> {
    let stage =
        |(number, word)| Stage { number, word, is_done: number < current, is_current: number == current };
    (1..).zip(STEPS).map(stage).collect()
}

#[derive(Template)]
#[template(path = "people/setup/claim.html")]
struct ClaimPage {
    stages: Vec<Stage>,
    code: String,
    is_refused: bool,
}

#[derive(Template)]
#[template(path = "people/setup/owner.html")]
struct OwnerPage {
    csrf: String,
    stages: Vec<Stage>,
    code: String,
    name: String,
    email: String,
    strength: Option<Strength>,
    problems: Problems,
}

#[derive(Template)]
#[template(path = "people/setup/factor.html")]
struct FactorPage {
    csrf: String,
    stages: Vec<Stage>,
    offer: Provisioning,
    is_refused: bool,
}

#[derive(Template)]
#[template(path = "people/setup/kit.html")]
struct KitPage {
    stages: Vec<Stage>,
    codes: Vec<String>,
    kit: Option<Kit>,
}

#[derive(Deserialize)]
struct CodeQuery {
    code: Option<String>,
}

#[derive(Deserialize)]
struct OwnerForm {
    code: Secret<String>,
    name: String,
    email: String,
    passphrase: Secret<String>,
    again: Secret<String>,
}

#[derive(Deserialize)]
struct FactorForm {
    code: String,
}

/// The first step says what happens next. The link is used up only with the administrator's passphrase.
async fn show(Visitor(caller): Visitor, Query(query): Query<CodeQuery>) -> Result<Page<ClaimPage>> {
    let code = query.code.unwrap_or_default();
    let (gate, looked) = (caller.gate::<Claim>(()), code.trim().to_owned());
    let (is_claimed, is_open) = gate
        .read(move |tx| {
            let instance = super::instance(tx)?;
            Ok((instance.is_some_and(|it| it.claimed_at.is_some()), super::is_open(tx, &looked)?))
        })
        .await?;
    if is_claimed {
        return Err(super::claimed_already());
    }
    let is_refused = !code.is_empty() && !is_open;
    let code = if is_open { code } else { String::new() };
    Ok(Page::new(ClaimPage { stages: stages(1), code, is_refused }))
}

async fn show_owner(
    Visitor(caller): Visitor,
    visit: Visit,
    Query(query): Query<CodeQuery>,
) -> Result<Answer<OwnerPage>> {
    let code = query.code.unwrap_or_default();
    let (gate, looked) = (caller.gate::<Claim>(()), code.clone());
    if !gate.read(move |tx| super::is_open(tx, &looked)).await? {
        return Err(super::no_such_link());
    }
    let (name, email, problems) = (String::new(), String::new(), Problems::default());
    let view = OwnerPage { csrf: visit.csrf, stages: stages(2), code, name, email, strength: None, problems };
    Ok(Page::new(view).into())
}

async fn submit_owner(
    Visitor(caller): Visitor,
    visit: Visit,
    browser: Browser,
    Form(form): Form<OwnerForm>,
) -> Result<Answer<OwnerPage>> {
    let OwnerForm { code, name, email, passphrase, again } = form;
    let (mut problems, kept) = (Problems::default(), code.expose().clone());
    let checked_name = noted(&mut problems, "name", Name::new(&name));
    let checked_email = noted(&mut problems, "email", Email::new(&email));
    noted(&mut problems, "passphrase", password::check(&passphrase, &[&email, &name]));
    if passphrase != again {
        problems.add("again", "The two are not the same. Type the passphrase again.");
    }
    let strength = Some(password::strength(&passphrase, &[&email, &name]));
    if let (Some(name), Some(email), true) = (checked_name, checked_email, problems.is_empty()) {
        let gate = caller.gate::<Claim>(());
        let begun = super::claim_with_link(&gate, code, email, name, passphrase, browser.agent).await?;
        let cookie = cookies::opening(begun.cookie.expose().clone());
        return Ok(Redirect::to("/setup/factor").with_cookie(cookie).into());
    }
    let view = OwnerPage { csrf: visit.csrf, stages: stages(2), code: kept, name, email, strength, problems };
    Ok(Page::refused(view).into())
}

/// The value, or a note beside its field.
fn noted<T>(problems: &mut Problems, field: &'static str, outcome: Result<T>) -> Option<T> {
    let told = |e: Error| match e.hint_text() {
        Some(hint) => format!("{} {hint}", e.sentence()),
        None => e.sentence().to_owned(),
    };
    outcome.map_err(|e| problems.add(field, told(e))).ok()
}

async fn show_factor(Visitor(caller): Visitor, visit: Visit, browser: Browser) -> Result<Page<FactorPage>> {
    let gate = caller.gate::<SignIn>(());
    let offer = gate.read(move |tx| factor::offered(tx, &browser.cookie)).await?;
    Ok(Page::new(FactorPage { csrf: visit.csrf, stages: stages(3), offer, is_refused: false }))
}

async fn submit_factor(
    Visitor(caller): Visitor,
    visit: Visit,
    browser: Browser,
    request: HttpRequest,
    Form(form): Form<FactorForm>,
) -> Result<HttpResponse> {
    let (gate, cookie) = (caller.gate::<SignIn>(()), browser.cookie.clone());
    match gate.write(move |tx| factor::enrol(tx, &cookie, &form.code)).await? {
        Some(enrolled) => {
            let kit = if enrolled.is_owner { kit(&request) } else { None };
            let view = KitPage { stages: stages(4), codes: exposed(&enrolled.codes), kit };
            Ok(keeping(Page::new(view).respond_to(&request), &enrolled.signed_in))
        }
        None => {
            let offer = gate.read(move |tx| factor::offered(tx, &browser.cookie)).await?;
            let view = FactorPage { csrf: visit.csrf, stages: stages(3), offer, is_refused: true };
            Ok(Page::refused(view).respond_to(&request))
        }
    }
}

/// A recovery kit as it is shown: its secret in lines of five groups.
struct Kit {
    lines: Vec<String>,
    uuid: String,
    created_at: Timestamp,
}

/// The recovery kit of the keys, this once.
fn kit(request: &HttpRequest) -> Option<Kit> {
    let kit = request.app_data::<Data<PendingKit>>()?.take()?;
    let secret = kit.secret.print();
    let groups: Vec<&str> = secret.expose().split('-').collect();
    let lines = groups.chunks(5).map(|line| line.join("-")).collect();
    Some(Kit { lines, uuid: kit.uuid, created_at: kit.created_at })
}
