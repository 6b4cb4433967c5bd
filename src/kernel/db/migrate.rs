//! Migrations: forward only, in order, one transaction each, checksummed.
//!
//! `PRAGMA user_version` is the schema's number. A released file never changes: its checksum is
//! stored when it runs, and a program whose copy differs refuses to start.

use super::row;
use crate::kernel::error::{Error, Result};
use rusqlite::{Connection, TransactionBehavior, named_params};
use sha2::{Digest, Sha256};

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

/// Refuses a database that a newer Testkeep wrote; touches nothing.
pub fn refuse_newer(conn: &Connection) -> Result<()> {
    let found = version(conn)?;
    if found > NEWEST {
        return Err(Error::conflict(format!(
            "This database has schema {found}; this Testkeep knows schemas up to {NEWEST}."
        ))
        .hint("It was written by a newer Testkeep. Install that version, or restore a backup made before the upgrade."));
    }
    Ok(())
}

/// Brings the schema up to date.
pub fn up(conn: &mut Connection) -> Result<()> {
    refuse_newer(conn)?;
    if version(conn)? == NEWEST {
        return check(conn);
    }
    conn.execute_batch(
        "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, sha256 BLOB NOT NULL) STRICT, WITHOUT ROWID",
    )?;
    for (number, (name, sql)) in (1_i64..).zip(MIGRATIONS) {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Looked at inside the transaction: another process may have migrated meanwhile.
        if version(&tx)? >= number {
            continue;
        }
        tx.execute_batch(sql)?;
        let sum: [u8; 32] = Sha256::digest(sql).into();
        tx.execute(
            "INSERT INTO migrations (name, sha256) VALUES (:name, :sum)",
            named_params! { ":name": name, ":sum": sum },
        )?;
        tx.pragma_update(None, "user_version", number)?;
        tx.commit()?;
    }
    check(conn)
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
