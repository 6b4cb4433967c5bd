//! The one place an `Error` becomes an answer: a page for people, problem+json for programs.
//!
//! A middleware, because only here both the error and the one who asked are known. It also answers in the same
//! look what no handler answered: unknown addresses and methods that an address does not take.

use super::address::Address;
use super::entrance::origin;
use super::filters;
use super::visit::is_by_script;
use crate::kernel::closure;
use crate::kernel::error::Error;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{
    ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, WWW_AUTHENTICATE,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Serialize;

/// What a program is told; the shape is that of RFC 9457.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    code: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
}

/// What a person is told: the state, what happened, why, what now.
#[derive(Template)]
#[template(path = "layout/error.html")]
struct ErrorPage<'a> {
    tone: &'static str,
    icon: &'static str,
    state: &'static str,
    title: &'a str,
    sentence: &'a str,
    hint: Option<&'a str>,
    keep: Option<&'static str>,
    ways: Vec<(&'static str, String)>,
    request_id: &'a str,
}

/// What went wrong, whoever found it.
struct Failure {
    status: StatusCode,
    code: &'static str,
    sentence: String,
    hint: Option<String>,
}

/// The request, as far as an error's looks depend on it.
struct Asked {
    address: String,
    is_get: bool,
    is_api: bool,
    wants_page: bool,
    request_id: String,
}

/// Middleware: gives every error its looks.
pub async fn speak(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    // Kept by value: a copy of the request itself would forbid the router to fill it.
    let before = Asked::of(request.request());
    match next.call(request).await {
        Ok(response) => {
            let response = response.map_into_boxed_body();
            let Some(failure) = Failure::of(response.response()) else { return Ok(response) };
            let (request, old) = response.into_parts();
            let new = failure.answer(&Asked::of(&request), old.headers());
            Ok(ServiceResponse::new(request, new))
        }
        Err(error) => {
            let old = error.error_response();
            let failure = Failure::of_error(&error, old.status());
            Err(InternalError::from_response(error, failure.answer(&before, old.headers())).into())
        }
    }
}

impl Asked {
    fn of(request: &HttpRequest) -> Asked {
        let accept =
            request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        let is_api = request.path().starts_with("/api/");
        Asked {
            address: request.uri().path_and_query().map_or("/", |address| address.as_str()).to_owned(),
            is_get: request.method() == Method::GET,
            is_api,
            wants_page: !is_api && accept.contains("text/html") && !is_by_script(request),
            request_id: origin(request).request.to_string(),
        }
    }

    /// Where a person may go from here: try again, the project they were in, the start.
    fn ways(&self, status: StatusCode) -> Vec<(&'static str, String)> {
        let is_passing = matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
        let again = (is_passing && self.is_get).then(|| ("Try again", self.address.clone()));
        let sign_in = (status == StatusCode::UNAUTHORIZED).then(|| ("Sign in", "/signin".to_owned()));
        let key = self.address.strip_prefix("/p/").and_then(|rest| rest.split(['/', '?']).next());
        let key = key.filter(|key| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        // Where nothing can be seen, the project itself may be what is missing.
        let project = key.filter(|_| status != StatusCode::NOT_FOUND);
        let project = project.map(|key| ("Open the project", format!("/p/{key}")));
        again.into_iter().chain(sign_in).chain(project).chain([("All projects", "/".to_owned())]).collect()
    }

    /// Everything else is closed as well.
    fn ways_while_closed(&self) -> Vec<(&'static str, String)> {
        let again = self.is_get.then(|| ("Try again", self.address.clone()));
        again.into_iter().chain([("Pages of the instance", "/instance".to_owned())]).collect()
    }
}

impl Failure {
    /// What a response failed with, unless its handler has said it in its own words.
    fn of(response: &HttpResponse) -> Option<Failure> {
        let status = response.status();
        if let Some(error) = response.error() {
            return Some(Failure::of_error(error, status));
        }
        let is_mute = matches!(response.body().size(), BodySize::None | BodySize::Sized(0));
        ((status.is_client_error() || status.is_server_error()) && is_mute)
            .then(|| Failure::of_status(status))
    }

    fn of_error(error: &actix_web::Error, status: StatusCode) -> Failure {
        let Some(ours) = error.as_error::<Error>() else { return Failure::of_status(status) };
        Failure {
            status,
            code: ours.kind().appearance().code,
            sentence: ours.sentence().to_owned(),
            hint: ours.hint_text().map(str::to_owned),
        }
    }

    /// What the framework found, in our words: its own could quote what was sent.
    #[rustfmt::skip]
    fn of_status(status: StatusCode) -> Failure {
        let (code, sentence, hint) = match status {
            StatusCode::NOT_FOUND => ("not_found", "There is nothing at this address.", "Check it for a slip."),
            StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "This address does not take that method.", "The header Allow names those it takes."),
            StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "What was sent is larger than this address takes.", ""),
            StatusCode::REQUEST_TIMEOUT => ("busy", "The request took too long to arrive.", "Send it again."),
            StatusCode::SERVICE_UNAVAILABLE => ("busy", "Too much is going on at once.", "Try again in a moment."),
            _ if status.is_server_error() => ("internal", "Something went wrong on our side. The log has the details.", ""),
            _ => ("invalid", "The request is not one that this address takes.", ""),
        };
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        Failure { status, code, sentence: sentence.to_owned(), hint }
    }

    /// The answer, with the headers that the error brought along.
    fn answer(&self, asked: &Asked, old: &HeaderMap) -> HttpResponse {
        let mut response = if self.status == StatusCode::UNAUTHORIZED && asked.wants_page && asked.is_get {
            let sign_in = Address::to("/signin").with("next", asked.address.clone());
            HttpResponse::SeeOther().insert_header((LOCATION, sign_in.to_string())).finish()
        } else if asked.wants_page {
            self.page(asked)
        } else {
            self.problem(asked)
        };
        for (name, value) in old.iter().filter(|(name, _)| **name != CONTENT_TYPE && **name != CONTENT_LENGTH)
        {
            response.headers_mut().append(name.clone(), value.clone());
        }
        if self.status == StatusCode::UNAUTHORIZED && asked.is_api {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }

    fn problem(&self, asked: &Asked) -> HttpResponse {
        let problem = Problem {
            r#type: format!("urn:testkeep:error:{}", self.code),
            title: self.title(),
            status: self.status.as_u16(),
            detail: &self.sentence,
            hint: self.hint.as_deref(),
            code: self.code,
            request_id: &asked.request_id,
        };
        let body = serde_json::to_string(&problem).expect("a struct of strings becomes JSON");
        HttpResponse::build(self.status).content_type("application/problem+json").body(body)
    }

    fn page(&self, asked: &Asked) -> HttpResponse {
        let (tone, icon, state) = self.look();
        let keep = "Go back in the browser: what you typed is still there.";
        let page = ErrorPage {
            tone,
            icon,
            state,
            title: self.title(),
            sentence: &self.sentence,
            hint: self.hint.as_deref(),
            keep: (!asked.is_get).then_some(keep),
            ways: if self.is_closed() { asked.ways_while_closed() } else { asked.ways(self.status) },
            request_id: &asked.request_id,
        };
        let html = page.render().unwrap_or_else(|_| self.sentence.clone());
        HttpResponse::build(self.status).content_type("text/html; charset=utf-8").body(html)
    }

    fn is_closed(&self) -> bool {
        self.sentence == closure::SENTENCE
    }

    fn title(&self) -> &'static str {
        match self.code {
            _ if self.is_closed() => "Closed for maintenance",
            "unauthenticated" => "Sign in first",
            "forbidden" => "You may not do this",
            "not_found" => "There is nothing here",
            "method_not_allowed" => "Not with that method",
            "conflict" => "Something else stands in the way",
            "too_large" => "That is too large",
            "too_many" => "Too often in a short time",
            "busy" => "Busy right now",
            "disk_full" => "The disk is full",
            "damaged" => "This is damaged",
            "internal" => "Something went wrong here",
            _ => "This does not fit",
        }
    }

    /// Colour, icon and state in two words.
    fn look(&self) -> (&'static str, &'static str, &'static str) {
        match self.code {
            _ if self.is_closed() => ("blocked", "lock", "For a while"),
            "unauthenticated" | "forbidden" => ("blocked", "lock", "Nothing was changed"),
            "not_found" | "method_not_allowed" => ("untested", "search", "Nothing was changed"),
            "too_many" | "busy" => ("blocked", "clock", "Nothing was changed"),
            "disk_full" => ("failed", "stop", "Nothing was changed"),
            "damaged" => ("failed", "stop", "Not shown"),
            "internal" => ("failed", "stop", "Our fault"),
            _ => ("blocked", "warning", "Nothing was changed"),
        }
    }
}
