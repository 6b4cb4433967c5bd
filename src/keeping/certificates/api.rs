//! The certificate over JSON.

use super::pages::{self, Kept};
use super::{Keeper, Standing};
use crate::kernel::access::{Gate, InstanceKeep, InstanceView};
use crate::kernel::error::Result;
use crate::web::respond::{Accepted, Json};
use crate::web::routes::{Route, get, post};
use actix_web::web::Data;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

pub(super) fn routes() -> Vec<Route> {
    vec![get("/api/v1/certificate", show), post("/api/v1/certificate/renew", renew)]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(show, renew))]
pub struct Api;

/// The certificate that is served, and how its renewal stands.
#[utoipa::path(get, path = "/api/v1/certificate", tag = "instance",
    responses((status = 200, body = CertificateWire),
              (status = 409, description = "A proxy does the TLS, so there is no certificate here.")))]
async fn show(gate: Gate<InstanceView>, kept: Data<Kept>) -> Result<Json<CertificateWire>> {
    let keeper = match pages::keeper(&kept) {
        Ok(keeper) => keeper,
        Err(reason) => {
            gate.admit().await?;
            return Err(reason);
        }
    };
    let standing = gate.read(move |tx| Ok((Standing::of(tx, &keeper)?, keeper.is_ordering())));
    let (standing, is_ordering) = standing.await?;
    Ok(Json(CertificateWire::of(standing, is_ordering)))
}

/// Asks for another certificate now and answers at once; the old one stays until it is there.
#[utoipa::path(post, path = "/api/v1/certificate/renew", tag = "instance",
    responses((status = 202, body = AskedWire, description = "It is being asked for."),
              (status = 409, description = "The certificate is renewed by somebody else, or by itself.")))]
async fn renew(gate: Gate<InstanceKeep>, kept: Data<Kept>) -> Result<Accepted<AskedWire>> {
    let keeper: std::sync::Arc<Keeper> = pages::keeper(&kept)?;
    pages::ask(gate, &keeper).await?;
    Ok(Accepted(AskedWire { state: "asked" }))
}

#[derive(Serialize, ToSchema)]
#[schema(as = RenewalAsked)]
struct AskedWire {
    state: &'static str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Certificate)]
struct CertificateWire {
    /// `files`, `acme`, `authority` or `own`.
    #[schema(example = "acme")]
    source: &'static str,
    /// Host names and addresses it is for.
    names: Vec<String>,
    /// Who signed it.
    issuer: String,
    /// SHA-256 of the certificate, as browsers write it.
    fingerprint: String,
    /// Milliseconds since 1970 in UTC.
    not_before: i64,
    /// Milliseconds since 1970 in UTC.
    not_after: i64,
    /// Days until its end; negative afterwards.
    days_left: i64,
    /// When another one is due, in milliseconds since 1970 in UTC; `null` where somebody else sees to that.
    renew_at: Option<i64>,
    /// When it was last tried, or the files were last looked at.
    tried_at: Option<i64>,
    /// How that ended, in words.
    message: Option<String>,
    /// Whether it fails at the moment.
    is_failing: bool,
    /// Whether another one is being ordered now.
    is_ordering: bool,
    /// The directory that is called; `null` while nobody is.
    directory: Option<String>,
}

impl CertificateWire {
    fn of(standing: Standing, is_ordering: bool) -> CertificateWire {
        CertificateWire {
            source: standing.source,
            names: standing.names,
            issuer: standing.issuer,
            fingerprint: standing.fingerprint,
            not_before: standing.not_before.0,
            not_after: standing.not_after.0,
            days_left: standing.days_left,
            renew_at: standing.renew_at.map(|at| at.0),
            tried_at: standing.tried_at.map(|at| at.0),
            message: standing.message,
            is_failing: standing.is_failing,
            is_ordering,
            directory: standing.directory,
        }
    }
}
