//! Integrity: whether every page of the database is as it was written, and what can be built anew from the rest.
//!
//! Says nothing of the audit trail, which has its own check, nor of files of evidence.

use super::access::{Gate, House, InstanceView, Permission, Read, StorageKeep, Tx, Write};
use super::blobs::BlobName;
use super::db::{is_sound, migrate};
use super::error::{Error, Result};
use super::limits::{INTEGRITY_FINDINGS_MAX as FINDINGS_MAX, REBUILD_BYTES_MAX};
use rusqlite::{Connection, named_params};
use std::collections::BTreeSet;

/// Something that is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What it is about, such as `page 12` or `index cases_by_number`.
    pub object: String,
    /// What is wrong with it.
    pub sentence: String,
}

impl Finding {
    /// A finding about this object.
    pub fn new(object: impl Into<String>, sentence: impl Into<String>) -> Finding {
        Finding { object: object.into(), sentence: sentence.into() }
    }
}

/// What a full look at the database found.
#[derive(Clone, Debug)]
pub struct Examined {
    /// Pages that were read.
    pub pages: i64,
    /// What is wrong; empty if nothing is.
    pub findings: Vec<Finding>,
}

/// A part of the database that cannot be read to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// `table` or `index`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Whether it can be built anew from the rest.
    pub is_derived: bool,
}

/// What is wrong with the database, one sentence each; empty if nothing is. Takes as long as reading
/// the whole file, so ask under `read_at_length`.
pub fn check(tx: Read<'_, InstanceView>) -> Result<Vec<String>> {
    Ok(look(tx.opened().house)?.into_iter().map(|finding| finding.sentence).collect())
}

/// The same with the objects it is about: tags of all pages in the file, the order within and between pages,
/// and whether what is referred to is there.
pub fn examine<P: Permission>(tx: Read<'_, P>) -> Result<Examined> {
    let conn = tx.opened().conn;
    let pages = conn.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    Ok(Examined { pages, findings: look(tx.opened().house)? })
}

/// A look that costs milliseconds: the first page of every table and index.
pub fn glance<P: Permission>(tx: Read<'_, P>) -> Result<()> {
    let conn = tx.opened().conn;
    for table in names(conn, "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0")? {
        let mut first = conn.prepare(&format!("SELECT * FROM {} LIMIT 1", quoted(&table)))?;
        first.query([])?.next()?;
    }
    Ok(())
}

/// Tables and indexes that cannot be read to their end. Reads all of them.
pub fn broken_parts<P: Permission>(tx: Read<'_, P>) -> Result<Vec<Part>> {
    unreadable_parts(tx.opened().house)
}

/// On connections of its own: one that met a damaged page reads nothing any more.
fn look(house: &House) -> Result<Vec<Finding>> {
    let conn = &house.another()?;
    let mut findings = broken_pages(house, conn)?;
    match answers(conn, &format!("PRAGMA integrity_check({FINDINGS_MAX})")) {
        Ok(said) => {
            // After a damaged page the rest of the check sees zeros, and what it says is about them.
            let said = said.into_iter().filter(|line| line != "ok" && is_sound(conn));
            findings.extend(said.map(about));
        }
        // A page that cannot be decrypted ends the check, which is a finding like any other.
        Err(_) if !findings.is_empty() => {}
        Err(cause) => {
            findings.push(Finding::new("tables", format!("The check of the tables stopped: {cause}.")));
        }
    }
    if findings.is_empty() {
        findings.extend(dangling(conn)?);
    }
    findings.truncate(FINDINGS_MAX);
    Ok(findings)
}

/// What SQLite says, with the index it is about.
fn about(line: String) -> Finding {
    let object = match line.split_once(" index ") {
        Some((_, name)) => format!("index {}", name.split_whitespace().next().unwrap_or_default()),
        None => "tables".to_owned(),
    };
    Finding { object, sentence: line }
}

/// Rows that refer to rows which are not there.
fn dangling(conn: &Connection) -> Result<Vec<Finding>> {
    let mut statement = conn.prepare(
        "SELECT \"table\", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2 ORDER BY 1, 2",
    )?;
    let rows = statement.query_map([], |row| {
        let (table, parent, count): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let sentence = format!("{count} rows of {table} refer to rows of {parent} that are not there.");
        Ok(Finding::new(format!("table {table}"), sentence))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Pages whose tag is wrong. A checkpoint may write a page while it is read, so only what is found
/// twice is true.
fn broken_pages(house: &House, conn: &Connection) -> Result<Vec<Finding>> {
    let look = || answers(conn, "PRAGMA cipher_integrity_check").map(BTreeSet::from_iter);
    let first: BTreeSet<String> = look()?;
    if first.is_empty() {
        return Ok(Vec::new());
    }
    let twice = &first & &look()?;
    if twice.is_empty() {
        return Ok(Vec::new());
    }
    let parts: Vec<String> =
        unreadable_parts(house)?.iter().map(|part| format!("the {} {}", part.kind, part.name)).collect();
    let place = match parts.len() {
        0 => "It holds nothing, so nothing is lost; a restored backup is without it.".to_owned(),
        1 => format!("It belongs to {}.", parts[0]),
        _ => format!("It belongs to one of these: {}.", parts.join(", ")),
    };
    let named = |line: String| {
        let number = line.rsplit(' ').next().unwrap_or_default().to_owned();
        Finding::new(format!("page {number}"), format!("{place} {line}"))
    };
    Ok(twice.into_iter().map(named).collect())
}

fn unreadable_parts(house: &House) -> Result<Vec<Part>> {
    let mut conn = house.another()?;
    let broken_pages = broken_numbers(&conn)?;
    let mut statement = conn.prepare(
        "SELECT type, name, sql IS NOT NULL AND type = 'index' OR name LIKE 'cases\\_search\\_%' ESCAPE '\\'
           FROM sqlite_schema
          WHERE rootpage > 0
          ORDER BY type, name",
    )?;
    let parts = statement
        .query_map([], |row| Ok(Part { kind: row.get(0)?, name: row.get(1)?, is_derived: row.get(2)? }))?;
    let parts: Vec<Part> = parts.collect::<rusqlite::Result<_>>()?;
    drop(statement);
    let mut broken = Vec::new();
    for part in parts {
        let pages = pages_of(&conn, &part.name);
        if !pages.is_ok_and(|pages| pages.is_disjoint(&broken_pages)) || !is_sound(&conn) {
            broken.push(part);
            conn = house.another()?;
        }
    }
    Ok(broken)
}

/// Numbers of the pages of a part of the database. The walk reads nearly all of them: not the last one of a long
/// text, so that what is broken is compared as well.
fn pages_of(conn: &Connection, part: &str) -> rusqlite::Result<BTreeSet<i64>> {
    let mut statement = conn.prepare("SELECT pageno FROM dbstat WHERE name = :name")?;
    statement.query_map(named_params! { ":name": part }, |row| row.get(0))?.collect()
}

/// Numbers of the pages in the file whose tag is wrong.
fn broken_numbers(conn: &Connection) -> Result<BTreeSet<i64>> {
    let said = answers(conn, "PRAGMA cipher_integrity_check")?;
    Ok(said.iter().filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect())
}

/// Builds an index anew from its table. Changes wait meanwhile. Where a page of it cannot be read, the file is
/// written anew without it first, because SQLite would read the page to free it.
pub async fn rebuild_index(gate: &Gate<StorageKeep>, name: String) -> Result<()> {
    let own = name.clone();
    // One that meets a damaged page cannot go on with the same connection.
    if gate.between(move |conn| Ok(conn.execute_batch(&format!("REINDEX {}", quoted(&own)))?)).await.is_ok() {
        return Ok(());
    }
    let own = name.clone();
    let is_alone = gate.between(move |conn| {
        let made_by: Option<String> = conn.query_row(
            "SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = :name",
            named_params! { ":name": own },
            |row| row.get(0),
        )?;
        Ok(made_by.is_some())
    });
    if !is_alone.await? {
        return Err(Error::conflict(format!(
            "The index {name} is part of its table and cannot be built alone."
        ))
        .hint("Restore the newest backup into another folder."));
    }
    make_anew(gate, vec![name]).await
}

/// Builds the words that cases are found by anew from the cases.
pub async fn rebuild_search(gate: &Gate<StorageKeep>) -> Result<()> {
    const REBUILD: &str = "INSERT INTO cases_search (cases_search) VALUES ('rebuild')";
    if gate.between(|conn| Ok(conn.execute_batch(REBUILD)?)).await.is_ok() {
        return Ok(());
    }
    let parts = "SELECT name FROM sqlite_schema WHERE name LIKE 'cases\\_search%' ESCAPE '\\'";
    let parts = gate.between(|conn| names(conn, parts)).await?;
    make_anew(gate, parts).await
}

/// Writes the whole file anew, without what was deleted, and lets it return space from now on. Changes wait
/// meanwhile, the copy lies in memory, and the next backup is as large as a first one.
pub async fn rebuild_file(gate: &Gate<StorageKeep>) -> Result<()> {
    gate.between(|conn| {
        conn.pragma_update(None, "auto_vacuum", 2)?;
        vacuum(conn)
    })
    .await
}

/// Pages that are free inside the file, pages in all, and whether space can be returned in steps.
pub fn free_pages(tx: impl Tx) -> Result<(i64, i64, bool)> {
    let conn = tx.opened().conn;
    let ask = |pragma: &str| conn.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0));
    Ok((ask("freelist_count")?, ask("page_count")?, ask("auto_vacuum")? == 2))
}

/// Returns so many free pages to the disk; answers how many are left.
pub fn return_pages(tx: Write<'_, StorageKeep>, pages_max: i64) -> Result<i64> {
    let conn = tx.opened().conn;
    conn.execute_batch(&format!("PRAGMA incremental_vacuum({pages_max})"))?;
    Ok(conn.query_row("PRAGMA freelist_count", [], |row| row.get(0))?)
}

/// Bytes of each table with its indexes, the largest first. Reads every page.
pub fn sizes<P: Permission>(tx: Read<'_, P>) -> Result<Vec<(String, i64)>> {
    let mut statement = tx.opened().conn.prepare(
        "SELECT coalesce(sqlite_schema.tbl_name, dbstat.name), sum(pgsize) AS bytes
           FROM dbstat LEFT JOIN sqlite_schema ON sqlite_schema.name = dbstat.name
          WHERE aggregate = TRUE
          GROUP BY 1
          ORDER BY bytes DESC",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Makes derived parts anew from what is whole. They are cut out of the schema first, without reading their
/// pages, and the file is written anew without them. That fails where the damaged page lies in the way: then it
/// stays in the file, holds nothing, and goes with the next restore. Cut short in the middle, the next start of
/// the server makes what is missing. Each step takes a connection that has met no damage yet.
async fn make_anew(gate: &Gate<StorageKeep>, parts: Vec<String>) -> Result<()> {
    gate.between(move |conn| cut_out(conn, &parts)).await?;
    if let Err(reason) = gate.between(vacuum).await {
        tracing::warn!(?reason, "a damaged page stays in the database, where it holds nothing");
    }
    gate.between(complete_schema).await.map(drop)
}

fn cut_out(conn: &Connection, parts: &[String]) -> Result<()> {
    refuse_to_launder(conn, parts)?;
    let cut = || -> Result<()> {
        conn.execute_batch("BEGIN IMMEDIATE; PRAGMA writable_schema = ON")?;
        for part in parts {
            conn.execute("DELETE FROM sqlite_schema WHERE name = :name", named_params! { ":name": part })?;
        }
        let version: i64 = conn.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
        conn.pragma_update(None, "schema_version", version + 1)?;
        conn.execute_batch("PRAGMA writable_schema = RESET; COMMIT")?;
        Ok(())
    };
    cut().inspect_err(|_| {
        let _ = conn.execute_batch("PRAGMA writable_schema = RESET");
        if !conn.is_autocommit() {
            let _ = conn.execute_batch("ROLLBACK");
        }
    })
}

/// Makes what is missing of the derived parts, after a repair that was cut short; answers how many were.
pub async fn complete(gate: &Gate<StorageKeep>) -> Result<usize> {
    let is_missing = gate.read(|tx| Ok(!migrate::missing(tx.opened().conn)?.is_empty())).await?;
    if is_missing { gate.between(complete_schema).await } else { Ok(0) }
}

fn complete_schema(conn: &Connection) -> Result<usize> {
    let missing = migrate::missing(conn)?;
    for (name, sql) in &missing {
        conn.execute_batch(sql)?;
        if name == "cases_search" {
            conn.execute_batch("INSERT INTO cases_search (cases_search) VALUES ('rebuild')")?;
        }
    }
    Ok(missing.len())
}

/// Writing anew would take zeros in place of a damaged page for data, and tag them as whole: refuses where one
/// belongs to anything but these parts.
fn refuse_to_launder(conn: &Connection, parts: &[String]) -> Result<()> {
    let broken = broken_numbers(conn)?;
    let mut is_beyond = false;
    for part in names(conn, "SELECT name FROM sqlite_schema WHERE rootpage > 0")? {
        if !parts.contains(&part) {
            is_beyond |= !pages_of(conn, &part)?.is_disjoint(&broken);
        }
    }
    if is_beyond || !is_sound(conn) {
        return Err(Error::conflict("A part of the database that cannot be built anew is damaged.")
            .hint("Restore the newest backup into another folder."));
    }
    Ok(())
}

/// SQLite gathers the new file where temporary tables are, which with us is memory.
fn vacuum(conn: &Connection) -> Result<()> {
    let pages: i64 = conn.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    // SQLCipher answers for the page size itself, as text.
    let page: String = conn.query_row("PRAGMA cipher_page_size", [], |row| row.get(0))?;
    if pages * page.parse::<i64>().map_err(Error::internal)? > REBUILD_BYTES_MAX {
        let gib = REBUILD_BYTES_MAX >> 30;
        return Err(Error::conflict(format!(
            "The database is larger than {gib} GiB, too large to be written anew."
        ))
        .hint("Space inside it is used again for new data. A restored backup has the same size."));
    }
    refuse_to_launder(conn, &[])?;
    conn.execute_batch("VACUUM; PRAGMA wal_checkpoint(PASSIVE)")?;
    Ok(())
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

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn names(conn: &Connection, sql: &str) -> Result<Vec<String>> {
    Ok(answers(conn, sql)?)
}

fn answers(conn: &Connection, pragma: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = conn.prepare(pragma)?;
    statement.query_map([], |row| row.get(0))?.collect()
}
