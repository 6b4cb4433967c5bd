//! A backup that is killed is none, or a whole one.

use super::{Kills, State};
use crate::keeping::kit::{digest, with_a_backup};
use std::fs;
use std::time::Instant;

#[test]
fn f12_f13_kill_9_while_a_backup_is_made_leaves_the_one_before_or_one_more() {
    let machine = with_a_backup();
    let (keep, kit, into) = (machine.text("keep"), machine.text("kit.txt"), machine.text("back"));
    let backup = ["backup", "--target", "Keep"];
    // What each backup has to bring back, the first first.
    let mut expected = vec![digest(&machine, "data")];
    machine.json(&["project", "create", "FIRST"]);
    let mut kills = Kills::of("backup", 5, || drop(machine.json(&backup)));
    expected.push(digest(&machine, "data"));
    while let Some(round) = kills.next() {
        machine.json(&["project", "create", &format!("K{round}")]);
        let now = digest(&machine, "data");
        let moment = kills.strike(machine.command("data").args(backup));

        let began = Instant::now();
        let proof = machine.json(&["verify", "--from", &keep]);
        let took = began.elapsed();
        let newest = usize::try_from(proof["newest"]["number"].as_u64().unwrap()).unwrap();
        let state = match newest.checked_sub(expected.len()) {
            Some(0) => State::Old,
            Some(1) => State::New,
            _ => panic!("backup {newest} after {}, killed after {moment:?}", expected.len()),
        };
        if state == State::New {
            expected.push(now);
        }
        // On a machine that has the paper and nothing else.
        machine.json(&["restore", "--from", &keep, "--into", &into, "--kit-file", &kit]);
        assert_eq!(&digest(&machine, "back"), expected.last().unwrap(), "killed after {moment:?}");
        fs::remove_dir_all(&into).unwrap();
        kills.found(state, took);
    }
    // The next one goes through, and nothing of the killed ones is in its way.
    let made = machine.json(&backup);
    assert!(made.to_string().contains(&format!("\"number\":{}", expected.len() + 1)), "{made}");
    machine.json(&["verify", "--from", &keep, "--kit-file", &kit]);
    kills.end();
}
