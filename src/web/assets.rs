//! Embedded files: what the pages load, under addresses that change with the content.
//!
//! `build.rs` prepares them and writes the constants below. Templates name a file by its constant,
//! `{{ crate::web::assets::APP_CSS }}`, so a file that is gone does not compile.

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

use super::compress;
use super::routes::{Route, public};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH,
    LOCATION, VARY,
};
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/static"]
struct Files;

/// A name holds the hash of the content, so what it names never changes.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ONE_DAY: HeaderValue = HeaderValue::from_static("public, max-age=86400");

/// Routes of the embedded files, and of the two addresses that browsers and crawlers try by themselves.
pub fn routes() -> Vec<Route> {
    vec![
        public(Method::GET, "/static/{name}", file),
        public(Method::GET, "/favicon.ico", favicon),
        public(Method::GET, "/robots.txt", robots),
    ]
}

async fn file(request: HttpRequest, name: web::Path<String>) -> HttpResponse {
    let Some(kind) = kind_of(&name) else { return HttpResponse::NotFound().finish() };
    let Some(plain) = Files::get(&name) else { return HttpResponse::NotFound().finish() };
    // Both forms of a file carry its hash in their name; the tag tells them apart for caches in between.
    let packed =
        compress::takes(request.headers(), "br").then(|| Files::get(&format!("{name}.br"))).flatten();
    let tag = format!("\"{name}{}\"", if packed.is_some() { ".br" } else { "" });
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, FOR_EVER)).insert_header((VARY, ACCEPT_ENCODING.as_str()));
    let is_known =
        request.headers().get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    response.insert_header((ETAG, tag));
    if is_known {
        return response.status(actix_web::http::StatusCode::NOT_MODIFIED).finish();
    }
    response.insert_header((CONTENT_TYPE, kind));
    match packed {
        Some(packed) => response.insert_header((CONTENT_ENCODING, "br")).body(packed.data),
        // Named, so that nobody along the way compresses what is small on purpose.
        None => response.insert_header((CONTENT_ENCODING, "identity")).body(plain.data),
    }
}

/// The type of a served file; the compressed siblings have none and are not served by their own name.
fn kind_of(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

async fn favicon() -> HttpResponse {
    HttpResponse::Found().insert_header((LOCATION, MARK)).insert_header((CACHE_CONTROL, ONE_DAY)).finish()
}

async fn robots() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((CACHE_CONTROL, ONE_DAY))
        .body("User-agent: *\nDisallow: /\n")
}
