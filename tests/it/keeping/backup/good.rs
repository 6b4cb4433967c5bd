//! What goes in comes out, and costs what it should.

use super::bench::{Bench, CANARY, PASSWORD, PROGRAM, Writer, content, files, sql};
use data_encoding::HEXLOWER;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;
use testkeep::keeping::backup::storage::Reach;
use testkeep::keeping::backup::{Keep, restore};
use testkeep::kernel::audit::{Head, Verdict};
use testkeep::kernel::secret::Secret;

#[test]
fn f11_a_restored_database_equals_the_original() {
    let bench = Bench::new(1_500);
    bench.pin_without_permission();
    let before = content(&bench.sql());
    let receipt = bench.backup().unwrap();
    bench.sql().execute_batch("DELETE FROM page").unwrap();

    let manifest = bench.restore(&receipt).unwrap();
    let restored = bench.restored();
    assert_eq!(content(&restored), before);
    for (table, rows) in &manifest.rows {
        let count = format!("SELECT count(*) FROM \"{table}\"");
        assert_eq!(restored.query_row(&count, [], |row| row.get::<_, i64>(0)).unwrap(), *rows, "{table}");
    }
    let schema: i64 = restored.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!((manifest.schema_version, manifest.testkeep.as_str()), (schema, env!("CARGO_PKG_VERSION")));
    let hash = HEXLOWER.decode(manifest.audit.hash.as_bytes()).unwrap().try_into().unwrap();
    let head = Head { seq: manifest.audit.seq, hash };
    assert_eq!(bench.verdict("restored", head.clone()), Verdict::Whole(head));
    assert_eq!(fs::read(bench.path("restored/keyring.json")).unwrap(), b"{\"slots\":[]}");
    let mut names: Vec<_> =
        fs::read_dir(bench.path("restored")).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.retain(|name| !name.to_string_lossy().starts_with("testkeep.db-"));
    names.sort();
    assert_eq!(names, ["blobs", "keyring.json", "testkeep.db"]);
    for (name, mode) in
        [("restored", 0o700), ("restored/testkeep.db", 0o600), ("restored/keyring.json", 0o600)]
    {
        let found = fs::metadata(bench.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}");
    }
}

#[test]
fn f15_all_attachments_come_back_and_missing_ones_are_told() {
    let bench = Bench::new(20);
    let row = |name: &str| {
        format!("INSERT INTO blobs (name, sha256, bytes, stored_at) VALUES ('{name}', '', 1, 1);")
    };
    let (there, lost) = ("ab".repeat(32), "ef".repeat(32));
    bench.sql().execute_batch(&(row(&there) + &row(&lost))).unwrap();
    let receipt = bench.backup().unwrap();
    assert_eq!(receipt.blobs_missing, 1);

    let manifest = bench.restore(&receipt).unwrap();
    assert_eq!(manifest.blobs_missing, [lost]);
    let blobs: Vec<_> = manifest.blobs.iter().map(|blob| blob.path.as_str()).collect();
    assert_eq!(blobs, [format!("blobs/ab/{there}"), format!("blobs/ab-1/{}", "cd".repeat(32))]);
    assert_eq!(fs::read(bench.path("restored").join(blobs[0])).unwrap(), [7; 70_000]);
    assert_eq!(fs::read(bench.path("restored").join(blobs[1])).unwrap(), b"");
    let warnings = bench.engine.verify_latest().unwrap().findings.warnings;
    assert_eq!(warnings, ["1 attached files were missing when the backup was made."]);
}

#[test]
fn a_backup_under_load_holds_exactly_the_commits_before_the_pin() {
    let bench = Bench::new(2_000);
    let writer = Writer::start(&bench);
    while writer.committed.load(SeqCst) < 20 {
        std::thread::yield_now();
    }
    let (start, before) = (Instant::now(), writer.committed.load(SeqCst));
    let pin = bench.pin();
    let (pinned_ms, after) = (start.elapsed().as_millis(), writer.committed.load(SeqCst));
    let receipt = bench.backup_of(&pin, &Default::default()).unwrap();
    let backup_ms = start.elapsed().as_millis();
    drop(pin);
    let last = writer.stop();

    let start = Instant::now();
    let manifest = bench.restore(&receipt).unwrap();
    let (rows, restore_ms) = (manifest.rows["event"], start.elapsed().as_millis());
    println!("pin {pinned_ms} ms, backup {backup_ms} ms, restore {restore_ms} ms, {rows} of {last} commits");
    assert!(before <= rows && rows <= after + 1, "{before} <= {rows} <= {after} + 1");
    assert!(last > rows + 10, "the writer went on during the backup");
    let held = bench.restored().query_row("SELECT count(*), max(id) FROM event", [], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
    });
    assert_eq!(held.unwrap(), (rows, rows));
}

#[test]
fn a_second_backup_ships_what_changed_and_an_unchanged_one_almost_nothing() {
    let bench = Bench::new(5_000);
    let start = Instant::now();
    let first = bench.backup().unwrap();
    let first_ms = start.elapsed().as_millis();
    let change = "CREATE TEMP TABLE pick AS SELECT id FROM page ORDER BY random() LIMIT 50;
         UPDATE page SET body = randomblob(3800) WHERE id IN (SELECT id FROM pick);";
    bench.sql().execute_batch(change).unwrap();
    let second = bench.backup().unwrap();
    let third = bench.backup().unwrap();
    let (of, all, one, none) = (first.bytes, first.bytes_added, second.bytes_added, third.bytes_added);
    println!("{of} bytes: first {all} in {first_ms} ms, 1 % changed {one}, unchanged {none}");
    assert!(one * 20 <= of, "{one} is more than 5 %");
    // One page that differs costs about 26 KB, the list of its slice included; opening changes none.
    assert!(none < 20_000, "{none} for nothing");
    assert_eq!((second.number, third.number), (2, 3));

    let keep = Keep { last: 1, daily: 0, weekly: 0, monthly: 0 };
    assert_eq!(bench.engine.forget(&keep).unwrap().len(), 2);
    bench.engine.prune().unwrap();
    let proof = bench.engine.verify_latest().unwrap();
    assert_eq!((proof.receipts, &proof.receipt), (3, &third));
    assert_eq!(proof.findings.errors, [""; 0]);
    let left = bench.engine.list().unwrap();
    assert_eq!(left.iter().map(|found| found.receipt.as_ref()).collect::<Vec<_>>(), [Some(&third)]);
    bench.restore(&third).unwrap();
    bench.restored();
}

#[test]
fn t_de_1_p_l3_5_nothing_at_the_target_can_be_read_without_its_password() {
    let bench = Bench::new(20);
    bench.backup().unwrap();
    let plain = fs::read(bench.path("home/keyring.json")).unwrap();
    for path in files(&bench.path("target")) {
        let bytes = fs::read(&path).unwrap();
        for secret in [CANARY.as_bytes(), b"SQLite format", &plain, b"keyring"] {
            let is_found = bytes.windows(secret.len()).any(|part| part == secret);
            assert!(!is_found, "{} holds {}", path.display(), String::from_utf8_lossy(secret));
        }
    }
}

#[test]
fn t_kf_5_a_blank_machine_restores_with_folder_and_password_alone() {
    let bench = Bench::new(20);
    let receipt = bench.backup().unwrap();
    let folder = bench.path("target");
    let found = restore::find(&Reach::folder(&folder).unwrap(), &Secret::new(PASSWORD.into()), None).unwrap();
    assert_eq!((found.instance.as_str(), found.receipts.as_slice()), ("bench", &[receipt.clone()][..]));

    let place = bench.path("elsewhere");
    restore::restore(Path::new(PROGRAM), &found.job, &receipt, &place).unwrap();
    assert_eq!(content(&sql(&place.join("testkeep.db"))), content(&bench.sql()));
    let refused = restore::restore(Path::new(PROGRAM), &found.job, &receipt, &place).unwrap_err();
    assert!(refused.sentence().ends_with("elsewhere exists already."), "{refused:?}");
    let refused =
        restore::find(&Reach::folder(&folder).unwrap(), &Secret::new("a guess".into()), None).err().unwrap();
    assert_eq!(refused.sentence(), format!("This recovery kit does not open {}.", folder.display()));
    let refused =
        restore::find(&Reach::folder(&bench.path("home")).unwrap(), &Secret::new(PASSWORD.into()), None)
            .err()
            .unwrap();
    assert!(refused.sentence().ends_with("home holds no backups of Testkeep."), "{refused:?}");
}
