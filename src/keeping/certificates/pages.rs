//! The page of the certificate: what is served, what is called, the authority, and who may come in by certificate.

use super::authority::{self, Authority, Client};
use super::{CHECKED, Keeper, Source, Standing, sql, standing, tls};
use crate::kernel::access::{Gate, InstanceKeep, InstanceView, Read, Tx, Write};
use crate::kernel::audit::Audited;
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::id::ClientCertificateId;
use crate::kernel::limits;
use crate::people;
use crate::web::filters;
use crate::web::forms::{Form, Problems};
use crate::web::layout::{At, Frame};
use crate::web::respond::{Page, Path, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, Responder};
use askama::Template;
use serde::Deserialize;
use std::sync::Arc;

/// The address of the page.
const PAGE: &str = "/instance/certificate";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(PAGE, show),
        post("/instance/certificate/renew", renew),
        post("/instance/certificate/check", check),
        get("/instance/certificate/chain.pem", chain),
        get("/instance/certificate/authority.pem", root),
        post("/instance/certificate/authority", make),
        post("/instance/certificate/authority/replace", replace),
        post("/instance/certificate/clients", issue),
        post("/instance/certificate/clients/{id}/revoke", revoke),
    ]
}

#[derive(Template)]
#[template(path = "keeping/certificates/show.html")]
struct CertificatePage {
    frame: Frame,
    may_keep: bool,
    is_fresh: bool,
    /// None where a proxy does the TLS.
    standing: Option<Standing>,
    is_ordering: bool,
    authority: Option<Authority>,
    clients: Vec<Client>,
    host_names: Vec<String>,
    client_name: String,
    days: i64,
    problems: Problems,
}

/// The part that only the composition root can hand out; none where a proxy does the TLS.
pub type Kept = Option<Arc<Keeper>>;

#[derive(Deserialize)]
struct Nothing {}

#[derive(Deserialize)]
struct ClientForm {
    name: String,
    days: i64,
}

async fn show(gate: Gate<InstanceView>, visit: Visit, kept: Data<Kept>) -> Result<Page<CertificatePage>> {
    let kept = kept.as_ref().clone();
    let page = gate.read(move |tx| CertificatePage::of(tx, visit, kept.as_deref()));
    Ok(Page::new(page.await?))
}

impl CertificatePage {
    fn of(tx: Read<'_, InstanceView>, visit: Visit, keeper: Option<&Keeper>) -> Result<CertificatePage> {
        let mut frame = Frame::instance(tx, visit, people::seen(tx)?).at(At::Certificate);
        let may_keep = tx.may::<InstanceKeep>();
        if may_keep && keeper.is_some() {
            frame = frame.key(&["r"], "Renew now");
        }
        Ok(CertificatePage {
            frame,
            may_keep,
            is_fresh: tx.is_fresh(),
            standing: keeper.map(|keeper| Standing::of(tx, keeper)).transpose()?,
            is_ordering: keeper.is_some_and(Keeper::is_ordering),
            authority: sql::authority(tx)?,
            clients: sql::clients(tx)?,
            host_names: keeper.map(|keeper| keeper.host_names().to_vec()).unwrap_or_default(),
            client_name: String::new(),
            days: limits::CLIENT_CERTIFICATE_DAYS,
            problems: Problems::default(),
        })
    }

    fn tone(&self, standing: &Standing) -> &'static str {
        match () {
            () if standing.days_left < 0 => "failed",
            () if standing.is_ending || standing.is_failing => "blocked",
            () => "passed",
        }
    }

    fn word(&self, standing: &Standing) -> &'static str {
        match () {
            () if standing.days_left < 0 => "Ended",
            () if standing.is_ending => "Ends soon",
            () if standing.is_failing => "Not renewed",
            () => "Valid",
        }
    }

    fn is_renewable(&self, standing: &Standing) -> bool {
        standing.directory.is_some() || standing.source == Source::Authority.word()
    }
}

/// The keeper, or why there is none.
pub(super) fn keeper(kept: &Data<Kept>) -> Result<Arc<Keeper>> {
    kept.as_ref().clone().ok_or_else(|| {
        Error::conflict("A proxy on this machine does the TLS, so there is no certificate here.")
            .hint("Renew the certificate of the proxy.")
    })
}

/// Notes that another one is wanted now, and hurries the keeper.
pub(super) async fn ask(gate: Gate<InstanceKeep>, keeper: &Keeper) -> Result<()> {
    let source = keeper.directory().map_or_else(|| keeper.tls().served().source, |_| Source::Acme);
    gate.write(move |tx| standing::ask(tx, source)).await?;
    keeper.hurry();
    Ok(())
}

async fn renew(
    gate: Gate<InstanceKeep>,
    kept: Data<Kept>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Redirect> {
    match ask(gate, &*keeper(&kept)?).await {
        Ok(()) => Ok(Redirect::to(PAGE)
            .saying("Another certificate is being asked for. The old one stays until it is there.")),
        Err(reason) if reason.hint_text().is_some() => {
            let hint = reason.hint_text().unwrap_or_default();
            Ok(Redirect::to(PAGE).warning(format!("{} {hint}", reason.sentence())))
        }
        Err(reason) => Err(reason),
    }
}

async fn check(
    gate: Gate<InstanceKeep>,
    kept: Data<Kept>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Redirect> {
    let keeper = keeper(&kept)?;
    if keeper.tls().served().source != Source::Files {
        gate.admit().await?;
        return Err(tls::no_files());
    }
    gate.write(|tx| tx.audited(CHECKED.alone(), ())).await?;
    keeper.tls().look();
    keeper.hurry();
    Ok(match keeper.tls().files().0 {
        None => Redirect::to(PAGE).saying("The files were read; what they hold is served."),
        Some(reason) => Redirect::to(PAGE).warning(format!("{reason} The old certificate stays in service.")),
    })
}

async fn chain(gate: Gate<InstanceView>, kept: Data<Kept>) -> Result<HttpResponse> {
    gate.admit().await?;
    Ok(download("testkeep-chain.pem", keeper(&kept)?.tls().current().chain()))
}

async fn root(gate: Gate<InstanceView>) -> Result<HttpResponse> {
    let root = gate.read(|tx| Ok(authority::get(tx)?.ok_or_else(authority::missing)?.certificate));
    Ok(download("testkeep-authority.pem", root.await?))
}

async fn make(
    gate: Gate<InstanceKeep>,
    kept: Data<Kept>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Redirect> {
    grow(gate, &*keeper(&kept)?, authority::make).await?;
    Ok(Redirect::to(PAGE)
        .saying("This instance has an authority. Install its root where people open these pages."))
}

async fn replace(
    gate: Gate<InstanceKeep>,
    kept: Data<Kept>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Redirect> {
    grow(gate, &*keeper(&kept)?, authority::replace).await?;
    Ok(Redirect::to(PAGE)
        .saying("There is another authority now. Install its root in the place of the one before."))
}

type Grow = for<'t> fn(
    Write<'t, InstanceKeep>,
    &crate::kernel::instance::Instance,
    &[String],
) -> Result<Audited<'t, Authority>>;

async fn grow(gate: Gate<InstanceKeep>, keeper: &Keeper, with: Grow) -> Result<()> {
    let (instance, names) = (Arc::clone(keeper.instance()), keeper.host_names().to_vec());
    gate.write(move |tx| with(tx, &instance, &names)).await?;
    keeper.hurry();
    Ok(())
}

/// Key and certificate are in the answer and nowhere else, so a lost one is issued anew.
async fn issue(
    gate: Gate<InstanceKeep>,
    visit: Visit,
    kept: Data<Kept>,
    request: HttpRequest,
    Form(form): Form<ClientForm>,
) -> Result<HttpResponse> {
    let keeper = keeper(&kept)?;
    let (instance, name) = (Arc::clone(keeper.instance()), form.name.clone());
    let new = match gate.write(move |tx| authority::issue(tx, &instance, &name, form.days)).await {
        Ok(new) => new,
        Err(refusal) if refusal.kind() == Kind::Invalid => {
            let mut problems = Problems::default();
            let field = if refusal.sentence().contains("days") { "days" } else { "name" };
            problems.add_error(field, &refusal);
            let page = gate.read(move |tx| {
                let page = CertificatePage::of(tx.reading(), visit, Some(&keeper))?;
                Ok(CertificatePage { client_name: form.name, days: form.days, problems, ..page })
            });
            return Ok(Page::refused(page.await?).respond_to(&request));
        }
        Err(refusal) => return Err(refusal),
    };
    keeper.learn().await?;
    Ok(download(&format!("testkeep-client-{}.pem", new.id.0), new.pem.expose().clone()))
}

async fn revoke(
    gate: Gate<InstanceKeep>,
    kept: Data<Kept>,
    Path(id): Path<i64>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Redirect> {
    gate.write(move |tx| authority::revoke(tx, ClientCertificateId(id))).await?;
    if let Some(keeper) = kept.as_ref() {
        keeper.learn().await?;
    }
    Ok(Redirect::to(PAGE).saying("The client certificate opens nothing from the next handshake on."))
}

fn download(name: &str, pem: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/x-pem-file"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(pem)
}
