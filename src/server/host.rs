//! Host: whether a request means us. Links and cookies must not go to somebody else's name.

use crate::kernel::options::PublicUrl;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HOST, HeaderValue};

/// The port that `https` means when it says none.
const HTTPS_PORT: &str = ":443";

/// Refuses with a sentence. Without a public address every name will do, since nobody said which is ours. Where
/// administrators come in, the name goes with the port of that address.
pub(super) fn check(
    request: &ServiceRequest,
    url: Option<&PublicUrl>,
    admin_port: Option<u16>,
) -> Result<(), &'static str> {
    let in_header = request.headers().get(HOST).map(HeaderValue::to_str);
    let in_target = request.uri().authority().map(|authority| authority.as_str());
    let host = match (in_target, in_header) {
        (Some(target), Some(Ok(header))) if !target.eq_ignore_ascii_case(header) => {
            return Err("The request names two hosts.");
        }
        (Some(host), _) | (None, Some(Ok(host))) => host,
        (None, _) => return Err("The request names no host."),
    };
    let Some(url) = url else { return Ok(()) };
    let ours = url.authority();
    let is_at_admin = admin_port.is_some_and(|port| {
        host.eq_ignore_ascii_case(&format!("{}:{port}", ours.rsplit_once(':').map_or(ours, |(name, _)| name)))
    });
    let is_ours = [host, host.strip_suffix(HTTPS_PORT).unwrap_or(host)]
        .iter()
        .any(|host| host.eq_ignore_ascii_case(url.authority()));
    if is_ours || is_at_admin || is_loopback(host) {
        Ok(())
    } else {
        Err("This instance does not go by that name.")
    }
}

fn is_loopback(host: &str) -> bool {
    let is_port = |rest: &str| {
        rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
    };
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| host.strip_prefix(name).is_some_and(is_port))
}
