//! What happens to the database between two starts: a migration, the way back from an upgrade, another state in its
//! place, a log that is gone or cut. The log that is shipped goes on without a gap, or a new one is begun and said;
//! either way the moments before and after come back as they were (B05, f8, f10, f18).

use super::moments::moment;
use super::shipping::{Shipped, held, killed, now, restore, streams};
use crate::support::App;
use crate::support::program::copy;
use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::time::Duration;
use testkeep::keeping::backup::storage::Reach;
use testkeep::keeping::recovery::{self, Order};
use testkeep::keeping::shipping::replay::{Shortfall, Until};
use testkeep::kernel::access::AuditView;
use testkeep::kernel::audit::{self, Filter};
use testkeep::kernel::keyring::{Keyring, Paper, RecoverySecret, Unlock};
use testkeep::kernel::swap::{self, Reason};
use testkeep::kernel::upgrade;

/// A connection with the key of the instance that leaves the log alone, as all of ours do while it is kept.
fn opened(folder: &Path, file: &Path) -> Connection {
    let unlock = Unlock::KeyFile(folder.join("data.key"));
    let key = Keyring::open(&folder.join("data"), &unlock).unwrap().database();
    let hex: String = key.0.iter().map(|byte| format!("{byte:02x}")).collect();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let conn = Connection::open_with_flags(file, flags).unwrap();
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    conn.pragma_update(None, "key", format!("x'{hex}'")).unwrap();
    conn.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    conn
}

fn database(folder: &Path) -> Connection {
    opened(folder, &folder.join("data/testkeep.db"))
}

/// How often the trail says that a new log was begun.
async fn begun(shipped: &Shipped) -> usize {
    let filter = Filter { event: Some("log.begun".into()), ..Filter::default() };
    let gate = shipped.app.house.shell.operator().gate::<AuditView>(());
    gate.read(move |tx| audit::list(tx, &filter)).await.unwrap().len()
}

/// What is known of the time before the change.
struct Before {
    kit: RecoverySecret,
    /// A moment, and the digest of then.
    moment: (Until, String),
}

/// Ships, lets `change` do its work on the folder while nobody serves, and ships on, as so many logs. The moment from
/// before and one from after come back as they were. Answers what was there after the change.
async fn across(change: impl AsyncFnOnce(&Path, &Before), logs: usize) -> Vec<String> {
    let shipped = Shipped::start().await;
    shipped.add("before").await;
    let before = Before { kit: shipped.kit.clone(), moment: moment(&shipped).await };
    shipped.add("last").await;
    shipped.shipped().await;
    let (kit, owner) = (shipped.kit.clone(), shipped.owner.clone());
    let folder = shipped.app.halt().await;
    assert_eq!(streams(folder.path()).len(), 1);
    // Parts of what served lie in this process until its end; files that nobody has open take the place of its own.
    fs::rename(folder.path().join("data"), folder.path().join("served")).unwrap();
    copy(&folder.path().join("served"), &folder.path().join("data"));
    change(folder.path(), &before).await;
    let app = App::on(folder, &[]).await;
    let shipped = Shipped { app, owner, kit };
    shipped.until(|place| place["has_backup"] == true && place["reached_at"].is_number()).await;
    shipped.add("after").await;
    let after = moment(&shipped).await;
    shipped.add("later").await;
    shipped.shipped().await;
    let folder = shipped.app.folder().to_owned();
    assert_eq!(streams(&folder).len(), logs);
    assert_eq!(begun(&shipped).await, logs, "each new log is said");

    for (into, (until, digest)) in [("then", &before.moment), ("now", &after)] {
        let restored = shipped.restore(into, *until, Shortfall::Refused).await.unwrap();
        let replayed = restored.replayed.unwrap();
        assert!(replayed.missing.is_none() && replayed.lacking.is_empty(), "{into}: {replayed:?}");
        assert_eq!(&held(&folder, into).await.0, digest, "{into}");
    }
    assert_eq!(held(&folder, "then").await.1, ["before"]);
    let mut found = held(&folder, "now").await.1;
    assert_eq!(found.pop().unwrap(), "after");
    shipped.app.halt().await;
    found
}

/// Takes back what the newest migration did, in such a way that it does it again: to the one folder of the first
/// release belongs the target of now, under its number.
const BACK: &str = "
    DROP TABLE alarms; DROP TABLE upgrades; DROP TABLE drills; DROP TABLE restores; DROP TABLE certificates;
    DROP TABLE acme_accounts; DROP TABLE authorities; DROP TABLE client_certificates; DROP TABLE key_changes;
    DROP TABLE checks; DROP TABLE findings; DROP TABLE holds; DROP TABLE retention; DROP TABLE deletions;
    DROP TABLE sizes; DROP TABLE takeovers;
    INSERT INTO settings SELECT 'backup.folder', address, changed_at FROM targets;
    CREATE TABLE backups_5 (
      id INTEGER PRIMARY KEY, cause TEXT NOT NULL CHECK (cause IN ('schedule', 'person', 'command')),
      target TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('running', 'good', 'failed')),
      started_at INTEGER NOT NULL, finished_at INTEGER, snapshot TEXT, receipt INTEGER, files INTEGER,
      bytes INTEGER, bytes_added INTEGER, verified_at INTEGER, message TEXT) STRICT;
    INSERT INTO backups_5 SELECT id, cause, target, state, started_at, finished_at, snapshot, receipt, files,
      bytes, bytes_added, verified_at, message FROM backups;
    DROP TABLE backups; ALTER TABLE backups_5 RENAME TO backups; DROP TABLE targets;
    DROP INDEX blobs_damaged; DROP INDEX blobs_unused; DROP INDEX evidence_of_a_blob; DROP INDEX runs_in_the_trash;
    ALTER TABLE audit DROP COLUMN generation;
    ALTER TABLE blobs DROP COLUMN checked_at; ALTER TABLE blobs DROP COLUMN damaged_at;
    ALTER TABLE blobs DROP COLUMN unused_at; ALTER TABLE projects DROP COLUMN recount_due;
    ALTER TABLE runs DROP COLUMN kept_state; ALTER TABLE runs DROP COLUMN trashed_at;
    ALTER TABLE cases DROP COLUMN trashed_at; ALTER TABLE projects DROP COLUMN trashed_at;
    DELETE FROM migrations WHERE name = '0006_care'; PRAGMA user_version = 5;";

#[actix_web::test]
async fn f18_a_log_goes_on_over_a_migration_without_a_gap() {
    let change = async |folder: &Path, _: &Before| {
        let conn = database(folder);
        conn.execute_batch(&format!("PRAGMA foreign_keys = OFF; BEGIN; {BACK} COMMIT")).unwrap();
    };
    assert_eq!(across(change, 1).await, ["before", "last"]);
}

#[actix_web::test]
async fn f18_a_log_is_begun_anew_after_an_upgrade_that_was_taken_back() {
    let change = async |folder: &Path, before: &Before| {
        // The copy that an upgrade takes, and what is stored and shipped until it is taken back.
        let aside = folder.join("data/before-upgrade");
        fs::create_dir(&aside).unwrap();
        let (from, mut to) = (database(folder), opened(folder, &aside.join("schema-6.db")));
        Backup::new(&from, &mut to).unwrap().run_to_completion(1_000, Duration::ZERO, None).unwrap();
        drop((from, to));
        let (given_up, at) = killed(folder, 60, Duration::from_secs(4));
        assert!(given_up.len() > 5);
        upgrade::put_back(&folder.join("data"), upgrade::SCHEMA).unwrap();
        // What was given up is at the target as well, as far as it was shipped.
        restore(folder, &before.kit, "given-up", Until::At(at), Shortfall::Accepted).await.unwrap();
        assert!(held(folder, "given-up").await.1.len() > 2);
    };
    assert_eq!(across(change, 2).await, ["before", "last"]);
}

#[actix_web::test]
async fn a_log_is_begun_anew_after_the_whole_instance_was_exchanged() {
    let change = async |folder: &Path, before: &Before| {
        let (data, staging) = (folder.join("data"), folder.join("data/scratch/next"));
        fs::create_dir_all(data.join("scratch")).unwrap();
        let order = Order {
            from: Reach::folder(&folder.join("keep")).unwrap(),
            into: staging.clone(),
            key_file: folder.join("data.key"),
            number: None,
            until: Some(before.moment.0),
            shortfall: Shortfall::Refused,
        };
        let program = Path::new(env!("CARGO_BIN_EXE_testkeep"));
        recovery::restore(program, &order, &Paper::Kit(before.kit.clone())).await.unwrap();
        swap::prepare(&data, &staging, Reason::Restore, now()).unwrap();
    };
    assert_eq!(across(change, 2).await, ["before"]);
}

/// After a kill, with writes that were shipped but not moved into the database yet. Answers what is there at the next
/// start, and what was before.
async fn without_its_log(damage: fn(&Path)) -> (Vec<String>, Vec<String>) {
    let mut all = vec!["before".to_owned(), "last".to_owned()];
    let change = async |folder: &Path, before: &Before| {
        let (written, at) = killed(folder, 60, Duration::from_secs(4));
        assert!(written.len() > 5);
        all.extend(written);
        let log = folder.join("data/testkeep.db-wal");
        assert!(fs::metadata(&log).unwrap().len() > 0, "there is nothing to take away");
        damage(&log);
        restore(folder, &before.kit, "written", Until::At(at), Shortfall::Accepted).await.unwrap();
        let found = held(folder, "written").await.1;
        assert!(found.len() > 2, "what was shipped is not lost: {found:?}");
    };
    (across(change, 2).await, all)
}

#[actix_web::test]
async fn f10_a_log_is_begun_anew_where_that_of_the_database_was_deleted() {
    let (found, all) = without_its_log(|log| fs::remove_file(log).unwrap()).await;
    // What was moved from it, by a backup or once it was long: the newest are at the targets alone.
    assert!(all.starts_with(&found) && found.len() < all.len(), "{found:?} of {all:?}");
}

#[actix_web::test]
async fn f10_a_log_is_begun_anew_where_that_of_the_database_was_cut() {
    let found = without_its_log(|log| {
        let length = fs::metadata(log).unwrap().len();
        OpenOptions::new().write(true).open(log).unwrap().set_len(length / 3).unwrap();
    });
    // Up to the last commit that is whole.
    let (found, all) = found.await;
    assert!(found.len() > 2 && all.starts_with(&found), "{found:?} of {all:?}");
}
