//! The session cookie: its name, its shape and its flags.

use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite};
use std::borrow::Cow;

/// Name of the cookie. The prefix makes browsers insist on TLS, this host and the whole site.
pub const SESSION: &str = "__Host-testkeep";
/// Characters of a session cookie: 256 random bits in base64url.
pub const SESSION_CHARS: usize = 43;

/// The session cookie of a request, if it has the right shape.
pub fn session(request: &HttpRequest) -> Option<Cow<'static, str>> {
    let cookie = request.cookie(SESSION)?;
    let value = cookie.value();
    let is_shaped = value.len() == SESSION_CHARS
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    is_shaped.then(|| Cow::Owned(value.to_owned()))
}

/// A cookie that opens a session until the browser closes or the session ends.
pub fn opening(value: String) -> Cookie<'static> {
    Cookie::build(SESSION, value).path("/").secure(true).http_only(true).same_site(SameSite::Lax).finish()
}

/// A cookie that makes the browser forget its session.
pub fn closing() -> Cookie<'static> {
    let mut cookie = opening(String::new());
    cookie.make_removal();
    cookie
}
