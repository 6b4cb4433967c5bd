//! What goes wrong at the machine: wrong kits, wrong keys, damaged copies, two servers on one folder.

use crate::keeping::restores::change;
use crate::support::program::{Answer, Machine, copy};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

/// A machine with a backup in `keep`, and its digest.
fn backed_up() -> (Machine, Value) {
    let machine = Machine::claimed();
    machine.json(&["demo", "--cases", "20", "--results", "100"]);
    machine.json(&["backup", "--to", &machine.text("keep")]);
    let digest = machine.json(&["digest"])["digest"].clone();
    (machine, digest)
}

fn restore(machine: &Machine, from: &str, kit: &str) -> Answer {
    let (from, kit, into) = (machine.text(from), machine.text(kit), machine.text("new"));
    machine.run(&["restore", "--from", &from, "--into", &into, "--kit-file", &kit])
}

/// Nothing may be left of a restore that failed.
fn nothing_is_left(machine: &Machine) {
    let parent = machine.path("data").parent().unwrap().to_owned();
    let names: Vec<String> = fs::read_dir(parent)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let left = names.iter().filter(|name| name.starts_with("new") || name.starts_with(".testkeep-restore"));
    assert_eq!(left.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn f11_a_restore_needs_the_kit_of_that_instance_and_a_free_place() {
    let (machine, digest) = backed_up();
    let stranger = Machine::claimed();
    fs::copy(stranger.path("kit.txt"), machine.path("other.txt")).unwrap();
    let refused = restore(&machine, "keep", "other.txt");
    assert_eq!(refused.code, 77, "{refused:?}");
    assert!(refused.err.contains("This recovery kit does not open"), "{refused:?}");
    nothing_is_left(&machine);

    machine.write("torn.txt", "ABCD-EFGH-1234");
    assert_eq!(restore(&machine, "keep", "torn.txt").code, 65);
    assert_eq!(restore(&machine, "nowhere", "kit.txt").code, 66);
    nothing_is_left(&machine);

    fs::create_dir(machine.path("new")).unwrap();
    let refused = restore(&machine, "keep", "kit.txt");
    assert!(refused.code == 73 && refused.err.contains("exists already"), "{refused:?}");
    assert_eq!(fs::read_dir(machine.path("new")).unwrap().count(), 0);
    fs::remove_dir(machine.path("new")).unwrap();

    // The secret alone does as well as the whole page.
    let page = fs::read_to_string(machine.path("kit.txt")).unwrap();
    let secret = page.lines().find(|line| line.matches('-').count() == 14).unwrap();
    machine.write("bare.txt", secret);
    assert_eq!(restore(&machine, "keep", "bare.txt").code, 0);
    assert_eq!(machine.json_on("new", &["digest"])["digest"], digest);
    assert!(machine.path("new.key").exists());
}

#[test]
fn f14_a_damaged_or_exchanged_repository_brings_nothing_back() {
    let (machine, _) = backed_up();
    copy(&machine.path("keep"), &machine.path("damaged"));
    let pack = largest(&machine.path("damaged/data"));
    let mut bytes = fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::set_permissions(&pack, Permissions::from_mode(0o600)).unwrap();
    fs::write(&pack, bytes).unwrap();
    let from = machine.text("damaged");
    let refused = restore(&machine, "damaged", "kit.txt");
    assert_eq!(refused.code, 65, "{refused:?}");
    nothing_is_left(&machine);
    let verified =
        machine.run(&["verify", "--json", "--from", &from, "--kit-file", &machine.text("kit.txt")]);
    assert_eq!(verified.code, 65, "{verified:?}");
    let report: Value = serde_json::from_str(&verified.out).unwrap();
    assert_eq!(report["good"], json!(false));

    // Key and receipts exchanged together: only the kit shows it.
    copy(&machine.path("keep"), &machine.path("forged"));
    let stranger = Machine::claimed();
    stranger.json(&["backup", "--to", &stranger.text("keep")]);
    for name in ["testkeep.json", "receipts/00000001.json"] {
        fs::copy(stranger.path("keep").join(name), machine.path("forged").join(name)).unwrap();
    }
    let refused = restore(&machine, "forged", "kit.txt");
    assert_ne!(refused.code, 0, "{refused:?}");
    nothing_is_left(&machine);
}

fn largest(folder: &std::path::Path) -> PathBuf {
    let mut files: Vec<PathBuf> = Vec::new();
    for inner in fs::read_dir(folder).unwrap() {
        files.extend(fs::read_dir(inner.unwrap().path()).unwrap().map(|file| file.unwrap().path()));
    }
    files.into_iter().max_by_key(|file| fs::metadata(file).unwrap().len()).unwrap()
}

#[test]
fn f16_a_wrong_or_missing_key_is_named_and_makes_no_new_instance() {
    let (machine, digest) = backed_up();
    let key = fs::read(machine.path("data.key")).unwrap();
    let before = fs::read(machine.path("data/keyring.json")).unwrap();
    let database = fs::metadata(machine.path("data/testkeep.db")).unwrap().len();
    for verb in ["digest", "serve"] {
        machine.write("data.key", &"ab".repeat(32));
        fs::set_permissions(machine.path("data.key"), Permissions::from_mode(0o600)).unwrap();
        let refused = machine.run(&[verb, "--listen", "127.0.0.1:0"]);
        assert_eq!(refused.code, 77, "{verb}: {refused:?}");
        assert!(refused.err.contains("is not the one of this instance"), "{refused:?}");
        fs::remove_file(machine.path("data.key")).unwrap();
        let refused = machine.run(&[verb, "--listen", "127.0.0.1:0"]);
        assert_eq!(refused.code, 66, "{verb}: {refused:?}");
        assert!(refused.err.contains("is missing") && refused.err.contains("recovery kit"), "{refused:?}");
        assert!(!machine.path("data.key").exists(), "no new key is made");
    }
    assert_eq!(fs::read(machine.path("data/keyring.json")).unwrap(), before);
    assert_eq!(fs::metadata(machine.path("data/testkeep.db")).unwrap().len(), database);
    fs::write(machine.path("data.key"), key).unwrap();
    fs::set_permissions(machine.path("data.key"), Permissions::from_mode(0o600)).unwrap();
    assert_eq!(machine.json(&["digest"])["digest"], digest);

    // Who lost the key and has the kit sets another one.
    fs::remove_file(machine.path("data.key")).unwrap();
    let (new, kit) = (machine.text("new.key"), machine.text("kit.txt"));
    let inside = machine.text("data/inside.key");
    assert_eq!(machine.run(&["key", "set-file", &inside, "--kit-file", &kit]).code, 65);
    let status = machine.json(&["key", "set-file", &new, "--kit-file", &kit]);
    let ways = status["ways"].as_array().unwrap().iter().map(|way| way["kind"].as_str().unwrap());
    assert_eq!(ways.collect::<Vec<_>>(), ["recovery", "key_file"]);
    assert_eq!(machine.json(&["digest", "--key-file", &new])["digest"], digest);

    // Without its keyring the database is not taken for a new one either.
    fs::rename(machine.path("data/keyring.json"), machine.path("keyring.json")).unwrap();
    let refused = machine.run(&["serve", "--listen", "127.0.0.1:0", "--key-file", &new]);
    assert!(refused.code == 73 && refused.err.contains("keyring.json is missing"), "{refused:?}");
}

#[test]
fn f37_a_second_server_on_one_folder_is_told_who_is_there() {
    let machine = Machine::claimed();
    let server = machine.serve();
    let refused = machine.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.code, 73, "{refused:?}");
    assert!(refused.err.contains(&format!("in use by process {}", server.id())), "{refused:?}");
    // Administration goes on meanwhile.
    assert_eq!(machine.json(&["user", "list"]).as_array().unwrap().len(), 1);
    server.stop();
    machine.serve().stop();
}

#[test]
fn an_instance_that_nobody_claimed_makes_no_backups() {
    let machine = Machine::new();
    machine.serve().stop();
    let refused = machine.run(&["backup", "--to", &machine.text("keep")]);
    assert_eq!(refused.code, 73, "{refused:?}");
    assert!(!machine.path("keep").exists());
    let restarted = machine.serve();
    assert!(restarted.setup_link.is_some());
    restarted.stop();
    machine.claim();
    machine.json(&["backup", "--to", &machine.text("keep")]);
    let kit = machine.text("kit.txt");
    assert_eq!(
        machine.json_on("none", &["verify", "--from", &machine.text("keep"), "--kit-file", &kit])["good"],
        json!(true)
    );
}

#[test]
fn the_doctor_says_what_is_bad_and_what_to_do() {
    let machine = Machine::claimed();
    let state = |report: &Value, about: &str| {
        let checks = report["checks"].as_array().unwrap().clone();
        let found: Vec<String> = checks
            .iter()
            .filter(|check| check["about"] == about)
            .map(|check| check["state"].as_str().unwrap().to_owned())
            .collect();
        found.join(" ")
    };
    let report = machine.json(&["doctor"]);
    for about in
        ["data folder", "key", "keyring", "instance", "schema", "database", "audit trail", "evidence"]
    {
        assert_eq!(state(&report, about), "ok", "{about}");
    }
    assert_eq!(state(&report, "backups"), "warn warn");
    let options = report["options"].as_array().unwrap();
    let data = options.iter().find(|option| option["name"] == "data").unwrap();
    assert_eq!(data["source"], "environment");

    fs::set_permissions(machine.path("data.key"), Permissions::from_mode(0o644)).unwrap();
    let sick = machine.run(&["doctor", "--json"]);
    assert_eq!(sick.code, 73, "{sick:?}");
    let report: Value = serde_json::from_str(&sick.out).unwrap();
    assert_eq!((&report["good"], state(&report, "key").as_str()), (&json!(false), "bad"));
    assert!(sick.out.contains("chmod 600"));
    fs::set_permissions(machine.path("data.key"), Permissions::from_mode(0o600)).unwrap();

    let server = machine.serve();
    let said = machine.json(&["doctor", "--quick"]).to_string();
    assert!(said.contains(&format!("It runs, as process {}.", server.id())), "{said}");
    server.stop();
    assert_eq!(machine.run_on("nowhere", &["doctor"]).code, 73);
}

#[test]
fn b24_t_sd_2_files_that_other_accounts_may_read_are_told_by_the_doctor_and_at_the_start() {
    let machine = Machine::claimed();
    let token = machine.path("token");
    fs::write(&token, "0123456789abcdef0123456789abcdef").unwrap();
    for (path, mode, is_told) in [
        (machine.path("data"), 0o750, true),
        (machine.path("data").join("keyring.json"), 0o644, true),
        (token.clone(), 0o640, false),
        (token.clone(), 0o644, true),
    ] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let mut command = machine.command("data");
        command.env("TESTKEEP_METRICS_TOKEN_FILE", &token).args(["doctor", "--quick"]);
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let sentence = format!("Other accounts may read {} (mode {mode:03o}).", path.display());
        assert_eq!(said.contains(&sentence), is_told, "T-SD-2, B24: {said}");
        let tight = if path.is_dir() { 0o700 } else { 0o600 };
        fs::set_permissions(&path, Permissions::from_mode(tight)).unwrap();
    }
    // A key that others may read opens nothing; the rest is said in the log of the server.
    fs::set_permissions(machine.path("data"), Permissions::from_mode(0o755)).unwrap();
    let mut serving = machine.command("data");
    serving.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"]).stderr(Stdio::piped());
    serving.stdout(Stdio::piped());
    let mut child = serving.spawn().unwrap();
    let mut said = String::new();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    while !said.contains("Other accounts may read") {
        assert!(log.read_line(&mut said).unwrap() > 0, "{said}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    fs::set_permissions(machine.path("data.key"), Permissions::from_mode(0o640)).unwrap();
    let refused = machine.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(refused.code == 73 && refused.err.contains("chmod 600"), "{refused:?}");
}

#[actix_web::test]
async fn t_as_2_the_doctor_asks_for_a_newer_version_once_this_one_has_been_at_work_for_half_a_year() {
    let machine = Machine::claimed();
    let version = || {
        let report = machine.json(&["doctor", "--quick"]);
        let checks = report["checks"].as_array().unwrap();
        checks.iter().find(|check| check["about"] == "version").unwrap().to_string()
    };
    assert!(version().contains("has not started here yet"), "{}", version());
    machine.serve().stop();
    assert!(version().contains("at work here for 0 days"), "{}", version());
    change(&machine, &["UPDATE upgrades SET began_at = began_at - 181 * 24 * 3600000"]).await;
    let said = version();
    assert!(said.contains("\"warn\"") && said.contains("for 181 days") && said.contains("newer"), "{said}");
}

#[actix_web::test]
async fn f36_a_check_of_the_trail_by_command_says_what_it_compared_with() {
    let machine = Machine::claimed();
    machine.json(&["project", "create", "SHOP"]);
    let alone = machine.json(&["audit", "verify"]);
    assert_eq!((&alone["whole"], &alone["compared_with"]), (&json!(true), &Value::Null));
    let said = machine.run(&["audit", "verify"]).out;
    assert!(said.contains("Compared with nothing") && said.contains("--anchor"), "{said}");
    let anchor = alone["head"].as_str().unwrap().to_owned();
    let anchored = machine.json(&["audit", "verify", "--anchor", &anchor]);
    assert_eq!(anchored["compared_with"]["by"], "anchor", "{anchored}");

    machine.json(&["backup", "--to", &machine.text("keep")]);
    machine.json(&["project", "create", "LATER"]);
    let compared = machine.json(&["audit", "verify"]);
    assert_eq!(compared["compared_with"]["by"], "receipt", "{compared}");
    let reached = compared["compared_with"]["entry"].as_i64().unwrap();
    change(
        &machine,
        &[
            "DELETE FROM audit_sources WHERE seq > (SELECT max(seq) - 4 FROM audit)",
            "DELETE FROM audit WHERE seq > (SELECT max(seq) - 4 FROM audit)",
        ],
    )
    .await;
    let cut = machine.run(&["audit", "verify"]);
    assert!(cut.code == 73 && cut.err.contains(&format!("it once reached entry {reached}")), "{cut:?}");
}

#[test]
fn no_backup_is_made_before_somebody_has_the_kit() {
    let machine = Machine::new();
    let server = machine.serve();
    let keep = machine.text("keep");
    machine.json(&["target", "add", "--name", "Disk", "--address", &keep]);
    // A log begins with a backup, and each target has its hour; neither is made for nobody.
    machine.json(&["log", "on", "--seconds", "1"]);
    let refused = machine.run(&["backup"]);
    assert!(refused.code != 0 && refused.err.contains("nobody has the kit"), "{refused:?}");
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert!(!machine.path("keep/config").exists(), "a repository was made with a kit that nobody has");
    server.stop();
    // So there is one to be handed over, and it opens what is made from now on.
    machine.claim();
    assert_eq!(machine.json(&["backup"])["verified"], true);
    let verified =
        machine.json_on("elsewhere", &["verify", "--from", &keep, "--kit-file", &machine.text("kit.txt")]);
    assert_eq!(verified["good"], true, "{verified}");
}
