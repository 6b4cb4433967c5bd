//! TLS: which certificate is served, and its change without a restart.
//!
//! A pair that does not fit never replaces one that does: the old one stays, and the log says why.

use super::challenges::{ACME_TLS, Challenges};
use super::pair::{self, Pair};
use super::{Source, names};
use crate::kernel::durable;
use crate::kernel::error::{Error, Result};
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::options::{Options, TlsFiles};
use crate::kernel::time::{Clock, Timestamp};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};
use tracing::{info, warn};

/// The certificate of a running instance.
#[derive(Debug)]
pub struct Tls {
    base: Base,
    current: RwLock<Served>,
    seen: Mutex<Seen>,
    challenges: Challenges,
    clock: Clock,
}

/// What is found on the disk: the files of the options, or what the instance makes itself.
#[derive(Debug)]
enum Base {
    Files(TlsFiles),
    Ourselves { folder: PathBuf, names: Vec<String> },
}

/// What handshakes get, and where it comes from.
#[derive(Clone, Debug)]
pub struct Served {
    /// The pair.
    pub pair: Arc<Pair>,
    /// Where it comes from.
    pub source: Source,
}

/// The pair that a start would find on the disk; none if it would make one itself.
pub fn on_disk(options: &Options) -> Result<Option<Pair>> {
    let own = layout::tls(&options.data);
    match &options.tls_files {
        Some(files) => Pair::read(&files.certificate, &files.key).map(Some),
        None if pair::is_in(&own) => pair::in_folder(&own).map(Some),
        None => Ok(None),
    }
}

/// What the last look saw, so that each thing is said once.
#[derive(Debug, Default)]
struct Seen {
    stamps: Option<Stamps>,
    warned_at: Option<Timestamp>,
    /// Why what lies there is not served.
    problem: Option<String>,
    looked_at: Option<Timestamp>,
}

/// What tells a file from its replacement: disk, inode, length, and the time of its last change of any kind, which
/// nobody can set back as they can that of its content.
type Stamps = [(u64, u64, u64, i64, i64); 2];

impl Tls {
    /// Reads the files that the options name, or makes a certificate of our own.
    pub fn open(options: &Options, clock: Clock) -> Result<Arc<Tls>> {
        let (base, source) = match &options.tls_files {
            Some(files) => (Base::Files(files.clone()), Source::Files),
            None => {
                let folder = layout::tls(&options.data);
                durable::create_folder(&folder)?;
                (Base::Ourselves { folder, names: names::of_this_host(options) }, Source::Own)
            }
        };
        let stamps = base.stamps();
        let pair = Arc::new(base.read(clock.now())?);
        let seen = Mutex::new(Seen { stamps, ..Seen::default() });
        let current = RwLock::new(Served { pair, source });
        Ok(Arc::new(Tls { base, current, seen, challenges: Challenges::default(), clock }))
    }

    /// The pair that handshakes get now.
    pub fn current(&self) -> Arc<Pair> {
        self.served().pair
    }

    /// The same with where it comes from.
    pub fn served(&self) -> Served {
        self.current.read().expect("nobody panics while holding it").clone()
    }

    /// The answers that a directory may find.
    pub fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    /// Why what lies in the files is not served, and when they were last looked at.
    pub fn files(&self) -> (Option<String>, Option<Timestamp>) {
        let seen = self.seen.lock().expect("nobody panics while holding it");
        (seen.problem.clone(), seen.looked_at)
    }

    /// The clock by which strangers judge the certificate.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Looks whether the files have changed or the end is near, and acts on it.
    pub fn look(&self) {
        self.look_at(self.clock.now());
    }

    /// The same at this moment.
    pub(super) fn look_at(&self, now: Timestamp) {
        let served = self.served();
        let days_left = served.pair.days_left(now);
        let is_ending = days_left <= served.pair.warning_days();
        let is_read_again = match served.source {
            // What did not fit may do so by now: the other half has come, or its day has.
            Source::Files => self.has_changed(now) || self.files().0.is_some(),
            Source::Own => is_ending,
            Source::Acme | Source::Authority => false,
        };
        if is_read_again {
            self.read_again(&served, now);
        } else if is_ending && self.is_news(now) {
            warn!(days_left, "the certificate ends in {days_left} days; put a new pair in its place");
        }
    }

    fn read_again(&self, served: &Served, now: Timestamp) {
        let read = self.base.read(now).map_err(|reason| reason.sentence().to_owned());
        let read = read.and_then(|pair| match pair.refusal(now) {
            Some(reason) if served.pair.refusal(now).is_none() => Err(format!("It is not served: {reason}.")),
            _ => Ok(pair),
        });
        let mut seen = self.seen.lock().expect("nobody panics while holding it");
        match read {
            Ok(pair) => {
                seen.problem = None;
                drop(seen);
                if pair.fingerprint != served.pair.fingerprint {
                    self.serve(pair, served.source);
                }
            }
            Err(reason) => {
                if seen.problem.as_ref() != Some(&reason) {
                    warn!(%reason, "the new certificate does not fit; the old one stays in service");
                }
                seen.problem = Some(reason);
            }
        }
    }

    /// From now on handshakes get this pair. Connections that are open go on as they are.
    pub(super) fn serve(&self, pair: Pair, source: Source) {
        let days_left = pair.days_left(self.clock.now());
        info!(fingerprint = %pair.fingerprint, days_left, source = source.word(), "serving a new certificate");
        let served = Served { pair: Arc::new(pair), source };
        *self.current.write().expect("nobody panics while holding it") = served;
    }

    fn has_changed(&self, now: Timestamp) -> bool {
        let stamps = self.base.stamps();
        let mut seen = self.seen.lock().expect("nobody panics while holding it");
        seen.looked_at = Some(now);
        // Files that are gone for a moment are being replaced.
        let has_changed = stamps.is_some() && stamps != seen.stamps;
        if has_changed {
            (seen.stamps, seen.warned_at) = (stamps, None);
        }
        has_changed
    }

    /// Whether the end of the certificate was last spoken of long enough ago.
    fn is_news(&self, now: Timestamp) -> bool {
        let mut seen = self.seen.lock().expect("nobody panics while holding it");
        let is_news = seen.warned_at.is_none_or(|at| now.0 - at.0 >= limits::CERTIFICATE_WARNING_EVERY_MS);
        if is_news {
            seen.warned_at = Some(now);
        }
        is_news
    }
}

impl ResolvesServerCert for Tls {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Whoever looks at a challenge offers this protocol alone (RFC 8737, 3).
        if hello.alpn().is_some_and(|offered| offered.eq([ACME_TLS])) {
            return self.challenges.handshake(&hello.server_name()?.to_ascii_lowercase());
        }
        Some(Arc::clone(&self.current().certified))
    }
}

impl Base {
    fn read(&self, now: Timestamp) -> Result<Pair> {
        match self {
            Base::Files(files) => Pair::read(&files.certificate, &files.key),
            Base::Ourselves { folder, names } => pair::own(folder, names, now),
        }
    }

    fn stamps(&self) -> Option<Stamps> {
        let Base::Files(TlsFiles { certificate, key }) = self else { return None };
        let stamp = |path: &PathBuf| {
            let about = fs::metadata(path).ok()?;
            Some((about.dev(), about.ino(), about.len(), about.ctime(), about.ctime_nsec()))
        };
        Some([stamp(certificate)?, stamp(key)?])
    }
}

/// Why no files are to be looked at, in words.
pub(super) fn no_files() -> Error {
    Error::conflict("The certificate does not come from files.")
        .hint("Set `tls_certificate` and `tls_key` to have them read.")
}
