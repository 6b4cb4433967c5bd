//! Opens SQLCipher with our pragmas, each with its reason.

use super::migrate::{self, Holding};
use super::pin;
use crate::kernel::durable::{self, trouble};
use crate::kernel::error::{Error, Result};
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::stopped;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use zeroize::{Zeroize as _, Zeroizing};

/// The raw key of the database file: 32 bytes, never a passphrase.
#[derive(Clone)]
pub struct DatabaseKey(pub [u8; 32]);

impl Drop for DatabaseKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What a file starts with that SQLite wrote and nobody encrypted.
const PLAIN_SQLITE: &[u8; 16] = b"SQLite format 3\0";

/// The one connection that writes, on a database that is made for it. Only when somebody asked.
pub(super) fn create(path: &Path, key: &DatabaseKey) -> Result<Connection> {
    let reserved = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match reserved.and_then(|file| file.sync_all()) {
        Ok(()) => durable::sync_folder(path.parent().unwrap_or(Path::new("/")))?,
        // Somebody began and was cut off before the first page.
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists && first_bytes(path)?.is_empty() => {}
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {
            return Err(Error::conflict(format!("There is already a database at {}.", path.display()))
                .hint("Choose an empty folder for a new instance. Nothing was changed."));
        }
        Err(cause) => return Err(trouble("create", path, cause)),
    }
    let mut conn = connect(path, key)?;
    migrate::up(&mut conn)?;
    Ok(conn)
}

/// The one connection that writes; migrates first. Never makes a database.
pub(super) fn writer(path: &Path, key: &DatabaseKey, holding: Holding) -> Result<Connection> {
    refuse_unusable(path)?;
    let mut conn = connect(path, key)?;
    migrate::upgrade(&mut conn, path, key, holding)?;
    if holding != Holding::Never {
        rebuild_if_small(&conn, path)?;
    }
    Ok(conn)
}

/// A connection to an empty file that is made for a copy under the same key.
pub(super) fn empty(path: &Path, key: &DatabaseKey) -> Result<Connection> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|cause| trouble("create", path, cause))?;
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.pragma_update(None, "cipher_log_level", "NONE")?;
    conn.pragma_update(None, "key", &**raw(key))?;
    Ok(conn)
}

/// Lets a database of an older program return space, which takes writing it anew. A larger one waits for
/// somebody to ask, see `integrity::rebuild_file`.
fn rebuild_if_small(conn: &Connection, path: &Path) -> Result<()> {
    let mode: i64 = conn.query_row("PRAGMA auto_vacuum", [], |row| row.get(0))?;
    let bytes = std::fs::metadata(path).map_err(|cause| trouble("read", path, cause))?.len();
    if mode == 2 || bytes > limits::REBUILD_UNASKED_BYTES_MAX {
        return Ok(());
    }
    // Zeros in place of a damaged page would be written anew as if they were data.
    if conn.prepare("PRAGMA cipher_integrity_check")?.exists([])? {
        return Ok(());
    }
    // Not done is not wrong: another process may be reading, or the disk may be full.
    if let Err(cause) = conn.execute_batch("PRAGMA auto_vacuum = 2; VACUUM") {
        tracing::warn!(%cause, "the database was not written anew, so it does not return space yet");
    }
    Ok(())
}

/// A connection that cannot write.
pub(super) fn reader(path: &Path, key: &DatabaseKey) -> Result<Connection> {
    let conn = connect(path, key)?;
    // A second lock on the door: a statement that would write fails even if a slice asks for it.
    conn.pragma_update(None, "query_only", true)?;
    conn.pragma_update(None, "cache_size", -limits::READER_CACHE_KIB)?;
    Ok(conn)
}

/// Whether this key opens the file, and whether it holds what it held when it was stopped. Errors: `Invalid` where
/// the key may be the reason, `Conflict` where changes are gone.
pub(super) fn look(path: &Path, key: &DatabaseKey) -> Result<()> {
    refuse_unusable(path)?;
    let conn = keyed(path, key)?;
    // Whoever only looks moves no page: the log may be the one of another day.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    path.parent().map_or(Ok(()), |data| stopped::refuse_older(&conn, data))
}

/// For the pin and the keeper of the log: takes the writers' lock and moves the log, and never moves it
/// unasked.
pub(super) fn keeper(path: &Path, key: &DatabaseKey) -> Result<Connection> {
    let conn = connect(path, key)?;
    leave_log(&conn, true)?;
    Ok(conn)
}

/// The log beside a database.
pub(super) fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// Whether somebody keeps the log of this database: then its pages are moved by nobody else, not even at
/// the end of the last connection.
pub(super) fn is_log_kept(path: &Path) -> bool {
    path.parent().is_some_and(|data| layout::log_state(data).exists())
}

/// Leaves pages in the log, or moves them as SQLite does by itself.
pub(super) fn leave_log(conn: &Connection, is_left: bool) -> Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, is_left)?;
    let pages = if is_left { 0 } else { limits::LOG_PAGES_UNKEPT };
    conn.pragma_update(None, "wal_autocheckpoint", pages)?;
    Ok(())
}

/// Tells what can be seen without the key. SQLite would take an absent or empty file for a new one.
fn refuse_unusable(path: &Path) -> Result<()> {
    const NOTHING_LOST: &str = "If its making was cut off before anything was stored, make it again; \
                                else restore a backup. Nothing was changed.";
    let shown = path.display();
    if !path.exists() {
        return Err(Error::conflict(format!("The database {shown} is missing, but its keyring is there."))
            .hint(NOTHING_LOST));
    }
    let first = first_bytes(path)?;
    if first.is_empty() {
        return Err(Error::conflict(format!("The database {shown} is empty.")).hint(NOTHING_LOST));
    }
    if first == PLAIN_SQLITE {
        return Err(Error::conflict(format!("{shown} is a plain SQLite file and not encrypted."))
            .hint("It is not the database of this instance. Put the right file back, or restore a backup."));
    }
    Ok(())
}

fn first_bytes(path: &Path) -> Result<Vec<u8>> {
    let mut first = Vec::with_capacity(PLAIN_SQLITE.len());
    let read = File::open(path).and_then(|file| file.take(16).read_to_end(&mut first));
    read.map_err(|cause| trouble("read", path, cause))?;
    Ok(first)
}

/// Why a database that lies there cannot be read. The key is right: the keyring vouches for it.
fn unreadable(path: &Path, cause: rusqlite::Error) -> Error {
    let shown = path.display();
    let sentence = match cause.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => format!(
            "The key of this instance does not open {shown}: its first page is damaged, or it belongs to \
             another instance."
        ),
        Some(ErrorCode::DatabaseCorrupt) => format!("The database {shown} is damaged."),
        _ => return cause.into(),
    };
    Error::invalid(sentence)
        .hint("Keep the file as it is and restore a backup into an empty folder. Nothing was changed.")
        .because(cause)
}

/// A connection that has shown that its key is right.
fn keyed(path: &Path, key: &DatabaseKey) -> Result<Connection> {
    // Without CREATE and without URI: a path is a path, and a missing file stays missing.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags)?;
    // At once: even a connection with a wrong key moves the log when it is the last one that ends.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, is_log_kept(path))?;
    // SQLCipher writes to stderr by itself; our log says it better.
    conn.pragma_update(None, "cipher_log_level", "NONE")?;
    // Exactly 64 hex digits: a key of another length is silently taken as a passphrase.
    conn.pragma_update(None, "key", &**raw(key))?;
    pin::wait_for_writers(&mut conn)?;
    // The first look at the file: only now is the key used.
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .map_err(|cause| unreadable(path, cause))?;
    Ok(conn)
}

fn connect(path: &Path, key: &DatabaseKey) -> Result<Connection> {
    let conn = keyed(path, key)?;
    // Before anything below could change it.
    migrate::refuse_newer(&conn)?;
    let is_empty: bool = conn.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))?;
    if is_empty {
        // Pages that become free can then be returned to the disk. Only before the first table: later it
        // is a change, so every connection would wait for the writers and leave a commit in the log.
        conn.pragma_update(None, "auto_vacuum", 2)?;
    }
    // Readers and the writer do not wait for each other.
    conn.pragma_update(None, "journal_mode", "WAL")?;
    // FULL, not NORMAL: a result that a pipeline saw acknowledged must survive a power cut.
    // Costs one fsync a commit, which a group of callers shares.
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    // The schema comes from a file: functions named in it must not run unasked.
    conn.pragma_update(None, "trusted_schema", false)?;
    // Temporary tables would be written in plain text.
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cache_size", -limits::WRITER_CACHE_KIB)?;
    conn.set_prepared_statement_cache_capacity(limits::STATEMENTS_KEPT);
    // A log that was once long gives its room back when it begins anew.
    conn.pragma_update(None, "journal_size_limit", limits::LOG_BYTES_KEPT)?;
    leave_log(&conn, is_log_kept(path))?;
    Ok(conn)
}

/// A key as SQLCipher takes it.
pub(super) fn raw(key: &DatabaseKey) -> Zeroizing<String> {
    // Enough room at once: growing would leave a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(67));
    text.push_str("x'");
    for byte in key.0 {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text.push('\'');
    text
}
