//! Online: turns what a kind can do over a network into a storage.

use super::line::{Beat, Line};
use super::retry::{Failed, Tried};
use super::{Protection, Storage, check_name};
use crate::keeping::backup::reader::Ledger;
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use bytes::Bytes;
use std::future::Future;
use std::sync::Arc;

/// One attempt at each thing a storage does. All may be repeated.
pub trait Remote: Send + Sync + 'static {
    /// Makes an empty place ready.
    fn prepare(&self, beat: &Beat) -> impl Future<Output = Tried<()>> + Send;
    /// Removes what was left half written.
    fn sweep(&self, beat: &Beat) -> impl Future<Output = Tried<()>> + Send;
    /// Stores an object; it appears whole or not at all.
    fn put(&self, name: &str, content: &[Bytes], beat: &Beat) -> impl Future<Output = Tried<()>> + Send;
    /// An object, or a part of it.
    fn get(&self, name: &str, part: Option<Part>, beat: &Beat) -> impl Future<Output = Tried<Bytes>> + Send;
    /// Names and lengths below a folder; empty if it is not there.
    fn list(&self, folder: &str, beat: &Beat) -> impl Future<Output = Tried<Vec<(String, u64)>>> + Send;
    /// The length of an object, if there is one.
    fn stat(&self, name: &str, beat: &Beat) -> impl Future<Output = Tried<Option<u64>>> + Send;
    /// Removes an object; whether it was there, as far as the server tells.
    fn delete(&self, name: &str, beat: &Beat) -> impl Future<Output = Tried<bool>> + Send;
    /// What the server says of its protection.
    fn protection(&self, _beat: &Beat) -> impl Future<Output = Tried<Protection>> + Send {
        async { Ok(Protection::default()) }
    }
}

/// A part of an object.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Its first byte.
    pub offset: u64,
    /// Its length; never 0.
    pub length: u64,
}

/// A storage over a network.
pub struct Online<R> {
    remote: Arc<R>,
    line: Arc<Line>,
    ledger: Arc<Ledger>,
}

impl<R: Remote> Online<R> {
    /// What reaches `remote` over `line`.
    pub fn new(remote: R, line: Arc<Line>) -> Online<R> {
        Online { remote: Arc::new(remote), line, ledger: Arc::default() }
    }

    fn run<T, F>(&self, attempt: impl Fn(Arc<R>, Beat) -> F + Send + 'static) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Tried<T>> + Send,
    {
        let remote = Arc::clone(&self.remote);
        self.line.call(&self.ledger, move |beat| attempt(Arc::clone(&remote), beat))
    }

    fn read(&self, name: &str, part: Option<Part>) -> Result<Bytes> {
        check_name(name)?;
        let name = name.to_owned();
        self.run(move |remote, beat| {
            let name = name.clone();
            async move { remote.get(&name, part, &beat).await }
        })
    }
}

impl<R: Remote> Storage for Online<R> {
    fn location(&self) -> String {
        self.line.place.clone()
    }

    fn prepare(&self) -> Result<()> {
        self.run(|remote, beat| async move { remote.prepare(&beat).await })
    }

    fn sweep(&self) -> Result<()> {
        self.run(|remote, beat| async move { remote.sweep(&beat).await })
    }

    fn put(&self, name: &str, content: &[Bytes]) -> Result<()> {
        check_name(name)?;
        // Cheap copies: the bytes themselves are shared.
        let (name, content) = (name.to_owned(), content.to_vec());
        self.run(move |remote, beat| {
            let (name, content) = (name.clone(), content.clone());
            async move { remote.put(&name, &content, &beat).await }
        })
    }

    fn get(&self, name: &str) -> Result<Bytes> {
        self.read(name, None)
    }

    fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes> {
        if length > limits::BACKUP_OBJECT_BYTES_MAX {
            return Err(Error::too_large(format!("A part of `{name}` is larger than 256 MiB.")));
        }
        // HTTP has no name for a part without bytes.
        if length == 0 {
            return Ok(Bytes::new());
        }
        self.read(name, Some(Part { offset, length }))
    }

    fn list(&self, folder: &str) -> Result<Vec<(String, u64)>> {
        check_name(folder)?;
        let folder = folder.to_owned();
        self.run(move |remote, beat| {
            let folder = folder.clone();
            async move { remote.list(&folder, &beat).await }
        })
    }

    fn stat(&self, name: &str) -> Result<Option<u64>> {
        check_name(name)?;
        let name = name.to_owned();
        self.run(move |remote, beat| {
            let name = name.clone();
            async move { remote.stat(&name, &beat).await }
        })
    }

    fn delete(&self, name: &str) -> Result<()> {
        check_name(name)?;
        let (name, place) = (name.to_owned(), self.line.place.clone());
        self.run(move |remote, beat| {
            let (name, place) = (name.clone(), place.clone());
            async move {
                let was_there = remote.delete(&name, &beat).await?;
                // The answer of an earlier attempt may have been lost on its way.
                if was_there || beat.attempt > 1 { Ok(()) } else { Err(missing(&place, &name)) }
            }
        })
    }

    fn protection(&self) -> Result<Protection> {
        self.run(|remote, beat| async move { remote.protection(&beat).await })
    }

    fn with_ledger(&self, ledger: &Arc<Ledger>) -> Option<Arc<dyn Storage>> {
        let (remote, line) = (Arc::clone(&self.remote), Arc::clone(&self.line));
        Some(Arc::new(Online { remote, line, ledger: Arc::clone(ledger) }))
    }
}

/// There is no such object.
pub fn missing(place: &str, name: &str) -> Failed {
    Error::not_found(format!("There is no `{name}` at the backup target {place}.")).into()
}
