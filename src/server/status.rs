//! Status: is it alive, is it ready, how busy is it. Nothing secret is said.

use super::kept::Kept;
use super::tls::Tls;
use crate::guard::client::Client;
use crate::keeping::shipping::Shipping;
use crate::kernel::access::{Door, InstanceKeep, InstanceView, Job, Permission};
use crate::kernel::alarms::{self, Alarm, Raised};
use crate::kernel::audit::Quiet;
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::limits;
use crate::kernel::options::Options;
use crate::kernel::time::Clock;
use crate::web::entrance::bearer_token;
use crate::web::routes::{Route, public};
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, RETRY_AFTER};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web::Data};
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Looks whether the database answers; may do nothing else.
const WATCH: Job = Job {
    name: "status",
    meaning: "Proves that the database reads and commits.",
    may: &[InstanceView::INFO, InstanceKeep::INFO],
};

/// Seconds that separate quick answers from slow ones.
const SECONDS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0];

/// A token shorter than this could be guessed.
const TOKEN_CHARS_MIN: usize = 20;

/// What is asked by an address and not by our name.
pub(super) const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// The routes of this module.
pub fn routes() -> Vec<Route> {
    let [alive, ready] = PROBES;
    vec![
        public(Method::GET, alive, healthz),
        public(Method::GET, ready, readyz),
        public(Method::GET, "/metrics", metrics),
    ]
}

/// Counts requests and knows who may see the counts.
pub struct Status {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    requests_under_way: IntGauge,
    is_stopping: AtomicBool,
    certificate_ends: IntGauge,
    certificate_left: IntGauge,
    alarms: IntGaugeVec,
    kept: Kept,
    log_lag: IntGaugeVec,
    tls: Option<Arc<Tls>>,
    token: Option<[u8; 32]>,
}

impl Status {
    /// Starts counting at zero; reads the token of the metrics if the options name a file.
    pub fn new(options: &Options, tls: Option<Arc<Tls>>) -> Result<Status> {
        let requests =
            Opts::new("testkeep_requests_total", "Requests answered, by route and class of status.");
        let seconds = HistogramOpts::new("testkeep_request_seconds", "Time until an answer began, by route.")
            .buckets(SECONDS.to_vec());
        let under_way = "testkeep_requests_under_way";
        let ends = "testkeep_certificate_not_after_seconds";
        let left = "testkeep_certificate_expires_seconds";
        let lag = Opts::new("testkeep_log_lag_seconds", "How far the shipped log is behind, by target.");
        let alarms = Opts::new("testkeep_alarms", "Alarms that are not over, by kind.");
        let build = || -> prometheus::Result<Status> {
            let registry = Registry::new();
            let status = Status {
                kept: Kept::new(&registry)?,
                registry,
                requests: IntCounterVec::new(requests, &["method", "route", "class"])?,
                seconds: HistogramVec::new(seconds, &["route"])?,
                requests_under_way: IntGauge::new(under_way, "Requests begun and not yet answered.")?,
                certificate_ends: IntGauge::new(ends, "When the certificate ends, in seconds since 1970.")?,
                certificate_left: IntGauge::new(left, "Seconds until the certificate ends.")?,
                alarms: IntGaugeVec::new(alarms, &["kind"])?,
                log_lag: IntGaugeVec::new(lag, &["target"])?,
                is_stopping: AtomicBool::new(false),
                tls,
                token: None,
            };
            status.registry.register(Box::new(status.requests.clone()))?;
            status.registry.register(Box::new(status.seconds.clone()))?;
            status.registry.register(Box::new(status.requests_under_way.clone()))?;
            status.registry.register(Box::new(status.certificate_ends.clone()))?;
            status.registry.register(Box::new(status.certificate_left.clone()))?;
            status.registry.register(Box::new(status.alarms.clone()))?;
            status.registry.register(Box::new(status.log_lag.clone()))?;
            status.registry.register(Box::new(ProcessCollector::for_self()))?;
            Ok(status)
        };
        let token = options.metrics_token_file.as_deref().map(token_digest).transpose()?;
        Ok(Status { token, ..build().map_err(Error::internal)? })
    }

    /// Requests that have begun and are not yet answered.
    pub fn requests_under_way(&self) -> i64 {
        self.requests_under_way.get()
    }

    /// From now on new requests are turned away.
    pub(super) fn begin_stopping(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Counts a request as long as the result lives.
    pub(super) fn begin_request(&self) -> UnderWay {
        self.requests_under_way.inc();
        UnderWay(self.requests_under_way.clone())
    }

    pub(super) fn count(&self, method: &Method, route: &str, status: u16, elapsed: Duration) {
        const CLASSES: [&str; 6] = ["0xx", "1xx", "2xx", "3xx", "4xx", "5xx"];
        let class = CLASSES[usize::from(status / 100).min(5)];
        // A method somebody made up would be a series of its own for ever.
        let method = match *method {
            Method::GET | Method::HEAD => "GET",
            Method::POST => "POST",
            Method::PUT => "PUT",
            Method::PATCH => "PATCH",
            Method::DELETE => "DELETE",
            _ => "other",
        };
        self.requests.with_label_values(&[method, route, class]).inc();
        self.seconds.with_label_values(&[route]).observe(elapsed.as_secs_f64());
    }

    fn admits(&self, request: &HttpRequest) -> bool {
        let client = request.extensions().get::<Client>().copied();
        if client.is_some_and(|client| client.is_here) {
            return true;
        }
        let (Some(token), Some(shown)) = (&self.token, bearer_token(request)) else { return false };
        token.ct_eq(&<[u8; 32]>::from(Sha256::digest(shown))).into()
    }

    fn note_lags(&self, shipping: &Shipping) {
        self.log_lag.reset();
        for place in shipping.places() {
            if let Some(lag_ms) = place.lag_ms(Clock::System.now()) {
                self.log_lag.with_label_values(&[&place.name]).set(lag_ms / 1_000);
            }
        }
    }

    fn text(&self, raised: &[Raised]) -> Result<String> {
        for kind in Alarm::ALL {
            let count = raised.iter().filter(|raised| raised.alarm == *kind).count();
            self.alarms.with_label_values(&[kind.word()]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        if let Some(tls) = &self.tls {
            let ends = tls.current().not_after.0;
            self.certificate_ends.set(ends / 1_000);
            self.certificate_left.set((ends - Clock::System.now().0) / 1_000);
        }
        TextEncoder::new().encode_to_string(&self.registry.gather()).map_err(Error::internal)
    }
}

/// A request until its last byte, or until its client hangs up.
pub(super) struct UnderWay(IntGauge);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Only the digest is kept: what is not there cannot leak.
fn token_digest(path: &std::path::Path) -> Result<[u8; 32]> {
    let words = std::fs::read_to_string(path).map_err(|reason| {
        Error::invalid(format!("The token of the metrics in {} cannot be read: {reason}.", path.display()))
    })?;
    let token = words.trim();
    if token.len() < TOKEN_CHARS_MIN {
        return Err(Error::invalid(format!(
            "The token of the metrics in {} is shorter than {TOKEN_CHARS_MIN} characters.",
            path.display()
        ))
        .hint("Make one with `openssl rand -hex 32`."));
    }
    Ok(Sha256::digest(token).into())
}

/// Whether the database reads, and its disk took the last change that somebody made.
pub async fn is_ready(door: &Door) -> Result<()> {
    within(door.job(&WATCH).gate::<InstanceView>(()).admit()).await?;
    door.trouble().map_or(Ok(()), Err)
}

/// Whether the database reads and the writer commits. A full queue is a sign of life, and so is a disk that is
/// full or takes no writes: starting anew would end the reading that goes on, and mends no disk.
pub(super) async fn is_alive(door: &Door) -> Result<()> {
    let gate = door.job(&WATCH).gate::<InstanceKeep>(());
    let proven = async {
        within(door.job(&WATCH).gate::<InstanceView>(()).admit()).await?;
        within(gate.write(|tx| Ok(tx.quiet(Quiet::JobHeartbeat, ())))).await
    };
    proven.await.or_else(|reason| match reason.kind() {
        Kind::Busy | Kind::Full | Kind::Unwritable => Ok(()),
        _ => Err(reason),
    })
}

async fn within(proof: impl Future<Output = Result<()>>) -> Result<()> {
    let late = |_| Error::internal("the database did not answer in time");
    tokio::time::timeout(limits::LIVENESS_WAIT, proof).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
}

async fn healthz() -> HttpResponse {
    plain(HttpResponse::Ok(), "ok")
}

async fn readyz(door: Data<Door>) -> HttpResponse {
    match is_ready(&door).await {
        Ok(()) => plain(HttpResponse::Ok(), "ready"),
        Err(reason) => {
            tracing::warn!(?reason, "not ready");
            let mut response = HttpResponse::ServiceUnavailable();
            response.insert_header((RETRY_AFTER, "1"));
            plain(response, "database")
        }
    }
}

async fn metrics(
    request: HttpRequest,
    status: Data<Status>,
    door: Data<Door>,
    shipping: Data<Shipping>,
) -> Result<HttpResponse> {
    if !status.admits(&request) {
        return Err(Error::forbidden("Metrics are for this machine, or for the holder of their token.")
            .hint("Set `metrics_token_file` and send the token as `Authorization: Bearer …`."));
    }
    let raised = door.job(&WATCH).gate::<InstanceView>(()).read(|tx| alarms::open(tx)).await?;
    status.kept.refresh(&door).await?;
    status.note_lags(&shipping);
    Ok(plain(HttpResponse::Ok(), status.text(&raised)?))
}

fn plain(mut response: actix_web::HttpResponseBuilder, text: impl Into<String>) -> HttpResponse {
    response.insert_header((CACHE_CONTROL, "no-store"));
    response.content_type("text/plain; charset=utf-8").body(text.into())
}
