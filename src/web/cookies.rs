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
    is_shaped(cookie.value()).then(|| Cow::Owned(cookie.value().to_owned()))
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

/// Name of the cookie that binds the forms of visitors, who have no session yet.
pub const FORM: &str = "__Host-testkeep-form";

/// The cookie of a visitor's forms, if it has the right shape.
pub fn form(request: &HttpRequest) -> Option<String> {
    request.cookie(FORM).map(|cookie| cookie.value().to_owned()).filter(|value| is_shaped(value))
}

/// A cookie that binds the forms of a visitor until the browser closes.
pub fn binding(value: String) -> Cookie<'static> {
    Cookie::build(FORM, value).path("/").secure(true).http_only(true).same_site(SameSite::Strict).finish()
}

/// Name of the cookie by which a browser is known in which somebody has signed in before.
pub const DEVICE: &str = "__Host-testkeep-device";
const DEVICE_DAYS: i64 = 180;

/// The mark that a browser keeps from an earlier sign-in.
pub fn device(request: &HttpRequest) -> Option<String> {
    request.cookie(DEVICE).map(|cookie| cookie.value().to_owned())
}

/// A cookie that marks a browser in which somebody has signed in.
pub fn marking(value: String) -> Cookie<'static> {
    let age = actix_web::cookie::time::Duration::days(DEVICE_DAYS);
    Cookie::build(DEVICE, value)
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Strict)
        .max_age(age)
        .finish()
}

/// A cookie for something that only the next page needs.
pub(super) fn lasting_for_one_page(name: &'static str, value: String) -> Cookie<'static> {
    let age = actix_web::cookie::time::Duration::minutes(1);
    Cookie::build(name, value)
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(age)
        .finish()
}

fn is_shaped(value: &str) -> bool {
    value.len() == SESSION_CHARS
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}
