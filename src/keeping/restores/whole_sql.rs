//! Statements of bringing the whole instance back.

use crate::kernel::access::{InstanceKeep, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::records::Record;
use crate::kernel::sql::named_params;
use crate::kernel::time::Timestamp;

/// Who was shut out since a backup was made.
pub(super) struct ShutOut {
    /// Tokens that were revoked.
    pub tokens: Vec<Record>,
    /// People who are suspended.
    pub people: Vec<Record>,
    /// Client certificates that were revoked.
    pub certificates: Vec<Record>,
}

/// Digests of tokens that were revoked.
pub(super) fn revoked(tx: impl Tx) -> Result<Vec<Record>> {
    tx.rows("SELECT hex(digest) AS digest FROM tokens WHERE revoked_at IS NOT NULL", [])
}

/// People who are suspended.
pub(super) fn suspended(tx: impl Tx) -> Result<Vec<Record>> {
    tx.rows("SELECT id, created_at FROM users WHERE state = 'suspended'", [])
}

/// Client certificates that were revoked.
pub(super) fn withdrawn(tx: impl Tx) -> Result<Vec<Record>> {
    tx.rows("SELECT id, made_at FROM client_certificates WHERE revoked_at IS NOT NULL", [])
}

/// Shuts out whoever was shut out since.
pub(super) fn shut_out(tx: Write<'_, InstanceKeep>, out: &ShutOut) -> Result<()> {
    for certificate in &out.certificates {
        tx.run(
            "UPDATE client_certificates SET revoked_at = :now
              WHERE id = :id AND made_at = :made AND revoked_at IS NULL",
            named_params! {
                ":now": tx.now(), ":id": certificate.id(), ":made": certificate.number("made_at"),
            },
        )?;
    }
    for token in &out.tokens {
        tx.run(
            "UPDATE tokens SET revoked_at = :now WHERE hex(digest) = :digest AND revoked_at IS NULL",
            named_params! { ":now": tx.now(), ":digest": token.text("digest") },
        )?;
    }
    for person in &out.people {
        tx.run(
            "UPDATE users SET state = 'suspended' WHERE id = :id AND created_at = :since",
            named_params! { ":id": person.id(), ":since": person.number("created_at") },
        )?;
    }
    Ok(())
}

/// The name that somebody types to show that they mean this instance.
pub(super) fn instance_name(tx: impl Tx) -> Result<String> {
    let row: Option<Record> = tx.row("SELECT name FROM instances", [])?;
    Ok(row
        .map(|row| row.text("name").to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "Testkeep".into()))
}

/// Rows of a table that were made after a moment.
pub(super) fn made_since(tx: impl Tx, table: &str, column: &str, at: Timestamp) -> Result<i64> {
    let row: Record = tx.only(
        &format!("SELECT count(*) AS id FROM {table} WHERE {column} > :at"),
        named_params! { ":at": at },
    )?;
    Ok(row.id())
}

/// Number of the last entry of the audit trail.
pub(super) fn last_entry(tx: impl Tx) -> Result<i64> {
    let row: Record = tx.only("SELECT coalesce(max(seq), 0) AS id FROM audit", [])?;
    Ok(row.id())
}
