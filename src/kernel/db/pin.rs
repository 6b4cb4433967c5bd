//! The pin: holds the database file still while everybody goes on writing.
//!
//! A raw copy of the file keeps backups small (an encrypted copy through SQLite differs in every
//! page), but it is only consistent while nobody moves pages from the log into the file. A read
//! transaction that began when the log was moved completely reads the file alone, and to that end
//! SQLite gives it the lock `WAL_READ_LOCK(0)`, which keeps every checkpoint of every process away
//! from the file. Later commits wait in the log, which grows until the pin is dropped.
//!
//! This module copies nothing, and it does not know what a backup is.

use super::keeper;
use super::log::Position;
use super::open::{self, DatabaseKey};
use crate::kernel::audit::{Head, chain};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::time::{Clock, Timestamp};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Reads by position, so that neither a seek nor a second descriptor is needed.
pub trait ReadAt: Send + Sync + 'static {
    /// Fills at most `buf`; 0 means the end.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadAt for File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buf, offset)
    }
}

/// A frozen database file, and what it held at that moment.
pub struct Pin {
    conn: Connection,
    /// The file, encrypted as it lies on the disk. A trait object so that a test can break the disk.
    pub file: Arc<dyn ReadAt>,
    /// Length of the frozen file.
    pub bytes: u64,
    /// Length of a page.
    pub page_bytes: u64,
    /// Number of the schema.
    pub schema_version: i64,
    /// Rows of each table.
    pub rows: BTreeMap<String, i64>,
    /// Names of all blobs the database speaks of.
    pub blobs: Vec<String>,
    /// End of the audit trail.
    pub audit: Head,
    /// The place in the log that this state is, if the log held anything.
    pub position: Option<Position>,
    /// The moment of this state.
    pub at: Timestamp,
}

/// Pins the file at `path`, however many processes write to it.
pub(super) fn take(path: &Path, key: &DatabaseKey) -> Result<Pin> {
    let file = held(path)?;
    let (gate, mover) = (open::keeper(path, key)?, open::keeper(path, key)?);
    let mut pin = Pin {
        conn: open::reader(path, key)?,
        file: Arc::clone(&file) as Arc<dyn ReadAt>,
        bytes: 0,
        page_bytes: 0,
        schema_version: 0,
        rows: BTreeMap::new(),
        blobs: Vec::new(),
        audit: Head { seq: 0, hash: [0; 32] },
        position: None,
        at: Clock::System.now(),
    };
    let until = Instant::now() + limits::PIN_WAIT_MAX;
    while Instant::now() < until {
        // First with the writers going on: what is left for the moment they wait is then small. Is
        // it not, somebody reads an old state, and making writers wait would not help.
        if left_in_log(&mover)?.is_some_and(|(_, left)| left <= limits::PIN_BACKLOG_PAGES_MAX) {
            gate.execute_batch("BEGIN IMMEDIATE")?;
            let frozen = pin.freeze_while_nobody_writes(&mover, &file, path);
            gate.execute_batch("ROLLBACK")?;
            if frozen? {
                pin.look_around()?;
                return Ok(pin);
            }
        }
        sleep(limits::PIN_PAUSE);
    }
    Err(Error::busy("The database could not be held still for a backup: a long read keeps its log in use.")
        .hint("Close other programs that have the database open, then start the backup again."))
}

/// SQLite's own waiting sleeps up to 100 ms between two tries, and a writer of another process that never
/// pauses gives its lock away for far shorter moments: five seconds would be fifty tries.
pub(super) fn wait_for_writers(conn: &mut Connection) -> Result<()> {
    let mut since = Instant::now();
    conn.busy_handler(Some(move |tries| {
        if tries == 0 {
            since = Instant::now();
        }
        sleep(limits::PIN_LOOK_EVERY);
        // On a busy machine a moment is long, and what counts are the tries.
        since.elapsed() < limits::FOREIGN_WRITER_WAIT || tries < limits::WRITER_TRIES_MIN
    }))?;
    Ok(())
}

/// Moves what can be moved from the log into the file; answers how many frames the log holds and how many
/// of them it had to leave. `None` while another connection is moving pages.
pub(super) fn left_in_log(mover: &Connection) -> Result<Option<(i64, i64)>> {
    // PASSIVE: the other kinds want the writers' lock, which is ours at that moment.
    let answer = mover.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    });
    let (busy, in_log, moved) = answer?;
    // Busy: the numbers are unknown.
    Ok((busy == 0).then_some((in_log, in_log - moved)))
}

impl Pin {
    /// Opens the read transaction, once the log is empty of news. Needs the writers' lock: a commit
    /// between "all is moved" and "the transaction is open" would send the reader to the log, and
    /// then nothing would protect the file.
    fn freeze_while_nobody_writes(&mut self, mover: &Connection, file: &File, path: &Path) -> Result<bool> {
        let until = Instant::now() + limits::PIN_HOLD;
        let in_log = loop {
            match left_in_log(mover)? {
                Some((in_log, 0)) => break in_log,
                _ if Instant::now() > until => return Ok(false),
                // Readers of older states end by themselves; new ones need nothing from the log.
                _ => sleep(limits::PIN_LOOK_EVERY),
            }
        };
        self.conn.execute_batch("BEGIN")?;
        let _: i64 = self.conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let pages: i64 = self.conn.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        // SQLCipher answers for the page size itself, as text.
        let page_bytes: String = self.conn.query_row("PRAGMA cipher_page_size", [], |row| row.get(0))?;
        self.page_bytes = page_bytes.parse().map_err(Error::internal)?;
        self.bytes = file.metadata().map_err(Error::internal)?.len();
        let expected = u64::try_from(pages).map_err(Error::internal)? * self.page_bytes;
        if self.bytes != expected {
            let found = self.bytes;
            return Err(Error::internal(format!("the pinned file has {found} bytes instead of {expected}")));
        }
        self.position = keeper::position(path, in_log)?;
        self.at = Clock::System.now();
        Ok(true)
    }

    /// Gathers what the manifest tells, once writers may go on: this transaction sees the old state.
    fn look_around(&mut self) -> Result<()> {
        let conn = &self.conn;
        self.schema_version = super::migrate::version(conn)?;
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY name";
        for table in words(conn, tables)? {
            let count = format!("SELECT count(*) FROM \"{}\"", table.replace('"', "\"\""));
            self.rows.insert(table, conn.query_row(&count, [], |row| row.get(0))?);
        }
        self.blobs = words(conn, "SELECT name FROM blobs ORDER BY name")?;
        self.audit = chain::head(conn)?;
        Ok(())
    }
}

/// SQLite tells nobody when a reader ends or a writer lets go, so the pin has to look again.
pub(super) fn sleep(time: Duration) {
    std::thread::sleep(time);
}

fn words(conn: &Connection, sql: &str) -> Result<Vec<String>> {
    let mut statement = conn.prepare(sql)?;
    let words = statement.query_map([], |row| row.get(0))?;
    Ok(words.collect::<rusqlite::Result<_>>()?)
}

/// One descriptor per file, never closed: closing *any* descriptor of a file drops all locks that
/// this process holds on it, SQLite's included. Keyed by device and inode, which cannot be used
/// again while we hold the file. Never ask for the `-shm` file.
pub(super) fn held(path: &Path) -> Result<Arc<File>> {
    static HELD: Mutex<BTreeMap<(u64, u64), Arc<File>>> = Mutex::new(BTreeMap::new());
    let meta = fs::metadata(path).map_err(Error::internal)?;
    let mut held = HELD.lock().expect("nobody panics while holding it");
    if let Some(file) = held.get(&(meta.dev(), meta.ino())) {
        return Ok(Arc::clone(file));
    }
    let file = Arc::new(File::open(path).map_err(Error::internal)?);
    held.insert((meta.dev(), meta.ino()), Arc::clone(&file));
    Ok(file)
}
