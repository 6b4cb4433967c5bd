//! Readers the engine pulls from, and the ledger that remembers how they fared.
//!
//! The engine drops a file whose read fails from the snapshot and still reports success. So every
//! reader writes into a [`Ledger`], and we believe the ledger and not the engine.

use super::manifest::Entry;
use crate::kernel::access::ReadAt;
use crate::kernel::error::{Error, Result};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};

/// Progress, cancellation and the truth about the reads of one run. Share it with the screen.
#[derive(Debug, Default)]
pub struct Ledger {
    cancelled: AtomicBool,
    /// Why it cannot go on, where nobody has asked it to stop.
    given_up: OnceLock<Error>,
    /// Bytes handed to the engine so far.
    pub bytes_done: AtomicU64,
    /// Bytes of the whole source; 0 until it was read for the first time.
    pub bytes_total: AtomicU64,
    /// Files read to their end with the expected hash.
    pub files_done: AtomicU64,
    problems: Mutex<Vec<String>>,
}

impl Ledger {
    /// Stops the run at its next read or write; the run then ends with an error.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    /// Ends the run like `cancel`, as a failure with this reason.
    pub fn give_up(&self, reason: Error) {
        let _ = self.given_up.set(reason);
    }

    /// Whether somebody has asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed)
    }

    /// An error once somebody has asked to stop, or it was given up.
    pub fn go_on(&self) -> Result<()> {
        if let Some(reason) = self.given_up.get() {
            return Err(reason.clone());
        }
        if self.cancelled.load(Relaxed) {
            return Err(Error::conflict("The backup was cancelled.").hint("Nothing of this run was kept."));
        }
        Ok(())
    }

    /// Everything that went wrong while reading.
    pub fn problems(&self) -> Vec<String> {
        self.problems.lock().expect("nobody panics while holding it").clone()
    }

    fn record(&self, problem: String) {
        self.problems.lock().expect("nobody panics while holding it").push(problem);
    }
}

/// Where the bytes of one file come from.
#[derive(Clone)]
pub(super) enum Body {
    Slice { file: Arc<dyn ReadAt>, offset: u64 },
    Path(PathBuf),
    Memory(Bytes),
}

/// One file of the snapshot, with the hash it had when it was read for the first time.
#[derive(Clone)]
pub(super) struct Item {
    pub entry: Entry,
    pub body: Body,
}

/// Reads one file for the second time. Opens it late, because the engine asks for all at once.
pub struct Reader {
    item: Item,
    ledger: Arc<Ledger>,
    at: u64,
    hash: Sha256,
    is_finished: bool,
}

impl Reader {
    pub(super) fn new(item: Item, ledger: Arc<Ledger>) -> Reader {
        Reader { item, ledger, at: 0, hash: Sha256::new(), is_finished: false }
    }

    fn pull(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.ledger.go_on().map_err(io::Error::other)?;
        let left = self.item.entry.bytes - self.at;
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        let got = match &self.item.body {
            _ if wanted == 0 => 0,
            Body::Slice { file, offset } => file.read_at(&mut buf[..wanted], offset + self.at)?,
            Body::Memory(bytes) => {
                // `wanted` keeps within the length, and the whole lies in memory.
                let from = usize::try_from(self.at).map_err(io::Error::other)?;
                buf[..wanted].copy_from_slice(&bytes[from..from + wanted]);
                wanted
            }
            Body::Path(path) => {
                let file = Arc::new(File::open(path)?);
                self.item.body = Body::Slice { file, offset: 0 };
                return self.pull(buf);
            }
        };
        if got == 0 && wanted > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("it ends at byte {}", self.at)));
        }
        self.hash.update(&buf[..got]);
        self.at += got as u64;
        self.ledger.bytes_done.fetch_add(got as u64, Relaxed);
        if self.at == self.item.entry.bytes && !self.is_finished {
            self.is_finished = true;
            if HEXLOWER.encode(&self.hash.finalize_reset()) != self.item.entry.sha256 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it changed while it was read"));
            }
            self.ledger.files_done.fetch_add(1, Relaxed);
        }
        Ok(got)
    }
}

impl Read for Reader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let pulled = self.pull(buf);
        if let Err(error) = &pulled
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.ledger.record(format!("{}: {error}", self.item.entry.path));
        }
        pulled
    }
}
