//! The log of the database is handed out without a gap, whoever else works on the file (f8, T-DP-6).

use super::house::{House, Number, add, at, keys};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use testkeep::kernel::access::*;
use testkeep::kernel::error::Kind;

/// A connection with SQLite's own settings, as another program would open it.
fn foreign(path: &Path) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.pragma_update(None, "key", format!("x'{}'", "07".repeat(32))).unwrap();
    conn.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let _: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(keys().database.0, [7; 32]);
    conn
}

fn checkpoint(conn: &Connection, kind: &str) -> (i64, i64, i64) {
    let sql = format!("PRAGMA wal_checkpoint({kind})");
    conn.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
}

fn scribble(conn: &Connection, rows: u32) {
    conn.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS page (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO page (body) SELECT randomblob(3800) FROM n;"
    ))
    .unwrap();
}

fn content(conn: &Connection) -> BTreeMap<String, Vec<String>> {
    let mut names = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1").unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let rows = |name: &String| {
        let mut all = conn.prepare(&format!("SELECT * FROM \"{name}\" ORDER BY 1")).unwrap();
        let columns = all.column_count();
        let row = |row: &rusqlite::Row<'_>| -> rusqlite::Result<String> {
            (0..columns).map(|column| row.get_ref(column).map(|value| format!("{value:?}"))).collect()
        };
        all.query_map([], row).unwrap().map(Result::unwrap).collect()
    };
    names.iter().map(|name| (name.clone(), rows(name))).collect()
}

async fn with_a_project() -> House {
    let house = House::start();
    house.project("SHOP").await;
    house
}

/// Everything that was handed out, and the file at which it began.
struct Copy {
    folder: tempfile::TempDir,
    pieces: Vec<News>,
}

impl Copy {
    fn of(pin: &Pin) -> Copy {
        let mut bytes = vec![0; usize::try_from(pin.bytes).unwrap()];
        let mut filled = 0;
        while filled < bytes.len() {
            filled += pin.file.read_at(&mut bytes[filled..], filled as u64).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("copy.db"), bytes).unwrap();
        Copy { folder, pieces: Vec::new() }
    }

    /// Writes the pages where a checkpoint would, and opens the file.
    fn opened(&self) -> Connection {
        let path = self.folder.path().join("copy.db");
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        for (before, next) in self.pieces.iter().zip(self.pieces.iter().skip(1)) {
            let (before, next) = (&before.frames, &next.frames);
            let goes_on = before.generation == next.generation && next.first == before.end() + 1;
            let begins = before.generation.precedes(&next.generation) && next.first == 1;
            assert!(goes_on || begins, "a gap between {before:?} and {next:?}");
        }
        for piece in &self.pieces {
            assert!(
                piece.frames.is_whole() && piece.marks.iter().all(|(frame, _)| *frame <= piece.frames.end())
            );
            for (page, length, bytes) in piece.frames.pages() {
                file.write_all_at(bytes, u64::from(page - 1) * 4096).unwrap();
                if let Some(pages) = length {
                    file.set_len(u64::from(pages) * 4096).unwrap();
                }
            }
        }
        let conn = foreign(&path);
        let sound: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
        let mut sums = conn.prepare("PRAGMA cipher_integrity_check").unwrap();
        assert_eq!(sums.query_map([], |row| row.get::<_, String>(0)).unwrap().count(), 0);
        drop(sums);
        conn
    }
}

#[actix_web::test]
async fn a_log_is_handed_out_whole_whatever_other_connections_do() {
    let house = with_a_project().await;
    let gate = house.operator::<BackupRun>(());
    let charge = gate.take_charge_of_log().await.unwrap();
    let (mut keeper, begun) = charge.keep(None, |_| panic!("nothing was known")).unwrap();
    assert_eq!(begun, Begun::Anew);
    let pin = gate.pin().await.unwrap();
    let mut copy = Copy::of(&pin);
    drop(pin);

    let path = house.path();
    let other = foreign(&path);
    let cases = house.operator::<CaseWrite>(at("SHOP"));
    let mut generations = 0;
    for round in 0..40_u32 {
        add(&cases, &format!("case {round}")).await.unwrap();
        // Past the point at which SQLite moves pages by itself, now and then.
        scribble(&other, if round % 7 == 0 { 1_200 } else { 20 });
        match round % 5 {
            0 => drop(checkpoint(&other, "PASSIVE")),
            1 => keeper.look().unwrap(),
            2 => {
                other.busy_timeout(std::time::Duration::from_millis(10)).unwrap();
                let _ = other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
                other.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
            }
            3 => {
                keeper.look().unwrap();
                keeper
                    .take(&mut |news| {
                        copy.pieces.push(news);
                        Ok(())
                    })
                    .unwrap();
                keeper.settle().unwrap();
                let _ = checkpoint(&other, "PASSIVE");
            }
            _ => {
                let turned = keeper
                    .turn(&mut |news| {
                        copy.pieces.push(news);
                        Ok(())
                    })
                    .unwrap();
                generations += u32::from(turned);
            }
        }
    }
    keeper
        .turn(&mut |news| {
            copy.pieces.push(news);
            Ok(())
        })
        .unwrap();
    assert!(generations > 3, "the log began anew only {generations} times");
    let sequences = copy.pieces.iter().map(|news| news.frames.generation.sequence);
    assert!(sequences.collect::<std::collections::BTreeSet<_>>().len() > 3);
    let log = fs::metadata(path.with_extension("db-wal")).unwrap().len();
    assert!(log < 64 << 20, "the log has {log} bytes");
    assert_eq!(content(&copy.opened()), content(&other));
}

#[actix_web::test]
async fn a_reader_that_never_ends_holds_the_log_up_and_breaks_nothing() {
    let house = with_a_project().await;
    let gate = house.operator::<BackupRun>(());
    let charge = gate.take_charge_of_log().await.unwrap();
    let (mut keeper, _) = charge.keep(None, |_| Ok(())).unwrap();
    let mut copy = Copy::of(&gate.pin().await.unwrap());
    let path = house.path();
    let (other, stuck) = (foreign(&path), foreign(&path));
    scribble(&other, 10);
    stuck.execute_batch("BEGIN; SELECT count(*) FROM page").unwrap();
    scribble(&other, 500);
    let mut store = |news| {
        copy.pieces.push(news);
        Ok(())
    };
    assert!(!keeper.turn(&mut store).unwrap(), "somebody reads an old state");
    scribble(&other, 500);
    assert!(!keeper.turn(&mut store).unwrap());
    stuck.execute_batch("ROLLBACK").unwrap();
    assert!(keeper.turn(&mut store).unwrap());
    scribble(&other, 5);
    keeper.look().unwrap();
    keeper.take(&mut store).unwrap();
    assert_eq!(content(&copy.opened()), content(&other));
}

#[actix_web::test]
async fn a_log_goes_on_after_a_crash_and_the_checkpoint_of_a_stranger_is_a_gap() {
    let house = with_a_project().await;
    let gate = house.operator::<BackupRun>(());
    let charge = gate.take_charge_of_log().await.unwrap();
    let (mut keeper, _) = charge.keep(None, |_| Ok(())).unwrap();
    let mut copy = Copy::of(&gate.pin().await.unwrap());
    let other = foreign(&house.path());
    scribble(&other, 30);
    keeper.look().unwrap();
    keeper
        .take(&mut |news| {
            copy.pieces.push(news);
            Ok(())
        })
        .unwrap();
    let known = keeper.taken();
    drop(keeper);
    // Nobody keeps the log, and somebody writes who moves nothing.
    other.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    scribble(&other, 30);
    let (keeper, begun) = charge
        .keep(known, |news| {
            copy.pieces.push(news);
            Ok(())
        })
        .unwrap();
    assert_eq!(begun, Begun::Continued);
    assert_eq!(content(&copy.opened()), content(&other));

    let known = keeper.taken();
    drop(keeper);
    scribble(&other, 30);
    let _ = checkpoint(&other, "RESTART");
    scribble(&other, 30);
    let (mut keeper, begun) = charge.keep(known, |_| panic!("what is there does not follow")).unwrap();
    assert_eq!(begun, Begun::Anew);

    // Behind the keeper's back nothing can be written over; the file is changed here as no program does.
    scribble(&other, 3);
    keeper.look().unwrap();
    let log = OpenOptions::new().write(true).open(house.path().with_extension("db-wal")).unwrap();
    log.write_all_at(&[0; 32], 0).unwrap();
    scribble(&other, 1);
    assert!(keeper.look().is_ok(), "without a beginning there is no log");
    let refused = keeper.take(&mut |_| Ok(())).unwrap_err();
    assert_eq!(refused.kind(), Kind::Conflict);
}

#[actix_web::test]
async fn a_backup_can_be_pinned_while_the_log_is_kept() {
    let house = with_a_project().await;
    let gate = house.operator::<BackupRun>(());
    let charge = gate.take_charge_of_log().await.unwrap();
    let (mut keeper, _) = charge.keep(None, |_| Ok(())).unwrap();
    let other = foreign(&house.path());
    let mut pieces = Vec::new();
    for _ in 0..5 {
        scribble(&other, 100);
        keeper.look().unwrap();
        let pin = gate.pin().await.unwrap();
        let mut copy = Copy::of(&pin);
        let place = pin.position.unwrap();
        scribble(&other, 100);
        drop(pin);
        keeper
            .take(&mut |news| {
                pieces.push(news);
                Ok(())
            })
            .unwrap();
        keeper.look().unwrap();
        keeper
            .take(&mut |news| {
                copy.pieces.push(news);
                Ok(())
            })
            .unwrap();
        assert!(pieces.last().is_some_and(|news| news.end.position.frame <= place.frame));
        assert_eq!(content(&copy.opened()), content(&other));
        keeper.turn(&mut |_| Ok(())).unwrap();
        pieces.clear();
    }
}

#[actix_web::test]
async fn f08_a_long_read_ends_before_the_log_fills_the_disk() {
    let house = with_a_project().await;
    let gate = house.operator::<InstanceView>(());
    let reading = actix_web::rt::spawn(async move {
        gate.read_at_length(|tx| {
            let endless =
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
            let _: Option<Number> = tx.row(endless, [])?;
            Ok(())
        })
        .await
    });
    let path = house.path();
    let writing = std::thread::spawn(move || {
        let other = foreign(&path);
        other.pragma_update(None, "synchronous", "OFF").unwrap();
        for _ in 0..55 {
            scribble(&other, 1_000);
        }
        fs::metadata(path.with_extension("db-wal")).unwrap().len()
    });
    let refused = reading.await.unwrap().unwrap_err();
    assert_eq!(refused.kind(), Kind::Busy, "{refused:?}");
    let log = writing.join().unwrap();
    assert!(log > 192 << 20 && log < 256 << 20, "the log has {} MiB", log >> 20);
}
