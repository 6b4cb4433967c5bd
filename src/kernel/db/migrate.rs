//! Migrations: forward only, in order, all that are missing in one transaction, checksummed.
//!
//! `PRAGMA user_version` is the schema's number. A released file never changes: its checksum is
//! stored when it runs, and a program whose copy differs refuses to start.

use super::open::DatabaseKey;
use super::{aside, row};
use crate::kernel::error::{Error, Result};
use crate::kernel::hold::{self, Held};
use rusqlite::{Connection, TransactionBehavior, named_params};
use sha2::{Digest, Sha256};
use std::error::Error as StdError;
use std::fmt;
use std::path::Path;
use tracing::info;

/// All migrations, in order. The place in this list is the schema's number.
const MIGRATIONS: [(&str, &str); 6] = [
    ("0001_kernel", include_str!("migrations/0001_kernel.sql")),
    ("0002_people", include_str!("migrations/0002_people.sql")),
    ("0003_library", include_str!("migrations/0003_library.sql")),
    ("0004_running", include_str!("migrations/0004_running.sql")),
    ("0005_keeping", include_str!("migrations/0005_keeping.sql")),
    ("0006_care", include_str!("migrations/0006_care.sql")),
];

/// The schema this program writes.
pub const NEWEST: i64 = MIGRATIONS.len() as i64;

/// The schema a database has; 0 is an empty file.
pub fn version(conn: &Connection) -> Result<i64> {
    Ok(conn.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// Lies beneath the refusal of a database that a newer Testkeep wrote, so that it can be told from others.
#[derive(Debug)]
struct Newer(i64);

impl fmt::Display for Newer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "schema {}", self.0)
    }
}

impl StdError for Newer {}

/// Whether a database was refused because a newer Testkeep wrote it.
pub fn is_newer(refusal: &Error) -> bool {
    refusal.source().is_some_and(|cause| cause.is::<Newer>())
}

/// Refuses a database that a newer Testkeep wrote; touches nothing.
pub fn refuse_newer(conn: &Connection) -> Result<()> {
    let found = version(conn)?;
    if found > NEWEST {
        return Err(Error::conflict(format!(
            "This database has schema {found}; this Testkeep knows schemas up to {NEWEST}."
        ))
        .hint("It was written by a newer Testkeep. Install that version, or restore a backup made before the upgrade.")
        .because(Newer(found)));
    }
    Ok(())
}

/// Brings the schema of a new database up to date.
pub fn up(conn: &mut Connection) -> Result<()> {
    refuse_newer(conn)?;
    if version(conn)? < NEWEST {
        all_or_nothing(conn)?;
    }
    check(conn)
}

/// Brings the schema of a database with data up to date, after a copy of it was put aside.
///
/// Only whoever holds the data folder may do so: a server of an older program that goes on working would
/// break on the new schema. Errors: `Conflict` with the process that holds it, or for whoever only looks.
pub fn upgrade(conn: &mut Connection, path: &Path, key: &DatabaseKey, holding: Holding) -> Result<()> {
    refuse_newer(conn)?;
    let found = version(conn)?;
    if (1..NEWEST).contains(&found) {
        let _held = match holding {
            Holding::Already => None,
            Holding::ForNow => Some(hold_for_now(path, found)?),
            Holding::Never => {
                return Err(Error::conflict(format!(
                    "This database has schema {found}; this Testkeep brings it to {NEWEST} when its server starts."
                ))
                .hint("Make a backup with the Testkeep that was installed before, then start the server."));
            }
        };
        aside::put(conn, path, key, found)?;
        all_or_nothing(conn)?;
        info!(from = found, to = NEWEST, "the schema went from {found} to {NEWEST}");
    }
    up(conn)
}

/// Whether the data folder is held by whoever opens its database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holding {
    /// It is: the server holds it as long as it runs.
    Already,
    /// It is not; it is taken for as long as the schema changes.
    ForNow,
    /// It is not, and nothing is to be changed: whoever opens it only looks.
    Never,
}

fn hold_for_now(path: &Path, found: i64) -> Result<Held> {
    let data = path.parent().unwrap_or(Path::new("."));
    hold::hold(data).map_err(|refused| {
        Error::conflict(format!("This database has schema {found}, and a server is at work on it."))
            .hint(format!("Restart that server with this Testkeep: its start brings the schema to {NEWEST}. Nothing was changed."))
            .because(refused)
    })
}

/// Runs what is missing in one transaction: whoever is killed here leaves the old schema or the new one.
fn all_or_nothing(conn: &mut Connection) -> Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(
        "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, sha256 BLOB NOT NULL) STRICT, WITHOUT ROWID",
    )?;
    // Looked at inside the transaction: another process may have migrated meanwhile.
    let found = version(&tx)?;
    for (number, (name, sql)) in (1_i64..).zip(MIGRATIONS).filter(|(number, _)| *number > found) {
        tx.execute_batch(sql)?;
        let sum: [u8; 32] = Sha256::digest(sql).into();
        tx.execute(
            "INSERT INTO migrations (name, sha256) VALUES (:name, :sum)",
            named_params! { ":name": name, ":sum": sum },
        )?;
        tx.pragma_update(None, "user_version", number)?;
    }
    refuse_loose_ends(&tx)?;
    Ok(tx.commit()?)
}

/// A migration that left a row without what it refers to is undone as a whole.
fn refuse_loose_ends(conn: &Connection) -> Result<()> {
    let mut statement = conn.prepare("PRAGMA foreign_key_check")?;
    let loose: Option<String> = statement.query_map([], |row| row.get(0))?.next().transpose()?;
    match loose {
        None => Ok(()),
        Some(table) => {
            Err(Error::internal(format!("the new schema leaves rows of {table} without their parents")))
        }
    }
}

struct Ran {
    name: String,
    sum: [u8; 32],
}

impl row::FromRow for Ran {
    fn from_row(row: &row::Row<'_>) -> rusqlite::Result<Ran> {
        Ok(Ran { name: row.get("name")?, sum: row.get("sha256")? })
    }
}

fn check(conn: &Connection) -> Result<()> {
    let ran: Vec<Ran> = row::all(conn, "SELECT name, sha256 FROM migrations ORDER BY name", [])?;
    for (ran, (name, sql)) in ran.iter().zip(MIGRATIONS) {
        let sum: [u8; 32] = Sha256::digest(sql).into();
        if ran.name != name || ran.sum != sum {
            return Err(Error::internal(format!(
                "migration {name} is not the one this database was made with"
            )));
        }
    }
    Ok(())
}

/// Indexes and the table of words that the newest schema has and this database lacks, with what makes them.
pub fn missing(conn: &Connection) -> Result<Vec<(String, String)>> {
    let whole = Connection::open_in_memory()?;
    MIGRATIONS.iter().try_for_each(|(_, sql)| whole.execute_batch(sql))?;
    let derived = "SELECT name, sql FROM sqlite_schema
                    WHERE sql IS NOT NULL AND (type = 'index' OR name = 'cases_search') ORDER BY type DESC, name";
    let list = |conn: &Connection| -> rusqlite::Result<Vec<(String, String)>> {
        conn.prepare(derived)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    let there = list(conn)?;
    let is_missing = |(name, _): &(String, String)| !there.iter().any(|(known, _)| known == name);
    Ok(list(&whole)?.into_iter().filter(is_missing).collect())
}
