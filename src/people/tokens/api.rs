//! Service tokens of a project over JSON.

use super::{NewService, Token};
use crate::kernel::access::{Gate, MemberManage, MemberView, Role};
use crate::kernel::error::Result;
use crate::kernel::id::TokenId;
use crate::people::users::{Name, role_of};
use crate::web::figures::Moment;
use crate::web::respond::{Created, Json, Path};
use crate::web::routes::{Route, delete, get, post};
use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

/// The routes of this slice.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/projects/{project}/tokens", index),
        post("/api/v1/projects/{project}/tokens", issue),
        delete("/api/v1/projects/{project}/tokens/{token}", revoke),
    ]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(index, issue, revoke))]
pub struct Api;

/// Service tokens of a project, by name. The tokens themselves are never shown again.
#[utoipa::path(get, path = "/api/v1/projects/{project}/tokens", tag = "people",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP")),
    responses((status = 200, body = TokensWire)))]
async fn index(gate: Gate<MemberView>) -> Result<Json<TokensWire>> {
    let tokens = gate.read(super::list_services).await?;
    Ok(Json(TokensWire { tokens: tokens.into_iter().map(TokenWire::from).collect() }))
}

/// Makes a service account with one role in the project, and its token. It is shown in this answer only.
#[utoipa::path(post, path = "/api/v1/projects/{project}/tokens", tag = "people", request_body = NewTokenWire,
    params(("project" = String, Path, description = "Key of the project", example = "SHOP")),
    responses((status = 201, body = IssuedWire)))]
async fn issue(gate: Gate<MemberManage>, Json(new): Json<NewTokenWire>) -> Result<Created<IssuedWire>> {
    let role = new.role.as_deref().map_or(Ok(Role::Automation), role_of)?;
    let name = Name::new(&new.name)?;
    let service = NewService { name, role, days: new.days.unwrap_or(DAYS_UNLESS_SAID) };
    let issued = gate.write(move |tx| super::issue_service(tx, service)).await?;
    Ok(Created(IssuedWire {
        id: issued.id.0,
        token: issued.token.expose().clone(),
        expires_at: Moment(issued.expires_at).iso(),
    }))
}

/// Makes a service token worthless, from the next request on.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/tokens/{token}", tag = "people",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP"),
           ("token" = i64, Path, description = "Number of the token")),
    responses((status = 204, description = "It is revoked."), (status = 404, description = "There is none such.")))]
async fn revoke(gate: Gate<MemberManage>, path: Path<(String, i64)>) -> Result<HttpResponse> {
    let Path((_, token)) = path;
    gate.write(move |tx| super::revoke_service(tx, TokenId(token))).await?;
    Ok(HttpResponse::NoContent().finish())
}

const DAYS_UNLESS_SAID: i64 = 90;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewToken)]
struct NewTokenWire {
    #[schema(example = "ci")]
    name: String,
    /// What it may do in the project; `automation` unless said.
    #[serde(default)]
    role: Option<String>,
    /// For how many days it is good, 1 to 365; 90 unless said.
    #[serde(default)]
    days: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = IssuedToken)]
struct IssuedWire {
    id: i64,
    /// Send it as `Authorization: Bearer …`.
    token: String,
    expires_at: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Tokens)]
struct TokensWire {
    tokens: Vec<TokenWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
struct TokenWire {
    id: i64,
    name: String,
    /// How it begins.
    prefix: String,
    role: Option<&'static str>,
    created_at: String,
    expires_at: String,
    seen_at: Option<String>,
}

impl From<Token> for TokenWire {
    fn from(token: Token) -> TokenWire {
        TokenWire {
            id: token.id.0,
            name: token.name,
            prefix: token.prefix,
            role: token.role.map(Role::word),
            created_at: Moment(token.created_at).iso(),
            expires_at: Moment(token.expires_at).iso(),
            seen_at: token.seen_at.map(|at| Moment(at).iso()),
        }
    }
}
