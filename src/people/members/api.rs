//! Members of a project over JSON.

use super::{Member, NewMember};
use crate::kernel::access::{Gate, MemberManage, MemberView};
use crate::kernel::error::Result;
use crate::kernel::id::UserId;
use crate::people::days;
use crate::people::users::{Email, Name, role_of};
use crate::web::figures::Moment;
use crate::web::respond::{Json, Path};
use crate::web::routes::{Route, delete, get, put};
use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

/// The routes of members' API.
pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/projects/{project}/members", index),
        put("/api/v1/projects/{project}/members", put_member),
        delete("/api/v1/projects/{project}/members/{user}", remove),
    ]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(index, put_member, remove))]
pub struct Api;

/// Members of a project, by name.
#[utoipa::path(get, path = "/api/v1/projects/{project}/members", tag = "people",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP")),
    responses((status = 200, body = MembersWire)))]
async fn index(gate: Gate<MemberView>) -> Result<Json<MembersWire>> {
    let members = gate.read(super::list).await?;
    Ok(Json(MembersWire { members: members.into_iter().map(MemberWire::from).collect() }))
}

/// Gives somebody a role in the project, in the place of the one they had. An unknown address is
/// invited if there is a name; the answer then holds the link, this once.
#[utoipa::path(put, path = "/api/v1/projects/{project}/members", tag = "people", request_body = NewMemberWire,
    params(("project" = String, Path, description = "Key of the project", example = "SHOP")),
    responses((status = 200, body = MembershipWire), (status = 404, description = "The address is unknown.")))]
async fn put_member(
    gate: Gate<MemberManage>,
    Json(new): Json<NewMemberWire>,
) -> Result<Json<MembershipWire>> {
    let new = NewMember {
        email: Email::new(&new.email)?,
        name: new.name.as_deref().map(Name::new).transpose()?,
        role: role_of(&new.role)?,
        expires_at: new.until.as_deref().map(days::end_of).transpose()?,
    };
    let membership = gate.write(move |tx| super::put(tx, new)).await?;
    let invitation = membership.code.map(|code| format!("/invitation?code={}", code.expose()));
    Ok(Json(MembershipWire { user: membership.user.0, invitation }))
}

/// Ends a membership.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/members/{user}", tag = "people",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP"),
           ("user" = i64, Path, description = "Number of the person")),
    responses((status = 204, description = "They are no member any more.")))]
async fn remove(gate: Gate<MemberManage>, path: Path<(String, i64)>) -> Result<HttpResponse> {
    let Path((_, user)) = path;
    gate.write(move |tx| super::remove(tx, UserId(user))).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMember)]
struct NewMemberWire {
    #[schema(example = "tester@shop.example")]
    email: String,
    /// Needed only for somebody who has no account yet.
    #[serde(default)]
    name: Option<String>,
    /// `owner`, `manager`, `tester`, `automation`, `viewer` or `auditor`.
    role: String,
    /// The last day of the membership.
    #[serde(default)]
    #[schema(example = "2026-12-31")]
    until: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Membership)]
struct MembershipWire {
    /// Number of the person.
    user: i64,
    /// The link for somebody new, as a path of this instance; good once, for a day.
    invitation: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Members)]
struct MembersWire {
    members: Vec<MemberWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
struct MemberWire {
    user: i64,
    name: String,
    email: String,
    /// `invited`, `active` or `suspended`.
    state: &'static str,
    role: &'static str,
    /// When the role ends by itself.
    expires_at: Option<String>,
    seen_at: Option<String>,
}

impl From<Member> for MemberWire {
    fn from(member: Member) -> MemberWire {
        MemberWire {
            user: member.user.0,
            name: member.name,
            email: member.email,
            state: member.state.word(),
            role: member.role.word(),
            expires_at: member.expires_at.map(|at| Moment(at).iso()),
            seen_at: member.seen_at.map(|at| Moment(at).iso()),
        }
    }
}
