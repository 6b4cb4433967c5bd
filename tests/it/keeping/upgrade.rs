//! A newer program on an older instance: every schema that was ever released, kept in `tests/data`.

use crate::support::program::{Machine, copy};
use crate::support::small_disk::SmallDisk;
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use testkeep::kernel::time::Clock;
use testkeep::kernel::upgrade;

/// Every schema that a release wrote.
pub const RELEASED: &[u32] = &[5];
fn released(schema: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/schema-{schema}"))
}

/// Puts an instance of that schema into a folder: `data`, and its key beside it.
fn put(schema: u32, place: &Path) {
    let data = place.join("data");
    copy(&released(schema), &data);
    std::fs::rename(data.join("testkeep.key"), place.join("data.key")).unwrap();
    std::fs::set_permissions(place.join("data.key"), Permissions::from_mode(0o600)).unwrap();
    std::fs::set_permissions(&data, Permissions::from_mode(0o700)).unwrap();
}

pub fn machine(schema: u32) -> Machine {
    let machine = Machine::new();
    put(schema, &machine.path("."));
    machine
}

/// What the people of the instance have, however it is stored.
pub fn held(machine: &Machine) -> Value {
    json!([
        machine.json(&["project", "list"]),
        machine.json(&["user", "list"]),
        machine.json(&["audit", "verify"])["whole"]
    ])
}

/// The doctor may miss the disk of the backups, which is not on this machine.
pub fn refuse_unsound(machine: &Machine) {
    let report: Value = serde_json::from_str(&machine.run(&["--json", "doctor"]).out).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let unsound = checks.iter().filter(|check| check["state"] == "bad" && check["about"] != "backups");
    let sound = checks
        .iter()
        .filter(|check| ["schema", "database", "audit trail"].iter().any(|about| check["about"] == *about));
    assert_eq!((unsound.count(), sound.count()), (0, 3), "{report}");
}

#[test]
fn c14_an_instance_of_every_release_opens_with_all_it_has_and_a_copy_is_put_aside() {
    for schema in RELEASED {
        let machine = machine(*schema);
        let projects = machine.json(&["project", "list"]);
        assert!(projects.to_string().contains("SHOP"), "{projects}");
        refuse_unsound(&machine);
        let aside = machine.path(&format!("data/before-upgrade/schema-{schema}.db"));
        assert!(aside.exists(), "no copy of schema {schema}");
        let bytes = std::fs::read(&aside).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"SQLite"), "the copy is not encrypted");
        assert_eq!(std::fs::metadata(&aside).unwrap().permissions().mode() & 0o077, 0);
        // A second start finds nothing to do.
        let written = std::fs::metadata(&aside).unwrap().modified().unwrap();
        machine.json(&["project", "list"]);
        assert_eq!(std::fs::metadata(&aside).unwrap().modified().unwrap(), written);
    }
}

#[test]
fn what_an_upgrade_leaves_is_listed_with_its_age_and_can_be_deleted() {
    let machine = machine(RELEASED[0]);
    machine.json(&["project", "list"]);
    let data = machine.path("data");
    std::fs::create_dir(data.join("before-upgrade/trial-cut")).unwrap();
    std::fs::write(data.join("before-upgrade/trial-cut/testkeep.db"), "half").unwrap();
    let left = upgrade::leftovers(&data).unwrap();
    assert_eq!(left.len(), 2, "{left:?}");
    for leftover in left {
        assert!((0..600_000).contains(&(Clock::System.now().0 - leftover.at.0)), "{leftover:?}");
        leftover.delete().unwrap();
    }
    assert!(upgrade::leftovers(&data).unwrap().is_empty());
    refuse_unsound(&machine);
}

#[test]
fn the_doctor_changes_nothing_of_an_instance_of_an_older_release() {
    let machine = machine(RELEASED[0]);
    let state = |machine: &Machine| {
        let data = machine.path("data");
        let mut names: Vec<_> =
            std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.retain(|name| !name.to_string_lossy().starts_with("testkeep.db-"));
        names.sort();
        (
            std::fs::read(data.join("testkeep.db")).unwrap(),
            std::fs::read(data.join("keyring.json")).unwrap(),
            names,
        )
    };
    let before = state(&machine);
    for _ in 0..2 {
        let answer = machine.run(&["--json", "doctor", "--quick"]);
        assert_eq!(answer.code, 73, "{answer:?}");
        assert!(answer.out.contains("This database has schema 5"), "{}", answer.out);
    }
    assert!(before == state(&machine), "the doctor changed something");
    // Whoever brings it up to date does so on purpose.
    assert_eq!(machine.run(&["project", "list"]).code, 0);
    refuse_unsound(&machine);
}

#[test]
fn f18_an_older_server_at_work_is_not_pulled_from_under() {
    let machine = machine(RELEASED[0]);
    let lock = File::create(machine.path("data/serve.lock")).unwrap();
    flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
    let before = std::fs::read(machine.path("data/testkeep.db")).unwrap();
    let refused = machine.run(&["project", "list"]);
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("schema 5") && refused.err.contains("Restart that server"), "{refused:?}");
    drop(lock);
    assert!(before == std::fs::read(machine.path("data/testkeep.db")).unwrap(), "the database was changed");
    assert_eq!(machine.run(&["project", "list"]).code, 0);
}

#[test]
fn f05_a_full_disk_stops_the_upgrade_before_it_begins() {
    let Some(disk) = SmallDisk::of_mib(70) else { return };
    put(RELEASED[0], disk.path());
    let machine = Machine::new();
    let run = || {
        let data = disk.path().join("data");
        machine.command("data").env("TESTKEEP_DATA", data).args(["project", "list"]).output().unwrap()
    };
    let before = std::fs::read(disk.path().join("data/testkeep.db")).unwrap();
    let ballast = disk.fill_but_kib(3_000);
    let refused = run();
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("MiB are free") && said.contains("Nothing was changed"), "{said}");
    assert!(
        before == std::fs::read(disk.path().join("data/testkeep.db")).unwrap(),
        "the database was changed"
    );
    std::fs::remove_file(ballast).unwrap();
    assert!(run().status.success(), "once there is room, the upgrade goes through");
}
