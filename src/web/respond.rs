//! Bodies in and out: JSON, pages, fragments, redirects. How an `Error` looks is `dialect`'s.

use super::csrf;
use super::visit::{self, Said};
use crate::kernel::error::Error;
use crate::kernel::limits;
use actix_web::body::BoxBody;
use actix_web::cookie::Cookie;
use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, Responder, ResponseError, web};
use askama::Template;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde::{Serialize, de::DeserializeOwned};
use std::future::{Future, Ready, ready};
use std::pin::Pin;

/// JSON both ways; a body that does not fit is our own error with a sentence.
pub struct Json<T>(pub T);

/// JSON of something that this request made: 201.
pub struct Created<T>(pub T);

/// JSON of something that this request has set going: 202.
pub struct Accepted<T>(pub T);

/// The parameters after the question mark.
pub struct Query<T>(pub T);

/// The bytes of a body, up to a bound.
pub struct Body(pub Bytes);

/// The parameters in a path.
pub struct Path<T>(pub T);

type Extracting<T> = Pin<Box<dyn Future<Output = Result<T, Error>>>>;

impl FromRequest for Body {
    type Error = Error;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let announced = announced.and_then(|value| value.parse::<usize>().ok()).unwrap_or(0);
        let mut payload = payload.take();
        Box::pin(async move {
            if announced > limits::JSON_BYTES_MAX {
                return Err(body_too_large());
            }
            let mut body = BytesMut::with_capacity(announced.min(64 * 1024));
            while let Some(chunk) = payload.next().await {
                let chunk = chunk.map_err(|e| Error::invalid("The body broke off.").because(e))?;
                if body.len() + chunk.len() > limits::JSON_BYTES_MAX {
                    return Err(body_too_large());
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Body(body.freeze()))
        })
    }
}

fn body_too_large() -> Error {
    let mib = limits::JSON_BYTES_MAX / (1024 * 1024);
    Error::too_large(format!("This body is larger than {mib} MiB.")).hint("Send it in several requests.")
}

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Error;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = request.mime_type().ok().flatten().is_some_and(|kind| kind.subtype() == "json");
        let body = Body::from_request(request, payload);
        Box::pin(async move {
            if !is_json {
                return Err(Error::invalid("The body is not marked as JSON.")
                    .hint("Send it with the header `Content-Type: application/json`."));
            }
            parsed(&body.await?.0).map(Json)
        })
    }
}

/// The value that JSON bytes spell; the error names the line and the field.
pub fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|e| Error::invalid("The body does not fit.").hint(e.to_string()))
}

impl<T: DeserializeOwned + 'static> FromRequest for Query<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let query = web::Query::<T>::from_query(request.query_string());
        ready(
            query.map(|query| Query(query.into_inner())).map_err(|e| {
                Error::invalid("The part of the address after ? does not fit.").hint(e.to_string())
            }),
        )
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Path<T> {
    type Error = Error;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let path = web::Path::<T>::from_request(request, payload);
        Box::pin(async {
            let path = path.await.map_err(|e| unreadable("The address does not fit.", &e))?;
            Ok(Path(path.into_inner()))
        })
    }
}

fn unreadable(sentence: &'static str, reason: &actix_web::Error) -> Error {
    Error::invalid(sentence).hint(reason.to_string())
}

impl<T: Serialize> Responder for Json<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().json(self.0)
    }
}

impl<T: Serialize> Responder for Created<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Created().json(self.0)
    }
}

impl<T: Serialize> Responder for Accepted<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Accepted().json(self.0)
    }
}

/// A whole page.
pub struct Page<T> {
    view: T,
    status: StatusCode,
}

impl<T: Template> Page<T> {
    /// The page as asked for.
    pub fn new(view: T) -> Page<T> {
        Page { view, status: StatusCode::OK }
    }

    /// The form again, with what was typed and what is wrong with it.
    pub fn refused(view: T) -> Page<T> {
        Page { view, status: StatusCode::UNPROCESSABLE_ENTITY }
    }

    /// The page with a status of its own.
    pub fn with_status(view: T, status: StatusCode) -> Page<T> {
        Page { view, status }
    }
}

impl<T: Template> Responder for Page<T> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let mut response = rendered(&self.view, self.status);
        let cookies = [csrf::fresh_cookie(request), visit::said_and_done(request)];
        for cookie in cookies.iter().flatten() {
            response.add_cookie(cookie).expect("our cookies hold base64url only");
        }
        response
    }
}

/// Part of a page: what a script puts in the place of the part it asked about.
pub struct Fragment<T>(pub T);

impl<T: Template> Responder for Fragment<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        rendered(&self.0, StatusCode::OK)
    }
}

fn rendered(view: &impl Template, status: StatusCode) -> HttpResponse {
    match view.render() {
        Ok(html) => HttpResponse::build(status).content_type("text/html; charset=utf-8").body(html),
        Err(e) => HttpResponse::from_error(Error::internal(e)),
    }
}

/// Where to go after a change: the browser fetches that page, so that reloading it changes nothing again.
pub struct Redirect {
    to: String,
    said: Option<Said>,
    cookies: Vec<Cookie<'static>>,
}

impl Redirect {
    /// To an address of ours, which starts with `/`.
    pub fn to(address: impl Into<String>) -> Redirect {
        Redirect { to: address.into(), said: None, cookies: Vec::new() }
    }

    /// Says on the next page what was done: a sentence with a full stop.
    pub fn saying(mut self, sentence: impl Into<String>) -> Redirect {
        self.said = Some(Said { is_good: true, sentence: sentence.into() });
        self
    }

    /// Says on the next page why nothing was done.
    pub fn warning(mut self, sentence: impl Into<String>) -> Redirect {
        self.said = Some(Said { is_good: false, sentence: sentence.into() });
        self
    }

    /// Sets a cookie on the way, such as that of a session.
    pub fn with_cookie(mut self, cookie: Cookie<'static>) -> Redirect {
        self.cookies.push(cookie);
        self
    }
}

impl Responder for Redirect {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        // A script would follow a redirect unseen and show the page in the wrong place, so it is told where to go.
        let mut response = if visit::is_by_script(request) {
            HttpResponse::NoContent().insert_header(("HX-Redirect", self.to)).finish()
        } else {
            HttpResponse::SeeOther().insert_header((header::LOCATION, self.to)).finish()
        };
        for cookie in self.cookies.iter().chain(self.said.map(|said| said.cookie()).as_ref()) {
            response.add_cookie(cookie).expect("our cookies hold base64url only");
        }
        response
    }
}

/// What a form comes to: the form again, or the way on.
pub enum Answer<T> {
    /// Nothing was done yet: the page shows what to mend.
    Shown(Page<T>),
    /// It was done.
    Moved(Redirect),
}

impl<T> From<Page<T>> for Answer<T> {
    fn from(page: Page<T>) -> Answer<T> {
        Answer::Shown(page)
    }
}

impl<T> From<Redirect> for Answer<T> {
    fn from(redirect: Redirect) -> Answer<T> {
        Answer::Moved(redirect)
    }
}

impl<T: Template> Responder for Answer<T> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        match self {
            Answer::Shown(page) => page.respond_to(request),
            Answer::Moved(redirect) => redirect.respond_to(request),
        }
    }
}

/// The address to return to after signing in: `next` if it is one of ours, else the start.
///
/// An address that a browser could read as another host is not one of ours: `//evil`, `/\\evil`, `/\tevil`.
pub fn safe_next(next: Option<&str>) -> &str {
    let is_ours = |next: &&str| {
        next.starts_with('/')
            && !next.starts_with("//")
            && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
            && !next.starts_with("/sign")
    };
    next.filter(is_ours).unwrap_or("/")
}

/// Only the status and what it must carry: `dialect` writes the body, since it knows who asks.
impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.kind().appearance().http_status).expect("the table holds statuses")
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let mut response = HttpResponse::build(status);
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.insert_header((header::RETRY_AFTER, "1"));
        }
        response.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_returns_to_our_own_addresses_only() {
        assert_eq!(safe_next(Some("/p/SHOP/cases?q=a%20b")), "/p/SHOP/cases?q=a%20b");
        for foreign in ["//evil", "/\\evil", "/\tevil", "https://evil", "evil", "/signin?next=/signin", ""] {
            assert_eq!(safe_next(Some(foreign)), "/", "{foreign:?}");
        }
        assert_eq!(safe_next(None), "/");
    }
}
