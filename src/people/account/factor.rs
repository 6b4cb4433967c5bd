//! Exchanging one's second factor, and new recovery codes.

use super::frame;
use crate::kernel::access::{AccountView, AccountWrite, Gate};
use crate::kernel::error::Result;
use crate::people::login::{exposed, factor, totp::Provisioning};
use crate::web::filters;
use crate::web::forms::Form;
use crate::web::layout::Frame;
use crate::web::respond::{Page, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use actix_web::Either;
use askama::Template;
use serde::Deserialize;

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/account/factor", begin),
        get("/account/factor", show),
        post("/account/factor/confirm", exchange),
        post("/account/codes", renew),
    ]
}

#[derive(Template)]
#[template(path = "people/account/factor.html")]
struct FactorPage {
    frame: Frame,
    offer: Provisioning,
    is_refused: bool,
}

#[derive(Template)]
#[template(path = "people/account/codes.html")]
struct CodesPage {
    frame: Frame,
    codes: Vec<String>,
}

async fn begin(gate: Gate<AccountWrite>) -> Result<Redirect> {
    gate.write(factor::offer_another).await?;
    Ok(Redirect::to("/account/factor"))
}

async fn show(gate: Gate<AccountView>, visit: Visit) -> Result<Page<FactorPage>> {
    Ok(Page::new(factor_page(&gate, visit, false).await?))
}

async fn factor_page(gate: &Gate<AccountView>, visit: Visit, is_refused: bool) -> Result<FactorPage> {
    gate.read(move |tx| {
        let frame = frame(tx, visit)?.here("Second factor");
        Ok(FactorPage { frame, offer: factor::offered_another(tx)?, is_refused })
    })
    .await
}

#[derive(Deserialize)]
struct CodeForm {
    code: String,
}

async fn exchange(
    gate: Gate<AccountWrite>,
    look: Gate<AccountView>,
    visit: Visit,
    Form(form): Form<CodeForm>,
) -> Result<Either<Page<CodesPage>, Page<FactorPage>>> {
    match gate.write(move |tx| factor::exchange(tx, &form.code)).await? {
        Some(codes) => Ok(Either::Left(Page::new(codes_page(&look, visit, exposed(&codes)).await?))),
        None => Ok(Either::Right(Page::refused(factor_page(&look, visit, true).await?))),
    }
}

async fn renew(gate: Gate<AccountWrite>, look: Gate<AccountView>, visit: Visit) -> Result<Page<CodesPage>> {
    let codes = gate.write(factor::renew_codes).await?;
    Ok(Page::new(codes_page(&look, visit, exposed(&codes)).await?))
}

async fn codes_page(gate: &Gate<AccountView>, visit: Visit, codes: Vec<String>) -> Result<CodesPage> {
    gate.read(move |tx| Ok(CodesPage { frame: frame(tx, visit)?.here("Recovery codes"), codes })).await
}
