//! Exchange of keys, as an owner has it done: with a server under load and on a stopped instance.

use crate::support::App;
use crate::support::program::{Machine, copy};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use testkeep::kernel::access::{DatabaseKey, Door, Role};
use testkeep::kernel::keyring::{Keyring, Unlock};
use testkeep::kernel::layout;

pub fn keyring(machine: &Machine, data: &str) -> Keyring {
    Keyring::open(&machine.path(data), &Unlock::KeyFile(machine.path(&format!("{data}.key")))).unwrap()
}

pub fn opens(data: &Path, key: &DatabaseKey) -> bool {
    Door::which(&layout::database(data), &[(1, key.clone())]).is_ok()
}

fn digest(machine: &Machine, data: &str) -> String {
    machine.json_on(data, &["digest"])["digest"].as_str().unwrap().to_owned()
}

pub fn trail_is_whole(machine: &Machine, data: &str) {
    let answer = machine.run_on(data, &["audit", "verify"]);
    assert_eq!(answer.code, 0, "{answer:?}");
}

fn current<'a>(status: &'a Value, purpose: &str) -> &'a Value {
    let keys = status["keys"].as_array().unwrap();
    keys.iter().find(|key| key["purpose"] == purpose && key["state"] == "current").unwrap()
}

#[actix_web::test]
async fn t_de_5_all_keys_are_exchanged_under_load_and_the_old_one_opens_nothing() {
    let machine = Machine::claimed();
    machine.json(&["demo"]);
    let server = machine.serve();
    let token = machine.json(&["token", "create", "--name", "load", "--project", "SHOP", "--role", "tester"]);
    let token = token["token"].as_str().unwrap().to_owned();
    let before = keyring(&machine, "data");

    let (stop, client) = (Arc::new(AtomicBool::new(false)), machine.client("data"));
    let (asked, slowest) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let load = (0..4).map(|worker| {
        let (stop, client, token) = (Arc::clone(&stop), client.clone(), token.clone());
        let (asked, slowest) = (Arc::clone(&asked), Arc::clone(&slowest));
        let url = server.at("/api/v1/projects/SHOP/suites");
        actix_web::rt::spawn(async move {
            let mut number = 0;
            while !stop.load(Relaxed) {
                number += 1;
                let began = Instant::now();
                let request = match worker {
                    0 => client.post(&url).json(&serde_json::json!({"name": format!("Suite {number}")})),
                    _ => client.get(&url),
                };
                let answer = request.bearer_auth(&token).send().await.unwrap();
                assert!(
                    answer.status().is_success(),
                    "{}: {}",
                    answer.status(),
                    answer.text().await.unwrap()
                );
                asked.fetch_add(1, Relaxed);
                slowest.fetch_max(usize::try_from(began.elapsed().as_millis()).unwrap(), Relaxed);
                actix_web::rt::time::sleep(Duration::from_millis(15)).await;
            }
        })
    });
    let load: Vec<_> = load.collect();
    let machine = Arc::new(machine);
    let own = Arc::clone(&machine);
    let rotated = tokio::task::spawn_blocking(move || own.json(&["key", "rotate"])).await.unwrap();
    stop.store(true, Relaxed);
    for worker in load {
        worker.await.expect("no request failed");
    }
    for key in rotated["keys"].as_array().unwrap() {
        // The vault has had no key until now.
        let generation = if key["key"] == "vault" { 1 } else { 2 };
        assert_eq!((&key["state"], &key["generation"]), (&"done".into(), &generation.into()), "{key}");
    }
    assert_eq!(rotated["keys"].as_array().unwrap().len(), 7);
    assert!(asked.load(Relaxed) > 20, "{asked:?}");
    assert!(slowest.load(Relaxed) < 20_000, "the longest wait was {slowest:?} ms");

    let data = machine.path("data");
    assert!(!opens(&data, &before.database()), "the old key opens nothing");
    assert!(opens(&data, &keyring(&machine, "data").database()));
    let status = machine.json(&["key", "status"]);
    for purpose in ["master", "database", "blobs", "tokens", "chain", "backup_signing"] {
        assert_eq!(current(&status, purpose)["generation"], 2, "{purpose}");
    }
    let answer =
        client.get(server.at("/api/v1/projects/SHOP/suites")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(answer.status(), 200, "a token from before still holds");
    server.stop();
    trail_is_whole(&machine, "data");
    assert!(!std::fs::read(layout::keyring(&data)).unwrap().is_empty());
    machine.json(&["key", "status", "--kit-file", &machine.text("kit.txt")]);
}

#[test]
fn t_de_5_backups_from_before_and_after_an_exchange_come_back_with_the_kit() {
    let machine = Machine::claimed();
    machine.json(&["demo"]);
    let (to, kit, into) = (machine.text("keep"), machine.text("kit.txt"), machine.text("old"));
    let expected = digest(&machine, "data");
    machine.json(&["backup", "--to", &to]);
    machine.json(&["key", "rotate"]);
    machine.json(&["backup", "--to", &to]);
    machine.json(&["backup", "--to", &to]);
    for (number, into) in [("1", into), ("2", machine.text("handed")), ("3", machine.text("new"))] {
        machine.json(&["restore", "--from", &to, "--into", &into, "--kit-file", &kit, "--backup", number]);
        let name = Path::new(&into).file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(digest(&machine, &name), expected, "backup {number}");
        trail_is_whole(&machine, &name);
    }
}

#[test]
fn f16_shares_open_the_instance_when_the_key_file_is_lost() {
    let machine = Machine::claimed();
    let printed = machine.json(&["key", "shares", "--of", "5", "--need", "3"]);
    let shares: Vec<&str> =
        printed["shares"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    std::fs::remove_file(machine.path("data.key")).unwrap();
    let set = |chosen: &[&str]| {
        machine.write("shares.txt", &chosen.join("\n"));
        let (file, key) = (machine.text("shares.txt"), machine.text("data.key"));
        machine.run(&["key", "set-file", &key, "--shares-file", &file])
    };
    let few = set(&shares[..2]);
    assert!(few.code != 0 && few.err.contains("3 open the instance"), "{few:?}");
    let broken =
        shares[1].replace(&shares[1][5..9], if &shares[1][5..9] == "0000" { "1111" } else { "0000" });
    let wrong = set(&[shares[0], &broken, shares[2]]);
    assert!(wrong.code != 0 && wrong.err.contains("line 2"), "{wrong:?}");
    let good = set(&[shares[4], shares[0], shares[2]]);
    assert_eq!(good.code, 0, "{good:?}");
    machine.json(&["digest"]);
    machine.json(&["key", "remove", "shares"]);
    let revoked = set(&shares[..3]);
    assert!(revoked.code != 0 && revoked.err.contains("does not open with shares"), "{revoked:?}");
}

#[test]
fn a_keyring_of_the_first_format_is_brought_up_to_date_by_its_secrets() {
    let machine = Machine::new();
    copy(Path::new("tests/data/schema-5"), &machine.path("data"));
    let key = machine.path("data.key");
    std::fs::rename(machine.path("data").join("testkeep.key"), &key).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let kit = machine.path("data").join("kit.txt").to_str().unwrap().to_owned();
    let before = keyring(&machine, "data");
    let refused = machine.run(&["key", "rotate", "--only", "master"]);
    assert!(refused.code != 0 && refused.err.contains("the recovery kit was set by an older"), "{refused:?}");
    machine.json(&["key", "upgrade", "--kit-file", &kit]);
    machine.json(&["key", "upgrade"]);
    machine.json(&["key", "rotate"]);
    let status = machine.json(&["key", "status", "--kit-file", &kit]);
    assert_eq!(current(&status, "master")["generation"], 2);
    assert_eq!(keyring(&machine, "data").uuid(), before.uuid());
    assert!(!opens(&machine.path("data"), &before.database()));
}

#[actix_web::test]
async fn t_de_5_keys_are_seen_and_their_exchange_is_ordered_over_https() {
    let app = App::start().await;
    let (owner, auditor) = (app.token(Role::Owner, None).await, app.token(Role::Auditor, None).await);
    let get = |token: String| app.with_token(&token, Method::GET, "/api/v1/keys").send();
    let before: Value = get(auditor.clone()).await.unwrap().json().await.unwrap();
    assert_eq!(
        (&before["keys"][0]["purpose"], &before["keys"][0]["generation"]),
        (&json!("master"), &json!(1))
    );
    assert_eq!(before["ways"].as_array().unwrap().len(), 2);
    let order = |token: String, keys: Value| {
        app.with_token(&token, Method::POST, "/api/v1/keys/exchange").json(&json!({ "keys": keys })).send()
    };
    assert_eq!(order(auditor, json!(["tokens"])).await.unwrap().status(), 403);
    assert_eq!(order(owner.clone(), json!(["moon"])).await.unwrap().status(), 422);
    assert_eq!(order(owner.clone(), json!(["tokens", "chain"])).await.unwrap().status(), 202);
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let now: Value = get(owner.clone()).await.unwrap().json().await.unwrap();
        if now["exchanges"].as_array().unwrap().iter().all(|exchange| exchange["state"] == "done") {
            break;
        }
        assert!(Instant::now() < until, "{now}");
        actix_web::rt::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(app.get("/instance/keys").await.status(), 401, "strangers sign in first");
    app.stop().await;
}
