//! The page behind an invitation's link: choose a passphrase, then set up the second factor.

use super::browser::Browser;
use super::invitation::{self, Guest};
use super::pages::onward;
use crate::kernel::access::SignIn;
use crate::kernel::error::{Kind, Result};
use crate::kernel::secret::Secret;
use crate::web::entrance::Visitor;
use crate::web::forms::{Form, Problems};
use crate::web::respond::{Answer, Page, Query};
use crate::web::routes::{Route, public};
use crate::web::visit::Visit;
use actix_web::http::Method;
use askama::Template;
use serde::Deserialize;

/// The routes of invitations.
pub fn routes() -> Vec<Route> {
    vec![public(Method::GET, "/invitation", show), public(Method::POST, "/invitation", submit)]
}

#[derive(Template)]
#[template(path = "people/login/invitation.html")]
struct InvitationPage {
    csrf: String,
    code: String,
    guest: Guest,
    problems: Problems,
}

#[derive(Deserialize)]
struct CodeQuery {
    code: Option<String>,
}

#[derive(Deserialize)]
struct InvitationForm {
    code: Secret<String>,
    passphrase: Secret<String>,
    again: Secret<String>,
}

async fn show(
    Visitor(caller): Visitor,
    visit: Visit,
    Query(query): Query<CodeQuery>,
) -> Result<Page<InvitationPage>> {
    let code = query.code.unwrap_or_default();
    let looked = code.clone();
    let gate = caller.gate::<SignIn>(());
    let guest = gate.read(move |tx| invitation::guest(tx, &looked)).await?;
    Ok(Page::new(InvitationPage { csrf: visit.csrf, code, guest, problems: Problems::default() }))
}

async fn submit(
    Visitor(caller): Visitor,
    visit: Visit,
    browser: Browser,
    Form(form): Form<InvitationForm>,
) -> Result<Answer<InvitationPage>> {
    let (gate, code) = (caller.gate::<SignIn>(()), form.code.expose().clone());
    let looked = form.code.clone();
    let guest = gate.read(move |tx| invitation::guest(tx, looked.expose())).await?;
    let mut problems = Problems::default();
    if form.passphrase != form.again {
        problems.add("again", "The two are not the same. Type the passphrase again.");
    } else {
        match invitation::accept(&gate, form.code, form.passphrase, browser.agent).await {
            Ok(begun) => return Ok(onward(&begun, "/").into()),
            Err(e) if e.kind() == Kind::Invalid => {
                let hint = e.hint_text().unwrap_or_default();
                problems.add("passphrase", format!("{} {hint}", e.sentence()));
            }
            Err(e) => return Err(e),
        }
    }
    Ok(Page::refused(InvitationPage { csrf: visit.csrf, code, guest, problems }).into())
}
