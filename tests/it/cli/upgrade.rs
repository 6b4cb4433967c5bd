//! `testkeep upgrade`: a signed program takes over, or everything is as before.

use crate::support::port::free_port;
use crate::support::program::{Machine, Server};
use serde_json::Value;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A machine whose program can be exchanged, with a release key.
pub struct Site {
    pub machine: Machine,
}

impl Site {
    /// None, and a sentence about it, where minisign is missing.
    pub fn new() -> Option<Site> {
        if Command::new("minisign").arg("-v").output().is_err() {
            println!("SKIPPED: minisign is not installed");
            return None;
        }
        let site = Site { machine: Machine::claimed() };
        site.machine.json(&["project", "create", "SHOP"]);
        std::fs::create_dir(site.machine.path("bin")).unwrap();
        std::fs::copy(env!("CARGO_BIN_EXE_testkeep"), site.program()).unwrap();
        site.keys("release");
        Some(site)
    }

    pub fn program(&self) -> PathBuf {
        self.machine.path("bin/testkeep")
    }

    fn keys(&self, name: &str) {
        let (public, secret) = (format!("{name}.pub"), format!("{name}.key"));
        let mut make = Command::new("minisign");
        make.args(["-G", "-W", "-f", "-p", &public, "-s", &secret]);
        self.succeeds(make.current_dir(self.machine.path(".")));
    }

    /// Signs a file as this release with this key.
    pub fn sign(&self, file: &Path, comment: &str, key: &str) {
        let secret = format!("{key}.key");
        let mut sign = Command::new("minisign");
        sign.args(["-S", "-W", "-s", &secret, "-t", comment, "-m"]).arg(file);
        self.succeeds(sign.current_dir(self.machine.path(".")));
    }

    fn succeeds(&self, command: &mut Command) {
        let answer = command.output().unwrap();
        assert!(answer.status.success(), "{answer:?}");
    }

    /// The program with another version number, and nothing else changed.
    pub fn newer(&self) -> PathBuf {
        let mut bytes = std::fs::read(self.program()).unwrap();
        let own = env!("CARGO_PKG_VERSION").as_bytes();
        for at in 0..bytes.len() - own.len() {
            if &bytes[at..at + own.len()] == own {
                bytes[at + own.len() - 1] = b'9';
            }
        }
        self.written("newer", &bytes)
    }

    /// A program that is this one except for what the script does first.
    fn script(&self, first: &str) -> PathBuf {
        let real = env!("CARGO_BIN_EXE_testkeep");
        let about = r#"{"version":"0.1.9","schema":99}"#;
        let text = format!(
            "#!/bin/sh\nif [ \"$1\" = version ]; then echo '{about}'; exit; fi\n{first}\nexec {real} \"$@\"\n"
        );
        self.written("script", text.as_bytes())
    }

    fn written(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.machine.path(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn upgrade(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.program());
        command.env_clear().env("TESTKEEP_DATA", self.machine.path("data"));
        command.env("TESTKEEP_UPGRADE_KEY", self.machine.path("release.pub"));
        command.args(["upgrade", "--json"]).args(arguments).output().unwrap()
    }

    /// The upgrade was refused with these words, and program and data are as before.
    fn refuses(&self, file: &Path, words: &str) {
        let (program, digest) = (std::fs::read(self.program()).unwrap(), self.digest());
        let answer = self.upgrade(&[file.to_str().unwrap()]);
        let said = String::from_utf8(answer.stderr).unwrap();
        assert!(!answer.status.success() && said.contains(words), "{words}: {said}");
        assert!(program == std::fs::read(self.program()).unwrap(), "the program was changed");
        assert_eq!(self.digest(), digest);
        assert!(!self.machine.path("bin/testkeep.new").exists());
    }

    /// The record that the newest upgrade left.
    fn newest(&self) -> Value {
        let answer = self.upgrade(&["--list"]);
        assert!(answer.status.success(), "{answer:?}");
        serde_json::from_slice::<Value>(&answer.stdout).unwrap()["upgrades"][0].take()
    }

    fn digest(&self) -> String {
        self.machine.run(&["digest"]).out
    }

    pub fn version(&self) -> Value {
        let answer = Command::new(self.program()).args(["version", "--json"]).output().unwrap();
        serde_json::from_slice::<Value>(&answer.stdout).unwrap()["version"].clone()
    }
}

pub const RELEASE: &str = "testkeep 0.1.9 x86_64-unknown-linux-gnu";

#[test]
fn t_kf_3_a_release_that_was_not_signed_or_was_changed_is_refused() {
    let Some(site) = Site::new() else { return };
    let file = site.script("");
    let path = |name: &str| site.machine.path(name);
    site.refuses(&file, "cannot be read");
    site.keys("stranger");
    site.sign(&file, RELEASE, "stranger");
    site.refuses(&file, "was not signed with the release key");
    let record = site.newest();
    assert_eq!((&record["outcome"], &record["to"]), (&"failed".into(), &Value::Null), "{record}");
    site.sign(&file, RELEASE, "release");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.push(b'\n');
    std::fs::write(&file, bytes).unwrap();
    site.refuses(&file, "was not signed with the release key");
    let renamed = site.script("# another");
    site.sign(&renamed, "testkeep 0.3.0 x86_64", "release");
    site.refuses(&renamed, "The signature says version 0.3.0");
    site.sign(&renamed, "something 0.1.9", "release");
    site.refuses(&renamed, "something else than a release");
    site.sign(&renamed, RELEASE, "release");
    let text = std::fs::read_to_string(path("script.minisig")).unwrap().replace("0.1.9", "0.1.8");
    std::fs::write(path("script.minisig"), text).unwrap();
    site.refuses(&renamed, "was not signed with the release key");
}

#[test]
fn f19_a_release_that_knows_less_than_the_data_is_refused() {
    let Some(site) = Site::new() else { return };
    let old = site.script("");
    let text = std::fs::read_to_string(&old).unwrap().replace("\"schema\":99", "\"schema\":2");
    std::fs::write(&old, text).unwrap();
    site.sign(&old, RELEASE, "release");
    site.refuses(&old, "it could not read them");
}

#[test]
fn c14_p_l5_9_a_release_that_fails_on_a_copy_never_meets_the_data() {
    let Some(site) = Site::new() else { return };
    let broken =
        site.script("if [ \"$1\" = upgrade-trial ]; then echo 'the schema is broken' >&2; exit 1; fi");
    site.sign(&broken, RELEASE, "release");
    site.refuses(&broken, "the schema is broken");
    let record = site.newest();
    assert_eq!((&record["outcome"], &record["to"]), (&"failed".into(), &"0.1.9".into()), "{record}");
    assert!(record["message"].as_str().unwrap().contains("the schema is broken"), "{record}");
}

#[test]
fn c14_p_l5_9_a_release_that_fails_on_the_data_is_taken_back() {
    let Some(site) = Site::new() else { return };
    let broken = site.script(
        "case \"$1$TESTKEEP_DATA\" in upgrade-trial*trial-*) ;; upgrade-trial*) echo 'no good' >&2; exit 1;; esac",
    );
    site.sign(&broken, RELEASE, "release");
    site.refuses(&broken, "did not work out");
    let record = site.newest();
    assert_eq!((&record["outcome"], &record["to"]), (&"rolled_back".into(), &"0.1.9".into()), "{record}");
    assert!(record["message"].as_str().unwrap().contains("no good"), "{record}");
}

#[actix_web::test]
async fn c14_t_sd_3_a_running_server_is_taken_over_and_the_way_back_is_open() {
    let Some(site) = Site::new() else { return };
    let newer = site.newer();
    site.sign(&newer, RELEASE, "release");
    let (digest, before) = (site.digest(), site.version());
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut command = Command::new(site.program());
    command.env_clear().env("TESTKEEP_DATA", site.machine.path("data"));
    command.args(["serve", "--log", "warn", "--listen", &listen]);
    let server = Server::start(command);

    let only_checked = site.upgrade(&["--check", newer.to_str().unwrap()]);
    assert!(only_checked.status.success(), "{only_checked:?}");
    assert_eq!(site.version(), before);

    let answer = site.upgrade(&["--listen", &listen, newer.to_str().unwrap()]);
    assert!(answer.status.success(), "{answer:?}");
    let report: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!((report["from"].as_str(), report["to"].as_str()), (before.as_str(), Some("0.1.9")));
    assert!(
        report["steps"].as_array().unwrap().iter().any(|step| step.as_str().unwrap().contains("began anew")),
        "{report}"
    );
    assert_eq!(site.version(), Value::from("0.1.9"));
    let client = site.machine.client("data");
    assert!(client.get(server.at("/readyz")).send().await.unwrap().status().is_success());
    server.stop();
    assert_eq!(site.digest(), digest);
    // T-SD-3: version, actor, duration, outcome.
    let record = site.newest();
    assert_eq!((&record["from"], &record["to"]), (&before, &"0.1.9".into()), "{record}");
    assert_eq!((&record["actor"], &record["outcome"]), (&"operator".into(), &"good".into()), "{record}");
    assert!(record["took_ms"].as_i64().unwrap() > 0, "{record}");

    let back = site.upgrade(&["--roll-back"]);
    assert!(back.status.success(), "{back:?}");
    assert_eq!(site.version(), before);
    assert_eq!(site.digest(), digest);
    assert_eq!(site.newest()["outcome"], "rolled_back");
}

/// Without a key file: what opened the server opens the trial, and the server hands it on to the new program.
#[actix_web::test]
async fn c14_an_instance_that_only_shares_open_is_upgraded_with_and_without_its_server() {
    let Some(site) = Site::new() else { return };
    let newer = site.newer();
    site.sign(&newer, RELEASE, "release");
    let printed = site.machine.json(&["key", "shares", "--of", "3", "--need", "2"]);
    let shares: Vec<&str> =
        printed["shares"].as_array().unwrap().iter().map(|share| share.as_str().unwrap()).collect();
    site.machine.write("shares", &shares[..2].join("\n"));
    let (file, shares) = (newer.to_str().unwrap(), site.machine.text("shares"));
    let (digest, before) = (site.digest(), site.version());
    let key = std::fs::read(site.machine.path("data.key")).unwrap();
    std::fs::remove_file(site.machine.path("data.key")).unwrap();
    let refused = site.upgrade(&[file]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("data.key is missing"), "{said}");
    assert_eq!(std::fs::read_dir(site.machine.path("bin")).unwrap().count(), 1, "nothing was begun");
    assert!(!site.machine.path("data/before-upgrade").exists());

    let with = |arguments: &[&str]| site.upgrade(&[arguments, &["--shares-file", &shares]].concat());
    let alone = with(&[file]);
    assert!(alone.status.success(), "{alone:?}");
    assert_eq!(site.version(), Value::from("0.1.9"));
    let back = with(&["--roll-back"]);
    assert!(back.status.success() && site.version() == before, "{back:?}");

    let listen = format!("127.0.0.1:{}", free_port());
    let mut command = Command::new(site.program());
    command.env_clear().env("TESTKEEP_DATA", site.machine.path("data"));
    command.args(["serve", "--log", "warn", "--listen", &listen, "--shares-file", &shares]);
    let server = Server::start(command);
    let served = with(&["--listen", &listen, file]);
    assert!(served.status.success(), "{served:?}");
    assert_eq!(site.version(), Value::from("0.1.9"));
    let client = site.machine.client("data");
    assert!(client.get(server.at("/readyz")).send().await.unwrap().status().is_success());
    server.stop();
    let open = std::os::unix::fs::OpenOptionsExt::mode;
    let mut options = std::fs::OpenOptions::new();
    let mut back =
        open(options.write(true).create_new(true), 0o600).open(site.machine.path("data.key")).unwrap();
    std::io::Write::write_all(&mut back, &key).unwrap();
    assert_eq!(site.digest(), digest);
}
