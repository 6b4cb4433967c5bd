//! Compression of answers that are made anew each time: one pass of gzip, and only where it pays.
//!
//! What never changes is compressed once, when the program is built; see `assets`. Brotli would save a tenth more
//! of the line and cost four times the processor and megabytes for each connection.

use crate::kernel::limits;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, VARY,
};
use actix_web::middleware::Next;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;

/// Middleware: packs what is large, is text, and lies in memory as a whole.
pub async fn pack(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let takes_gzip = takes(request.headers(), "gzip");
    let mut response = next.call(request).await?.map_into_boxed_body();
    if !is_worth_it(&response) {
        return Ok(response);
    }
    response.headers_mut().append(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
    if !takes_gzip {
        return Ok(response);
    }
    Ok(response.map_body(|head, body| match body.try_into_bytes() {
        Ok(plain) => {
            head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            BoxBody::new(gzip(&plain))
        }
        Err(body) => body,
    }))
}

/// Below the bound it all fits into the first few packets anyway.
fn is_worth_it(response: &ServiceResponse<BoxBody>) -> bool {
    let headers = response.headers();
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_text = kind.starts_with("text/") || kind.contains("json") || kind.contains("xml");
    let is_large = matches!(response.response().body().size(),
        BodySize::Sized(bytes) if bytes >= limits::COMPRESSED_BYTES_MIN);
    is_text && is_large && !headers.contains_key(CONTENT_ENCODING)
}

/// The level is the lowest: the next ones take twice as long for a twentieth less.
fn gzip(plain: &[u8]) -> Bytes {
    let mut packing = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    packing.write_all(plain).expect("memory takes what is written");
    packing.finish().expect("as above").into()
}

/// Whether a client says that it takes this coding.
pub(super) fn takes(headers: &HeaderMap, wanted: &str) -> bool {
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| {
        accepted.split(',').any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            name.trim() == wanted && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, HttpResponse, web};
    use std::io::Read as _;

    #[actix_web::test]
    async fn what_is_large_and_text_is_packed_for_those_who_take_it() {
        let text = "Pays by card. ".repeat(1_000);
        let large = text.clone();
        let app = App::new()
            .wrap(from_fn(pack))
            .route(
                "/large",
                web::get().to(move || {
                    std::future::ready(HttpResponse::Ok().content_type("text/html").body(large.clone()))
                }),
            )
            .route("/small", web::get().to(|| async { "Pays." }));
        let service = init_service(app).await;
        let ask =
            |path, takes| TestRequest::get().uri(path).insert_header((ACCEPT_ENCODING, takes)).to_request();

        let packed = call_service(&service, ask("/large", "br, gzip;q=0.8")).await;
        let said = |name| packed.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        assert_eq!(
            (said(CONTENT_ENCODING).as_deref(), said(VARY).as_deref()),
            (Some("gzip"), Some("accept-encoding"))
        );
        let body = read_body(packed).await;
        let mut plain = String::new();
        flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut plain).unwrap();
        assert!(plain == text && body.len() < text.len() / 10);

        for (path, takes) in [("/large", "gzip;q=0"), ("/large", "identity"), ("/small", "gzip")] {
            let plain = call_service(&service, ask(path, takes)).await;
            assert!(!plain.headers().contains_key(CONTENT_ENCODING), "{path} {takes}");
        }
    }
}
