//! Aside: the copy of a database that is taken before its schema changes, and the way back to it.
//!
//! It is encrypted under the same key. Not a backup: it lies on the same disk and has no files of evidence.

use super::open::{self, DatabaseKey};
use crate::kernel::durable::{self, trouble};
use crate::kernel::error::{Error, Result};
use crate::kernel::layout;
use crate::kernel::limits;
use rusqlite::Connection;
use rusqlite::backup::Backup;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Copies the database beside itself, into a file that is there whole or not at all.
///
/// Errors: `Busy` where the disk has no room for the copy; the database stays as it is.
pub(super) fn put(conn: &Connection, path: &Path, key: &DatabaseKey, schema: i64) -> Result<()> {
    let folder = layout::before_upgrade(path.parent().unwrap_or(Path::new(".")));
    durable::create_folder(&folder)?;
    refuse_without_room(conn, &folder)?;
    let (half, whole) = (folder.join("half.db"), copy_of(&folder, schema));
    forget(&half)?;
    copy(conn, &half, key)?;
    fs::rename(&half, &whole).map_err(|cause| trouble("write", &whole, cause))?;
    durable::sync_folder(&folder)
}

/// Copies the database into a new file under the same key.
pub(super) fn copy(conn: &Connection, to: &Path, key: &DatabaseKey) -> Result<()> {
    let mut copy = open::empty(to, key)?;
    // One step sees one state; whoever writes meanwhile writes to the log.
    Backup::new(conn, &mut copy)?.step(limits::COPY_PAGES_A_STEP)?;
    copy.close().map_err(|(_, cause)| cause)?;
    fs::File::open(to).and_then(|file| file.sync_all()).map_err(|cause| trouble("write", to, cause))
}

/// The copies in a data folder, as numbers of their schemas with their lengths in bytes, the oldest schema first.
pub fn copies(data: &Path) -> Vec<(i64, u64)> {
    let found = fs::read_dir(layout::before_upgrade(data)).into_iter().flatten().flatten();
    let mut copies: Vec<(i64, u64)> = found
        .filter_map(|entry| {
            let name = entry.file_name();
            let schema = name.to_str()?.strip_prefix("schema-")?.strip_suffix(".db")?.parse().ok()?;
            Some((schema, entry.metadata().ok()?.len()))
        })
        .collect();
    copies.sort_unstable();
    copies
}

/// Puts the copy in the place of the database, which is kept as `undone.db` beside the copies. The caller holds
/// the data folder. Cut off in the middle it goes on where it stopped.
///
/// Errors: `NotFound` without a copy of this schema.
pub fn put_back(data: &Path, schema: i64) -> Result<()> {
    let (folder, database) = (layout::before_upgrade(data), layout::database(data));
    let copy = copy_of(&folder, schema);
    if !copy.exists() {
        return Err(Error::not_found(format!("There is no copy of this database with schema {schema}."))
            .hint("Restore a backup that was made before the upgrade."));
    }
    // The log first: without it the database is the one of its last checkpoint, and with it alone it is nothing.
    for ending in ["-wal", "-shm", ""] {
        let (from, to) = (with_ending(&database, ending), with_ending(&folder.join("undone.db"), ending));
        match fs::rename(&from, &to) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(trouble("move", &from, cause)),
            _ => {}
        }
    }
    durable::sync_folder(&folder)?;
    fs::rename(&copy, &database).map_err(|cause| trouble("move", &copy, cause))?;
    durable::sync_folder(data)
}

fn copy_of(folder: &Path, schema: i64) -> PathBuf {
    folder.join(format!("schema-{schema}.db"))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn forget(half: &Path) -> Result<()> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        let path = with_ending(half, ending);
        match fs::remove_file(&path) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(trouble("remove", &path, cause)),
            _ => {}
        }
    }
    Ok(())
}

/// The copy and the change itself both need room.
fn refuse_without_room(conn: &Connection, folder: &Path) -> Result<()> {
    let pages: i64 = conn.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    let pages = u64::try_from(pages).map_err(Error::internal)?;
    // SQLCipher answers for the page size itself, as text.
    let page_bytes: String = conn.query_row("PRAGMA cipher_page_size", [], |row| row.get(0))?;
    let needed =
        2 * pages * page_bytes.parse::<u64>().map_err(Error::internal)? + limits::UPGRADE_SPARE_BYTES;
    let disk = rustix::fs::statvfs(folder).map_err(Error::internal)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= needed {
        return Ok(());
    }
    const MIB: u64 = 1024 * 1024;
    Err(Error::busy(format!(
        "The upgrade needs {} MiB for a copy of the database, and {} MiB are free.",
        needed.div_ceil(MIB),
        free / MIB
    ))
    .hint("Free some space on the disk of the data folder and start again. Nothing was changed: the Testkeep that was installed before still works."))
}
