//! Proof that a change was asked for by a page of ours and not by another site.
//!
//! `check` stands before the routes, so no handler can forget it. A request that changes something and does not
//! bring a token of a program must come from this origin *and* carry the token that only our pages know: in the
//! header `X-CSRF-Token`, or in the field `_csrf` of its form. Files come with that field as their first part, so
//! that nothing of them is read before. The token is derived from the cookie, and nothing is stored.

use super::{cookies, entrance};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::cookie::Cookie;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, HOST, HeaderMap, ORIGIN};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, BytesMut, Query};
use actix_web::{HttpMessage, HttpRequest};
use data_encoding::BASE64URL_NOPAD;
use futures_util::{Stream, StreamExt, stream};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Field of a form that carries the token.
pub const FIELD: &str = "_csrf";
/// Header that carries the token when a script sends.
pub const HEADER: &str = "x-csrf-token";

/// A token that belongs to a cookie: its keyed digest, so that it proves the cookie without being it.
///
/// Masked anew each time, since a text that stood unchanged in compressed pages could be guessed from their length.
pub fn token(cookie: &str) -> String {
    let mut masked = [0; 2 * DIGEST_BYTES];
    getrandom::fill(&mut masked[..DIGEST_BYTES]).expect("the system gives random bytes");
    let (mask, covered) = masked.split_at_mut(DIGEST_BYTES);
    covered.copy_from_slice(&digest(cookie));
    covered.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= *mask);
    BASE64URL_NOPAD.encode(&masked)
}

/// Bytes of the digest under the mask.
const DIGEST_BYTES: usize = 32;

fn digest(cookie: &str) -> [u8; DIGEST_BYTES] {
    let mut mac = <Hmac<Sha256>>::new_from_slice(cookie.as_bytes()).expect("HMAC takes any key length");
    mac.update(b"csrf");
    mac.finalize().into_bytes().into()
}

/// Whether a token was made for this cookie.
fn belongs(token: &str, cookie: &str) -> bool {
    let Ok(mut masked) = BASE64URL_NOPAD.decode(token.as_bytes()) else { return false };
    if masked.len() != 2 * DIGEST_BYTES {
        return false;
    }
    let (mask, covered) = masked.split_at_mut(DIGEST_BYTES);
    covered.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= *mask);
    bool::from(covered.ct_eq(&digest(cookie)))
}

/// A cookie that this answer must set, because its forms are bound to it.
struct Fresh(String);

/// The token for the forms of the page that answers this request.
pub(super) fn for_forms(request: &HttpRequest) -> String {
    if let Some(cookie) = bound_to(request) {
        return token(&cookie);
    }
    let mut extensions = request.extensions_mut();
    if let Some(Fresh(value)) = extensions.get::<Fresh>() {
        return token(value);
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random).expect("the system gives random bytes");
    let value = BASE64URL_NOPAD.encode(&random);
    let token = token(&value);
    extensions.insert(Fresh(value));
    token
}

/// The cookie to set, if the token for this answer was derived from a new one.
pub(super) fn fresh_cookie(request: &HttpRequest) -> Option<Cookie<'static>> {
    request.extensions().get::<Fresh>().map(|Fresh(value)| cookies::binding(value.clone()))
}

fn bound_to(request: &HttpRequest) -> Option<String> {
    cookies::session(request).map(String::from).or_else(|| cookies::form(request))
}

/// Middleware: lets a change pass only with the proof.
pub async fn check(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if needs_proof(request.request())
        && let Err(refusal) = prove(&mut request).await
    {
        return Ok(request.error_response(refusal));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// A token of a program is no cookie: no browser sends it by itself. An API call with neither gets as far as
/// the door, which says that it must sign in.
fn needs_proof(request: &HttpRequest) -> bool {
    let is_harmless = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let is_powerless = request.path().starts_with("/api/") && cookies::session(request).is_none();
    !is_harmless && !is_powerless && entrance::bearer_token(request).is_none()
}

async fn prove(request: &mut ServiceRequest) -> Result<()> {
    if !is_from_here(request.request()) {
        return Err(Error::forbidden("This was sent from another site, so nothing was done.")
            .hint("Open the page in Testkeep and do it there."));
    }
    let Some(cookie) = bound_to(request.request()) else { return Err(stale()) };
    let sent = match request.headers().get(HEADER) {
        Some(header) => header.to_str().ok().map(str::to_owned),
        None => token_in_body(request).await?,
    };
    if sent.is_some_and(|sent| belongs(&sent, &cookie)) { Ok(()) } else { Err(stale()) }
}

fn stale() -> Error {
    Error::forbidden("This form was opened before you signed in or out, so nothing was done.")
        .hint("Go back, reload the page and send it again. Copy what you typed before you reload.")
}

/// Whether the browser says that a page of this origin sent the request.
fn is_from_here(request: &HttpRequest) -> bool {
    let headers = request.headers();
    match text(headers, "sec-fetch-site") {
        Some(site) => matches!(site, "same-origin" | "none"),
        // Browsers without that header send the origin with everything that is no GET.
        None => {
            let host =
                request.uri().authority().map(|host| host.as_str()).or_else(|| text(headers, HOST.as_str()));
            let origin = text(headers, ORIGIN.as_str()).and_then(|origin| origin.split_once("://"));
            origin.is_some_and(|(_, origin)| Some(origin) == host)
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Reads as much of the body as holds the token, and puts it back for the handler.
async fn token_in_body(request: &mut ServiceRequest) -> Result<Option<String>> {
    let kind = text(request.headers(), CONTENT_TYPE.as_str()).unwrap_or_default().to_owned();
    let (essence, parameters) = kind.split_once(';').unwrap_or((&kind, ""));
    match essence.trim().to_ascii_lowercase().as_str() {
        "application/x-www-form-urlencoded" => {
            let mut payload = request.take_payload();
            let body = head(&mut payload, limits::FORM_BYTES_MAX + 1, |_| false).await?;
            if body.len() > limits::FORM_BYTES_MAX {
                return Err(too_large());
            }
            let token = fields(&body).into_iter().flatten().find(|(name, _)| name == FIELD);
            request.set_payload(replayed(body, stream::empty()));
            Ok(token.map(|(_, token)| token))
        }
        "multipart/form-data" => {
            let Some(boundary) = boundary(parameters) else { return Ok(None) };
            let mut payload = request.take_payload();
            let body = head(&mut payload, limits::FORM_FIRST_PART_BYTES_MAX, |body| {
                first_part(body, &boundary).is_some()
            })
            .await?;
            let token = first_part(&body, &boundary).and_then(token_of_part);
            request.set_payload(replayed(body, payload));
            Ok(token)
        }
        _ => Ok(None),
    }
}

/// What a form larger than its bound is told.
pub(super) fn too_large() -> Error {
    Error::too_large(format!("This form holds more than {} KiB.", limits::FORM_BYTES_MAX / 1024))
        .hint("Attach long text as a file.")
}

/// Gathers the payload until it ends, `is_enough` says so, or there are `bytes_max` of it.
async fn head(payload: &mut Payload, bytes_max: usize, is_enough: impl Fn(&[u8]) -> bool) -> Result<Bytes> {
    let mut body = BytesMut::new();
    while body.len() < bytes_max && !is_enough(&body) {
        let Some(chunk) = payload.next().await else { break };
        body.extend_from_slice(
            &chunk.map_err(|e| Error::invalid("The form broke off half way.").because(e))?,
        );
    }
    Ok(body.freeze())
}

/// The payload as it was before its head was read.
fn replayed(head: Bytes, rest: impl Stream<Item = Result<Bytes, PayloadError>> + 'static) -> Payload {
    Payload::Stream { payload: Box::pin(stream::iter([Ok(head)]).chain(rest)) }
}

/// The fields of an encoded form, decoded, in the order in which they were sent.
pub(super) fn fields(body: &[u8]) -> Option<Vec<(String, String)>> {
    let text = std::str::from_utf8(body).ok()?;
    Query::<Vec<(String, String)>>::from_query(text).ok().map(Query::into_inner)
}

fn boundary(parameters: &str) -> Option<String> {
    let named = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("boundary="))?;
    let boundary = named.trim_matches('"');
    (!boundary.is_empty() && boundary.len() <= 70).then(|| boundary.to_owned())
}

/// Head and content of the first part, once it is there to its end.
fn first_part<'b>(body: &'b [u8], boundary: &str) -> Option<(&'b str, &'b str)> {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        // The part after it may hold anything, or be cut within a letter.
        Err(e) => std::str::from_utf8(&body[..e.valid_up_to()]).ok()?,
    };
    let part = text.strip_prefix("--")?.strip_prefix(boundary)?.strip_prefix("\r\n")?;
    let (part, _) = part.split_once(&format!("\r\n--{boundary}"))?;
    part.split_once("\r\n\r\n")
}

fn token_of_part((head, content): (&str, &str)) -> Option<String> {
    let is_token = head.split("\r\n").any(|line| {
        let line = line.to_ascii_lowercase();
        line.starts_with("content-disposition:") && line.contains(&format!("name=\"{FIELD}\""))
    });
    is_token.then(|| content.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_never_looks_the_same_and_belongs_to_one_cookie() {
        let (one, other) = (token("a"), token("a"));
        assert_ne!(one, other);
        assert!(belongs(&one, "a") && belongs(&other, "a"));
        assert!(!belongs(&one, "b"));
        for forged in ["", "AAAA", "%", &BASE64URL_NOPAD.encode(&[0; 64]), &one[..85]] {
            assert!(!belongs(forged, "a"), "{forged}");
        }
    }
}
