//! TLS: which certificate is served, and its change without a restart.
//!
//! A pair that does not fit never replaces one that does: the old one stays, and the log says why.

use super::certificate::{self, Pair};
use crate::kernel::durable;
use crate::kernel::error::{Error, Result};
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::options::{Options, TlsFiles};
use crate::kernel::time::{Clock, Timestamp};
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};
use tracing::{info, warn};

/// The certificate of a running instance.
#[derive(Debug)]
pub struct Tls {
    origin: From,
    current: RwLock<Arc<Pair>>,
    seen: Mutex<Seen>,
    clock: Clock,
}

#[derive(Debug)]
enum From {
    Files(TlsFiles),
    Ourselves { folder: PathBuf, names: Vec<String> },
}

/// The pair that a start would find on the disk; none if it would make one itself.
pub fn on_disk(options: &Options) -> Result<Option<Pair>> {
    let own = layout::tls(&options.data);
    match &options.tls_files {
        Some(files) => Pair::read(&files.certificate, &files.key).map(Some),
        None if certificate::is_in(&own) => certificate::in_folder(&own).map(Some),
        None => Ok(None),
    }
}

/// What the last look saw, so that each thing is said once.
#[derive(Debug, Default)]
struct Seen {
    stamps: Option<Stamps>,
    warned_at: Option<Timestamp>,
}

/// What tells a file from its replacement: inode, length, and the time of its change to the nanosecond.
type Stamps = [(u64, u64, i64, i64); 2];

impl Tls {
    /// Reads the files that the options name, or makes a certificate of our own.
    pub fn open(options: &Options, clock: Clock) -> Result<Arc<Tls>> {
        let origin = match &options.tls_files {
            Some(files) => From::Files(files.clone()),
            None => {
                let folder = layout::tls(&options.data);
                durable::create_folder(&folder)?;
                From::Ourselves { folder, names: names(options) }
            }
        };
        let stamps = origin.stamps();
        let pair = origin.read(clock.now())?;
        let seen = Mutex::new(Seen { stamps, warned_at: None });
        Ok(Arc::new(Tls { origin, current: RwLock::new(Arc::new(pair)), seen, clock }))
    }

    /// Settings for the listeners: TLS 1.2 and 1.3, forward secrecy always.
    pub fn config(self: &Arc<Tls>) -> Result<rustls::ServerConfig> {
        let builder = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(Error::internal)?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::clone(self) as _);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    /// The pair that handshakes get now.
    pub fn current(&self) -> Arc<Pair> {
        Arc::clone(&self.current.read().expect("nobody panics while holding it"))
    }

    /// Looks whether the files have changed or the end is near, and acts on it.
    pub fn look(&self) {
        let days_left = self.current().days_left(self.clock.now());
        let is_ours = matches!(self.origin, From::Ourselves { .. });
        let is_ending = days_left <= limits::CERTIFICATE_WARNING_DAYS && self.is_news();
        if self.has_changed() || (is_ours && is_ending) {
            match self.origin.read(self.clock.now()) {
                Ok(pair) => self.serve(pair),
                Err(reason) => {
                    warn!(%reason, "the new certificate does not fit; the old one stays in service");
                }
            }
        } else if is_ending {
            warn!(days_left, "the certificate ends in {days_left} days; put a new pair in its place");
        }
    }

    fn serve(&self, pair: Pair) {
        let days_left = pair.days_left(self.clock.now());
        info!(fingerprint = %pair.fingerprint, days_left, "serving a new certificate");
        *self.current.write().expect("nobody panics while holding it") = Arc::new(pair);
    }

    /// Looks for ever, every few seconds.
    pub async fn watch(self: Arc<Tls>) {
        let mut ticks = tokio::time::interval(limits::CERTIFICATE_LOOK_EVERY);
        loop {
            ticks.tick().await;
            self.look();
        }
    }

    fn has_changed(&self) -> bool {
        let stamps = self.origin.stamps();
        let mut seen = self.seen.lock().expect("nobody panics while holding it");
        // Files that are gone for a moment are being replaced.
        let has_changed = stamps.is_some() && stamps != seen.stamps;
        if has_changed {
            *seen = Seen { stamps, warned_at: None };
        }
        has_changed
    }

    /// Whether the end of the certificate was last spoken of long enough ago.
    fn is_news(&self) -> bool {
        let now = self.clock.now();
        let mut seen = self.seen.lock().expect("nobody panics while holding it");
        let is_news = seen.warned_at.is_none_or(|at| now.0 - at.0 >= limits::CERTIFICATE_WARNING_EVERY_MS);
        if is_news {
            seen.warned_at = Some(now);
        }
        is_news
    }
}

impl ResolvesServerCert for Tls {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current().certified))
    }
}

impl From {
    fn read(&self, now: Timestamp) -> Result<Pair> {
        match self {
            From::Files(files) => Pair::read(&files.certificate, &files.key),
            From::Ourselves { folder, names } => certificate::own(folder, names, now),
        }
    }

    fn stamps(&self) -> Option<Stamps> {
        let From::Files(TlsFiles { certificate, key }) = self else { return None };
        let stamp = |path: &PathBuf| {
            let about = fs::metadata(path).ok()?;
            Some((about.ino(), about.len(), about.mtime(), about.mtime_nsec()))
        };
        Some([stamp(certificate)?, stamp(key)?])
    }
}

/// Every name under which somebody may reach us, as far as we know.
fn names(options: &Options) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    // The second place is for services that see nothing of the kernel but their own processes.
    let host =
        ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|path| fs::read_to_string(path).ok());
    let host = host.as_deref().unwrap_or_default().trim();
    if host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.') {
        names.push(host.to_ascii_lowercase());
    }
    let public = options.public_url.as_ref().map(|url| host_of(url.authority()).to_owned());
    let bound = options.listen.iter().map(|at| at.ip()).filter(|ip| !ip.is_unspecified());
    names.extend(public.into_iter().chain(bound.map(|ip| ip.to_string())).chain(options.tls_names.clone()));
    let mut known = std::collections::HashSet::new();
    names.retain(|name| !name.is_empty() && known.insert(name.clone()));
    names
}

/// The host of `host:port`, without the brackets of an IPv6 address.
fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split(':').next().unwrap_or(authority),
    }
}
