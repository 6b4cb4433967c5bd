//! Exchanges of keys, of the kit and of the key service: killed at any moment, exactly one known key opens.

use super::{Kills, State};
use crate::keeping::keys::{keyring, opens, trail_is_whole};
use crate::keeping::kit::{count, digest, kit_in, opens_with, with_a_backup};
use crate::keeping::kms::{Fake, kms_command, secret};
use crate::support::program::Machine;
use std::fs;
use std::process::Stdio;
use std::time::Instant;
use testkeep::kernel::keyring::{Purpose, RecoverySecret};
use testkeep::kernel::layout;

/// Generation of the key that the database is under.
fn generation(machine: &Machine) -> u32 {
    keyring(machine, "data").generation(Purpose::Database)
}

/// One key of the keyring opens the database, and the rest of the instance is as it was.
fn one_key_opens(machine: &Machine, expected: &str) {
    assert_eq!(digest(machine, "data"), expected);
    let keys = keyring(machine, "data").database_keys();
    let fitting: Vec<_> = keys.iter().filter(|(_, key)| opens(&machine.path("data"), key)).collect();
    assert_eq!(fitting.len(), 1, "exactly one known key");
}

fn all_are_exchanged(machine: &Machine, expected: &str) {
    let rotated = machine.json(&["key", "rotate"]);
    assert!(rotated["keys"].as_array().unwrap().iter().all(|key| key["state"] == "done"), "{rotated}");
    one_key_opens(machine, expected);
    trail_is_whole(machine, "data");
}

#[test]
fn f17_kill_9_while_all_keys_are_exchanged_leaves_one_key_that_opens() {
    let machine = Machine::claimed();
    machine.json(&["demo"]);
    let expected = digest(&machine, "data");
    let mut kills = Kills::of("exchange of all keys", 5, || drop(machine.json(&["key", "rotate"])));
    while kills.next().is_some() {
        let before = generation(&machine);
        kills.strike(machine.command("data").args(["key", "rotate"]));
        let state = if generation(&machine) == before { State::Old } else { State::New };
        let began = Instant::now();
        digest(&machine, "data");
        kills.found(state, began.elapsed());
        one_key_opens(&machine, &expected);
    }
    all_are_exchanged(&machine, &expected);
    kills.end();
}

#[test]
fn f17_kill_9_of_a_server_that_exchanges_keys_leaves_one_key_that_opens() {
    let machine = Machine::claimed();
    machine.json(&["demo"]);
    let expected = digest(&machine, "data");
    let server = machine.serve();
    let mut kills =
        Kills::of("exchange of all keys in a server", 3, || drop(machine.json(&["key", "rotate"])));
    server.stop();
    while kills.next().is_some() {
        let before = generation(&machine);
        let server = machine.serve();
        let mut waiting = machine.command("data");
        waiting.args(["key", "rotate"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut waiting = waiting.spawn().unwrap();
        std::thread::sleep(kills.moment());
        server.kill();
        kills.cut += 1;
        waiting.kill().unwrap();
        waiting.wait().unwrap();
        let state = if generation(&machine) == before { State::Old } else { State::New };
        let began = Instant::now();
        digest(&machine, "data");
        kills.found(state, began.elapsed());
        one_key_opens(&machine, &expected);
    }
    all_are_exchanged(&machine, &expected);
    kills.end();
}

/// The one of these kits that opens the instance.
fn opening(machine: &Machine, kits: &[RecoverySecret]) -> usize {
    let opening: Vec<usize> = (0..kits.len()).filter(|kit| opens_with(machine, &kits[*kit])).collect();
    assert_eq!(opening.len(), 1, "one kit opens the instance");
    opening[0]
}

#[test]
fn f17_kill_9_while_the_kit_is_exchanged_leaves_one_kit_that_opens() {
    let machine = with_a_backup();
    let expected = digest(&machine, "data");
    let renew =
        |file: &str| machine.json(&["key", "renew-kit", "--keep-keys", "--kit-to", &machine.text(file)]);
    let mut kills = Kills::of("exchange of the kit", 5, || drop(renew("first.txt")));
    let mut kit = kit_in(&machine, "first.txt").unwrap();
    while let Some(round) = kills.next() {
        let name = format!("kit-{round}.txt");
        let file = machine.text(&name);
        let moment = kills.strike(machine.command("data").args([
            "key",
            "renew-kit",
            "--keep-keys",
            "--kit-to",
            &file,
        ]));
        let began = Instant::now();
        assert_eq!(digest(&machine, "data"), expected, "killed after {moment:?}");
        let took = began.elapsed();
        // A kit that was not written yet cannot be in force.
        let mut kits = vec![kit];
        kits.extend(kit_in(&machine, &name));
        let opens = opening(&machine, &kits);
        kills.found(if opens == 0 { State::Old } else { State::New }, took);
        kit = kits.swap_remove(opens);
        // The next one finishes what was cut off at the target.
        if round % 20 == 4 {
            let next = format!("next-{round}.txt");
            assert_eq!(renew(&next)["targets"][0]["reached"], true);
            kit = kit_in(&machine, &next).unwrap();
            machine.json(&["verify", "--from", &machine.text("keep"), "--kit-file", &machine.text(&next)]);
        }
    }
    let renewed = renew("last.txt");
    assert_eq!(renewed["targets"][0]["reached"], true, "{renewed}");
    assert_eq!((count(&machine.path("keep/keys")), count(&machine.path("keep/keyrings"))), (1, 1));
    machine.json(&["verify", "--from", &machine.text("keep"), "--kit-file", &machine.text("last.txt")]);
    assert_eq!(digest(&machine, "data"), expected);
    kills.end();
}

#[test]
fn f17_kill_9_while_the_key_service_changes_leaves_one_secret_of_it() {
    let (machine, fake) = (Machine::claimed(), Fake::start());
    secret(&machine, "token", "of-the-test");
    let expected = digest(&machine, "data");
    let run = |arguments: &[&str]| {
        let answer = kms_command(&machine, &fake.url).args(arguments).output().unwrap();
        assert!(answer.status.success(), "{answer:?}");
    };
    let keyring = || fs::read(layout::keyring(&machine.path("data"))).unwrap();
    let mut kills = Kills::of("exchange of the key service", 6, || run(&["key", "set-kms"]));
    while kills.next().is_some() {
        let before = keyring();
        let moment = kills.strike(kms_command(&machine, &fake.url).args(["key", "set-kms"]));
        let state = if keyring() == before { State::Old } else { State::New };
        let began = Instant::now();
        // By the service alone: these options take it before the key file.
        run(&["key", "status"]);
        kills.found(state, began.elapsed());
        assert_eq!(digest(&machine, "data"), expected, "killed after {moment:?}");
    }
    let key = machine.path("data.key");
    fs::rename(&key, machine.path("moved.key")).unwrap();
    run(&["digest"]);
    fs::rename(machine.path("moved.key"), &key).unwrap();
    trail_is_whole(&machine, "data");
    kills.end();
}
