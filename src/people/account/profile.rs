//! The account page, and changes of name, address and passphrase.

use super::frame;
use crate::kernel::access::{AccountView, AccountWrite, Gate, Tx};
use crate::kernel::error::{Kind, Result};
use crate::kernel::id::SessionId;
use crate::kernel::secret::Secret;
use crate::people::login::{self, factor};
use crate::people::sessions::{self, Session};
use crate::people::tokens::{self, Token};
use crate::people::users::{self, Email, Name, User};
use crate::web::cookies;
use crate::web::filters;
use crate::web::forms::{Form, Problems};
use crate::web::layout::Frame;
use crate::web::respond::{Answer, Page, Path, Query, Redirect, safe_next};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use askama::Template;
use serde::Deserialize;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/account", show),
        post("/account/name", rename),
        post("/account/email", change_email),
        get("/account/passphrase", show_passphrase),
        post("/account/passphrase", change_passphrase),
        get("/account/confirm", show_confirm),
        post("/account/confirm", confirm),
        post("/account/sessions/others/end", end_others),
        post("/account/sessions/{session}/end", end_session),
    ]
}

#[derive(Template)]
#[template(path = "people/account/show.html")]
struct AccountPage {
    frame: Frame,
    user: User,
    codes_left: i64,
    sessions: Vec<Session>,
    tokens: Vec<Token>,
    is_fresh: bool,
    problems: Problems,
}

#[derive(Template)]
#[template(path = "people/account/passphrase.html")]
struct PassphrasePage {
    frame: Frame,
    email: String,
    problems: Problems,
}

#[derive(Template)]
#[template(path = "people/account/confirm.html")]
struct ConfirmPage {
    frame: Frame,
    next: String,
    minutes: i64,
    is_refused: bool,
}

async fn show(gate: Gate<AccountView>, visit: Visit) -> Result<Page<AccountPage>> {
    Ok(Page::new(account_page(&gate, visit, Problems::default()).await?))
}

async fn account_page(gate: &Gate<AccountView>, visit: Visit, problems: Problems) -> Result<AccountPage> {
    gate.read(move |tx| {
        Ok(AccountPage {
            frame: frame(tx, visit)?,
            user: users::own(tx)?,
            codes_left: factor::codes_left(tx)?,
            sessions: sessions::list(tx)?,
            tokens: tokens::list(tx)?,
            is_fresh: tx.is_fresh(),
            problems,
        })
    })
    .await
}

#[derive(Deserialize)]
struct NameForm {
    name: String,
}

async fn rename(gate: Gate<AccountWrite>, Form(form): Form<NameForm>) -> Result<Redirect> {
    let name = match Name::new(&form.name) {
        Ok(name) => name,
        Err(e) => return Ok(Redirect::to("/account").warning(e.sentence())),
    };
    gate.write(move |tx| users::rename(tx, name)).await?;
    Ok(Redirect::to("/account").saying("Your name is changed."))
}

#[derive(Deserialize)]
struct EmailForm {
    email: String,
}

async fn change_email(gate: Gate<AccountWrite>, Form(form): Form<EmailForm>) -> Result<Redirect> {
    let changing = match Email::new(&form.email) {
        Ok(email) => gate.write(move |tx| users::change_email(tx, email)).await,
        Err(e) => Err(e),
    };
    match changing {
        Ok(()) => {
            Ok(Redirect::to("/account").saying("Your address is changed; sign in with it from now on."))
        }
        Err(e) if matches!(e.kind(), Kind::Invalid | Kind::Conflict) => {
            Ok(Redirect::to("/account").warning(e.sentence()))
        }
        Err(e) => Err(e),
    }
}

async fn show_passphrase(gate: Gate<AccountView>, visit: Visit) -> Result<Page<PassphrasePage>> {
    Ok(Page::new(passphrase_page(&gate, visit, Problems::default()).await?))
}

async fn passphrase_page(
    gate: &Gate<AccountView>,
    visit: Visit,
    problems: Problems,
) -> Result<PassphrasePage> {
    gate.read(move |tx| {
        let frame = frame(tx, visit)?.here("Passphrase");
        Ok(PassphrasePage { email: frame.seen.email.clone(), frame, problems })
    })
    .await
}

#[derive(Deserialize)]
struct PassphraseForm {
    present: Secret<String>,
    new: Secret<String>,
    again: Secret<String>,
}

async fn change_passphrase(
    gate: Gate<AccountWrite>,
    look: Gate<AccountView>,
    visit: Visit,
    Form(form): Form<PassphraseForm>,
) -> Result<Answer<PassphrasePage>> {
    let mut problems = Problems::default();
    if form.new != form.again {
        problems.add("again", "The two are not the same. Type the new passphrase again.");
        return Ok(Page::refused(passphrase_page(&look, visit, problems).await?).into());
    }
    match login::change_passphrase(&gate, form.present, form.new).await {
        Ok(true) => {
            let said = "Your passphrase is changed. You are signed out everywhere else.";
            return Ok(Redirect::to("/account").saying(said).into());
        }
        Ok(false) => problems.add("present", "This is not your present passphrase."),
        Err(e) if e.kind() == Kind::Invalid => {
            problems.add("new", format!("{} {}", e.sentence(), e.hint_text().unwrap_or_default()));
        }
        Err(e) => return Err(e),
    }
    Ok(Page::refused(passphrase_page(&look, visit, problems).await?).into())
}

#[derive(Deserialize)]
struct NextQuery {
    next: Option<String>,
}

async fn show_confirm(
    gate: Gate<AccountView>,
    visit: Visit,
    Query(query): Query<NextQuery>,
) -> Result<Page<ConfirmPage>> {
    let next = confirmed_next(query.next.as_deref());
    Ok(Page::new(confirm_page(&gate, visit, next, false).await?))
}

/// Where to go after confirming: the account page rather than the start.
fn confirmed_next(asked: Option<&str>) -> String {
    match safe_next(asked) {
        "/" => "/account".to_owned(),
        next => next.to_owned(),
    }
}

async fn confirm_page(
    gate: &Gate<AccountView>,
    visit: Visit,
    next: String,
    is_refused: bool,
) -> Result<ConfirmPage> {
    gate.read(move |tx| {
        let frame = frame(tx, visit)?.here("Confirm");
        Ok(ConfirmPage { frame, next, minutes: super::FRESH_MINUTES, is_refused })
    })
    .await
}

#[derive(Deserialize)]
struct ConfirmForm {
    code: String,
    #[serde(default)]
    next: Option<String>,
}

async fn confirm(
    gate: Gate<AccountWrite>,
    look: Gate<AccountView>,
    visit: Visit,
    Form(form): Form<ConfirmForm>,
) -> Result<Answer<ConfirmPage>> {
    let (next, code) = (confirmed_next(form.next.as_deref()), form.code);
    match gate.write(move |tx| factor::confirm(tx, &code)).await? {
        Some(opening) => {
            let cookie = cookies::opening(opening.cookie.expose().clone());
            Ok(Redirect::to(next).with_cookie(cookie).into())
        }
        None => Ok(Page::refused(confirm_page(&look, visit, next, true).await?).into()),
    }
}

async fn end_session(gate: Gate<AccountWrite>, Path(session): Path<i64>) -> Result<Redirect> {
    gate.write(move |tx| sessions::end(tx, SessionId(session))).await?;
    Ok(Redirect::to("/account").saying("That session is over."))
}

async fn end_others(gate: Gate<AccountWrite>) -> Result<Redirect> {
    gate.write(sessions::end_others).await?;
    Ok(Redirect::to("/account").saying("You are signed out everywhere but here."))
}
