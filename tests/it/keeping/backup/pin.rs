//! The pin: the file stands still while others write, and it can be had while they do.

use super::bench::{Bench, second_process, write_on};
use sha2::{Digest, Sha256};
use std::fs;
use std::time::{Duration, Instant};
use testkeep::kernel::access::Pin;
use testkeep::kernel::error::Kind;

fn digest(pin: &Pin) -> [u8; 32] {
    let (mut hash, mut buffer, mut offset) = (Sha256::new(), vec![0; 1 << 20], 0);
    while offset < pin.bytes {
        let got = pin.file.read_at(&mut buffer, offset).unwrap();
        assert!(got > 0, "it ends at {offset}");
        hash.update(&buffer[..got]);
        offset += got as u64;
    }
    assert_eq!(pin.file.read_at(&mut buffer, offset).unwrap(), 0, "it is longer than the pin says");
    hash.finalize().into()
}

#[test]
fn a_pinned_file_stands_still_while_another_process_writes() {
    if let Some(bench) = second_process() {
        return write_on(&bench.sql(), |_| true);
    }
    let bench = Bench::new(2_000);
    let mut other = bench
        .another_process("keeping::backup::pin::a_pinned_file_stands_still_while_another_process_writes");
    let conn = bench.sql();
    let events = || conn.query_row("SELECT count(*) FROM event", [], |row| row.get::<_, i64>(0)).unwrap();
    let mut wait_for = |count: i64| {
        while events() < count {
            other.must_live();
        }
    };
    wait_for(50);

    let mut slowest = Duration::ZERO;
    for _ in 0..10 {
        let start = Instant::now();
        let pin = bench.pin();
        slowest = slowest.max(start.elapsed());
        // No wait: the next pin has to cope with the log that grows meanwhile.
        drop(pin);
    }
    let pin = bench.pin();
    let before = digest(&pin);
    // Past the point at which SQLite moves pages by itself, twice.
    wait_for(pin.rows["event"] + 1_500);
    for kind in ["PASSIVE", "FULL", "RESTART", "TRUNCATE"] {
        conn.busy_timeout(Duration::from_millis(20)).unwrap();
        let _ = conn.query_row(&format!("PRAGMA wal_checkpoint({kind})"), [], |_| Ok(()));
    }
    assert_eq!(digest(&pin), before);
    let log = fs::metadata(bench.path("home/testkeep.db-wal")).unwrap().len();
    println!("slowest of ten pins {slowest:?}, log {} KiB, file {} KiB", log >> 10, pin.bytes >> 10);
    assert!(log > 4 << 20, "the commits wait in the log");

    drop(pin);
    let _: i64 = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1)).unwrap();
    assert_ne!(digest(&bench.pin()), before, "without the pin the file follows");
    other.kill();
}

#[test]
fn a_writer_has_its_turn_beside_a_process_that_never_pauses() {
    if let Some(bench) = second_process() {
        return write_on(&bench.sql(), |_| true);
    }
    let bench = Bench::new(2_000);
    let name = "keeping::backup::pin::a_writer_has_its_turn_beside_a_process_that_never_pauses";
    let mut other = bench.another_process(name);
    let conn = bench.sql();
    while conn.query_row("SELECT count(*) FROM event", [], |row| row.get::<_, i64>(0)).unwrap() < 50 {
        other.must_live();
    }
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let start = Instant::now();
        bench.write();
        slowest = slowest.max(start.elapsed());
    }
    other.must_live();
    println!("slowest of twenty writes {slowest:?}");
    assert_eq!(bench.pin().audit.seq, 20);
    other.kill();
}

#[test]
fn a_pin_needs_the_permission_to_make_backups() {
    let bench = Bench::new(1);
    assert_eq!(bench.pin_without_permission().kind(), Kind::Forbidden);
    assert_eq!(bench.pin().audit.seq, 1, "the refusal stands in the trail");
}

#[test]
fn a_pin_waits_for_a_reader_of_an_old_state_and_then_holds() {
    let bench = Bench::new(50);
    let (old, new) = (bench.sql(), bench.sql());
    // As long as this one reads, the commit after it has to stay in the log.
    old.execute_batch("BEGIN; SELECT count(*) FROM page;").unwrap();
    new.execute_batch("INSERT INTO event VALUES (1, 'later')").unwrap();
    let reading = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(400));
        drop(old);
    });
    let pin = bench.pin();
    reading.join().unwrap();
    assert_eq!(pin.rows["event"], 1);
    let before = digest(&pin);
    new.execute_batch("UPDATE page SET body = randomblob(3800)").unwrap();
    let moved = new.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(2)).unwrap();
    assert_eq!((moved, digest(&pin)), (0, before), "nothing moves from the log into a pinned file");
}
