//! Opening a database: each way it can be unusable has its own sentence, and none is papered over.

use rusqlite::Connection;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::PathBuf;
use tempfile::TempDir;
use testkeep::kernel::access::{Caller, Changes, Door, InstanceKeep, InstanceView, Shell, Tuning, Tx as _};
use testkeep::kernel::audit::Quiet;
use testkeep::kernel::error::{Error, Kind, Result};
use testkeep::kernel::keyring::{Keyring, Unlock, default_key_file};
use testkeep::kernel::sql::{FromRow, Row};
use testkeep::kernel::time::{Clock, Timestamp};
use testkeep::kernel::{integrity, layout};

const CANARY: &str = "canary-4711-in-the-database";

struct Home {
    folder: TempDir,
    keyring: Keyring,
}

impl Home {
    fn new() -> Home {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        let unlock = Unlock::KeyFile(default_key_file(&data));
        let (keyring, _) = Keyring::create(&data, &unlock, Timestamp(0)).unwrap();
        Home { folder, keyring }
    }
    /// A home whose database holds rows on many pages, closed again.
    async fn lived_in() -> Home {
        let home = Home::new();
        let (door, shell) = home.create().unwrap();
        fill(shell.operator()).await;
        door.shut_down().await;
        home
    }
    fn database(&self) -> PathBuf {
        layout::database(&self.folder.path().join("data"))
    }
    fn create(&self) -> Result<(Door, Shell)> {
        Door::create(&self.database(), self.keyring.keys(), clock(), &tuning())
    }
    fn open(&self) -> Result<(Door, Shell)> {
        Door::open(&self.database(), self.keyring.keys(), clock(), &tuning())
    }
    /// Opens it and tells what was said; the file must be as before.
    fn refusal(&self) -> Error {
        let before = fs::read(self.database()).ok();
        let error = self.open().err().expect("this cannot be opened");
        assert_eq!(fs::read(self.database()).ok(), before, "nothing is made and nothing is overwritten");
        assert!(error.hint_text().is_some(), "{error:?}");
        error
    }
    fn flip(&self, place: u64) {
        let file = OpenOptions::new().read(true).write(true).open(self.database()).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, place).unwrap();
        file.write_all_at(&[byte[0] ^ 1], place).unwrap();
    }
}

fn clock() -> Clock {
    Clock::fixed(Timestamp(1_700_000_000_000))
}

fn tuning() -> Tuning {
    Tuning { readers: 2, ..Tuning::default() }
}

async fn fill(operator: Caller<Changes>) {
    let gate = operator.gate::<InstanceKeep>(());
    let filled = gate.write(|tx| {
        for number in 0..200 {
            let insert = "INSERT INTO settings (name, value, changed_at) VALUES (?1, ?2, 0)";
            tx.run(insert, (format!("canary {number}"), CANARY.repeat(20)))?;
        }
        Ok(tx.quiet(Quiet::JobHeartbeat, ()))
    });
    filled.await.unwrap();
}

async fn findings(shell: &Shell) -> Vec<String> {
    shell.operator().gate::<InstanceView>(()).read_at_length(integrity::check).await.unwrap()
}

#[tokio::test]
async fn t_de_1_p_l3_4_a_database_is_made_closed_and_opened_with_nothing_readable_in_it() {
    let home = Home::new();
    let (door, shell) = home.create().unwrap();
    fill(shell.operator()).await;
    // The log is looked at as well: it holds the pages until they are moved.
    for name in ["testkeep.db", "testkeep.db-wal"] {
        let path = home.database().with_file_name(name);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{name}");
        let bytes = fs::read(path).unwrap();
        for plain in [CANARY.as_bytes(), b"CREATE TABLE", b"SQLite format 3"] {
            assert!(!bytes.windows(plain.len()).any(|window| window == plain), "{name}");
        }
    }
    door.shut_down().await;
    // What every program with SQLite, and with its cipher and another key, gets.
    for key in [None, Some("x'00'"), Some("guessed")] {
        let foreign = Connection::open(home.database()).unwrap();
        foreign.pragma_update(None, "cipher_log_level", "NONE").unwrap();
        key.iter().for_each(|key| foreign.pragma_update(None, "key", key).unwrap());
        let refused = foreign.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).unwrap_err();
        assert_eq!(refused.sqlite_error_code(), Some(rusqlite::ErrorCode::NotADatabase), "{refused}");
    }
    let (door, shell) = home.open().unwrap();
    assert_eq!(findings(&shell).await, Vec::<String>::new());
    door.shut_down().await;
}

#[tokio::test]
async fn f16_a_missing_database_is_said_and_not_made() {
    let home = Home::lived_in().await;
    fs::remove_file(home.database()).unwrap();
    let error = home.refusal();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.sentence().ends_with("testkeep.db is missing, but its keyring is there."), "{error}");
    assert!(!home.database().exists());
}

#[tokio::test]
async fn f16_an_empty_database_is_said_and_not_filled() {
    let home = Home::lived_in().await;
    fs::write(home.database(), "").unwrap();
    let error = home.refusal();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.sentence().ends_with("testkeep.db is empty."), "{error}");
}

#[tokio::test]
async fn f16_a_plain_database_is_not_taken_for_ours() {
    let home = Home::new();
    // No pragma says which cipher: this is how a file without any is made.
    let plain = Connection::open(home.database()).unwrap();
    plain.execute_batch("CREATE TABLE settings (name TEXT)").unwrap();
    drop(plain);
    let error = home.refusal();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.sentence().ends_with("is a plain SQLite file and not encrypted."), "{error}");
}

#[tokio::test]
async fn f16_p_l3_4_the_database_of_another_instance_stays_closed() {
    let (home, other) = (Home::lived_in().await, Home::lived_in().await);
    fs::copy(other.database(), home.database()).unwrap();
    let error = home.refusal();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.sentence().contains("or it belongs to another instance"), "{error}");
}

#[tokio::test]
async fn f16_a_database_is_never_made_over_another() {
    let home = Home::lived_in().await;
    let before = fs::read(home.database()).unwrap();
    let error = home.create().err().expect("one is there");
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!(fs::read(home.database()).unwrap(), before);
}

#[tokio::test]
async fn f18_a_database_whose_making_was_cut_off_is_made_after_all() {
    let home = Home::new();
    fs::write(home.database(), "").unwrap();
    let (door, _) = home.create().unwrap();
    door.shut_down().await;
    home.open().unwrap().0.shut_down().await;
}

#[tokio::test]
async fn f03_a_first_page_that_was_torn_is_refused() {
    for place in [0, 16, 100, 2_000, 4_095] {
        let home = Home::lived_in().await;
        home.flip(place);
        let error = home.refusal();
        assert_eq!(error.kind(), Kind::Invalid, "byte {place}");
        assert!(error.sentence().contains("its first page is damaged"), "byte {place}: {error}");
    }
}

#[tokio::test]
async fn f09_t_de_4_a_page_that_was_damaged_is_named() {
    let home = Home::lived_in().await;
    let pages = fs::metadata(home.database()).unwrap().len() / 4_096;
    let broken = pages - 2;
    home.flip((broken - 1) * 4_096 + 700);
    let (door, shell) = home.open().unwrap();
    let findings = findings(&shell).await;
    assert!(findings.iter().any(|finding| finding.ends_with(&format!("page {broken}"))), "{findings:?}");
    // A page that fails its check is never served as if it held nothing.
    let gate = shell.operator().gate::<InstanceView>(());
    gate.read(|tx| tx.rows::<Value>("SELECT value FROM settings", [])).await.err().expect("a page is broken");
    door.shut_down().await;
}

#[tokio::test]
async fn f19_a_database_of_a_newer_schema_is_refused_and_not_touched() {
    let home = Home::lived_in().await;
    let key: String = home.keyring.database().0.iter().map(|byte| format!("{byte:02x}")).collect();
    let newer = Connection::open(home.database()).unwrap();
    newer.pragma_update(None, "key", format!("x'{key}'")).unwrap();
    newer.pragma_update(None, "user_version", 9_999).unwrap();
    drop(newer);
    let error = home.refusal();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.sentence().starts_with("This database has schema 9999"), "{error}");
}

struct Value;

impl FromRow for Value {
    fn from_row(row: &Row<'_>) -> testkeep::kernel::sql::Result<Value> {
        row.get::<_, String>("value").map(|_| Value)
    }
}
