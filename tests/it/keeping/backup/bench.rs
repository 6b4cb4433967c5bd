//! A small instance to break: database, blobs, key ring, repository, receipts, and somebody who writes.

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use std::thread::{JoinHandle, spawn};
use testkeep::keeping::backup::manifest::{Manifest, sha256};
use testkeep::keeping::backup::storage::{Folder, Reach, Storage};
use testkeep::keeping::backup::{Engine, Identity, Ledger, Parts, Receipt, Target, restore};
use testkeep::keeping::shipping::Switch;
use testkeep::kernel::access::{
    AuditView, BackupRun, DatabaseKey, Door, Gate, Job, Keys, Pin, Shell, Tuning,
};
use testkeep::kernel::audit::{ChainKey, Head, Verdict, verify};
use testkeep::kernel::error::{Error, Result};
use testkeep::kernel::layout;
use testkeep::kernel::secret::Secret;
use testkeep::kernel::time::{Clock, Timestamp};

pub const PASSWORD: &str = "a long test password";
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_testkeep");
/// Stands in the database and in a blob name, and must never stand in a file of the target.
pub const CANARY: &str = "canary-in-the-coal-mine";
/// Tells a test that it is the second process of itself, and where to work.
const PLACE: &str = "TESTKEEP_TEST_PLACE";

/// Work that may do nothing.
static IDLE: Job = Job { name: "idle", meaning: "Does nothing.", may: &[] };

pub struct Bench {
    pub engine: Engine,
    door: Door,
    gate: Gate<BackupRun>,
    runtime: tokio::runtime::Runtime,
    _folder: Option<tempfile::TempDir>,
    root: PathBuf,
}

struct Empty {
    objects: Vec<(String, Bytes)>,
    master: Secret<Vec<u8>>,
}

/// An empty repository; making one costs a second of scrypt, so all benches share it.
static EMPTY: LazyLock<Empty> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let storage = Folder::new(&folder.path().join("target"));
    let target = Target::folder(&folder.path().join("target"));
    let engine =
        Engine::new(target, Secret::new(PASSWORD.into()), None, identity("bench"), &folder.path().join("r"));
    let master = engine.init_if_absent().unwrap();
    let keys = storage.list("keys").unwrap().into_iter().map(|(name, _)| name);
    let names = keys.chain(["config", "testkeep.json"].map(String::from));
    let objects = names.map(|name| (name.clone(), storage.get(&name).unwrap())).collect();
    Empty { objects, master }
});

impl Bench {
    /// `pages` rows of about one page each: 1,000 rows are 4 MB.
    pub fn new(pages: u32) -> Bench {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let root = folder.path().to_owned();
        for folder in ["home/blobs/ab", "home/blobs/ab-1"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        // By text "ab-1" would stand before "ab".
        fs::write(root.join("home/blobs/ab").join("ab".repeat(32)), [7; 70_000]).unwrap();
        fs::write(root.join("home/blobs/ab-1").join("cd".repeat(32)), b"").unwrap();
        fs::write(root.join("home/blobs/ab/.half-written"), b"no blob").unwrap();
        fs::write(root.join("home/keyring.json"), b"{\"slots\":[]}").unwrap();
        let storage = Folder::new(&root.join("target"));
        storage.prepare().unwrap();
        for (name, bytes) in &EMPTY.objects {
            storage.put(name, std::slice::from_ref(bytes)).unwrap();
        }
        fs::write(root.join("master"), EMPTY.master.expose()).unwrap();
        let bench = Bench { _folder: Some(folder), ..Bench::at(&root) };
        bench
            .sql()
            .execute_batch(&format!(
                "CREATE TABLE page (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
             CREATE TABLE event (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
             INSERT INTO settings VALUES ('note', '{CANARY}', 1);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {pages})
             INSERT INTO page SELECT i, randomblob(3800) FROM n;"
            ))
            .unwrap();
        bench
    }

    /// The bench of another process.
    fn at(root: &Path) -> Bench {
        let (door, shell) = open(&root.join("home"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let engine = engine(root, "bench", PASSWORD);
        Bench { engine, door, gate: shell.operator().gate(()), runtime, _folder: None, root: root.to_owned() }
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// A connection with SQLite's own settings, as another program would open it.
    pub fn sql(&self) -> Connection {
        sql(&self.path("home/testkeep.db"))
    }

    /// Somebody without the permission tries to pin; that leaves an entry in the trail.
    pub fn pin_without_permission(&self) -> Error {
        let gate = self.door.job(&IDLE).gate::<BackupRun>(());
        self.runtime.block_on(gate.pin()).err().unwrap()
    }

    /// One change through the door.
    pub fn write(&self) {
        let switch = Switch { is_on: false, seconds: 5 };
        self.runtime.block_on(self.gate.write(move |tx| switch.set(tx))).unwrap();
    }

    /// Opens a data folder as the product does, and verifies its audit trail.
    pub fn verdict(&self, data: &str, anchor: Head) -> Verdict {
        let (door, shell) = open(&self.path(data));
        let gate = shell.operator().gate::<AuditView>(());
        let verdict = self.runtime.block_on(gate.read(move |tx| verify(tx, Some(&anchor)))).unwrap();
        self.runtime.block_on(door.shut_down());
        verdict
    }

    pub fn pin(&self) -> Pin {
        self.runtime.block_on(self.gate.pin()).unwrap()
    }

    pub fn backup(&self) -> Result<Receipt> {
        self.backup_of(&self.pin(), &Arc::default())
    }

    pub fn backup_of(&self, pin: &Pin, ledger: &Arc<Ledger>) -> Result<Receipt> {
        self.backup_with(&self.engine, pin, ledger)
    }

    pub fn backup_with(&self, engine: &Engine, pin: &Pin, ledger: &Arc<Ledger>) -> Result<Receipt> {
        let (blobs, keyring) = (self.path("home/blobs"), self.path("home/keyring.json"));
        engine.backup(Parts { pin, blobs: &blobs, keyring: &keyring }, ledger)
    }

    pub fn restore(&self, receipt: &Receipt) -> Result<Manifest> {
        let job = restore::Job {
            reach: Reach::folder(&self.path("target")).unwrap(),
            master: Secret::new(fs::read(self.path("master")).unwrap()),
        };
        restore::restore(Path::new(PROGRAM), &job, receipt, &self.path("restored"))
    }

    pub fn snapshots(&self) -> usize {
        self.engine.list().unwrap().len()
    }

    pub fn packs(&self) -> Vec<PathBuf> {
        files(&self.path("target/data"))
    }

    pub fn largest_pack(&self) -> PathBuf {
        self.packs().into_iter().max_by_key(|pack| pack.metadata().unwrap().len()).unwrap()
    }

    /// Opens the restored database with the key and runs both integrity checks.
    pub fn restored(&self) -> Connection {
        let conn = sql(&self.path("restored/testkeep.db"));
        let sound: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
        let mut sums = conn.prepare("PRAGMA cipher_integrity_check").unwrap();
        assert_eq!(sums.query_map([], |row| row.get::<_, String>(0)).unwrap().count(), 0);
        drop(sums);
        conn
    }

    /// Runs the named test once more, in a process of its own, on the same files.
    pub fn another_process(&self, test: &str) -> Other {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([test, "--exact", "--nocapture"]).env(PLACE, &self.root);
        Other(command.stdout(Stdio::null()).spawn().unwrap())
    }
}

/// A second process, which does not outlive its test.
pub struct Other(Child);

impl Other {
    #[track_caller]
    pub fn must_live(&mut self) {
        assert!(self.0.try_wait().unwrap().is_none(), "the other process ended too early");
    }

    pub fn kill(mut self) -> ExitStatus {
        self.0.kill().unwrap();
        self.0.wait().unwrap()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn open(data: &Path) -> (Door, Shell) {
    let keys = Keys::new(DatabaseKey([7; 32]), ChainKey([8; 32]), [9; 32]);
    let clock = Clock::fixed(Timestamp(1_700_000_000_000));
    let path = layout::database(data);
    let make = if path.exists() { Door::open } else { Door::create };
    make(&path, keys, clock, &Tuning::default()).unwrap()
}

/// The bench that a second process of a test finds; `None` in the first.
pub fn second_process() -> Option<Bench> {
    std::env::var_os(PLACE).map(|place| Bench::at(Path::new(&place)))
}

pub fn engine(root: &Path, instance: &str, password: &str) -> Engine {
    let master = fs::read(root.join("master")).ok().map(Secret::new);
    let (target, receipts) = (Target::folder(&root.join("target")), root.join("home/receipts"));
    Engine::new(target, Secret::new(password.to_owned()), master.as_ref(), identity(instance), &receipts)
}

pub fn identity(instance: &str) -> Identity {
    let signing = SigningKey::from_bytes(&[9; 32]);
    Identity { instance: instance.into(), host: "testkeep".into(), signing }
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

pub fn sql(path: &Path) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.pragma_update(None, "key", format!("x'{}'", "07".repeat(32))).unwrap();
    conn.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let mode: String = conn.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    conn
}

/// A digest of what each table says.
pub fn content(conn: &Connection) -> BTreeMap<String, String> {
    let mut names = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let names: Vec<String> =
        names.query_map([], |row| row.get(0)).unwrap().map(|name| name.unwrap()).collect();
    let digest = |name: &String| {
        let mut all = conn.prepare(&format!("SELECT * FROM \"{name}\" ORDER BY 1")).unwrap();
        let (columns, mut rows, mut text) = (all.column_count(), all.query([]).unwrap(), String::new());
        while let Some(row) = rows.next().unwrap() {
            (0..columns).for_each(|column| text += &format!("{:?} ", row.get_ref(column).unwrap()));
        }
        sha256(text.as_bytes())
    };
    names.iter().map(|name| (name.clone(), digest(name))).collect()
}

/// Commits one event and one page change at a time, for ever, with SQLite's own checkpoints.
pub fn write_on(conn: &Connection, go_on: impl Fn(i64) -> bool) {
    let mut id: i64 = conn.query_row("SELECT ifnull(max(id), 0) FROM event", [], |row| row.get(0)).unwrap();
    while go_on(id) {
        id += 1;
        conn.execute_batch(&format!(
            "BEGIN IMMEDIATE; INSERT INTO event VALUES ({id}, 'event {id}');
             UPDATE page SET body = randomblob(3800) WHERE id = 1 + {id} * 7919 % 2000; COMMIT;"
        ))
        .unwrap();
    }
}

/// Somebody who writes in this process.
pub struct Writer {
    stop: Arc<AtomicBool>,
    pub committed: Arc<AtomicI64>,
    thread: JoinHandle<()>,
}

impl Writer {
    pub fn start(bench: &Bench) -> Writer {
        let (stop, committed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
        let (conn, stopped, count) = (bench.sql(), Arc::clone(&stop), Arc::clone(&committed));
        let thread = spawn(move || {
            write_on(&conn, |id| {
                count.store(id, SeqCst);
                !stopped.load(SeqCst)
            });
        });
        Writer { stop, committed, thread }
    }

    pub fn stop(self) -> i64 {
        self.stop.store(true, SeqCst);
        self.thread.join().unwrap();
        self.committed.load(SeqCst)
    }
}
