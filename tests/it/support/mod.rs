//! Boots the real composition root on a temporary folder: real TLS, real HTTP, a clock that stands still.
#![allow(dead_code, reason = "a kit: each test takes from it what it needs")]

pub mod browser;
pub mod pebble;
pub mod people;
pub mod port;

pub mod program;
pub mod site;

pub mod small_disk;

use reqwest::{Certificate, Client, ClientBuilder, Method, RequestBuilder, Response};
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use testkeep::app::{self, Running};
use testkeep::kernel::access::{AuditView, Role};
use testkeep::kernel::audit::{self, Verdict};
use testkeep::kernel::error::Result;
use testkeep::kernel::id::ProjectId;
use testkeep::kernel::options::Options;
use testkeep::kernel::time::{Clock, Timestamp};

/// 2026-01-02 03:04:05 UTC, the present moment of every test that does not say otherwise.
pub const NOW: Timestamp = Timestamp(1_767_323_045_000);

/// A running instance with a folder of its own.
pub struct App {
    running: Running,
    /// The clock of the instance; `clock.advance(ms)` moves it on.
    pub clock: Clock,
    folder: TempDir,
    client: Client,
}

/// The parts of the instance are at hand: `app.house.door`, `app.house.shell`, `app.tls`.
impl Deref for App {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.running
    }
}

impl App {
    /// Starts an instance with bounds that no test reaches by accident.
    pub async fn start() -> App {
        App::with(&[]).await
    }

    /// Starts an instance with these options on top.
    pub async fn with(flags: &[(&str, &str)]) -> App {
        App::on(tempfile::tempdir().unwrap(), flags).await
    }

    /// Starts an instance on a folder that exists.
    pub async fn on(folder: TempDir, flags: &[(&str, &str)]) -> App {
        let clock = clock();
        let running = start_on(folder.path(), flags, clock.clone()).await.unwrap();
        let client = trusting(folder.path()).build().unwrap();
        App { running, clock, folder, client }
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        data(self.folder.path())
    }

    /// The temporary folder, for whatever a test needs on a disk.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A client that trusts the certificate of this instance, follows no redirect and holds no cookies.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A client of the same kind that a test wants to shape further.
    pub fn client_builder(&self) -> ClientBuilder {
        trusting(self.folder())
    }

    /// The address of a path.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url())
    }

    /// A request of a stranger, not yet sent.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.at(path))
    }

    /// What a stranger gets.
    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// A project of this key.
    pub async fn project(&self, key: &'static str) -> ProjectId {
        crate::kernel::house::project(&self.running.house.shell, key).await
    }

    /// A token of a new person with this role, in a project or in the instance.
    pub async fn token(&self, role: Role, project: Option<ProjectId>) -> String {
        self.as_role(role, project).await.token
    }

    /// A request of whoever holds this token, not yet sent.
    pub fn with_token(&self, token: &str, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(token)
    }

    /// Stops like a service does, after the audit trail has proved whole. Gives the folder back.
    pub async fn stop(self) -> TempDir {
        let gate = self.running.house.shell.operator().gate::<AuditView>(());
        let verdict = gate.read(|tx| audit::verify(tx, None)).await.unwrap();
        assert!(matches!(verdict, Verdict::Whole(_)), "{verdict:?}");
        self.halt().await
    }

    /// Stops like a service does. Gives the folder back.
    pub async fn halt(self) -> TempDir {
        self.running.stop().await;
        self.folder
    }
}

/// A clock that stands at `NOW`.
pub fn clock() -> Clock {
    Clock::fixed(NOW)
}

/// The data folder lies in the temporary one, because its key must lie outside.
fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// Options as the command line would read them: this folder, any free port, nothing from outside.
pub fn options(folder: &Path, flags: &[(&str, &str)]) -> Options {
    let data = data(folder);
    let base = [
        ("data", data.to_str().unwrap()),
        ("listen", "127.0.0.1:0"),
        ("sign_ins_per_minute", "1000000"),
        ("requests_per_second", "1000000"),
    ];
    let own = |(name, words): &(&str, &str)| ((*name).to_owned(), (*words).to_owned());
    let flags: Vec<_> = base.iter().chain(flags).map(own).collect();
    Options::load(&flags, []).unwrap()
}

/// Starts on a folder, for tests that expect a refusal.
pub async fn start_on(folder: &Path, flags: &[(&str, &str)], clock: Clock) -> Result<Running> {
    let options = options(folder, flags);
    let unlock = app::unlock(&options, testkeep::keeping::keys::kms::Patience::Command)?;
    app::start(options, &unlock, clock).await
}

fn trusting(folder: &Path) -> ClientBuilder {
    let client = Client::builder().redirect(reqwest::redirect::Policy::none());
    match std::fs::read(data(folder).join("tls/certificate.pem")) {
        Ok(pem) => client.tls_certs_only([Certificate::from_pem(&pem).unwrap()]),
        Err(_) => client,
    }
}

/// A client that trusts this certificate and no other.
pub fn trusting_pem(pem: &str) -> ClientBuilder {
    Client::builder().tls_certs_only([Certificate::from_pem(pem.as_bytes()).unwrap()])
}

/// Sends bytes as they are and gives back all that comes until the other side closes.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // Closed by a reset when it had more to say: what came before counts.
    let reading = tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut answer));
    let _ = reading.await.expect("the other side closes the connection");
    String::from_utf8_lossy(&answer).into_owned()
}
