//! Records: rows with all their columns, for work that carries rows from one database to another.
//!
//! Knows no table and no rule. Names of tables and columns come from our own schema, never from a request.

use super::access::{Permission, Write};
use super::db::row::{self, FromRow, Row};
use super::error::Result;
use rusqlite::types::Value;
use rusqlite::{params, params_from_iter};

/// One row: its columns in the order of the statement.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Record(Vec<(String, Value)>);

/// A column that differs between two records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Name of the column.
    pub column: String,
    /// What the first says.
    pub one: String,
    /// What the other says.
    pub other: String,
}

impl FromRow for Record {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Record> {
        let columns = row.as_ref().column_names().enumerate();
        columns.map(|(at, name)| Ok((name.to_owned(), row.get(at)?))).collect::<Result<_, _>>().map(Record)
    }
}

impl Record {
    /// A number; none where the column is NULL or missing.
    pub fn number(&self, column: &str) -> Option<i64> {
        match self.value(column) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    /// The id of the row.
    pub fn id(&self) -> i64 {
        self.number("id").unwrap_or_default()
    }

    /// A text; empty where the column is NULL or missing.
    pub fn text(&self, column: &str) -> &str {
        match self.value(column) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// Whether both say the same in these columns.
    pub fn agrees(&self, other: &Record, columns: &[&str]) -> bool {
        columns.iter().all(|column| self.value(column) == other.value(column))
    }

    /// Puts a number, or nothing, in the place of what a column says.
    pub fn set(&mut self, column: &str, number: Option<i64>) {
        let value = number.map_or(Value::Null, Value::Integer);
        self.put(column, value);
    }

    /// Takes over what another record says in this column.
    pub fn take(&mut self, column: &str, from: &Record) {
        self.put(column, from.value(column).cloned().unwrap_or(Value::Null));
    }

    /// Leaves a column out, so that the database chooses its value.
    pub fn leave_out(&mut self, column: &str) {
        self.0.retain(|(name, _)| name != column);
    }

    /// The columns in which both differ, of those that are asked for.
    pub fn differences(&self, other: &Record, columns: &[&str]) -> Vec<Difference> {
        let differs = columns.iter().filter(|column| self.value(column) != other.value(column));
        let difference = |column: &&str| Difference {
            column: (*column).to_owned(),
            one: shown(self.value(column)),
            other: shown(other.value(column)),
        };
        differs.map(difference).collect()
    }

    fn value(&self, column: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == column).map(|(_, value)| value)
    }

    fn put(&mut self, column: &str, value: Value) {
        if let Some((_, old)) = self.0.iter_mut().find(|(name, _)| name == column) {
            *old = value;
        }
    }
}

fn shown(value: Option<&Value>) -> String {
    match value {
        Some(Value::Integer(number)) => number.to_string(),
        Some(Value::Real(number)) => number.to_string(),
        Some(Value::Text(text)) => text.clone(),
        Some(Value::Blob(bytes)) => format!("{} bytes", bytes.len()),
        Some(Value::Null) | None => String::new(),
    }
}

/// Adds a row; answers its number, which the database chooses if the record has none.
pub fn insert<P: Permission>(tx: Write<'_, P>, table: &str, record: &Record) -> Result<i64> {
    let columns: Vec<&str> = record.0.iter().map(|(name, _)| name.as_str()).collect();
    let marks = vec!["?"; columns.len()].join(", ");
    let sql = format!("INSERT INTO {table} ({}) VALUES ({marks})", columns.join(", "));
    tx.prepare(&sql)?.insert(params_from_iter(record.0.iter().map(|(_, value)| value)))
}

/// Lets the row of this number say what the record says in these columns.
pub fn update<P: Permission>(
    tx: Write<'_, P>,
    table: &str,
    id: i64,
    record: &Record,
    columns: &[&str],
) -> Result<()> {
    for column in columns {
        let value = record.value(column).cloned().unwrap_or(Value::Null);
        tx.run(&format!("UPDATE {table} SET {column} = ?2 WHERE id = ?1"), params![id, value])?;
    }
    Ok(())
}

/// Whether a table has a row of this number.
pub fn is_taken<P: Permission>(tx: Write<'_, P>, table: &str, id: i64) -> Result<bool> {
    let found: Option<Record> =
        tx.prepare(&format!("SELECT 1 FROM {table} WHERE id = ?1"))?.row(params![id])?;
    Ok(found.is_some())
}

/// How many rows each of these tables has; those that are missing are left out.
pub fn counts(tx: impl super::access::Tx, tables: &[String]) -> Result<Vec<(String, i64)>> {
    let conn = tx.opened().conn;
    let known = "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY name";
    let known: Vec<Record> = row::all(conn, known, [])?;
    let mut counts = Vec::new();
    for name in known.iter().map(|record| record.text("name")) {
        if tables.iter().any(|asked| asked == name) {
            let sql = format!("SELECT count(*) AS number FROM \"{}\"", name.replace('"', "\"\""));
            let count: Option<Record> = row::first(conn, &sql, [])?;
            counts.push((name.to_owned(), count.and_then(|row| row.number("number")).unwrap_or(0)));
        }
    }
    Ok(counts)
}
