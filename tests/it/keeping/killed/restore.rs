//! An instance that comes back is there whole or not at all; one that is exchanged is the one or the other.

use super::{Kills, State};
use crate::keeping::kit::{digest, with_a_backup};
use crate::support::program::Machine;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use testkeep::kernel::swap::{self, Reason};
use testkeep::kernel::time::Clock;

fn is_whole(machine: &Machine, data: &str) -> bool {
    machine.json_on(data, &["audit", "verify"])["whole"] == true
}

/// Folders in which killed restores put an instance together.
fn left_by_restores(machine: &Machine) -> usize {
    let entries = fs::read_dir(machine.path(".")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(".testkeep-restore-")).count()
}

#[test]
fn f11_kill_9_while_an_instance_is_restored_leaves_none_or_all_of_it() {
    let machine = with_a_backup();
    let (keep, kit, into) = (machine.text("keep"), machine.text("kit.txt"), machine.text("back"));
    let expected = digest(&machine, "data");
    let restore = ["restore", "--from", &keep, "--into", &into, "--kit-file", &kit];
    let mut kills = Kills::of("restore", 6, || drop(machine.json(&restore)));
    fs::remove_dir_all(&into).unwrap();
    while let Some(round) = kills.next() {
        if round % 2 == 0 {
            let _ = fs::remove_file(machine.path("back.key"));
        }
        let moment = kills.strike(machine.command("data").args(restore));
        let began = Instant::now();
        let state = match Path::new(&into).exists() {
            true => State::New,
            false => State::Old,
        };
        if state == State::Old {
            machine.json(&restore);
        }
        let took = began.elapsed();
        assert_eq!(digest(&machine, "back"), expected, "killed after {moment:?}");
        assert!(is_whole(&machine, "back"), "killed after {moment:?}");
        assert!(left_by_restores(&machine) <= 1, "what killed restores left goes with the next");
        fs::remove_dir_all(&into).unwrap();
        kills.found(state, took);
    }
    machine.json(&restore);
    assert_eq!(left_by_restores(&machine), 0);
    kills.end();
}

/// Commands and servers exchange the state that was ordered; either is killed while it does.
#[test]
fn f18_kill_9_while_the_whole_instance_is_exchanged_leaves_one_state_and_never_a_mixture() {
    let machine = with_a_backup();
    let (keep, kit, key) = (machine.text("keep"), machine.text("kit.txt"), machine.text("data.key"));
    let then = digest(&machine, "data");
    machine.json(&["project", "create", "LATER"]);
    let now = digest(&machine, "data");
    let (data, staging) = (machine.path("data"), machine.path("data/scratch/next"));
    fs::create_dir_all(machine.path("data/scratch")).unwrap();
    let into = staging.to_str().unwrap();
    machine.json(&["restore", "--from", &keep, "--into", into, "--kit-file", &kit, "--key-file", &key]);
    swap::prepare(&data, &staging, Reason::Restore, Clock::System.now()).unwrap();

    // Early in the life of a process: until a little after it.
    let mut kills = Kills::of("exchange of the whole instance", 8, || {
        let mut first = machine.command("data").arg("digest").stdout(Stdio::null()).spawn().unwrap();
        while swap::is_ordered(&data) {
            std::thread::sleep(Duration::from_micros(100));
        }
        std::thread::sleep(Duration::from_millis(10));
        first.wait().unwrap();
    });
    let mut expected = [&now, &then].into_iter().cycle();
    while let Some(round) = kills.next() {
        let aside = swap::kept(&data).unwrap().remove(0);
        swap::go_back(&data, &aside.name, Clock::System.now()).unwrap();
        let mut command = machine.command("data");
        match round % 2 {
            0 => command.arg("digest"),
            _ => command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"]),
        };
        let moment = kills.strike(&mut command);
        let state = if swap::is_ordered(&data) { State::Old } else { State::New };
        let began = Instant::now();
        assert_eq!(&digest(&machine, "data"), expected.next().unwrap(), "killed after {moment:?}");
        kills.found(state, began.elapsed());
        assert!(!swap::is_ordered(&data) && is_whole(&machine, "data"));
        assert_eq!(swap::kept(&data).unwrap().len(), 1, "the other one is kept, once");
    }
    kills.end();
}
