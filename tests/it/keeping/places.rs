//! What lies at a target of any kind comes back: on a bare machine, in a drill, in parts; and a line that is lost or
//! a secret that is wrong is said so.

use super::restores::{GONE, change};
use super::storages::proxy::Proxy;
use super::storages::servers::{self, Server};
use crate::support::program::{Answer, Machine};
use crate::support::site::Site;
use reqwest::Method;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use testkeep::keeping::backup::storage::{Access, Login};

/// What opens a server, as JSON in a file, and the arguments for its host key.
pub fn opens(server: &Server) -> (Value, Vec<String>) {
    match &server.access {
        Access::Open => (json!({}), Vec::new()),
        Access::Web(web) => (json!({ "user": web.user, "password": web.password.expose() }), Vec::new()),
        Access::S3(keys) => (json!({ "user": keys.id, "password": keys.secret.expose() }), Vec::new()),
        Access::Ssh(ssh) => {
            let Login::Key { pem, .. } = &ssh.login else { panic!("the servers of the tests take keys") };
            (json!({ "private_key": pem.expose() }), vec!["--host-key".into(), ssh.host_key.clone()])
        }
    }
}

/// A machine whose only target is this server, with a project in its backup.
fn backed_up(server: &Server) -> Machine {
    let machine = Machine::claimed();
    machine.json(&["demo", "--cases", "30", "--results", "400", "--seed", "7"]);
    add(&machine, "Away", server, &server.place);
    machine.json(&["backup"]);
    machine
}

/// A target in a folder of the machine, which its server may write to.
fn add_disk(machine: &Machine) -> String {
    let place = machine.text("disk");
    machine.json(&["target", "add", "--name", "Disk", "--address", &place]);
    place
}

pub fn add(machine: &Machine, name: &str, server: &Server, place: &str) {
    let (secrets, key) = opens(server);
    machine.write("secrets.json", &secrets.to_string());
    let file = machine.text("secrets.json");
    let mut all = vec!["target", "add", "--name", name, "--address", place, "--access-file", &file];
    all.extend(key.iter().map(String::as_str));
    machine.json(&all);
}

/// A command that is told the secrets over its standard input.
pub fn told(machine: &Machine, secrets: &Value, arguments: &[&str]) -> Answer {
    let mut command = machine.command("data");
    command.arg("--json").args(arguments).args(["--access-file", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(secrets.to_string().as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

/// The same with one variable for each secret.
fn told_by_environment(machine: &Machine, secrets: &Value, arguments: &[&str]) -> Answer {
    let mut command = machine.command("data");
    for (name, value) in secrets.as_object().unwrap() {
        command.env(format!("TESTKEEP_ACCESS_{}", name.to_uppercase()), value.as_str().unwrap());
    }
    command.arg("--json").args(arguments).output().unwrap().into()
}

pub fn parsed(answer: &Answer) -> Value {
    assert_eq!(answer.code, 0, "{answer:?}");
    serde_json::from_str(&answer.out).unwrap()
}

/// Whether nothing of a restore is left where it was to go.
fn is_untouched(machine: &Machine) -> bool {
    let left = std::fs::read_dir(machine.path(".")).unwrap().map(|entry| entry.unwrap().file_name());
    left.filter_map(|name| name.into_string().ok())
        .all(|name| name != "data" && name != "data.key" && !name.starts_with(".testkeep"))
}

/// f11, T-DP-1, T-KF-5: the kit and the target are enough.
fn comes_back_on_a_bare_machine(server: Option<Server>) {
    let Some(server) = server else { return };
    let machine = backed_up(&server);
    let digest = machine.json(&["digest"])["digest"].clone();
    let bare = Machine::new();
    std::fs::copy(machine.path("kit.txt"), bare.path("kit.txt")).unwrap();
    let (secrets, key) = opens(&server);
    let (kit, into) = (bare.text("kit.txt"), bare.text("data"));
    let mut from = vec!["--from", &server.place, "--kit", &kit];
    from.extend(key.iter().map(String::as_str));

    let verified = parsed(&told_by_environment(&bare, &secrets, &[&["verify"], &from[..]].concat()));
    assert_eq!((&verified["good"], &verified["newest"]["number"]), (&json!(true), &json!(1)), "{verified}");
    let restored = parsed(&told(&bare, &secrets, &[&["restore"], &from[..], &["--into", &into]].concat()));
    assert_eq!(restored["receipt"], json!(1), "{restored}");
    assert_eq!(bare.json(&["digest"])["digest"], digest, "{}", server.kind);
    // Targets and their secrets came back, too: the next backup goes there by itself.
    assert_eq!(bare.json(&["backup"])["number"], json!(2));
}

#[test]
fn f11_a_bare_machine_brings_an_instance_back_from_a_folder() {
    comes_back_on_a_bare_machine(servers::folder());
}

#[test]
fn f11_a_bare_machine_brings_an_instance_back_from_a_bucket() {
    comes_back_on_a_bare_machine(servers::s3());
}

#[test]
fn f11_a_bare_machine_brings_an_instance_back_from_a_bucket_with_locks() {
    comes_back_on_a_bare_machine(servers::s3_with_lock());
}

#[test]
fn f11_a_bare_machine_brings_an_instance_back_from_an_ssh_server() {
    comes_back_on_a_bare_machine(servers::sftp());
}

#[test]
fn f11_a_bare_machine_brings_an_instance_back_from_a_webdav_server() {
    comes_back_on_a_bare_machine(servers::webdav());
}

#[test]
fn f11_a_bare_machine_brings_an_instance_back_from_a_rest_server() {
    comes_back_on_a_bare_machine(servers::rest(&[]));
}

/// Nothing is restored, and the sentence says which of the keys does not fit.
#[test]
fn t_dp_1_a_secret_a_host_key_or_a_kit_that_is_wrong_is_said_so_and_nothing_comes_back() {
    for server in
        [servers::s3(), servers::webdav(), servers::rest(&[]), servers::sftp()].into_iter().flatten()
    {
        let machine = backed_up(&server);
        let bare = Machine::new();
        let (kit, into, (secrets, key)) = (machine.text("kit.txt"), bare.text("data"), opens(&server));
        let restore = |key: &[String], secrets: &Value, kit: &str| {
            let mut all = vec!["restore", "--from", &server.place, "--into", &into, "--kit", kit];
            all.extend(key.iter().map(String::as_str));
            let answer = told(&bare, secrets, &all);
            assert_ne!(answer.code, 0, "{}: {answer:?}", server.kind);
            assert!(is_untouched(&bare), "{}", server.kind);
            assert!(
                !answer.err.contains("much-secret") && !answer.err.contains("much: secret"),
                "{answer:?}"
            );
            answer.err
        };
        let none = restore(&key, &json!({}), &kit);
        if server.kind == "sftp" {
            assert!(none.contains("needs a password or a private key"), "{none}");
            let unknown = restore(&[], &secrets, &kit);
            assert!(unknown.contains("The server shows the key SHA256:"), "{unknown}");
            let folder = tempfile::tempdir().unwrap();
            servers::make_key(&folder.path().join("other"));
            let public = std::fs::read_to_string(folder.path().join("other.pub")).unwrap();
            let changed = restore(&["--host-key".into(), public.trim().into()], &secrets, &kit);
            assert!(changed.contains("The host key of the backup target"), "{changed}");
            let other = std::fs::read_to_string(folder.path().join("other")).unwrap();
            let refused = restore(&key, &json!({ "private_key": other }), &kit);
            assert!(refused.contains("does not accept the key of"), "{refused}");
        } else {
            let mut wrong = secrets.clone();
            wrong["password"] = json!("a guess");
            let refused = restore(&key, &wrong, &kit);
            assert!(
                refused.contains("\"forbidden\"") || refused.contains("\"unauthenticated\""),
                "{refused}"
            );
        }
        let other = Machine::claimed();
        let refused = restore(&key, &secrets, &other.text("kit.txt"));
        assert!(refused.contains("This recovery kit does not open"), "{refused}");
    }
}

/// The line is lost while the engine reads packs.
#[test]
fn f12_f13_a_network_that_is_lost_in_the_middle_of_a_restore_is_told_and_nothing_is_left() {
    for server in [servers::s3(), servers::sftp()].into_iter().flatten() {
        let machine = backed_up(&server);
        let (bare, proxy) = (Machine::new(), Proxy::before(server.port));
        let place = server.place.replace(&format!(":{}", server.port), &format!(":{}", proxy.port));
        let (secrets, key) = opens(&server);
        bare.write("secrets.json", &secrets.to_string());
        let mut command = bare.command("data");
        command.args(["--json", "restore", "--from", &place, "--into", &bare.text("data"), "--kit"]);
        command.arg(machine.path("kit.txt")).arg("--access-file").arg(bare.path("secrets.json")).args(&key);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // The engine makes folders before it asks for the first pack.
        let began = Instant::now();
        while !is_filled(&bare.path(".")) {
            assert!(began.elapsed() < Duration::from_secs(60), "{}: it never began", server.kind);
            proxy.delay(2);
            std::thread::sleep(Duration::from_millis(2));
        }
        proxy.lose_after(0);
        let answer = Answer::from(child.wait_with_output().unwrap());
        println!("{}: {:?}: {}", server.kind, began.elapsed(), answer.err);
        assert_eq!(answer.code, 75, "{}: {answer:?}", server.kind);
        let is_told = answer.err.contains("backup target") && answer.err.contains("nothing was restored");
        assert!(is_told, "{}: {answer:?}", server.kind);
        assert!(is_untouched(&bare), "{}", server.kind);
    }
}

/// Whether the engine has begun to put a backup together in a staging folder.
fn is_filled(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    let staging = entries.filter_map(Result::ok).filter(|entry| {
        entry.file_name().to_str().is_some_and(|name| name.starts_with(".testkeep-restore-"))
    });
    staging.into_iter().any(|entry| {
        let path = entry.path();
        is_filled(&path)
            || std::fs::read_dir(path).is_ok_and(|mut inside| {
                inside.any(|entry| {
                    entry.is_ok_and(|entry| entry.file_name() != "data" && !is_staging(&entry.path()))
                })
            })
    })
}

fn is_staging(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(".testkeep-restore-"))
}

/// Every target that is on has its turn, and a chosen one does not wait for it.
#[actix_web::test]
async fn b04_drills_go_from_target_to_target_and_the_alarm_names_the_one_that_failed() {
    let Some(bucket) = servers::s3() else { return };
    let machine = Machine::claimed();
    machine.json(&["demo", "--cases", "20", "--results", "100", "--seed", "2"]);
    add(&machine, "Bucket", &bucket, &bucket.place);
    let disk = add_disk(&machine);
    machine.json(&["backup"]);
    let digest = machine.json(&["digest"])["digest"].clone();
    for place in [&bucket.place, &disk, &bucket.place] {
        let proof = machine.json(&["drill"]);
        assert!(proof["target"].as_str().unwrap().starts_with(place.as_str()), "{place}: {proof}");
        assert_eq!(proof["digest"], digest);
    }
    let proof = machine.json(&["drill", "--target", "bucket"]);
    assert!(proof["target"].as_str().unwrap().starts_with("s3://"), "{proof}");

    let site = Site::start(&machine).await;
    let (_, list) = site.json(Method::GET, "/api/v1/drills", Value::Null).await;
    let targets = list["targets"].as_array().unwrap();
    assert_eq!((&targets[0]["name"], &targets[1]["is_next"]), (&json!("Bucket"), &json!(true)), "{list}");
    assert_eq!(list["drills"][0]["target_name"], json!("Bucket"), "{list}");
    let page = site.page("/instance/backups/drills").await;
    assert!(page.contains("each in its turn") && page.contains("<option value=\"1\">Bucket"), "{page}");
    drop(bucket);
    let (status, _) = site.submit("/instance/backups/drills", &[("target", "1")]).await;
    assert_eq!(status, 200);
    let failed = loop {
        let (_, list) = site.json(Method::GET, "/api/v1/drills", Value::Null).await;
        if list["drills"][0]["state"] != "running" {
            break list["drills"][0].clone();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!((&failed["state"], &failed["target_name"]), (&json!("failed"), &json!("Bucket")), "{failed}");
    let overview = site.page("/instance").await;
    assert!(overview.contains("A backup did not come back") && overview.contains("Bucket"), "{overview}");
    let (status, said) = site.json(Method::POST, "/api/v1/drills", json!({ "target": 9 })).await;
    assert_eq!(status, 404, "{said}");
    site.server.stop();
}

/// From a chosen target, by command and by API; without one, from that with the newest that was read back.
#[actix_web::test]
async fn b04_c13_a_project_comes_back_from_an_ssh_server_and_from_the_newest_verified_backup() {
    let Some(server) = servers::sftp() else { return };
    let machine = backed_up(&server);
    let digest = machine.json(&["digest"])["digest"].clone();
    add_disk(&machine);
    change(&machine, &GONE).await;
    let told = machine.json(&["restore", "--from", "away", "--project", "SHOP", "--dry-run"]);
    assert_eq!(told["counts"]["cases"]["created"], json!(30), "{told}");
    machine.json(&["restore", "--from", "away", "--project", "SHOP"]);
    assert_eq!(machine.json(&["digest"])["digest"], digest);

    change(&machine, &GONE).await;
    machine.json(&["backup", "--target", "Disk"]);
    let without = machine.run(&["restore", "--project", "SHOP", "--dry-run"]);
    assert!(without.code == 66 && without.err.contains("does not hold SHOP"), "the newest: {without:?}");
    let site = Site::start(&machine).await;
    let page = site.page("/instance/backups/restore?list=now").await;
    assert!(page.contains("<option value=\"2\" selected>Disk") && page.contains("Backup 1 of"), "{page}");
    let page = site.page("/instance/backups/restore?list=now&target=1").await;
    assert!(page.contains("<option value=\"1\" selected>Away") && page.contains("Backup 1 of"), "{page}");
    let page = site.page("/instance/backups/whole?target=1&backup=1").await;
    assert!(page.contains("From Away.") && page.contains("and the present"), "{page}");
    let asked = json!({ "what": "SHOP", "target": 1 });
    let (status, begun) = site.json(Method::POST, "/api/v1/restores", asked).await;
    assert_eq!(status, 202, "{begun}");
    let told = settled(&site, &begun["id"]).await;
    assert_eq!((&told["state"], &told["target_name"]), (&json!("previewed"), &json!("Away")), "{told}");
    let at = format!("/api/v1/restores/{}/apply", begun["id"]);
    assert_eq!(site.json(Method::POST, &at, json!({})).await.0, 202);
    assert_eq!(settled(&site, &begun["id"]).await["state"], json!("done"));
    site.server.stop();
    assert_eq!(machine.json(&["project", "show", "SHOP"])["cases"], json!(30));
}

async fn settled(site: &Site, id: &Value) -> Value {
    loop {
        let (_, restore) = site.json(Method::GET, &format!("/api/v1/restores/{id}"), Value::Null).await;
        if !["reading", "applying"].contains(&restore["state"].as_str().unwrap()) {
            return restore;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Printed for every target, with commands that work as they stand.
#[test]
fn b04_t_kf_5_t_bc_1_the_runbook_has_every_target_and_its_commands_bring_the_instance_back() {
    let Some(server) = servers::sftp() else { return };
    let machine = backed_up(&server);
    let digest = machine.json(&["digest"])["digest"].clone();
    let disk = add_disk(&machine);
    machine.json(&["target", "change", "Away", "--region", "NL", "--label", "The cellar of the library"]);
    machine.json(&["drill", "--target", "Away"]);
    let book = machine.run(&["runbook"]).out;
    let (secrets, _) = opens(&server);
    for said in [
        server.place.as_str(),
        disk.as_str(),
        "an account on an SSH server",
        "NL The cellar of the library",
        "SHA256:",
        "The private key of",
        "number 1 of this instance",
        "(RPO)",
        "(RTO)",
        "Options in force\n  data = ",
        "SHA-256 ",
    ] {
        assert!(book.contains(said), "{said}: {book}");
    }
    assert!(!book.contains(secrets["private_key"].as_str().unwrap().lines().nth(1).unwrap()));

    // On a bare machine, as the runbook says it, in a shell.
    let bare = Machine::new();
    std::fs::copy(machine.path("kit.txt"), bare.path("kit.txt")).unwrap();
    bare.write("secrets.json", &secrets.to_string());
    let lost = book.split("The machine is lost").nth(1).unwrap();
    let begins = |verb: &str| {
        let line = lost.lines().find_map(|line| line.trim().strip_prefix(&format!("$ testkeep {verb} ")));
        line.unwrap().replace(&machine.text("data"), &bare.text("data"))
    };
    for verb in ["verify", "restore"] {
        let mut shell = std::process::Command::new("sh");
        let line = format!("exec '{}' {verb} {}", env!("CARGO_BIN_EXE_testkeep"), begins(verb));
        let done = shell.env_clear().current_dir(bare.path(".")).args(["-c", &line]).output().unwrap();
        let answer = Answer::from(done);
        assert_eq!(answer.code, 0, "{line}: {answer:?}");
    }
    assert_eq!(bare.json(&["digest"])["digest"], digest);
}
