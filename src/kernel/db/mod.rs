//! Database: one writer thread, N readers, and the boundary between async and blocking code.
//!
//! Nothing here knows of permissions; nothing outside `kernel` can name this module.

pub mod aside;
pub mod exchange;
pub mod keeper;
pub mod log;
pub mod migrate;
pub mod open;
pub mod pin;
pub mod row;
mod writer;

use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use migrate::Holding;
use open::DatabaseKey;
use rusqlite::Connection;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::Semaphore;

/// What an instance may tune; the defaults are `limits`.
#[derive(Clone)]
pub struct Tuning {
    /// Changes that may wait for the writer.
    pub write_queue: usize,
    /// Changes that share one commit at most.
    pub write_group_max: usize,
    /// How long a group goes on gathering.
    pub write_group_hold: Duration,
    /// Connections that read at the same time.
    pub readers: usize,
    /// How long one read may keep a connection.
    pub read_deadline: Duration,
    /// Whether the data folder is held by whoever opens it.
    pub holding: Holding,
}

impl Default for Tuning {
    fn default() -> Tuning {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Tuning {
            write_queue: limits::WRITE_QUEUE,
            write_group_max: limits::WRITE_GROUP_MAX,
            write_group_hold: limits::WRITE_GROUP_HOLD,
            readers: cores.clamp(2, 8),
            read_deadline: limits::READ_DEADLINE,
            holding: Holding::ForNow,
        }
    }
}

/// The open database: a queue to the writer and a pool of readers.
pub struct Database {
    queue: writer::Queue,
    writer: Mutex<Option<JoinHandle<()>>>,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    path: PathBuf,
    key: SharedKey,
    log: Arc<File>,
}

/// The key of the file; it changes while connections are open.
type SharedKey = Arc<Mutex<DatabaseKey>>;

impl Database {
    /// Makes the file with this key, which must not be there yet, and starts the writer.
    pub fn create(path: &Path, key: &DatabaseKey, tuning: &Tuning) -> Result<Database> {
        Database::start(open::create(path, key)?, path, key, tuning)
    }

    /// Opens the file with this key, migrates it, and starts the writer. Never makes one.
    pub fn open(path: &Path, key: &DatabaseKey, tuning: &Tuning) -> Result<Database> {
        Database::start(open::writer(path, key, tuning.holding)?, path, key, tuning)
    }

    fn start(writing: Connection, path: &Path, key: &DatabaseKey, tuning: &Tuning) -> Result<Database> {
        let group = writer::Group { max: tuning.write_group_max, hold: tuning.write_group_hold };
        let shared: SharedKey = Arc::new(Mutex::new(key.clone()));
        let (own, current) = (path.to_owned(), Arc::clone(&shared));
        let reopen = Box::new(move || {
            let key = current.lock().expect("nobody panics while holding it").clone();
            open::writer(&own, &key, Holding::Already)
        });
        let (queue, thread) = writer::start(writing, tuning.write_queue, group, reopen)?;
        let readers = (0..tuning.readers).map(|_| open::reader(path, key));
        let readers = readers.collect::<Result<_>>()?;
        Ok(Database {
            log: pin::held(&open::log_of(path))?,
            queue,
            writer: Mutex::new(Some(thread)),
            idle: Arc::new(Mutex::new(readers)),
            permits: Arc::new(Semaphore::new(tuning.readers)),
            path: path.to_owned(),
            key: shared,
        })
    }

    /// Runs a change; the answer means it is on the disk.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.queue.run(work).await
    }

    /// Why the disk did not take the last change, as long as it has taken none since.
    pub fn trouble(&self) -> Option<Error> {
        self.queue.trouble()
    }

    /// A connection of its own that cannot write, for looking at what is damaged: who meets damage on one
    /// cannot use it any more.
    pub fn another(&self) -> Result<Connection> {
        open::reader(&self.path, &self.key())
    }

    /// Works on the writing connection between two transactions; changes wait meanwhile.
    pub async fn between<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.queue.between(work).await
    }

    /// Runs reads on one snapshot, on a connection that cannot write, within the deadline.
    ///
    /// The permit is taken before a blocking thread is, so a crowd of readers waits as cheap futures.
    pub async fn read_within<T: Send + 'static>(
        &self,
        deadline: Duration,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permits = Arc::clone(&self.permits);
        let permit = permits.acquire_owned().await.map_err(Error::internal)?;
        let (idle, path, key) = (Arc::clone(&self.idle), self.path.clone(), Arc::clone(&self.key));
        let log = Arc::clone(&self.log);
        let reading = tokio::task::spawn_blocking(move || {
            // The permit goes with the work and not with the caller: who hangs up early
            // must not free a place that is still in use.
            let _permit = permit;
            let mut lease = Lease::take(idle, path, key, log);
            lease.read(deadline, work)
        });
        reading.await.unwrap_or_else(|panic| Err(Error::internal(panic)))
    }

    /// Holds the file still until the pin is dropped; writers and readers go on.
    pub async fn pin(&self) -> Result<pin::Pin> {
        let (path, key) = (self.path.clone(), self.key());
        let pinning = tokio::task::spawn_blocking(move || pin::take(&path, &key));
        pinning.await.unwrap_or_else(|panic| Err(Error::internal(panic)))
    }

    /// Copies the database into a new file under the same key; writers and readers go on.
    pub async fn copy(&self, to: &Path) -> Result<()> {
        let (path, key, to) = (self.path.clone(), self.key(), to.to_owned());
        let copying =
            tokio::task::spawn_blocking(move || aside::copy(&open::reader(&path, &key)?, &to, &key));
        copying.await.unwrap_or_else(|panic| Err(Error::internal(panic)))
    }

    /// Leaves all pages in the log from now on, for its keeper.
    pub async fn give_charge(&self) -> Result<keeper::Charge> {
        self.queue.run(|conn| open::leave_log(conn, true)).await?;
        Ok(keeper::Charge::new(&self.path, Arc::clone(&self.key)))
    }

    /// Moves pages by itself again.
    pub async fn take_charge_back(&self) -> Result<()> {
        self.queue.run(|conn| open::leave_log(conn, false)).await
    }

    /// Finishes what waits, then stops the writer.
    pub async fn shut_down(&self) {
        self.queue.close().await;
        let thread = self.writer.lock().expect("nobody panics while holding it").take();
        let _ = tokio::task::spawn_blocking(|| thread.map(JoinHandle::join)).await;
        // Whether the log was kept may have changed since they were opened, and the last one decides.
        let is_kept = open::is_log_kept(&self.path);
        for conn in &*self.idle.lock().expect("nobody panics while holding it") {
            let _ = open::leave_log(conn, is_kept);
        }
    }
}

/// Whether no page was found damaged on this connection. SQLCipher hands out a page whose tag is wrong as
/// zeros, in the middle of a text without an error, and from then on every page that it reads. Costs a
/// microsecond.
pub(in crate::kernel) fn is_sound(conn: &Connection) -> bool {
    conn.query_row("PRAGMA cipher_status", [], |row| row.get::<_, String>(0))
        .is_ok_and(|status| status == "1")
}

/// What came of work on this connection; nothing of it counts once it met a damaged page.
pub(super) fn told<T>(conn: &Connection, outcome: Result<T>) -> Result<T> {
    if is_sound(conn) {
        return outcome;
    }
    let damaged = Error::damaged("A part of the database that this needs is damaged, so it is not shown.")
        .hint("The rest goes on working. The owner of the instance finds what to do under Storage.");
    Err(match outcome {
        Ok(_) => damaged,
        Err(reason) => damaged.because(reason),
    })
}

/// A reading connection on loan; it goes back even when the reader panics.
struct Lease {
    idle: Arc<Mutex<Vec<Connection>>>,
    conn: Option<Connection>,
    path: PathBuf,
    key: SharedKey,
    log: Arc<File>,
}

impl Lease {
    fn take(idle: Arc<Mutex<Vec<Connection>>>, path: PathBuf, key: SharedKey, log: Arc<File>) -> Lease {
        let conn = idle.lock().expect("nobody panics while holding it").pop();
        Lease { idle, conn, path, key, log }
    }

    /// Whether whoever reads an old state has to end though they may read at length: they keep the log from
    /// beginning anew, and it would fill the disk.
    fn is_log_too_long(log: &File) -> bool {
        log.metadata().is_ok_and(|meta| meta.len() > limits::LOG_BYTES_PRESSED)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let conn = self.conn.take();
        self.idle.lock().expect("nobody panics while holding it").extend(conn);
    }
}
