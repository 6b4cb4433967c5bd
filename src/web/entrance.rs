//! Entrances: how a request turns into a `Gate` or a `Caller`. Nothing is looked up here.

use super::cookies;
use crate::kernel::access::{Caller, Changes, Door, Effect, Gate, Info, Origin, Permission, Scope};
use crate::kernel::error::{Error, Result};
use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web::Data};
use std::future::{Ready, ready};

/// What a handler must open with. Says what the route table shows.
#[diagnostic::on_unimplemented(
    message = "a handler must take a `Gate<P>` or a `Caller<E>` first, not `{Self}`",
    label = "nothing here asks for a permission",
    note = "every route names the permission it needs; see the architecture, \"The door\""
)]
pub trait Entrance: 'static {
    type Effect: Effect;
    const NEEDS: Needs;
}

/// What a route asks of its caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    Permission(Info),
    /// The handler names permission and place itself, once it has read the foreign id.
    DecidedInside,
    /// Anybody may knock: sign-in, set-up, status, documentation.
    Public,
}

impl<P: Permission> Entrance for Gate<P> {
    type Effect = P::Effect;
    const NEEDS: Needs = Needs::Permission(P::INFO);
}

impl<E: Effect> Entrance for Caller<E> {
    type Effect = E;
    const NEEDS: Needs = Needs::DecidedInside;
}

impl<E: Effect> FromRequest for Caller<E> {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller(request))
    }
}

impl<P: Permission> FromRequest for Gate<P> {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let place = P::Scope::of_path(request.match_info().get("project"))
            .ok_or_else(|| Error::internal("a route of a project has no {project} in its path"));
        ready(place.and_then(|place| Ok(caller::<Changes>(request)?.gate::<P>(place))))
    }
}

/// Somebody who has not signed in, or for whom it does not matter: the door of the public list.
pub struct Visitor(pub Caller<Changes>);

impl FromRequest for Visitor {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let door = request.app_data::<Data<Door>>().expect("the composition root hands out the door");
        ready(Ok(Visitor(door.visitor(origin(request)))))
    }
}

fn caller<E: Effect>(request: &HttpRequest) -> Result<Caller<E>> {
    let door = request.app_data::<Data<Door>>().expect("the composition root hands out the door");
    let origin = origin(request);
    if let Some(token) = bearer_token(request) {
        return Ok(door.token(token, origin));
    }
    if let Some(cookie) = cookies::session(request) {
        return Ok(door.session(&cookie, origin));
    }
    Err(Error::unauthenticated("Sign in first.")
        .hint("Programs send a token as `Authorization: Bearer …`; people sign in at /signin."))
}

/// Whether the request speaks for a program: it brings a token of its own and no cookie counts.
pub fn bearer_token(request: &HttpRequest) -> Option<&str> {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok())?;
    header.strip_prefix("Bearer ")
}

/// From where the request came, for the audit trail. `guard` and the stack have put it there.
pub fn origin(request: &HttpRequest) -> Origin {
    request.extensions().get::<Origin>().cloned().unwrap_or_default()
}
