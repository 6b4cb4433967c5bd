//! Receipts: no receipt, no backup; and nobody forges, drops or swaps one unnoticed.

use super::bench::{Bench, PASSWORD, engine, files};
use std::fs;
use testkeep::keeping::backup::Keep;

const NEWEST: Keep = Keep { last: 1, daily: 0, weekly: 0, monthly: 0 };

#[test]
fn receipts_survive_the_loss_of_either_copy() {
    let bench = Bench::new(20);
    bench.backup().unwrap();
    for lost in ["home/receipts", "target/receipts"] {
        fs::remove_dir_all(bench.path(lost)).unwrap();
        let receipt = bench.backup().unwrap();
        assert_eq!(bench.engine.chain().unwrap().receipts.len() as u64, receipt.number, "without {lost}");
        let copies = files(&bench.path(lost)).iter().filter(|path| path.extension().is_some()).count();
        assert_eq!(copies as u64, receipt.number, "{lost} is whole again");
    }
}

#[test]
fn without_any_receipt_nothing_is_a_backup_and_nothing_is_deleted() {
    let bench = Bench::new(20);
    bench.backup().unwrap();
    bench.backup().unwrap();
    for copy in ["home/receipts", "target/receipts"] {
        fs::remove_dir_all(bench.path(copy)).unwrap();
    }
    let refused = bench.engine.forget(&NEWEST).unwrap_err();
    assert_eq!(refused.sentence(), "No proven backup would be left, so nothing was deleted.");
    assert_eq!(bench.snapshots(), 2);
    let refused = bench.engine.verify_latest().unwrap_err();
    assert_eq!(refused.sentence(), "There is no backup: the target holds no receipt.");
    let none = Keep { last: 0, ..NEWEST };
    bench.backup().unwrap();
    assert_eq!(bench.engine.forget(&none).unwrap_err().sentence(), refused_all());
    assert_eq!(bench.engine.forget(&NEWEST).unwrap().len(), 2, "unproven snapshots of ours go");
}

fn refused_all() -> &'static str {
    "No proven backup would be left, so nothing was deleted."
}

#[test]
fn f14_a_forged_receipt_is_refused_with_its_number() {
    let bench = Bench::new(20);
    bench.backup().unwrap();
    bench.backup().unwrap();
    let at_target = bench.path("target/receipts/00000002.json");
    let genuine = fs::read_to_string(&at_target).unwrap();
    let sentence = || bench.engine.chain().err().unwrap().sentence().to_owned();

    fs::write(&at_target, genuine.replace("\\\"files\\\":", "\\\"files\\\":1")).unwrap();
    assert_eq!(sentence(), "Receipt 2 differs between this instance and the backup target.");
    fs::remove_file(bench.path("home/receipts/00000002.json")).unwrap();
    assert_eq!(sentence(), "The signature of receipt 2 is wrong.");
    fs::write(&at_target, "{}").unwrap();
    assert_eq!(sentence(), "Receipt 2 cannot be read.");
    fs::copy(bench.path("target/receipts/00000001.json"), &at_target).unwrap();
    assert_eq!(sentence(), "Receipt 2 calls itself 1.");
    fs::write(&at_target, genuine).unwrap();
    for copy in ["home", "target"] {
        fs::remove_file(bench.path(copy).join("receipts/00000001.json")).unwrap();
    }
    assert_eq!(sentence(), "Receipt 1 is missing from the chain.");
}

#[test]
fn f14_a_target_that_was_set_back_to_an_older_state_is_noticed() {
    let bench = Bench::new(20);
    bench.backup().unwrap();
    let older: Vec<_> =
        files(&bench.path("target")).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    bench.backup().unwrap();
    fs::remove_dir_all(bench.path("target")).unwrap();
    for (bytes, path) in older {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let found = bench.engine.verify_latest().unwrap().findings;
    assert_eq!(found.errors, ["Backup 2 is not at the target any more."]);
    assert_eq!(found.warnings, ["The target has lost its copy of receipt 2."]);
}

#[test]
fn a_repository_of_somebody_else_is_refused() {
    let bench = Bench::new(20);
    let root = bench.path("");
    let refused = engine(&root, "another", PASSWORD).init_if_absent().err().unwrap();
    assert!(refused.sentence().ends_with("holds the backups of another instance (bench)."), "{refused:?}");
    fs::remove_file(bench.path("master")).unwrap();
    let refused = engine(&root, "bench", "another password").init_if_absent().err().unwrap();
    assert_eq!(refused.sentence(), "The backup repository was made with another password.");
    fs::remove_dir_all(bench.path("target")).unwrap();
    let refused = bench.backup().unwrap_err();
    assert!(refused.sentence().starts_with("There is no backup repository in"), "{refused:?}");
    assert!(!bench.path("target").exists(), "an unmounted disk is not written to");
}
