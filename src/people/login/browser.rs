//! The browser of somebody who signs in: what it sends along, and what it gets to keep.

use super::SignedIn;
use crate::web::cookies;
use actix_web::dev::Payload;
use actix_web::http::header::USER_AGENT;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use std::convert::Infallible;
use std::future::{Ready, ready};

/// What a browser sends along.
pub struct Browser {
    /// The cookie of its session or of an unfinished sign-in; empty if there is none.
    pub cookie: String,
    /// The mark of an earlier sign-in.
    pub device: Option<String>,
    /// What it calls itself.
    pub agent: String,
}

impl FromRequest for Browser {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        ready(Ok(Browser {
            cookie: cookies::session(request).map(String::from).unwrap_or_default(),
            device: cookies::device(request),
            agent: agent.unwrap_or_default().to_owned(),
        }))
    }
}

/// Gives the browser the session, and the mark by which it is known next time.
pub fn keeping(mut response: HttpResponse, signed_in: &SignedIn) -> HttpResponse {
    let session = cookies::opening(signed_in.cookie.expose().clone());
    let mark = cookies::marking(signed_in.device.expose().clone());
    for cookie in [session, mark] {
        response.add_cookie(&cookie).expect("our cookies hold base64url and a dot only");
    }
    response
}
