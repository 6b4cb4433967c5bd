//! Pebble, the test server for ACME (RFC 8555), as Debian ships it: a process of our own on loopback.
#![allow(dead_code, reason = "a kit: each test takes from it what it needs")]

use super::port::free_port;
use super::trusting_pem;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A directory that issues certificates. Dropping it kills it.
pub struct Pebble {
    child: Child,
    folder: TempDir,
    port: u16,
    manage: u16,
    manners: Manners,
}

/// How it behaves.
#[derive(Clone, Copy, Default)]
pub struct Manners {
    /// Where it looks for files over plain HTTP.
    pub http: u16,
    /// Where it shakes hands.
    pub tls: u16,
    /// Whether it wants an account that it knows already.
    pub wants_binding: bool,
    /// Seconds before it looks at a challenge.
    pub delay: u32,
    /// How many of a hundred nonces it refuses.
    pub bad_nonces: u32,
}

/// The id and the key of the account that it knows already.
pub const BINDING: (&str, &str) =
    ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W");

impl Pebble {
    /// Starts it and waits until it answers.
    pub async fn start(manners: Manners) -> Pebble {
        Pebble::at(free_port(), tempfile::tempdir().unwrap(), manners).await
    }

    /// Starts it anew at the same address, after it was killed: it has forgotten every account.
    pub async fn again(&mut self) {
        self.kill();
        self.child = spawn(self.folder.path(), self.manners);
        self.answers().await;
    }

    async fn at(port: u16, folder: TempDir, manners: Manners) -> Pebble {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let manage = free_port();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        if !folder.path().join("ca.pem").exists() {
            let key = rcgen::KeyPair::generate().unwrap();
            let about = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
            std::fs::write(path("ca.pem"), about.self_signed(&key).unwrap().pem()).unwrap();
            std::fs::write(path("key.pem"), key.serialize_pem()).unwrap();
        }
        let mut config = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"), "managementListenAddress": format!("127.0.0.1:{manage}"),
            "certificate": path("ca.pem"), "privateKey": path("key.pem"),
            "httpPort": manners.http, "tlsPort": manners.tls,
            "externalAccountBindingRequired": manners.wants_binding,
        }});
        if manners.wants_binding {
            config["pebble"]["externalAccountMACKeys"] = serde_json::json!({ BINDING.0: BINDING.1 });
        }
        std::fs::write(path("config.json"), config.to_string()).unwrap();
        let child = spawn(folder.path(), manners);
        let pebble = Pebble { child, folder, port, manage, manners };
        pebble.answers().await;
        pebble
    }

    async fn answers(&self) {
        for _ in 0..200 {
            if self.fetch(&self.directory()).await.is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("pebble does not answer");
    }

    /// Where its directory is.
    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }

    /// File with the authority that signed its own certificate.
    pub fn authority(&self) -> String {
        self.folder.path().join("ca.pem").to_str().unwrap().to_owned()
    }

    /// The root of what it issues, in PEM.
    pub async fn root(&self) -> String {
        self.fetch(&format!("https://localhost:{}/roots/0", self.manage)).await.unwrap()
    }

    /// As if it were gone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    async fn fetch(&self, url: &str) -> Option<String> {
        let pem = std::fs::read_to_string(self.authority()).unwrap();
        let answer = trusting_pem(&pem).build().unwrap().get(url).send().await.ok()?;
        answer.text().await.ok()
    }
}

fn spawn(folder: &Path, manners: Manners) -> Child {
    let mut command = Command::new("pebble");
    command.arg("-config").arg(folder.join("config.json")).env("PEBBLE_AUTHZREUSE", "0");
    command.env("PEBBLE_WFE_NONCEREJECT", manners.bad_nonces.to_string());
    match manners.delay {
        0 => command.env("PEBBLE_VA_NOSLEEP", "1"),
        seconds => command.env("PEBBLE_VA_SLEEPTIME", seconds.to_string()),
    };
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    child.expect("pebble is installed")
}

impl Drop for Pebble {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
