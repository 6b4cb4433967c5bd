//! Opens SQLCipher with our pragmas, each with its reason.

use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use rusqlite::Connection;
use std::fmt::Write as _;
use std::path::Path;

/// The raw key of the database file: 32 bytes, never a passphrase.
#[derive(Clone)]
pub struct DatabaseKey(pub [u8; 32]);

/// The one connection that writes; migrates first.
pub(super) fn writer(path: &Path, key: &DatabaseKey) -> Result<Connection> {
    let mut conn = open(path, key)?;
    super::migrate::up(&mut conn)?;
    Ok(conn)
}

/// A connection that cannot write.
pub(super) fn reader(path: &Path, key: &DatabaseKey) -> Result<Connection> {
    let conn = open(path, key)?;
    // A second lock on the door: a statement that would write fails even if a slice asks for it.
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

fn open(path: &Path, key: &DatabaseKey) -> Result<Connection> {
    let conn = Connection::open(path)?;
    // SQLCipher writes to stderr by itself; our log says it better.
    conn.pragma_update(None, "cipher_log_level", "NONE")?;
    // Exactly 64 hex digits: a key of another length is silently taken as a passphrase.
    conn.pragma_update(None, "key", raw(key))?;
    conn.busy_timeout(limits::FOREIGN_WRITER_WAIT)?;
    // Readers and the writer do not wait for each other.
    conn.pragma_update(None, "journal_mode", "WAL").map_err(|cause| {
        Error::invalid("This key does not open the database, or the file is damaged.").because(cause)
    })?;
    // FULL, not NORMAL: a result that a pipeline saw acknowledged must survive a power cut.
    // Costs one fsync a commit, which a group of callers shares.
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    // The schema comes from a file: functions named in it must not run unasked.
    conn.pragma_update(None, "trusted_schema", false)?;
    // Temporary tables would be written in plain text.
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cache_size", -limits::PAGE_CACHE_KIB)?;
    conn.set_prepared_statement_cache_capacity(limits::STATEMENTS_KEPT);
    Ok(conn)
}

fn raw(key: &DatabaseKey) -> String {
    let mut text = String::from("x'");
    for byte in key.0 {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text + "'"
}
