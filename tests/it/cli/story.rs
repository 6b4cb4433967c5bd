//! One instance from its first start to its second life on another machine.

use crate::support::program::{Answer, Machine, PASSPHRASE, Server};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::{Duration, Instant};
use testkeep::kernel::keyring::{Keyring, Unlock};

const RUNS: &str = "/api/v1/projects/SHOP/runs";

pub async fn post(client: &Client, server: &Server, token: &str, path: &str, body: Value) -> (u16, Value) {
    let answer = client.post(server.at(path)).bearer_auth(token).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

pub async fn get(client: &Client, server: &Server, token: &str, path: &str) -> (u16, Value) {
    let answer = client.get(server.at(path)).bearer_auth(token).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[test]
fn p_in_1_a_new_instance_knows_nobody_and_after_its_set_up_only_who_set_it_up() {
    let machine = Machine::new();
    machine.serve().stop();
    assert_eq!(machine.json(&["user", "list"]), json!([]));
    let doors = [
        "SELECT count(*) FROM users",
        "SELECT count(*) FROM tokens",
        "SELECT count(*) FROM sessions",
        "SELECT count(*) FROM grants",
    ];
    assert_eq!(counted(&machine, &doors), [0, 0, 0, 0]);
    machine.claim();
    let users = machine.json(&["user", "list"]);
    assert_eq!((users.as_array().unwrap().len(), &users[0]["email"]), (1, &json!("mara@shop.example")));
    assert_eq!(counted(&machine, &doors), [1, 0, 0, 1]);
}

/// What these statements count in the database, opened with the key of its owner: whatever no list shows.
fn counted(machine: &Machine, statements: &[&str]) -> Vec<i64> {
    let unlock = Unlock::KeyFile(machine.path("data.key"));
    let key = Keyring::open(&machine.path("data"), &unlock).unwrap().database();
    let hex: String = key.0.iter().map(|byte| format!("{byte:02x}")).collect();
    let conn = rusqlite::Connection::open(machine.path("data/testkeep.db")).unwrap();
    conn.pragma_update(None, "key", format!("x'{hex}'")).unwrap();
    statements.iter().map(|statement| conn.query_row(statement, [], |row| row.get(0)).unwrap()).collect()
}

/// Results of one report: keys tell them apart.
fn results(report: usize) -> Value {
    let result = |n: usize| json!({"automation_key": format!("shop.Report{report}.check_{n}"), "status": "passed", "elapsed_ms": 7});
    json!({"results": (0..40).map(result).collect::<Vec<_>>()})
}

#[actix_web::test]
async fn f11_f15_t_kf_5_p_l2_4_an_instance_is_set_up_used_backed_up_lost_and_brought_back() {
    let (machine, began) = (Machine::new(), Instant::now());
    let server = machine.serve();
    let link = server.setup_link.clone().expect("a new instance prints its set-up link");
    assert!(link.starts_with(&format!("{}/setup?code=", server.url)), "{link}");
    let client = machine.client("data");
    assert_eq!(client.get(&link).send().await.unwrap().status(), StatusCode::OK);

    // Set up at the machine while the server runs; the link is worth nothing afterwards.
    let claimed = machine.claim();
    assert_eq!(claimed["user"]["email"], "mara@shop.example");
    assert_eq!(claimed["recovery_codes"].as_array().unwrap().len(), 10);
    assert!(claimed["totp"]["url"].as_str().unwrap().starts_with("otpauth://totp/"));
    let kit = claimed["recovery_kit"].as_str().unwrap();
    assert_eq!(std::fs::read_to_string(machine.path("kit.txt")).unwrap(), kit);
    let used = client.get(&link).send().await.unwrap();
    assert!(!used.status().is_success() || used.url().path() == "/signin", "{used:?}");

    let project = machine.json(&["project", "create", "SHOP", "--name", "Web shop"]);
    assert_eq!((&project["key"], &project["name"]), (&json!("SHOP"), &json!("Web shop")));
    let token = machine.token("SHOP");
    let (status, run) = post(&client, &server, &token, RUNS, json!({"title": "Nightly"})).await;
    assert_eq!((status, &run["number"]), (201, &json!(1)));
    for report in 0..5 {
        assert_eq!(
            post(&client, &server, &token, &format!("{RUNS}/1/results"), results(report)).await.0,
            201
        );
    }

    assert!(began.elapsed() < Duration::from_secs(300), "the first results came after {:?}", began.elapsed());

    // A pipeline uploads reports with the same executable; the same upload again changes nothing.
    machine.write("cart.xml", CART);
    for replayed in [false, true] {
        let uploaded = upload(&machine, &server, &token, &["--fingerprint", &server.fingerprint]);
        assert_eq!(uploaded.code, 0, "{uploaded:?}");
        let uploaded: Value = serde_json::from_str(&uploaded.out).unwrap();
        assert_eq!(
            (&uploaded["run"]["reference"], &uploaded["replayed"]),
            (&json!("SHOP-R2"), &json!(replayed))
        );
        let counts = &uploaded["counts"];
        assert_eq!(
            (&counts["passed"], &counts["failed"], &counts["skipped"]),
            (&json!(1), &json!(1), &json!(1))
        );
    }
    let pem = machine.text("data/tls/certificate.pem");
    assert_eq!(upload(&machine, &server, &token, &["--cacert", &pem]).code, 0);
    let unknown = upload(&machine, &server, &token, &[]);
    assert!(unknown.code == 75 && unknown.err.contains("--fingerprint"), "{unknown:?}");
    let other = upload(&machine, &server, &token, &["--fingerprint", &"ab".repeat(32)]);
    assert_eq!(other.code, 75, "another certificate is not trusted: {other:?}");
    let wrong = upload(&machine, &server, "tk_wrong", &["--fingerprint", &server.fingerprint]);
    assert_eq!(wrong.code, 77, "{wrong:?}");

    // Backed up while somebody writes.
    let keep = machine.text("keep");
    let mut backup = machine.command("data");
    let backup = backup.args(["backup", "--to", &keep]).stdout(Stdio::null()).spawn().unwrap();
    for report in 5..10 {
        assert_eq!(
            post(&client, &server, &token, &format!("{RUNS}/1/results"), results(report)).await.0,
            201
        );
    }
    assert!(backup.wait_with_output().unwrap().status.success());
    let second = machine.json(&["backup", "--to", &keep]);
    assert_eq!((&second["number"], &second["verified"]), (&json!(2), &json!(true)));
    let digest = machine.json(&["digest"])["digest"].clone();
    let verified = machine.json(&["verify", "--from", &keep]);
    assert_eq!((&verified["good"], &verified["receipts"]), (&json!(true), &json!(2)));
    server.stop();

    // Another machine: the repository and the kit are all that is left.
    let other = Machine::new();
    let kit = machine.text("kit.txt");
    assert_eq!(other.json(&["verify", "--from", &keep, "--kit-file", &kit])["good"], json!(true));
    let (into, key) = (other.text("data"), other.text("elsewhere/everyday.key"));
    let restored =
        other.json(&["restore", "--from", &keep, "--into", &into, "--kit-file", &kit, "--key-file", &key]);
    assert_eq!((&restored["receipt"], &restored["key_file"]), (&json!(2), &json!(key)));
    let with_key = |verb: &'static str| other.json(&[verb, "--key-file", &key]);
    assert_eq!(with_key("digest")["digest"], digest);
    assert_ne!(std::fs::read(machine.path("data.key")).unwrap(), std::fs::read(&key).unwrap());

    let mut command = other.command("data");
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--key-file", &key]);
    let server = Server::start(command);
    assert_eq!(server.setup_link, None);
    let (status, run) = get(&other.client("data"), &server, &token, &format!("{RUNS}/1")).await;
    assert_eq!((status, &run["counts"]["passed"]), (200, &json!(400)));
    server.stop();
    // The backup it came from counts as its newest: when it was taken, its record was not finished.
    let doctor = other.json(&["doctor", "--key-file", &key]).to_string();
    assert!(doctor.contains(&format!("in {keep}.")), "{doctor}");
    let trail = other.json(&["audit", "verify", "--key-file", &key]);
    assert_eq!(trail["whole"], json!(true));
}

const CART: &str = r#"<testsuite name="cart" tests="3" failures="1" skipped="1">
  <testcase classname="shop.Cart" name="adds" time="0.25"/>
  <testcase classname="shop.Cart" name="sums"><failure message="41.96 is not 41.97">at cart.rs:48</failure></testcase>
  <testcase classname="shop.Cart" name="gift"><skipped/></testcase>
</testsuite>"#;

fn upload(machine: &Machine, server: &Server, token: &str, trust: &[&str]) -> Answer {
    let mut command = machine.command("none");
    command.env("TESTKEEP_URL", &server.url).env("TESTKEEP_TOKEN", token);
    command.args(["upload", "--json", "--project", "SHOP"]).args(trust).arg(machine.path("cart.xml"));
    command.output().unwrap().into()
}

#[test]
fn a_token_is_shown_once_lists_and_ends() {
    let machine = Machine::claimed();
    machine.json(&["project", "create", "SHOP"]);
    let made = machine.json(&[
        "token",
        "create",
        "--name",
        "ci",
        "--project",
        "SHOP",
        "--role",
        "tester",
        "--expires",
        "30d",
    ]);
    let listed = machine.json(&["token", "list", "--project", "shop"]);
    assert_eq!((&listed[0]["id"], &listed[0]["role"]), (&made["id"], &json!("tester")));
    assert!(!listed.to_string().contains(made["token"].as_str().unwrap()));
    machine.json(&["token", "revoke", &made["id"].to_string(), "--project", "SHOP"]);
    assert_eq!(machine.json(&["token", "list", "--project", "SHOP"]), json!([]));
    assert_eq!(machine.run(&["token", "create", "--name", "x", "--project", "NONE"]).code, 66);
}

#[test]
fn people_are_invited_suspended_and_let_in_again() {
    let machine = Machine::claimed();
    machine.json(&["project", "create", "SHOP"]);
    let invited = machine.json(&[
        "user",
        "invite",
        "--email",
        "ben@shop.example",
        "--name",
        "Ben",
        "--role",
        "tester",
        "--project",
        "SHOP",
    ]);
    assert!(invited["link"].as_str().unwrap().starts_with("https://127.0.0.1:8443/invitation?code="));
    let listed = machine.json(&["user", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let suspended = machine.json(&["user", "suspend", "ben@shop.example"]);
    assert_eq!(suspended["state"], "suspended");
    assert_ne!(machine.json(&["user", "activate", "ben@shop.example"])["state"], "suspended");
    let last = machine.run(&["user", "suspend", "mara@shop.example"]);
    assert_eq!(last.code, 73, "the last owner stays: {last:?}");
    assert_eq!(machine.run(&["user", "suspend", "nobody@shop.example"]).code, 66);
    let reset = machine.json(&["user", "reset-factor", "mara@shop.example"]);
    assert!(reset["link"].as_str().unwrap().contains("/invitation?code="));
}

#[test]
fn an_instance_is_claimed_once_and_the_passphrase_stays_out_of_sight() {
    let machine = Machine::claimed();
    let again = machine.run(&[
        "setup",
        "--email",
        "eve@shop.example",
        "--name",
        "Eve",
        "--password-file",
        &machine.text("passphrase"),
    ]);
    assert_eq!(again.code, 73);
    assert!(again.err.contains("This instance has been set up already."), "{again:?}");
    assert!(!again.err.contains(PASSPHRASE) && again.out.is_empty());
    let fresh = Machine::new();
    fresh.write("short", "short");
    let short = fresh.text("short");
    let refused = fresh.run(&["setup", "--email", "a@b.example", "--name", "A", "--password-file", &short]);
    assert_eq!(refused.code, 65, "{refused:?}");
    // The refusal claimed nothing.
    fresh.claim();
}

#[test]
fn the_demonstration_fills_a_project_once_and_leaves_a_run_open() {
    let machine = Machine::claimed();
    let made = machine.json(&["demo", "--cases", "60", "--results", "500", "--seed", "7"]);
    assert_eq!((&made["cases"], &made["results"]), (&json!(60), &json!(500)));
    assert_eq!(machine.json(&["project", "show", "SHOP"])["cases"], json!(60));
    assert_eq!(machine.run(&["demo"]).code, 73);
    assert_eq!(machine.json(&["audit", "verify"])["whole"], json!(true));
}
