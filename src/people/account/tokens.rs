//! One's own tokens: made, shown once, revoked.

use super::frame;
use crate::kernel::access::{AccountView, AccountWrite, Gate, Tx};
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::id::TokenId;
use crate::people::tokens::{self, DAYS, NewToken, Reach};
use crate::people::users::Name;
use crate::web::filters;
use crate::web::forms::{Choice, Form, Problems};
use crate::web::layout::Frame;
use crate::web::respond::{Page, Path, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use actix_web::Either;
use askama::Template;
use serde::Deserialize;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/account/tokens/new", show_new),
        post("/account/tokens", issue),
        post("/account/tokens/{token}/revoke", revoke),
    ]
}

#[derive(Template)]
#[template(path = "people/account/token_new.html")]
struct NewTokenPage {
    frame: Frame,
    name: String,
    reaches: Vec<Choice>,
    projects: Vec<Choice>,
    days: Vec<Choice>,
    is_fresh: bool,
    problems: Problems,
}

#[derive(Template)]
#[template(path = "people/account/token.html")]
struct TokenPage {
    frame: Frame,
    name: String,
    token: String,
    back: String,
}

#[derive(Deserialize, Clone, Default)]
struct TokenForm {
    name: String,
    reach: String,
    project: Option<String>,
    days: i64,
}

async fn show_new(gate: Gate<AccountView>, visit: Visit) -> Result<Page<NewTokenPage>> {
    let form = TokenForm { reach: Reach::Upload.word().to_owned(), days: 90, ..TokenForm::default() };
    Ok(Page::new(new_page(&gate, visit, form, Problems::default()).await?))
}

async fn new_page(
    gate: &Gate<AccountView>,
    visit: Visit,
    form: TokenForm,
    problems: Problems,
) -> Result<NewTokenPage> {
    gate.read(move |tx| {
        let all = [(String::new(), "All my projects".to_owned())];
        let keys = tokens::projects(tx)?.into_iter().map(|key| (key.clone(), format!("{key} only")));
        Ok(NewTokenPage {
            frame: frame(tx, visit)?.here("New token"),
            name: form.name,
            reaches: Choice::among(Reach::ALL.map(|reach| (reach.word(), reach.meaning())), &form.reach),
            projects: Choice::among(all.into_iter().chain(keys), form.project.unwrap_or_default()),
            days: Choice::among(DAYS.map(|days| (days, format!("{days} days"))), form.days),
            is_fresh: tx.is_fresh(),
            problems,
        })
    })
    .await
}

async fn issue(
    gate: Gate<AccountWrite>,
    look: Gate<AccountView>,
    visit: Visit,
    Form(form): Form<TokenForm>,
) -> Result<Either<Page<TokenPage>, Page<NewTokenPage>>> {
    let wanted = wanted(&form);
    let issuing = match wanted {
        Ok(new) => gate.write(move |tx| tokens::issue(tx, new)).await,
        Err(e) => Err(e),
    };
    match issuing {
        Ok(issued) => {
            let frame = look.read(move |tx| Ok(frame(tx, visit)?.here("New token"))).await?;
            let (token, back) = (issued.token.expose().clone(), "/account#tokens".to_owned());
            Ok(Either::Left(Page::new(TokenPage { frame, name: form.name, token, back })))
        }
        Err(e) if matches!(e.kind(), Kind::Invalid | Kind::Conflict | Kind::NotFound) => {
            let mut problems = Problems::default();
            problems.add("name", format!("{} {}", e.sentence(), e.hint_text().unwrap_or_default()));
            Ok(Either::Right(Page::refused(new_page(&look, visit, form, problems).await?)))
        }
        Err(e) => Err(e),
    }
}

fn wanted(form: &TokenForm) -> Result<NewToken> {
    let reach = Reach::of_word(&form.reach)
        .ok_or_else(|| Error::invalid("Choose how far the token reaches from the list."))?;
    Ok(NewToken { name: Name::new(&form.name)?, reach, project: form.project.clone(), days: form.days })
}

async fn revoke(gate: Gate<AccountWrite>, Path(token): Path<i64>) -> Result<Redirect> {
    gate.write(move |tx| tokens::revoke(tx, TokenId(token))).await?;
    Ok(Redirect::to("/account#tokens")
        .saying("The token is revoked. Whoever uses it is refused from now on."))
}
