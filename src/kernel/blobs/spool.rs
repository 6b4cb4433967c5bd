//! Spools: uploads and exports on their way, sealed with a key that only this process knows.
//!
//! A spool has no name in any folder: when it is dropped, or the process dies, nothing is left.

use super::sealed::{Chunks, Sealer, Unsealer};
use super::{Blobs, Content, failed, streamed};
use crate::kernel::error::{Error, Result};
use crate::kernel::random;
use crate::kernel::secret::Secret;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures_util::Stream;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;

/// Takes content in, up to a bound.
pub struct SpoolWriter {
    sealer: Sealer,
    sha256: Sha256,
    bytes_max: u64,
}

/// Content that was taken in whole. Cloning is cheap.
#[derive(Clone)]
pub struct Spool {
    file: Arc<File>,
    chunks: Chunks,
    bytes: u64,
    sha256: [u8; 32],
}

impl Blobs {
    /// A place for content of at most so many bytes.
    pub fn spool(&self, bytes_max: u64) -> Result<SpoolWriter> {
        let folder = self.tmp();
        let file = tempfile::tempfile_in(&folder).map_err(|cause| failed("write", &folder, cause))?;
        // The key dies with the spool, so what is left of it on the disk opens no more.
        let chunks = Chunks::fresh(&Secret::new(random::bytes()), 0);
        Ok(SpoolWriter { sealer: Sealer::new(chunks, file, 0), sha256: Sha256::new(), bytes_max })
    }
}

impl SpoolWriter {
    /// Takes a piece in. Encrypts at once, which is quick enough between two pieces from the network.
    ///
    /// Errors: `TooLarge`, naming the bound.
    pub fn push(&mut self, piece: &[u8]) -> Result<()> {
        let bytes_max = self.bytes_max;
        self.write_all(piece).map_err(|cause| match cause.kind() {
            ErrorKind::FileTooLarge => {
                Error::too_large(format!("This file is larger than {}.", size(bytes_max)))
            }
            _ => failed("write", "a temporary file".as_ref(), cause),
        })
    }

    /// Closes the spool for writing.
    pub fn finish(self) -> Result<Spool> {
        let (bytes, sha256) = (self.sealer.bytes(), self.sha256.finalize().into());
        let finished = self.sealer.finish();
        let (chunks, file) = finished.map_err(|cause| failed("write", "a temporary file".as_ref(), cause))?;
        Ok(Spool { file: Arc::new(file), chunks, bytes, sha256 })
    }
}

impl Write for SpoolWriter {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.sealer.bytes() + piece.len() as u64 > self.bytes_max {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let taken = self.sealer.write(piece)?;
        self.sha256.update(&piece[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Spool {
    /// Reads the content from its start; as often as wanted, also side by side.
    pub fn reader(&self) -> Result<Content> {
        let opened = Unsealer::new(self.chunks.clone(), Arc::clone(&self.file), 0);
        opened.map_err(|cause| failed("read", "a temporary file".as_ref(), cause))
    }

    /// The content as pieces for a reply.
    pub fn stream(&self) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
        Ok(streamed(self.reader()?, "a temporary file".into()))
    }

    /// Bytes of the content.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether there is no content.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Digest of the content, 64 hex digits.
    pub fn sha256(&self) -> String {
        HEXLOWER.encode(&self.sha256)
    }
}

/// A bound as people say it.
fn size(bytes: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    match bytes {
        bytes if bytes >= MIB && bytes.is_multiple_of(MIB) => format!("{} MiB", bytes / MIB),
        bytes if bytes >= 1024 && bytes.is_multiple_of(1024) => format!("{} KiB", bytes / 1024),
        bytes => format!("{bytes} bytes"),
    }
}
