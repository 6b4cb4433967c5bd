//! Settings: what an owner may change while the instance runs. Kept in the database, typed by their
//! slice, audited by it. What is needed before the database opens is an option instead.

use super::access::{Instance, Permission, Tx, Write};
use super::db::row::{FromRow, Row};
use super::error::Result;
use rusqlite::named_params;

/// One setting. A slice declares its own as constants.
#[derive(Debug)]
pub struct Setting {
    /// Its name in the table, `area.noun`.
    pub name: &'static str,
    /// What holds while nobody has said otherwise.
    pub default: &'static str,
    /// What it does, in one sentence.
    pub meaning: &'static str,
    /// Says why a value cannot be.
    pub check: fn(&str) -> Result<()>,
}

impl Setting {
    /// The value in force.
    pub fn get(&self, tx: impl Tx) -> Result<String> {
        let stored: Option<Value> =
            tx.row("SELECT value FROM settings WHERE name = :name", named_params! { ":name": self.name })?;
        Ok(stored.map_or_else(|| self.default.to_owned(), |value| value.0))
    }

    /// Changes the value, if it can be. The caller writes the entry of the change it is part of.
    pub fn set<P>(&self, tx: Write<'_, P>, value: &str) -> Result<()>
    where
        P: Permission<Scope = Instance>,
    {
        (self.check)(value)?;
        tx.run(
            "INSERT INTO settings (name, value, changed_at) VALUES (:name, :value, :now)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at",
            named_params! { ":name": self.name, ":value": value, ":now": tx.now() },
        )
        .map(drop)
    }
}

/// For values that are checked by whoever builds them.
pub fn anything(_: &str) -> Result<()> {
    Ok(())
}

struct Value(String);

impl FromRow for Value {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Value> {
        row.get("value").map(Value)
    }
}
