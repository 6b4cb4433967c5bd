//! The stack: the way of every request, in one readable list.
//!
//! What happens here is the same for all routes. Who may do what is decided behind the door.

use super::admin::Admin;
use super::host;
use super::pace::paced;
use super::status::{PROBES, Status, UnderWay};
use crate::guard::client::{Client, Proxies};
use crate::guard::throttle::Throttle;
use crate::kernel::access::{Door, Origin};
use crate::kernel::closure::{self, Closed, Closure};
use crate::kernel::error::Error;
use crate::kernel::limits;
use crate::kernel::options::Options;
use crate::kernel::random;
use crate::kernel::time::Clock;
use crate::web::figures::Moment;
use crate::web::routes::{self, Route};
use crate::web::{compress, csrf, dialect, headers};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpMessage};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures_util::FutureExt;
use std::error::Error as StdError;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tracing::{error, info};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The application of one worker, with these routes.
pub fn app(
    shared: &Data<Shared>,
    table: Vec<Route>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = actix_web::Error,
        InitError = (),
    > + use<>,
> {
    App::new()
        .app_data(shared.clone())
        .app_data(web::PayloadConfig::new(limits::BODY_BYTES_MAX))
        .app_data(web::JsonConfig::default().limit(limits::BODY_BYTES_MAX))
        .app_data(web::FormConfig::default().limit(limits::BODY_BYTES_MAX))
        .configure(|config| shared.parts.iter().for_each(|hand_out| hand_out(config)))
        .configure(|config| routes::mount(config, table))
        // Read from the last line upwards: that one sees a request first and its answer last.
        .wrap(from_fn(compress::pack))
        .wrap(from_fn(catch))
        .wrap(from_fn(csrf::check))
        .wrap(from_fn(admit))
        .wrap(from_fn(dialect::speak))
        .wrap(from_fn(headers::add))
        .wrap(from_fn(tell))
}

/// What all workers share.
pub struct Shared {
    status: Data<Status>,
    options: Options,
    proxies: Proxies,
    throttle: Throttle,
    admin: Option<Admin>,
    closure: Arc<Closure>,
    parts: Vec<HandOut>,
}

type HandOut = Box<dyn Fn(&mut ServiceConfig) + Send + Sync>;

impl Shared {
    /// Bounds and counters of this instance, and its door for the handlers.
    pub fn new(door: Door, status: Data<Status>, options: Options) -> Shared {
        let own = Data::clone(&status);
        let shared = Shared {
            proxies: Proxies::new(options.trusted_proxies.clone()),
            throttle: Throttle::new(options.requests_per_second, options.sign_ins_per_minute),
            parts: vec![Box::new(move |config| {
                config.app_data(own.clone());
            })],
            admin: None,
            closure: Arc::default(),
            status,
            options,
        };
        let closure = Arc::clone(&shared.closure);
        shared.hand_out(Arc::new(door)).hand_out(closure)
    }

    /// Whether the instance is closed, as every request asks.
    pub fn closure(&self) -> Arc<Closure> {
        Arc::clone(&self.closure)
    }

    /// The pages of the instance answer at this address only, if there is one.
    pub(super) fn with_admin(self, at: Option<SocketAddr>) -> Shared {
        Shared { admin: at.map(Admin::new), ..self }
    }

    /// Handlers may ask for this as `Data<T>`.
    pub fn hand_out<T: Send + Sync + 'static>(mut self, part: Arc<T>) -> Shared {
        let part = Data::from(part);
        self.parts.push(Box::new(move |config| {
            config.app_data(part.clone());
        }));
        self
    }
}

fn shared(request: &ServiceRequest) -> Data<Shared> {
    request.app_data::<Data<Shared>>().expect("`app` hands it out").clone()
}

/// Names the request, finds out where it comes from, and tells how it ended. The outermost.
async fn tell(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let visit = Visit::begin(&shared(&request), &request);
    match next.call(request).await {
        Ok(response) => Ok(visit.end(response.map_into_boxed_body())),
        Err(failure) => Err(visit.end_without_request(&failure)),
    }
}

/// Turns away whom no handler should see: wrong host, too often, too late, too slow.
async fn admit(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if let Err(refusal) = admitted(&shared(&request), &request) {
        return Ok(refusal.answer(request));
    }
    let body = paced(request.take_payload());
    request.set_payload(body);
    // HEAD is GET whose body stays here; the connection sees to that.
    if *request.method() == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// A panic costs its own request only. People see a fixed sentence; the log has the place.
async fn catch(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    match AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(answer) => answer.map(ServiceResponse::map_into_boxed_body),
        Err(_) => {
            error!("a request ended in a panic");
            Err(Error::internal("a handler panicked").into())
        }
    }
}

enum Refusal {
    Stopping,
    Closed(Closed),
    Host(&'static str),
    Elsewhere(SocketAddr),
    TooOften(Duration),
}

/// What stays open while the instance is closed for maintenance, with all that lies below it.
const ALWAYS_OPEN: &[&str] = &[
    "/instance",
    "/signin",
    "/signout",
    "/static",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/v1/maintenance",
];

fn is_always_open(path: &str) -> bool {
    let below =
        |open: &&str| path.strip_prefix(*open).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    ALWAYS_OPEN.iter().any(below)
}

fn admitted(shared: &Shared, request: &ServiceRequest) -> Result<(), Refusal> {
    if shared.status.is_stopping() {
        return Err(Refusal::Stopping);
    }
    if let Some(closed) = shared.closure.now().filter(|_| !is_always_open(request.path())) {
        return Err(Refusal::Closed(closed));
    }
    let at = request.request().app_config().local_addr();
    let is_admin = shared.admin.as_ref().is_some_and(|admin| admin.is_at(at));
    let port = is_admin.then(|| at.port());
    // Whoever watches us asks by an address; what they hear has no links and sets no cookies.
    if !PROBES.contains(&request.path()) {
        host::check(request, shared.options.public_url.as_ref(), port).map_err(Refusal::Host)?;
    }
    if let Some(admin) = shared.admin.as_ref().filter(|admin| !is_admin && admin.guards(request)) {
        return Err(Refusal::Elsewhere(admin.address()));
    }
    let client = *request.extensions().get::<Client>().expect("`tell` has found out");
    shared.throttle.admit(client, request.method(), request.path()).map_err(Refusal::TooOften)
}

impl Refusal {
    fn answer(self, request: ServiceRequest) -> ServiceResponse<BoxBody> {
        match self {
            Refusal::Stopping => request.error_response(Error::busy("This instance is shutting down.")),
            Refusal::Closed(closed) => {
                let wait =
                    (closed.until.0 - Clock::System.now().0).max(limits::MAINTENANCE_RETRY_MS_MIN) / 1_000;
                let refusal = Error::busy(closure::SENTENCE);
                let until = format!("It is expected to open again on {}.", Moment(closed.until));
                let hint =
                    if closed.reason.is_empty() { until } else { format!("{} {until}", closed.reason) };
                let mut response = request.error_response(refusal.hint(hint));
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait));
                response
            }
            Refusal::Host(sentence) => {
                let mut response = request.error_response(Error::invalid(sentence));
                *response.response_mut().status_mut() = StatusCode::BAD_REQUEST;
                response
            }
            Refusal::Elsewhere(address) => request.error_response(
                Error::forbidden("The pages of the instance are not at this address.").hint(format!(
                    "Open them at port {}, with a client certificate in your browser.",
                    address.port()
                )),
            ),
            Refusal::TooOften(wait) => {
                let seconds = wait.saturating_add(Duration::from_millis(999)).as_secs();
                let refusal = Error::too_many("Too many requests came from your address.")
                    .hint(format!("Try again in {seconds} seconds."));
                let mut response = request.error_response(refusal);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
                response
            }
        }
    }
}

/// What is known of a request from its first to its last line.
struct Visit {
    id: Arc<str>,
    method: Method,
    began: Instant,
    status: Data<Status>,
    under_way: UnderWay,
}

impl Visit {
    fn begin(shared: &Shared, request: &ServiceRequest) -> Visit {
        let visit = Visit {
            id: HEXLOWER.encode(&random::bytes::<12>()).into(),
            method: request.method().clone(),
            began: Instant::now(),
            under_way: shared.status.begin_request(),
            status: shared.status.clone(),
        };
        let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        let client = shared.proxies.client(peer, request.headers());
        let origin = Origin { address: client.address.to_string().into(), request: Arc::clone(&visit.id) };
        request.extensions_mut().insert(origin);
        request.extensions_mut().insert(client);
        visit
    }

    fn end(self, mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
        let route = response.request().match_pattern();
        self.told(route.as_deref().unwrap_or("none"), response.status());
        self.sign(response.headers_mut());
        response.map_body(|_, body| BoxBody::new(Answer { body, _under_way: self.under_way }))
    }

    /// A handler that panicked took its request along; its answer is signed and told all the same.
    fn end_without_request(&self, failure: &actix_web::Error) -> actix_web::Error {
        let mut response = failure.error_response();
        self.told("none", response.status());
        self.sign(response.headers_mut());
        InternalError::from_response("answered", response).into()
    }

    fn sign(&self, headers: &mut HeaderMap) {
        let id = HeaderValue::from_str(&self.id).expect("hex digits may stand in a header");
        headers.insert(REQUEST_ID, id);
    }

    /// The one line of the request. Never its body, its query or a secret.
    fn told(&self, route: &str, code: StatusCode) {
        let (elapsed, code) = (self.began.elapsed(), code.as_u16());
        self.status.count(&self.method, route, code, elapsed);
        let (method, elapsed_ms) = (&self.method, elapsed.as_secs_f64() * 1_000.0);
        info!(request = %self.id, %method, route, status = code, elapsed_ms, "{method} {route} {code}");
    }
}

/// An answer with its request, which counts as under way until the last byte has gone.
struct Answer {
    body: BoxBody,
    _under_way: UnderWay,
}

impl MessageBody for Answer {
    type Error = Box<dyn StdError>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
