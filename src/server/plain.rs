//! Plain HTTP: the file that a directory fetches to see whether a name is ours, and the way to https for all others.
//!
//! Nothing else is ever said in the clear.

use super::listen::{bind, unusable};
use crate::keeping::certificates::Tls;
use crate::keeping::certificates::names::host_of;
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::options::Options;
use actix_web::dev::ServerHandle;
use actix_web::http::header::{CONNECTION, HOST, LOCATION};
use actix_web::http::{Method, StatusCode};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use std::net::SocketAddr;
use std::sync::Arc;

/// Where a directory looks (RFC 8555, 8.3).
const CHALLENGES: &str = "/.well-known/acme-challenge/";
/// The port of https, which addresses leave out.
const HTTPS_PORT: u16 = 443;

/// The listener for plain HTTP.
#[derive(Debug)]
pub struct Plain {
    /// Where it is, with the port that the system chose.
    pub address: SocketAddr,
    server: ServerHandle,
}

/// Where https is.
#[derive(Clone, Debug)]
struct Way {
    /// Host and port as the owner has said them.
    public: Option<String>,
    port: u16,
}

impl Plain {
    /// Binds the address and answers there. `secure` is where https is answered.
    pub fn start(at: SocketAddr, tls: &Arc<Tls>, options: &Options, secure: SocketAddr) -> Result<Plain> {
        let public = options.public_url.as_ref().map(|url| url.authority().to_owned());
        let (way, tls) = (Way { public, port: secure.port() }, Arc::clone(tls));
        let socket = bind(at).map_err(|reason| unusable(at, &reason))?;
        let address = socket.local_addr().map_err(Error::internal)?;
        let server = HttpServer::new(move || {
            let (way, tls) = (way.clone(), Arc::clone(&tls));
            App::new().default_service(web::to(move |request: HttpRequest| {
                let answer = answer(&request, &way, &tls);
                async move { answer }
            }))
        })
        .workers(1)
        .max_connections(limits::PLAIN_CONNECTIONS_MAX)
        .client_request_timeout(limits::REQUEST_HEAD_WAIT)
        .keep_alive(std::time::Duration::ZERO)
        .shutdown_timeout(limits::STOP_SETTLE.as_secs())
        .disable_signals()
        .listen(socket)
        .map_err(Error::internal)?;
        let running = server.run();
        let handle = running.handle();
        tokio::spawn(running);
        Ok(Plain { address, server: handle })
    }

    /// Closes.
    pub async fn stop(self) {
        self.server.stop(false).await;
    }
}

fn answer(request: &HttpRequest, way: &Way, tls: &Tls) -> HttpResponse {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return HttpResponse::new(StatusCode::METHOD_NOT_ALLOWED);
    }
    if let Some(token) = request.path().strip_prefix(CHALLENGES) {
        return match tls.challenges().file(token) {
            Some(answer) => HttpResponse::Ok().content_type("application/octet-stream").body(answer),
            None => HttpResponse::new(StatusCode::NOT_FOUND),
        };
    }
    match secure(request, way) {
        Some(address) => HttpResponse::build(StatusCode::PERMANENT_REDIRECT)
            .insert_header((LOCATION, address))
            .insert_header((CONNECTION, "close"))
            .finish(),
        None => HttpResponse::new(StatusCode::BAD_REQUEST),
    }
}

/// The same address over https: at the public one if there is one, since a header may say anything.
fn secure(request: &HttpRequest, way: &Way) -> Option<String> {
    let rest = request.uri().path_and_query().map_or("/", |rest| rest.as_str());
    if let Some(public) = &way.public {
        return Some(format!("https://{public}{rest}"));
    }
    let host = request.headers().get(HOST)?.to_str().ok()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_plain) {
        return None;
    }
    let name = host_of(host);
    let name = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
    match way.port {
        HTTPS_PORT => Some(format!("https://{name}{rest}")),
        port => Some(format!("https://{name}:{port}{rest}")),
    }
}
