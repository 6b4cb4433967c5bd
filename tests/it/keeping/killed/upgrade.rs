//! A schema that changes and a program that is exchanged: killed at any moment, it is the one before or the other.

use super::{Kills, State};
use crate::keeping::kit::digest;
use crate::keeping::upgrade::{RELEASED, held, machine, refuse_unsound};
use crate::support::program::{Machine, copy};
use rusqlite::Connection;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use testkeep::kernel::keyring::{Keyring, Unlock};
use testkeep::kernel::{layout, upgrade};

#[test]
fn f18_kill_9_in_a_migration_leaves_the_old_schema_or_the_new_one() {
    let whole = machine(RELEASED[0]);
    let mut kills = Kills::of("migration", 6, || drop(digest(&whole, "data")));
    let expected = held(&whole);
    while kills.next().is_some() {
        let machine = machine(RELEASED[0]);
        let moment = kills.strike(machine.command("data").args(["digest"]));
        let seen = machine.run(&["--json", "doctor", "--quick"]);
        let is_old = seen.out.contains(&format!("This database has schema {}", RELEASED[0]));
        let began = Instant::now();
        machine.json(&["project", "list"]);
        kills.found(if is_old { State::Old } else { State::New }, began.elapsed());
        assert_eq!(held(&machine), expected, "killed after {moment:?}");
        refuse_unsound(&machine);
    }
    kills.end();
}

/// The schema that the program of these tests brings.
const FUTURE: i64 = upgrade::SCHEMA + 1;
/// Names the data folder in which this process is to change the schema.
const CHANGED: &str = "TESTKEEP_TEST_FUTURE";

fn database(data: &Path) -> Connection {
    let key = Unlock::KeyFile(data.with_extension("key"));
    let key = Keyring::open(data, &key).unwrap().database();
    let hex: String = key.0.iter().map(|byte| format!("{byte:02x}")).collect();
    let conn = Connection::open(layout::database(data)).unwrap();
    conn.pragma_update(None, "key", format!("x'{hex}'")).unwrap();
    conn
}

fn schema(data: &Path) -> i64 {
    database(data).query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

/// Not a test of its own: the program that the next test installs changes the schema with it, as one of ours would.
#[test]
fn changes_the_schema_when_asked_to() {
    let Some(data) = std::env::var_os(CHANGED) else { return };
    let data = Path::new(&data);
    if schema(data) == FUTURE {
        return;
    }
    let conn = database(data);
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let aside = layout::before_upgrade(data);
    fs::create_dir_all(&aside).unwrap();
    fs::copy(layout::database(data), aside.join("half")).unwrap();
    fs::rename(aside.join("half"), aside.join(format!("schema-{}.db", upgrade::SCHEMA))).unwrap();
    conn.execute_batch(&format!(
        "BEGIN; CREATE TABLE of_the_future (id INTEGER PRIMARY KEY) STRICT; PRAGMA user_version = {FUTURE}; COMMIT"
    ))
    .unwrap();
}

/// A machine with a release that brings another schema; `ending` is what it says of the data it has changed.
struct Site {
    machine: Machine,
    release: String,
}

impl Site {
    fn new(ending: &str) -> Option<Site> {
        if Command::new("minisign").arg("-v").output().is_err() {
            println!("SKIPPED: minisign is not installed");
            return None;
        }
        let machine = Machine::claimed();
        machine.json(&["project", "create", "SHOP"]);
        let (tests, real) = (std::env::current_exe().unwrap(), env!("CARGO_BIN_EXE_testkeep"));
        let change = format!(
            "{CHANGED}=\"$TESTKEEP_DATA\" {} --exact keeping::killed::upgrade::changes_the_schema_when_asked_to",
            tests.display()
        );
        let good =
            format!(r#"{{"version":"0.1.9","schema":{FUTURE},"entries":1,"results":0,"findings":[]}}"#);
        let release = format!(
            "#!/bin/sh\n\
             if [ \"$1\" = version ]; then echo '{{\"version\":\"0.1.9\",\"schema\":{FUTURE}}}'; exit; fi\n\
             case \"$1$TESTKEEP_DATA\" in upgrade-trial*trial-*) echo '{good}'; exit;; esac\n\
             {change} >/dev/null || exit 1\n{}\n",
            ending.replace("GOOD", &format!("echo '{good}'"))
        );
        machine.write("release", &release);
        let signed = |arguments: &[&str]| {
            let mut minisign = Command::new("minisign");
            let answer = minisign.args(arguments).current_dir(machine.path(".")).output().unwrap();
            assert!(answer.status.success(), "{answer:?}");
        };
        signed(&["-G", "-W", "-f", "-p", "release.pub", "-s", "release.key"]);
        signed(&["-S", "-W", "-s", "release.key", "-t", "testkeep 0.1.9 x86_64", "-m", "release"]);
        fs::create_dir(machine.path("bin")).unwrap();
        machine.write("old", &format!("#!/bin/sh\nexec {real} \"$@\"\n"));
        copy(&machine.path("data"), &machine.path("before"));
        Some(Site { machine, release })
    }

    /// Everything as before an upgrade.
    fn anew(&self) {
        let _ = fs::remove_dir_all(self.machine.path("data"));
        copy(&self.machine.path("before"), &self.machine.path("data"));
        fs::set_permissions(self.machine.path("data"), Permissions::from_mode(0o700)).unwrap();
        fs::copy(self.machine.path("old"), self.machine.path("bin/testkeep")).unwrap();
        fs::set_permissions(self.machine.path("bin/testkeep"), Permissions::from_mode(0o755)).unwrap();
    }

    fn upgrade(&self) -> Command {
        let mut command = self.machine.command("data");
        command.env("TESTKEEP_UPGRADE_KEY", self.machine.path("release.pub"));
        command.args([
            "upgrade",
            "--program",
            &self.machine.text("bin/testkeep"),
            &self.machine.text("release"),
        ]);
        command
    }

    /// The program that lies there, and whether it can live with the data as they are after its next start.
    fn found(&self) -> State {
        let program = fs::read_to_string(self.machine.path("bin/testkeep")).unwrap();
        if program == self.release {
            // Whether its start has to change the schema or finds it changed: it reads both.
            let schema = schema(&self.machine.path("data"));
            assert!([upgrade::SCHEMA, FUTURE].contains(&schema), "schema {schema}");
            return State::New;
        }
        assert_eq!(program, fs::read_to_string(self.machine.path("old")).unwrap());
        let listed = self.machine.run(&["project", "list"]);
        assert!(
            listed.code == 0 && listed.out.contains("SHOP"),
            "the old program with other data: {listed:?}"
        );
        assert_eq!(schema(&self.machine.path("data")), upgrade::SCHEMA);
        State::Old
    }
}

/// Killed while a release takes over, and while one that fails on the data is taken back.
fn killed(what: &'static str, ending: &str) {
    let Some(site) = Site::new(ending) else { return };
    site.anew();
    let mut kills = Kills::of(what, 4, || drop(site.upgrade().output().unwrap()));
    let usual = site.found();
    assert_eq!(usual, if ending == "GOOD" { State::New } else { State::Old }, "when nobody kills it");
    while kills.next().is_some() {
        site.anew();
        kills.strike(&mut site.upgrade());
        let began = Instant::now();
        let state = site.found();
        kills.found(state, began.elapsed());
        // What was cut off keeps nobody from trying again.
        if state == State::Old {
            let again = site.upgrade().output().unwrap();
            assert_eq!((again.status.success(), site.found()), (ending == "GOOD", usual), "{again:?}");
        }
    }
    kills.end();
}

#[test]
fn f18_c14_kill_9_while_a_release_takes_over_leaves_a_program_that_reads_the_data() {
    killed("upgrade", "GOOD");
}

#[test]
fn f18_c14_kill_9_while_a_failed_release_is_taken_back_leaves_a_program_that_reads_the_data() {
    killed("upgrade that is taken back", "echo 'no good' >&2; exit 1");
}
