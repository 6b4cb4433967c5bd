//! Headers of every answer, errors included: what a browser may do with it, and who may keep it.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, SERVER};
use actix_web::middleware::Next;

/// What a page may load and do: its own files, nothing inline, nothing from elsewhere.
///
/// `blob:` lets a pasted picture be seen before it is sent. The sprite of icons is an image.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' blob:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; \
    font-src 'none'; manifest-src 'self'; object-src 'none'";

/// Capabilities of a browser that no page of ours uses.
const PERMISSIONS_POLICY: &str = "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), \
    display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), \
    idle-detection=(), magnetometer=(), microphone=(), midi=(), payment=(), picture-in-picture=(), \
    publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()";

/// Name and value of each.
#[rustfmt::skip]
const ALWAYS: [(&str, &str); 9] = [
    ("strict-transport-security",    "max-age=31536000; includeSubDomains"),
    ("content-security-policy",      CONTENT_SECURITY_POLICY),
    ("x-content-type-options",       "nosniff"),
    ("x-frame-options",              "DENY"),
    ("referrer-policy",              "same-origin"),
    ("cross-origin-opener-policy",   "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("permissions-policy",           PERMISSIONS_POLICY),
];

/// Middleware, the outermost: adds what is missing to every answer.
pub async fn add(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    match next.call(request).await {
        Ok(response) => {
            let mut response = response.map_into_boxed_body();
            complete(response.headers_mut());
            Ok(response)
        }
        Err(error) => {
            let mut response = error.error_response();
            complete(response.headers_mut());
            Err(InternalError::from_response(error, response).into())
        }
    }
}

/// What a handler has set stands: a file that was uploaded comes with a stricter policy of its own.
fn complete(headers: &mut HeaderMap) {
    for (name, value) in ALWAYS {
        let name = HeaderName::from_static(name);
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    // Whatever does not say that it may be kept is private.
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.remove(SERVER);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stricter_policy_of_a_handler_stands() {
        let mut headers = HeaderMap::new();
        let sandbox = HeaderValue::from_static("sandbox; default-src 'none'");
        headers.insert(HeaderName::from_static("content-security-policy"), sandbox.clone());
        complete(&mut headers);
        assert_eq!(headers.get("content-security-policy"), Some(&sandbox));
        assert_eq!(headers.get(CACHE_CONTROL), Some(&HeaderValue::from_static("no-store")));
        assert_eq!(headers.len(), ALWAYS.len() + 1);
    }

    #[test]
    fn no_page_may_run_or_style_anything_inline() {
        for never in ["unsafe", "data:", "http", "*", "nonce", "'sha"] {
            assert!(!CONTENT_SECURITY_POLICY.contains(never), "{never}");
        }
    }
}
