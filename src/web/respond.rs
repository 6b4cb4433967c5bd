//! Bodies in and out, and the one place an `Error` becomes a response.

use crate::kernel::error::Error;
use actix_web::body::BoxBody;
use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest, HttpResponse, Responder, ResponseError, web};
use serde::{Serialize, de::DeserializeOwned};
use std::future::Future;
use std::pin::Pin;

/// JSON both ways; a body that does not fit is our own error with a sentence.
pub struct Json<T>(pub T);

/// The parameters in a path.
pub struct Path<T>(pub T);

type Extracting<T> = Pin<Box<dyn Future<Output = Result<T, Error>>>>;

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Error;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = web::Json::<T>::from_request(request, payload);
        Box::pin(async {
            let body = body.await.map_err(|e| unreadable("The body does not fit.", &e))?;
            Ok(Json(body.into_inner()))
        })
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

#[derive(Serialize)]
struct ErrorWire<'a> {
    code: &'static str,
    message: &'a str,
    hint: Option<&'a str>,
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.kind().appearance().http_status).expect("the table holds statuses")
    }

    fn error_response(&self) -> HttpResponse {
        let (code, status) = (self.kind().appearance().code, self.status_code());
        let mut response = HttpResponse::build(status);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((header::RETRY_AFTER, "1"));
        }
        response.json(ErrorWire { code, message: self.sentence(), hint: self.hint_text() })
    }
}
