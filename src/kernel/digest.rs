//! One hash over all user data: equal for equal data, however it is stored.
//!
//! Each row of each table of user data is hashed with the name of its table; the row hashes are
//! added up, so neither the order of rows nor pages, indexes or keys of encryption play a part.
//! Left out is what an instance knows of itself: sessions, jobs, backups, the audit trail.

use super::access::{InstanceView, Read, Tx};
use super::error::{Error, Result};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Tables of user data. A test compares this list with the schema, so none is forgotten.
pub const USER_TABLES: &[&str] = &[
    "settings",
    "blobs",
    "users",
    "recovery_codes",
    "tokens",
    "grants",
    "projects",
    "suites",
    "cases",
    "revisions",
    "case_summaries",
    "evidence",
    "runs",
    "items",
    "results",
    "uploads",
    "holds",
    "retention",
];

/// Tables that belong to the running instance and not to its users.
pub const OWN_TABLES: &[&str] = &[
    "instances",
    "audit",
    "audit_sources",
    "jobs",
    "sessions",
    "links",
    "sign_in_failures",
    "backups",
    "alarms",
    "upgrades",
    "drills",
    "restores",
    "key_changes",
    "checks",
    "findings",
    "deletions",
    "sizes",
    "takeovers",
    "migrations",
];

/// Columns that change by looking: they are no data.
const STAMPS: &[&str] = &["seen_at", "totp_step", "checked_at", "damaged_at", "unused_at", "recount_due"];

/// The hash over all rows of user data, 64 hex digits. A blob stands in it by its content's digest.
pub fn of_user_data(tx: Read<'_, InstanceView>) -> Result<String> {
    let mut sum = Sum::default();
    for table in USER_TABLES {
        sum.add_table(tx.opened().conn, table)?;
    }
    Ok(sum.hex())
}

/// Adds 256-bit hashes modulo 2^256; how many there were goes in at the end.
#[derive(Default)]
struct Sum {
    words: [u64; 4],
    rows: u64,
}

impl Sum {
    fn add_table(&mut self, conn: &Connection, table: &str) -> Result<()> {
        let mut statement = conn.prepare(&format!("SELECT * FROM {table}"))?;
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let mut hash = Sha256::new();
            field(&mut hash, b't', table.as_bytes());
            for (at, column) in columns.iter().enumerate() {
                if STAMPS.contains(&column.as_str()) {
                    continue;
                }
                field(&mut hash, b'c', column.as_bytes());
                match row.get_ref(at).map_err(Error::internal)? {
                    ValueRef::Null => field(&mut hash, b'n', b""),
                    ValueRef::Integer(number) => field(&mut hash, b'i', &number.to_be_bytes()),
                    ValueRef::Real(number) => field(&mut hash, b'r', &number.to_be_bytes()),
                    ValueRef::Text(text) => field(&mut hash, b's', text),
                    ValueRef::Blob(bytes) => field(&mut hash, b'b', bytes),
                }
            }
            self.add(&hash.finalize().into());
        }
        Ok(())
    }

    fn add(&mut self, hash: &[u8; 32]) {
        let mut carry = false;
        for (word, bytes) in self.words.iter_mut().zip(hash.chunks_exact(8)) {
            let more = u64::from_le_bytes(bytes.try_into().expect("chunks of eight bytes"));
            let (sum, first) = word.overflowing_add(more);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (*word, carry) = (sum, first || second);
        }
        self.rows += 1;
    }

    fn hex(&self) -> String {
        let mut hash = Sha256::new();
        self.words.iter().for_each(|word| hash.update(word.to_le_bytes()));
        hash.update(self.rows.to_le_bytes());
        hash.finalize().iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string cannot fail");
            text
        })
    }
}

/// Kind and length go first, so that no two rows can spell the same bytes.
fn field(hash: &mut Sha256, kind: u8, bytes: &[u8]) {
    hash.update([kind]);
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}
