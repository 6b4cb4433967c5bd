//! Integrity: whether every page of the database is as it was written.
//!
//! Says nothing of the audit trail, which has its own check, nor of files of evidence.

use super::access::{InstanceView, Read, Tx};
use super::blobs::BlobName;
use super::db::migrate;
use super::error::Result;
use super::limits::INTEGRITY_FINDINGS_MAX as FINDINGS_MAX;
use rusqlite::Connection;
use std::collections::BTreeSet;

/// What is wrong with the database, one sentence each; empty if nothing is. Takes as long as reading
/// the whole file, so ask under `read_at_length`.
///
/// The tags of all pages are checked in the file, then the order within and between pages.
pub fn check(tx: Read<'_, InstanceView>) -> Result<Vec<String>> {
    let conn = tx.opened().conn;
    let mut findings: Vec<String> = broken_pages(conn)?.into_iter().take(FINDINGS_MAX).collect();
    match answers(conn, &format!("PRAGMA integrity_check({FINDINGS_MAX})")) {
        Ok(said) => findings.extend(said.into_iter().filter(|line| line != "ok")),
        // A page that cannot be decrypted ends the check, which is a finding like any other.
        Err(_) if !findings.is_empty() => {}
        Err(cause) => findings.push(format!("The check of the tables stopped: {cause}.")),
    }
    Ok(findings)
}

/// The number of the database's schema, and the newest one that this program knows.
pub fn schema(tx: Read<'_, InstanceView>) -> Result<(i64, i64)> {
    Ok((migrate::version(tx.opened().conn)?, migrate::NEWEST))
}

/// Names of all files that the database speaks of, the newest first.
pub fn blobs(tx: Read<'_, InstanceView>) -> Result<Vec<BlobName>> {
    let mut statement = tx.opened().conn.prepare("SELECT name FROM blobs ORDER BY id DESC")?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

/// Pages whose tag is wrong. A checkpoint may write a page while it is read, so only what is found
/// twice is true.
fn broken_pages(conn: &Connection) -> Result<BTreeSet<String>> {
    let look = || answers(conn, "PRAGMA cipher_integrity_check").map(BTreeSet::from_iter);
    let first: BTreeSet<String> = look()?;
    if first.is_empty() { Ok(first) } else { Ok(&first & &look()?) }
}

fn answers(conn: &Connection, pragma: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = conn.prepare(pragma)?;
    statement.query_map([], |row| row.get(0))?.collect()
}
