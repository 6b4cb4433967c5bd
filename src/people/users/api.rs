//! People over JSON, and who the caller is.

use super::pages::role_of;
use super::{Email, Kind, Name, NewPerson, User};
use crate::kernel::access::{Actor, Gate, PeopleManage, PeopleView, ProjectList, Role, Tx};
use crate::kernel::error::Result;
use crate::web::figures::Moment;
use crate::web::respond::{Created, Json};
use crate::web::routes::{Route, get, post};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

/// The routes of people's API.
pub(super) fn routes() -> Vec<Route> {
    vec![get("/api/v1/me", me), get("/api/v1/users", index), post("/api/v1/users", invite)]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(me, index, invite))]
pub struct Api;

/// Who you are: the account that this token or session acts for.
#[utoipa::path(get, path = "/api/v1/me", tag = "people", responses((status = 200, body = MeWire)))]
async fn me(gate: Gate<ProjectList>) -> Result<Json<MeWire>> {
    let me = gate.read(|tx| {
        let user = super::acting(tx)?;
        let token = match tx.actor() {
            Actor::Token { token, .. } => Some(token.0),
            _ => None,
        };
        Ok(MeWire { user: user.into(), token })
    });
    Ok(Json(me.await?))
}

/// People of the instance, by name.
#[utoipa::path(get, path = "/api/v1/users", tag = "people", responses((status = 200, body = UsersWire)))]
async fn index(gate: Gate<PeopleView>) -> Result<Json<UsersWire>> {
    let users = gate.read(super::list).await?;
    Ok(Json(UsersWire { users: users.into_iter().map(UserWire::from).collect() }))
}

/// Invites a person. The answer holds the code of their link `/invitation?code=…`, this once; a known
/// address is a conflict (409).
#[utoipa::path(post, path = "/api/v1/users", tag = "people", request_body = NewUserWire,
    responses((status = 201, body = InvitationWire), (status = 409, description = "The address is known.")))]
async fn invite(gate: Gate<PeopleManage>, Json(new): Json<NewUserWire>) -> Result<Created<InvitationWire>> {
    let role = new.role.as_deref().map(role_of).transpose()?;
    let new = NewPerson { email: Email::new(&new.email)?, name: Name::new(&new.name)?, role };
    let invitation = gate.write(move |tx| super::invite(tx, new)).await?;
    let path = format!("/invitation?code={}", invitation.code.expose());
    Ok(Created(InvitationWire { user: invitation.user.0, path }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUser)]
struct NewUserWire {
    #[schema(example = "tester@shop.example")]
    email: String,
    name: String,
    /// A role in the whole instance; most people have none.
    #[serde(default)]
    role: Option<String>,
}

/// Somebody was invited.
#[derive(Serialize, ToSchema)]
#[schema(as = Invitation)]
struct InvitationWire {
    /// Number of the person.
    user: i64,
    /// The link for them, as a path of this instance; good once, for a day.
    path: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Users)]
struct UsersWire {
    users: Vec<UserWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Me)]
struct MeWire {
    user: UserWire,
    /// Number of the token that asks, if it is one.
    token: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = User)]
struct UserWire {
    id: i64,
    /// `person` or `service`.
    kind: &'static str,
    email: Option<String>,
    name: String,
    /// `invited`, `active` or `suspended`.
    state: &'static str,
    has_second_factor: bool,
    /// The role in the whole instance.
    role: Option<&'static str>,
    created_at: String,
    seen_at: Option<String>,
}

impl From<User> for UserWire {
    fn from(user: User) -> UserWire {
        UserWire {
            id: user.id.0,
            kind: Kind::word(user.kind),
            email: user.email,
            name: user.name,
            state: user.state.word(),
            has_second_factor: user.has_factor,
            role: user.role.map(Role::word),
            created_at: Moment(user.created_at).iso(),
            seen_at: user.seen_at.map(|at| Moment(at).iso()),
        }
    }
}
