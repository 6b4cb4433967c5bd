//! Exchange: moves the database to another key while the instance answers.
//!
//! SQLCipher writes every page anew inside one transaction of the log: after a power cut either all of
//! it counts or nothing, and the file with its log opens with exactly one of the two keys. Changes wait
//! meanwhile; readers keep their snapshot and the old key, and take a connection with the new one for
//! the next. A copy beside with a swap of names would keep changes waiting for less, but a command with
//! the old file open would go on writing into what nobody reads any more.

use super::migrate::Holding;
use super::open::{self, DatabaseKey};
use super::{Database, Lease, pin, writer};
use crate::kernel::durable::trouble;
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::limits;
use rusqlite::{Connection, ErrorCode};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

impl Database {
    /// Moves the file to another key; `settle` notes that it has it. Afterwards the log is empty, so that no
    /// page under the old key is left, unless a backup or a long read holds it.
    pub async fn rekey(
        &self,
        key: DatabaseKey,
        settle: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Result<()> {
        refuse_without_room(&self.path)?;
        let (path, old, current) = (self.path.clone(), self.key(), self.key.clone());
        let (answer, answered) = oneshot::channel();
        let exchange: writer::Exchange = Box::new(move |conn| {
            let outcome = every_page(&conn, &key);
            // Whatever came of it, this connection may hold both keys half: a new one holds one.
            drop(conn);
            let outcome = outcome.and_then(|()| {
                let conn = open::writer(&path, &key, Holding::Already)?;
                *current.lock().expect("nobody panics while holding it") = key.clone();
                settle()?;
                Ok(conn)
            });
            match outcome {
                Ok(conn) => {
                    let _ = answer.send(Ok(()));
                    Some(conn)
                }
                Err(reason) => {
                    let now = current.lock().expect("nobody panics while holding it").clone();
                    let back = open::writer(&path, &now, Holding::Already)
                        .or_else(|_| open::writer(&path, &old, Holding::Already));
                    let _ = answer.send(Err(reason));
                    back.ok()
                }
            }
        });
        self.queue.exchange(exchange).await?;
        answered.await.unwrap_or_else(|gone| Err(Error::internal(gone)))
    }

    /// Moves all of the log into the file; answers whether nothing is left in it.
    pub async fn empty_log(&self) -> Result<bool> {
        let (path, key) = (self.path.clone(), self.key());
        let moving = tokio::task::spawn_blocking(move || {
            let conn = open::keeper(&path, &key)?;
            // First with the writers going on: what follows makes them wait until the last reader is done.
            pin::left_in_log(&conn)?;
            conn.busy_timeout(limits::PIN_HOLD)?;
            is_moved(&conn, "RESTART")
        });
        // By the writer itself: behind its back the next commit would begin a log that follows no other.
        match moving.await.unwrap_or_else(|panic| Err(Error::internal(panic)))? {
            true => self.between(|conn| is_moved(conn, "TRUNCATE")).await,
            false => Ok(false),
        }
    }

    /// The key of the file as this process knows it.
    pub(super) fn key(&self) -> DatabaseKey {
        self.key.lock().expect("nobody panics while holding it").clone()
    }
}

/// Moves all of the log, if nobody needs it any more.
fn is_moved(conn: &Connection, kind: &str) -> Result<bool> {
    let busy: i64 = conn.query_row(&format!("PRAGMA wal_checkpoint({kind})"), [], |row| row.get(0))?;
    Ok(busy == 0)
}

fn every_page(conn: &Connection, key: &DatabaseKey) -> Result<()> {
    conn.pragma_update(None, "rekey", &**open::raw(key))?;
    Ok(())
}

/// Every page goes into the log once before any goes back into the file.
fn refuse_without_room(path: &Path) -> Result<()> {
    let bytes = std::fs::metadata(path).map_err(|cause| trouble("read", path, cause))?.len();
    let disk = rustix::fs::statvfs(path).map_err(Error::internal)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let needed = bytes + bytes / 8 + limits::DISK_FREE_BYTES_MIN / 4;
    if free < needed {
        let needed = needed >> 20;
        return Err(Error::busy(format!(
            "Moving the database to another key needs {needed} MiB of free space."
        ))
        .hint("Free some space on the disk of the data folder; nothing was changed."));
    }
    Ok(())
}

/// Which of these keys opens the file; the error is that of the first.
pub fn which(path: &Path, keys: &[(u32, DatabaseKey)]) -> Result<u32> {
    let mut first = None;
    for (generation, key) in keys {
        match open::look(path, key) {
            Ok(()) => return Ok(*generation),
            // Only where the key may be the reason is another one tried.
            Err(reason) if reason.kind() == Kind::Invalid => first.get_or_insert(reason),
            Err(reason) => return Err(reason),
        };
    }
    Err(first.unwrap_or_else(|| Error::internal("no key for the database was named")))
}

impl Lease {
    /// Reads on one snapshot, taking a connection with the key of today where the file was moved to another.
    pub(super) fn read<T>(
        &mut self,
        deadline: Duration,
        work: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T> {
        let start = Instant::now();
        let patience = Instant::now() + limits::KEY_EXCHANGE_WAIT_MAX;
        loop {
            let conn = self.conn.as_mut().expect("a permit stands for an idle connection");
            let log = Arc::clone(&self.log);
            let is_over = move || {
                let passed = start.elapsed();
                passed > deadline || passed > limits::READ_DEADLINE && Lease::is_log_too_long(&log)
            };
            conn.progress_handler(limits::READ_STEPS_PER_CHECK, Some(is_over))?;
            // Dropping the transaction ends it; a snapshot has nothing to commit.
            let snapshot = conn.transaction()?;
            match first_look(&snapshot) {
                Ok(()) => {
                    let outcome = super::told(&snapshot, work(&snapshot));
                    drop(snapshot);
                    self.mend();
                    return outcome;
                }
                Err(reason) if is_another_key(&reason) && Instant::now() < patience => {}
                Err(reason) => return Err(reason.into()),
            }
            drop(snapshot);
            // Between the commit and its note the old key is still the one that is known.
            let key = self.key.lock().expect("nobody panics while holding it").clone();
            match open::reader(&self.path, &key) {
                Ok(fresh) => self.conn = Some(fresh),
                Err(_) => std::thread::sleep(limits::KEY_EXCHANGE_LOOK_EVERY),
            }
        }
    }
}

impl Lease {
    /// Takes another connection where this one met a damaged page: it would hand out nothing else.
    fn mend(&mut self) {
        if self.conn.as_ref().is_some_and(|conn| !super::is_sound(conn)) {
            let key = self.key.lock().expect("nobody panics while holding it").clone();
            if let Ok(fresh) = open::reader(&self.path, &key) {
                self.conn = Some(fresh);
            }
        }
    }
}

/// Fixes the snapshot: whatever follows reads what this saw.
fn first_look(conn: &Connection) -> rusqlite::Result<()> {
    conn.prepare_cached("SELECT 1 FROM sqlite_schema LIMIT 1")?.query_row([], |_| Ok(()))
}

fn is_another_key(reason: &rusqlite::Error) -> bool {
    reason.sqlite_error_code() == Some(ErrorCode::NotADatabase)
}
