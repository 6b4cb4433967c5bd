//! Certificates: our own, those from files, and their change without a restart.

use crate::support::{self, App, trusting_pem};
use reqwest::tls::Version;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use testkeep::kernel::time::{Clock, Timestamp};
use testkeep::server::tls::Tls;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A self-signed pair for localhost, in PEM.
fn pair() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn put(folder: &Path, (certificate, key): &(String, String)) {
    fs::write(folder.join("new.pem"), certificate).unwrap();
    fs::rename(folder.join("new.pem"), folder.join("site.pem")).unwrap();
    fs::write(folder.join("key.pem"), key).unwrap();
}

async fn with_files(first: &(String, String)) -> App {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), first);
    let path = |name| folder.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("site.pem"), path("key.pem"));
    App::on(folder, &[("tls_certificate", &certificate), ("tls_key", &key)]).await
}

async fn is_served(app: &App, pem: &str) -> bool {
    trusting_pem(pem).build().unwrap().get(app.at("/healthz")).send().await.is_ok()
}

#[actix_web::test]
async fn tls_1_2_and_1_3_are_spoken_and_nothing_older() {
    let app = App::start().await;
    for version in [Version::TLS_1_2, Version::TLS_1_3] {
        let client = app.client_builder().tls_version_min(version).tls_version_max(version).build().unwrap();
        assert_eq!(client.get(app.at("/healthz")).send().await.unwrap().status(), 200, "{version:?}");
    }
    // A greeting of TLS 1.1, since no library of today would send one: version 3.2, three ciphers of its time,
    // signatures by P-256.
    let mut hello = vec![0x16, 3, 1, 0, 59, 1, 0, 0, 55, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 6, 0xc0, 0x13, 0xc0, 0x09, 0, 0x2f, 1, 0]);
    hello.extend([0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
    let mut socket = tokio::net::TcpStream::connect(app.address()).await.unwrap();
    socket.write_all(&hello).await.unwrap();
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    const ALERT: u8 = 0x15;
    const FATAL_PROTOCOL_VERSION: [u8; 2] = [2, 70];
    assert_eq!((answer.first(), answer.get(5..7)), (Some(&ALERT), Some(&FATAL_PROTOCOL_VERSION[..])));
}

#[actix_web::test]
async fn both_http_2_and_http_1_1_are_offered() {
    let app = App::start().await;
    assert_eq!(app.get("/healthz").await.version(), reqwest::Version::HTTP_2);
    let old = app.client_builder().http1_only().build().unwrap();
    assert_eq!(old.get(app.at("/healthz")).send().await.unwrap().version(), reqwest::Version::HTTP_11);
}

#[actix_web::test]
async fn our_own_certificate_survives_a_restart() {
    let app = App::start().await;
    let fingerprint = app.fingerprint().unwrap();
    assert_eq!(fingerprint.split(':').count(), 32);
    let app = App::on(app.stop().await, &[]).await;
    assert_eq!(app.fingerprint().unwrap(), fingerprint);
}

#[actix_web::test]
async fn f21_p_l2_11_a_certificate_is_replaced_without_a_restart() {
    let (first, second) = (pair(), pair());
    let app = with_files(&first).await;
    assert!(is_served(&app, &first.0).await);
    let before = app.fingerprint();

    put(app.folder(), &second);
    app.tls.as_ref().unwrap().look();

    assert!(is_served(&app, &second.0).await);
    assert!(!is_served(&app, &first.0).await);
    assert_ne!(app.fingerprint(), before);
}

#[actix_web::test]
async fn f21_a_pair_that_does_not_fit_leaves_the_old_one_in_service() {
    let (first, second) = (pair(), pair());
    let app = with_files(&first).await;
    let tls = app.tls.as_ref().unwrap();
    for bad in [
        (second.0.clone(), first.1.clone()),
        (second.0.clone(), "no key".to_owned()),
        (String::new(), second.1.clone()),
    ] {
        put(app.folder(), &bad);
        tls.look();
        assert!(is_served(&app, &first.0).await);
    }
    fs::remove_file(app.folder().join("site.pem")).unwrap();
    tls.look();
    assert!(is_served(&app, &first.0).await);

    put(app.folder(), &second);
    tls.look();
    assert!(is_served(&app, &second.0).await);
}

#[actix_web::test]
async fn a_pair_that_does_not_fit_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &(pair().0, pair().1));
    let path = |name| folder.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("site.pem"), path("key.pem"));
    let flags = [("tls_certificate", certificate.as_str()), ("tls_key", key.as_str())];
    let refusal = support::start_on(folder.path(), &flags, support::clock()).await.err().unwrap();
    assert!(refusal.sentence().contains("no certificate with its key"), "{refusal:?}");
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn f21_p_l2_11_the_end_of_a_certificate_is_warned_of_a_month_ahead_and_once_a_day() {
    const DAY_MS: i64 = 24 * 3_600_000;
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &pair());
    let path = |name| folder.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("site.pem"), path("key.pem"));
    let options = support::options(folder.path(), &[("tls_certificate", &certificate), ("tls_key", &key)]);
    let end = Tls::open(&options, support::clock()).unwrap().current().not_after;
    let clock = Clock::fixed(Timestamp(end.0 - 40 * DAY_MS));
    let tls = Tls::open(&options, clock.clone()).unwrap();
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(log, || {
        for (forward_ms, warnings) in [(0, 0), (10 * DAY_MS, 1), (DAY_MS / 2, 1), (DAY_MS / 2, 2)] {
            clock.advance(forward_ms);
            tls.look();
            let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
            assert_eq!(text.matches("the certificate ends in").count(), warnings, "{text}");
        }
    });
}
