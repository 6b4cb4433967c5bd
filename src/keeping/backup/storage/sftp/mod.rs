//! SFTP: an account on an SSH server, spoken to without any other program.
//!
//! An object is written under a passing name, synced, renamed over its own and the folder synced, as far as
//! the server has the extensions for it; OpenSSH has all. All calls share one connection.

mod connect;
mod session;

pub use connect::{HostKey, learn};

use super::access::{Limits, SshAccess};
use super::line::{Beat, Line};
use super::online::{Online, Part, Remote, missing};
use super::passing_name;
use super::place::SftpPlace;
use super::retry::{Failed, Tried};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use bytes::Bytes;
use connect::Credentials;
use futures_util::{StreamExt, TryStreamExt, stream};
use session::{Kind, Session};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tokio::sync::Mutex;

/// Folders that are looked into or made at the same time.
const FOLDERS_AT_ONCE: usize = 16;

/// A folder on an SSH server.
pub struct Sftp {
    at: SftpPlace,
    access: Credentials,
    line: Arc<Line>,
    connected: Mutex<Option<Arc<Connected>>>,
}

/// A connection, until something about it looks wrong.
struct Connected {
    session: Session,
    is_broken: AtomicBool,
}

/// One call on a connection. A call that ends in the middle, stopped or silent, breaks the connection:
/// nobody knows what is still on its way.
struct Turn {
    connected: Arc<Connected>,
    is_done: bool,
}

impl Sftp {
    /// Touches nothing yet.
    pub fn open(at: &SftpPlace, access: &SshAccess, limits: Limits, place: String) -> Result<Online<Sftp>> {
        let access = Credentials::read(access)?;
        let (line, at) = (Line::new(limits, place), at.clone());
        Ok(Online::new(Sftp { at, access, line: Arc::clone(&line), connected: Mutex::default() }, line))
    }

    /// Takes the connection, or makes one. Others wait meanwhile instead of making one each.
    async fn turn(&self, beat: &Beat) -> Tried<Turn> {
        let mut connected = self.connected.lock().await;
        beat.now();
        if let Some(known) = connected.as_ref().filter(|known| !known.is_broken.load(SeqCst)) {
            return Ok(Turn { connected: Arc::clone(known), is_done: false });
        }
        *connected = None;
        let session = beat.through(connect::connect(&self.at, &self.access, &self.line)).await?;
        let made = Arc::new(Connected { session, is_broken: AtomicBool::new(false) });
        *connected = Some(Arc::clone(&made));
        Ok(Turn { connected: made, is_done: false })
    }

    fn path(&self, name: &str) -> String {
        let root = match (self.at.is_below_home, self.at.path.as_str()) {
            (true, "") => ".".to_owned(),
            (true, path) => path.to_owned(),
            (false, path) => format!("/{path}"),
        };
        match (root.as_str(), name) {
            (_, "") => root,
            ("/", name) => format!("/{name}"),
            (root, name) => format!("{root}/{name}"),
        }
    }

    async fn make_parents(&self, session: &Session, name: &str) -> Tried<()> {
        for (at, _) in name.match_indices('/') {
            session.make(&self.path(&name[..at])).await?;
        }
        Ok(())
    }

    /// Everything below a folder, level by level.
    async fn gather(&self, session: &Session, folder: &str, beat: &Beat) -> Tried<Vec<(String, u64)>> {
        let (mut open, mut found) = (vec![folder.to_owned()], Vec::new());
        while !open.is_empty() {
            let level = std::mem::take(&mut open);
            let looks = stream::iter(level.into_iter().map(|folder| async move {
                let entries = session.entries(&self.path(&folder), beat).await?;
                Ok::<_, Failed>((folder, entries))
            }));
            let lists: Vec<_> = looks.buffer_unordered(FOLDERS_AT_ONCE).try_collect().await?;
            for (folder, entries) in lists {
                for entry in entries {
                    let name = format!("{folder}/{}", entry.name);
                    match entry.kind {
                        Kind::Folder => open.push(name),
                        Kind::File(bytes) => found.push((name, bytes)),
                    }
                }
            }
            if found.len() + open.len() > limits::TARGET_OBJECTS_MAX {
                let place = &self.line.place;
                let error = format!("The backup target {place} lists more objects than there can be.");
                return Err(Error::too_large(error).into());
            }
        }
        Ok(found)
    }
}

impl Turn {
    fn session(&self) -> &Session {
        &self.connected.session
    }

    /// The call came to an end, and the connection is as good as it was unless it was cut.
    fn over<T>(mut self, done: Tried<T>) -> Tried<T> {
        self.is_done = !done.as_ref().is_err_and(|failed| failed.is_passing);
        done
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_done {
            self.connected.is_broken.store(true, SeqCst);
        }
    }
}

impl Remote for Sftp {
    async fn prepare(&self, beat: &Beat) -> Tried<()> {
        let turn = self.turn(beat).await?;
        let session = turn.session();
        let work = async {
            for folder in ["", "tmp", "data", "keys", "index", "snapshots", "locks", "receipts"] {
                session.make(&self.path(folder)).await?;
            }
            let shards = (0..=255).map(|shard| self.path(&format!("data/{shard:02x}")));
            let made = stream::iter(shards.map(|shard| async move {
                beat.now();
                session.make(&shard).await
            }));
            made.buffer_unordered(FOLDERS_AT_ONCE).try_collect::<()>().await
        };
        let done = work.await;
        turn.over(done)
    }

    async fn sweep(&self, beat: &Beat) -> Tried<()> {
        let turn = self.turn(beat).await?;
        let session = turn.session();
        let work = async {
            session.make(&self.path("tmp")).await?;
            for (half, _) in self.gather(session, "tmp", beat).await? {
                beat.now();
                session.remove(&self.path(&half)).await?;
            }
            Ok(())
        };
        let done = work.await;
        turn.over(done)
    }

    async fn put(&self, name: &str, content: &[Bytes], beat: &Beat) -> Tried<()> {
        let turn = self.turn(beat).await?;
        let session = turn.session();
        let (half, path) = (self.path(&passing_name()?), self.path(name));
        let work = async {
            if session.write(&half, content, beat).await?.is_none() {
                // Somebody removed the folder of passing names, or this place was filled by copying.
                session.make(&self.path("tmp")).await?;
                let written = session.write(&half, content, beat).await?;
                written.ok_or_else(|| missing(&self.line.place, "tmp"))?;
            }
            if !session.rename(&half, &path).await? {
                self.make_parents(session, name).await?;
                if !session.rename(&half, &path).await? {
                    return Err(missing(&self.line.place, name));
                }
            }
            session.sync_folder_of(&path).await;
            Ok(())
        };
        let done = work.await;
        if done.as_ref().is_err_and(|failed: &Failed| !failed.is_passing) {
            // Best effort, while the connection stands; else the next run sweeps.
            let _ = session.remove(&half).await;
        }
        turn.over(done)
    }

    async fn get(&self, name: &str, part: Option<Part>, beat: &Beat) -> Tried<Bytes> {
        let turn = self.turn(beat).await?;
        let done = turn.session().read(&self.path(name), part, beat).await;
        let done = done.and_then(|found| found.ok_or_else(|| missing(&self.line.place, name)));
        turn.over(done)
    }

    async fn list(&self, folder: &str, beat: &Beat) -> Tried<Vec<(String, u64)>> {
        let turn = self.turn(beat).await?;
        let done = self.gather(turn.session(), folder, beat).await;
        turn.over(done)
    }

    async fn stat(&self, name: &str, beat: &Beat) -> Tried<Option<u64>> {
        let turn = self.turn(beat).await?;
        let done = turn.session().length(&self.path(name)).await;
        turn.over(done)
    }

    async fn delete(&self, name: &str, beat: &Beat) -> Tried<bool> {
        let turn = self.turn(beat).await?;
        let path = self.path(name);
        let done = turn.session().remove(&path).await;
        if matches!(done, Ok(true)) {
            turn.session().sync_folder_of(&path).await;
        }
        turn.over(done)
    }
}
