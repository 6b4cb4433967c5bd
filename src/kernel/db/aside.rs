//! Aside: the copy of a database that is taken before its schema changes, and the way back to it.
//!
//! It is encrypted under the same key. Not a backup: it lies on the same disk and has no files of evidence.

use super::open::{self, DatabaseKey};
use crate::kernel::durable::{self, trouble};
use crate::kernel::error::{Error, Result};
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::swap;
use crate::kernel::time::Clock;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// How the name of the folder begins in which a copy waits to take the place of the database.
const STAGED: &str = "back-to-";

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
    let step = Backup::new(conn, &mut copy)?.step(limits::COPY_PAGES_A_STEP)?;
    if step != StepResult::Done {
        return Err(Error::busy("The database could not be copied: another process holds it.")
            .hint("Try again when that one has finished. Nothing was changed."));
    }
    copy.close().map_err(|(_, cause)| cause)?;
    fs::File::open(to).and_then(|file| file.sync_all()).map_err(|cause| trouble("write", to, cause))
}

/// The copies in a data folder, as numbers of their schemas with their lengths in bytes, the oldest schema first.
pub fn copies(data: &Path) -> Vec<(i64, u64)> {
    let found = fs::read_dir(layout::before_upgrade(data)).into_iter().flatten().flatten();
    let mut copies: Vec<(i64, u64)> = found
        .filter_map(|entry| {
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.to_str()?;
            let (word, path) = match name.strip_prefix("schema-") {
                Some(rest) => (rest.strip_suffix(".db")?, path),
                None => (name.strip_prefix(STAGED)?, path.join(layout::DATABASE_FILE)),
            };
            Some((word.parse().ok()?, path.metadata().ok()?.len()))
        })
        .collect();
    copies.sort_unstable();
    copies
}

/// Puts the copy in the place of the database, which is kept beside it as every state that another took the place
/// of. The caller holds the data folder. Cut off at any point, it is finished by the next call or the next start;
/// in between there is the one database, the other, or none.
///
/// Errors: `NotFound` without a copy of this schema; `Conflict` where another exchange was ordered.
pub fn put_back(data: &Path, schema: i64) -> Result<()> {
    order_back(data, schema)?;
    swap::resume_at_start(data).map(drop)
}

/// Orders that the copy takes the place of the database, which whoever starts next carries out.
///
/// Errors: those of [`put_back`].
pub fn order_back(data: &Path, schema: i64) -> Result<()> {
    let folder = layout::before_upgrade(data);
    let (copy, staging) = (copy_of(&folder, schema), folder.join(format!("{STAGED}{schema}")));
    let staged = staging.join(layout::DATABASE_FILE);
    if swap::is_ordered(data) && staged.exists() {
        return Ok(());
    }
    if copy.exists() {
        durable::create_folder(&staging)?;
        fs::rename(&copy, &staged).map_err(|cause| trouble("move", &copy, cause))?;
        durable::sync_folder(&folder)?;
    }
    if !staged.exists() {
        return Err(Error::not_found(format!("There is no copy of this database with schema {schema}."))
            .hint("Restore a backup that was made before the upgrade."));
    }
    swap::prepare(data, &staging, swap::Reason::Upgrade, Clock::System.now())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::swap::Reason;

    fn text(path: &Path) -> Option<String> {
        fs::read_to_string(path).ok()
    }

    /// A kill leaves every prefix of the renames; whoever looks meanwhile sees the one database with its log, the
    /// other without one, or none.
    #[test]
    fn f05_f18_a_way_back_to_the_copy_that_is_cut_off_anywhere_ends_as_the_copy() {
        for cut in 0..6 {
            let place = tempfile::tempdir().unwrap();
            let (data, folder) = (place.path(), layout::before_upgrade(place.path()));
            let (database, staging) = (layout::database(data), folder.join("back-to-5"));
            let log = with_ending(&database, "-wal");
            fs::create_dir_all(&folder).unwrap();
            fs::write(&database, "newer").unwrap();
            fs::write(&log, "newer log").unwrap();
            fs::write(layout::keyring(data), "keys").unwrap();
            fs::write(copy_of(&folder, 5), "older").unwrap();
            assert_eq!(copies(data), [(5, 5)]);
            if cut > 0 {
                fs::create_dir(&staging).unwrap();
                fs::rename(copy_of(&folder, 5), layout::database(&staging)).unwrap();
                assert_eq!(copies(data), [(5, 5)]);
            }
            if cut > 1 {
                swap::prepare(data, &staging, Reason::Upgrade, Clock::System.now()).unwrap();
                let order: serde_json::Value =
                    serde_json::from_slice(&fs::read(layout::swap(data)).unwrap()).unwrap();
                let kept = data.join(order["kept"].as_str().unwrap());
                fs::create_dir(&kept).unwrap();
                for path in [&database, &log].into_iter().take(cut - 2) {
                    fs::rename(path, kept.join(path.file_name().unwrap())).unwrap();
                }
            }
            match (text(&database).as_deref(), text(&log)) {
                (Some("newer"), Some(_)) | (None, _) => {}
                other => panic!("between two states after {cut}: {other:?}"),
            }
            if cut == 5 { swap::resume_at_start(data).map(drop) } else { put_back(data, 5) }.unwrap();
            assert_eq!((text(&database).as_deref(), text(&log)), (Some("older"), None), "{cut}");
            assert!(!swap::is_ordered(data) && copies(data).is_empty());
            assert_eq!(text(&layout::keyring(data)).unwrap(), "keys", "the keys stay");
            let kept = swap::kept(data).unwrap();
            assert_eq!((kept.len(), kept[0].reason), (1, Reason::Upgrade));
            assert_eq!(text(&data.join(&kept[0].name).join("testkeep.db-wal")).unwrap(), "newer log");
            assert_eq!(put_back(data, 5).unwrap_err().kind(), crate::kernel::error::Kind::NotFound);
            swap::go_back(data, &kept[0].name, Clock::System.now()).unwrap();
            swap::resume_at_start(data).unwrap();
            assert_eq!((text(&database).unwrap(), text(&log).unwrap()), ("newer".into(), "newer log".into()));
            assert!(layout::keyring(data).exists());
        }
    }
}
