//! A visit: what a page must know of the request it answers, besides the claim in its `Gate`.

use super::entrance::origin;
use super::{cookies, csrf, forms};
use crate::kernel::error::Result;
use actix_web::cookie::Cookie;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use data_encoding::BASE64URL_NOPAD;
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;

/// Header by which our scripts say that they, and not the browser, will take the answer.
pub const BY_SCRIPT: &str = "HX-Request";
/// Name of the cookie that carries a sentence over a redirect.
const SAID: &str = "__Host-testkeep-said";
/// Longest sentence that a redirect carries, in bytes; cookies hold about 4 KiB.
const SAID_BYTES_MAX: usize = 1_024;

/// Token for forms, sentence of the answer before, and who is asking for what.
#[derive(Clone, Debug, Default)]
pub struct Visit {
    /// What every form of the page must carry as `_csrf`.
    pub csrf: String,
    /// The sentence that the answer before left, such as "Case SHOP-C12 is saved."
    pub said: Option<Said>,
    /// Path and query of the request.
    pub address: String,
    /// Id of the request, as on error pages.
    pub request: Arc<str>,
    /// Whether a script asks, so that a fragment will do.
    pub is_by_script: bool,
}

/// A sentence about what was just done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// Whether it went well.
    pub is_good: bool,
    /// The sentence.
    pub sentence: String,
}

impl Visit {
    /// The parameters after the question mark, read by the rules of forms: one that is empty counts as left
    /// out, one that `T` does not have is refused, and a `Vec` takes all of its name.
    pub fn asked<T: DeserializeOwned>(&self) -> Result<T> {
        let (_, parameters) = self.address.split_once('?').unwrap_or_default();
        forms::parse(parameters.as_bytes())
    }
}

impl FromRequest for Visit {
    type Error = Infallible;
    type Future = Ready<std::result::Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let address = request.uri().path_and_query().map_or("/", |address| address.as_str());
        ready(Ok(Visit {
            csrf: csrf::for_forms(request),
            said: request.cookie(SAID).and_then(|cookie| Said::of_cookie(cookie.value())),
            address: address.to_owned(),
            request: origin(request).request,
            is_by_script: is_by_script(request),
        }))
    }
}

/// Whether one of our scripts will take the answer.
pub fn is_by_script(request: &HttpRequest) -> bool {
    request.headers().contains_key(BY_SCRIPT)
}

impl Said {
    /// The cookie that carries the sentence to the next page.
    pub(super) fn cookie(&self) -> Cookie<'static> {
        let mut end = self.sentence.len().min(SAID_BYTES_MAX);
        while !self.sentence.is_char_boundary(end) {
            end -= 1;
        }
        let mark = if self.is_good { '+' } else { '-' };
        let value = BASE64URL_NOPAD.encode(format!("{mark}{}", &self.sentence[..end]).as_bytes());
        cookies::lasting_for_one_page(SAID, value)
    }

    fn of_cookie(value: &str) -> Option<Said> {
        let text = String::from_utf8(BASE64URL_NOPAD.decode(value.as_bytes()).ok()?).ok()?;
        let is_good = text.starts_with('+');
        let sentence = text.strip_prefix(['+', '-'])?.to_owned();
        Some(Said { is_good, sentence })
    }
}

/// The cookie that takes the sentence back, if the request brought one: it has been shown now.
pub(super) fn said_and_done(request: &HttpRequest) -> Option<Cookie<'static>> {
    request.cookie(SAID).map(|_| {
        let mut cookie = cookies::lasting_for_one_page(SAID, String::new());
        cookie.make_removal();
        cookie
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_survives_the_redirect_and_a_forged_cookie_says_nothing() {
        let said = Said { is_good: true, sentence: "Suite “Zahlung; Käufer” is saved.".into() };
        assert_eq!(Said::of_cookie(said.cookie().value()), Some(said));
        assert_eq!(Said::of_cookie("%%%"), None);
        assert_eq!(Said::of_cookie(&BASE64URL_NOPAD.encode(b"no mark")), None);
        let long = Said { is_good: false, sentence: "ä".repeat(SAID_BYTES_MAX) };
        assert_eq!(
            Said::of_cookie(long.cookie().value()).map(|said| said.sentence.len()),
            Some(SAID_BYTES_MAX)
        );
    }
}
