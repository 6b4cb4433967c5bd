//! Exchange of the recovery kit, shares in the place of the kit, and the vault: at the machine and in a browser.

use crate::support::browser::between;
use crate::support::program::{Machine, Server, copy};
use crate::support::site::Site;
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use testkeep::kernel::access::Door;
use testkeep::kernel::keyring::{Keyring, Purpose, RecoverySecret, State, Unlock};
use testkeep::kernel::layout;

fn keyring(machine: &Machine) -> Keyring {
    Keyring::open(&machine.path("data"), &Unlock::KeyFile(machine.path("data.key"))).unwrap()
}

pub fn kit_in(machine: &Machine, name: &str) -> Option<RecoverySecret> {
    RecoverySecret::parse(&std::fs::read_to_string(machine.path(name)).ok()?).ok()
}

pub fn opens_with(machine: &Machine, kit: &RecoverySecret) -> bool {
    Keyring::open(&machine.path("data"), &Unlock::Kit(kit.clone())).is_ok()
}

pub fn count(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

pub fn digest(machine: &Machine, data: &str) -> String {
    machine.json_on(data, &["digest"])["digest"].as_str().unwrap().to_owned()
}

/// A machine with a project, a target “Keep” at `keep`, and a backup there.
pub fn with_a_backup() -> Machine {
    let machine = Machine::claimed();
    machine.json(&["demo"]);
    machine.json(&["target", "add", "--name", "Keep", "--address", &machine.text("keep")]);
    machine.json(&["backup", "--target", "Keep"]);
    machine
}

#[test]
fn f16_t_de_5_another_kit_takes_the_place_of_the_one_before_here_and_at_every_target() {
    let machine = with_a_backup();
    let (keep, loose) = (machine.text("keep"), machine.text("loose"));
    machine.json(&["backup", "--to", &loose]);
    copy(&machine.path("keep"), &machine.path("stolen"));
    let (expected, before) = (digest(&machine, "data"), keyring(&machine));
    let (old, new) = (machine.text("kit.txt"), machine.text("new.txt"));

    let renewed = machine.json(&["key", "renew-kit", "--kit-to", &new]);
    assert_eq!(
        (&renewed["targets"][0]["target"], &renewed["targets"][0]["reached"]),
        (&"Keep".into(), &true.into())
    );
    assert_eq!(renewed["targets"][0]["note"], Value::Null, "{renewed}");
    assert_eq!((count(&machine.path("keep/keys")), count(&machine.path("keep/keyrings"))), (1, 1));
    // The old paper opens nothing here any more, and neither does what it knew.
    let refused = machine.run(&["key", "status", "--kit-file", &old]);
    assert!(refused.code == 77 && refused.err.contains("no newer kit"), "{refused:?}");
    machine.json(&["key", "status", "--kit-file", &new]);
    let database = layout::database(&machine.path("data"));
    assert!(Door::which(&database, &[(1, before.database())]).is_err(), "the database has another key");
    let now = std::fs::read(layout::keyring(&machine.path("data"))).unwrap();
    let stolen = Keyring::open_bytes(&now, &Unlock::Kit(kit_in(&machine, "kit.txt").unwrap()));
    assert!(stolen.is_err());

    // The new paper opens the backup from before the exchange, on a machine that knew nothing; the old one no more.
    let restore = |from: &str, kit: &str, into: &str| {
        machine.run(&["restore", "--from", from, "--into", &machine.text(into), "--kit-file", kit])
    };
    let gone = restore(&keep, &old, "never");
    assert!(gone.code == 77 && gone.err.contains("does not open"), "{gone:?}");
    let back = restore(&keep, &new, "back");
    assert_eq!(back.code, 0, "{back:?}");
    assert_eq!(digest(&machine, "back"), expected);
    // A copy that somebody took before opens with the old paper for ever.
    let copied = restore(&machine.text("stolen"), &old, "copied");
    assert_eq!(copied.code, 0, "{copied:?}");

    // A place that is no target learns the new kit with its next backup.
    assert_eq!(machine.run(&["verify", "--from", &loose, "--kit-file", &old]).code, 0);
    machine.json(&["backup", "--to", &loose]);
    assert_ne!(machine.run(&["verify", "--from", &loose, "--kit-file", &old]).code, 0);
    machine.json(&["verify", "--from", &loose, "--kit-file", &new]);
    machine.json(&["backup", "--target", "Keep"]);
    let back = restore(&keep, &new, "newest");
    assert_eq!(back.code, 0, "{back:?}");
    assert_eq!(digest(&machine, "newest"), digest(&machine, "data"));
    let trail = machine.run(&["audit", "verify"]);
    assert_eq!(trail.code, 0, "{trail:?}");
    let taken = machine.run(&["key", "renew-kit", "--kit-to", &new]);
    assert!(taken.code == 73 && taken.err.contains("exists already"), "{taken:?}");
}

#[test]
fn a_target_that_lets_nothing_be_taken_away_is_told_of_and_one_out_of_reach_follows_later() {
    let machine = with_a_backup();
    let (keep, away) = (machine.path("keep"), machine.path("away"));
    std::fs::rename(&keep, &away).unwrap();
    // A file where the folder should be: it cannot be reached, and no new one is begun there.
    std::fs::write(&keep, "").unwrap();
    let new = machine.text("new.txt");
    let renewed = machine.json(&["key", "renew-kit", "--keep-keys", "--kit-to", &new]);
    assert_eq!(renewed["targets"][0]["reached"], false, "{renewed}");
    assert!(renewed["targets"][0]["note"].is_string(), "{renewed}");
    std::fs::remove_file(&keep).unwrap();
    std::fs::rename(&away, &keep).unwrap();
    // Until it is reached its backups open with the old paper; the next backup reaches it.
    machine.json(&["verify", "--from", &machine.text("keep"), "--kit-file", &machine.text("kit.txt")]);
    machine.json(&["backup", "--target", "Keep"]);
    machine.json(&["verify", "--from", &machine.text("keep"), "--kit-file", &new]);
    assert_ne!(
        machine
            .run(&["verify", "--from", &machine.text("keep"), "--kit-file", &machine.text("kit.txt")])
            .code,
        0
    );
}

#[actix_web::test]
async fn f16_the_kit_is_exchanged_in_a_browser_once_it_was_typed_back() {
    let machine = with_a_backup();
    let old = kit_in(&machine, "kit.txt").unwrap();
    let site = Site::start(&machine).await;
    let (status, shown) = site.submit("/instance/keys/kit", &[]).await;
    assert_eq!(status, 200, "{shown}");
    let offer = between(&shown, "name=\"offer\" value=\"", "\"").unwrap().to_owned();
    let kit = between(&shown, "kit-key\">", "</p>").unwrap().replace("<br>", "\n");
    let new = RecoverySecret::parse(&kit).unwrap();
    assert!(opens_with(&machine, &old) && !opens_with(&machine, &new), "nothing has changed yet");
    let printed = old.print();
    let wrong = [("offer", offer.as_str()), ("typed", printed.expose().as_str())];
    let typed_wrong = site.submit("/instance/keys/kit/exchange", &wrong);
    let (status, again) = typed_wrong.await;
    assert!(status == 422 && again.contains("This is another kit"), "{again}");
    assert!(opens_with(&machine, &old));
    let (status, forged) =
        site.submit("/instance/keys/kit/exchange", &[("offer", "00"), ("typed", &kit)]).await;
    assert!(status == 409 && forged.contains("nothing was changed"), "{forged}");
    let (status, page) =
        site.submit("/instance/keys/kit/exchange", &[("offer", &offer), ("typed", &kit)]).await;
    assert!(status == 200 || status == 303, "{status}: {page}");
    assert!(!opens_with(&machine, &old) && opens_with(&machine, &new));
    let until = Instant::now() + Duration::from_secs(60);
    while !site.page("/instance/keys").await.contains("Opens with the new kit") {
        assert!(Instant::now() < until, "the target did not follow");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    site.server.stop();
    std::fs::write(machine.path("new.txt"), new.print().expose()).unwrap();
    machine.json(&["verify", "--from", &machine.text("keep"), "--kit-file", &machine.text("new.txt")]);
}

#[test]
fn f16_shares_start_a_server_and_bring_an_instance_back_on_a_bare_machine() {
    let machine = with_a_backup();
    let expected = digest(&machine, "data");
    let printed = machine.json(&["key", "shares", "--of", "5", "--need", "3"]);
    let shares: Vec<&str> =
        printed["shares"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    machine.write("shares.txt", &[shares[1], shares[4], shares[2]].join("\n"));
    machine.write("few.txt", &shares[..2].join("\n"));
    let (keep, file) = (machine.text("keep"), machine.text("shares.txt"));
    // The backup was made before the shares were printed: the target does not know them yet.
    let early = machine.run(&["verify", "--from", &keep, "--shares-file", &file]);
    assert!(early.code == 77 && early.err.contains("open no backup"), "{early:?}");
    machine.json(&["backup", "--target", "Keep"]);
    let restore = |shares: &str, into: &str, number: &str| {
        let into = machine.text(into);
        machine.run(&[
            "restore",
            "--from",
            &keep,
            "--into",
            &into,
            "--shares-file",
            shares,
            "--backup",
            number,
        ])
    };
    let few = restore(&machine.text("few.txt"), "never", "2");
    assert!(few.code == 77 && few.err.contains("3 open the instance"), "{few:?}");
    for (into, number) in [("newest", "2"), ("older", "1")] {
        let back = restore(&file, into, number);
        assert_eq!(back.code, 0, "{back:?}");
        assert_eq!(digest(&machine, into), expected, "backup {number}");
    }
    // Without its key file the server starts with what is piped to it, and begins anew by itself.
    std::fs::remove_file(machine.path("data.key")).unwrap();
    let mut serving = machine.command("data");
    serving.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--shares", "-"]);
    serving.stdin(std::fs::File::open(machine.path("shares.txt")).unwrap());
    let server = Server::start(serving);
    server.stop();
    let mut piped = machine.command("data");
    piped.args(["key", "set-file", &machine.text("data.key"), "--shares-file", "-"]).stdin(Stdio::piped());
    let mut child = piped.stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(shares[..3].join("\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(digest(&machine, "data"), expected);
}

#[test]
fn t_de_5_an_exchange_of_the_vault_seals_what_is_stored_anew_and_forgets_the_older_key() {
    let machine = with_a_backup();
    machine.json(&["ca", "init"]);
    machine.write("secrets.json", r#"{"user": "keep", "password": "not in the clear"}"#);
    let secrets = machine.text("secrets.json");
    let address = "webdav+https://127.0.0.1:1/keep";
    machine.json(&["target", "add", "--name", "Web", "--address", address, "--access-file", &secrets]);
    machine.json(&["backup", "--target", "Keep"]);
    for generation in [2, 3] {
        machine.json(&["key", "rotate", "--only", "vault"]);
        let vaults: Vec<(u32, State)> = keyring(&machine)
            .lines()
            .into_iter()
            .filter(|line| line.purpose == Some(Purpose::Vault))
            .map(|line| (line.generation, line.state))
            .collect();
        assert_eq!(vaults, [(generation, State::Current)], "the older key is gone");
    }
    // The authority signs with its key, and the target is asked with its password.
    machine.json(&["ca", "issue", "robot", "--out", &machine.text("robot.pem")]);
    let refused = machine.run(&["backup", "--target", "Web"]);
    assert!(refused.err.contains("refused the connection"), "{refused:?}");
    machine.json(&["backup", "--target", "Keep"]);
    // The backup from before comes back with its own key of the vault.
    let into = machine.text("old");
    let kit = machine.text("kit.txt");
    machine.json(&[
        "restore",
        "--from",
        &machine.text("keep"),
        "--into",
        &into,
        "--kit-file",
        &kit,
        "--backup",
        "2",
    ]);
    machine.json_on("old", &["ca", "issue", "robot", "--out", &machine.text("old-robot.pem")]);
}

#[test]
fn f16_a_credential_that_systemd_has_sealed_opens_the_instance_as_the_unit_says() {
    if Command::new("systemd-creds").arg("--version").output().is_err() {
        eprintln!("NOT RUN: this machine has no systemd-creds; `./tests/run` installs it.");
        return;
    }
    let machine = Machine::claimed();
    let unit = std::fs::read_to_string("systemd/testkeep.service").unwrap();
    let words = |text: &str, begin: &str| -> Vec<String> {
        let line = text.lines().find_map(|line| line.find(begin).map(|at| line[at..].trim().to_owned()));
        line.unwrap_or_else(|| panic!("no line with {begin}")).split(' ').map(str::to_owned).collect()
    };
    // The command of the unit's comment, with the key of this machine in the place of its TPM.
    let mut sealing = words(&unit, "systemd-creds encrypt");
    assert_eq!(sealing[2], "--name=testkeep.key");
    sealing.insert(2, "--with-key=host".to_owned());
    let ends = sealing.len();
    assert!(sealing[ends - 1].ends_with("testkeep.key.cred"), "{sealing:?}");
    sealing[ends - 2] = machine.text("data.key");
    sealing[ends - 1] = machine.text("testkeep.key.cred");
    let creds = |arguments: &[String]| {
        let mut command = Command::new("systemd-creds");
        command.args(arguments).env("SYSTEMD_CREDENTIAL_SECRET", machine.path("host.secret"));
        command.output().unwrap()
    };
    let sealed = creds(&sealing[1..]);
    assert!(sealed.status.success(), "{sealed:?}");
    let key = std::fs::read(machine.path("data.key")).unwrap();
    let cred = std::fs::read(machine.path("testkeep.key.cred")).unwrap();
    assert!(!cred.windows(16).any(|part| part == &key[..16]), "the key lies sealed");
    std::fs::remove_file(machine.path("data.key")).unwrap();
    assert_ne!(machine.run(&["digest"]).code, 0, "nothing opens it now");

    // What systemd does for LoadCredentialEncrypted=: decrypt into a folder of the unit, and name that folder.
    std::fs::create_dir(machine.path("handed")).unwrap();
    let handed = machine.text("handed/testkeep.key");
    let opened = creds(
        &["decrypt", "--name=testkeep.key", &machine.text("testkeep.key.cred"), &handed].map(String::from),
    );
    assert!(opened.status.success(), "{opened:?}");
    let mut command = machine.command("data");
    command.env("CREDENTIALS_DIRECTORY", machine.path("handed"));
    let mut serving = machine.command("data");
    serving.env("CREDENTIALS_DIRECTORY", machine.path("handed"));
    serving.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"]);
    Server::start(serving).stop();
    let digest = command.args(["digest"]).output().unwrap();
    assert!(digest.status.success(), "{digest:?}");
    // One for another name is refused by systemd, and one of another machine as well.
    let other =
        creds(&["decrypt", "--name=other", &machine.text("testkeep.key.cred"), "-"].map(String::from));
    assert!(!other.status.success());
    std::fs::remove_file(machine.path("host.secret")).unwrap();
    let moved =
        creds(&["decrypt", "--name=testkeep.key", &machine.text("testkeep.key.cred"), "-"].map(String::from));
    assert!(!moved.status.success());
}
