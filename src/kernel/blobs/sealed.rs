//! Sealed files: content in chunks of 64 KiB, each encrypted and tagged, that cannot be cut,
//! lengthened or reordered unnoticed.
//!
//! This is the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár (2015): the nonce of a
//! chunk holds its number and whether it is the last. What stands before the chunks in a file, and
//! where the key comes from, is the caller's matter; see `docs/formats/blob.md`.

use crate::kernel::random;
use crate::kernel::sealing::Key;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Plain bytes of every chunk but the last.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;
/// Bytes of a tag.
pub(super) const TAG_BYTES: usize = 16;
/// Bytes of a preface: magic, generation, the random part of all nonces.
pub(super) const PREFACE_BYTES: usize = 28;
/// Sealed bytes of every chunk but the last.
const STEP: u64 = (CHUNK_BYTES + TAG_BYTES) as u64;
const MAGIC: &[u8; 4] = b"TKB1";
const LAST: u32 = 1 << 31;
/// One number is left over: it seals the name of a file.
const CHUNKS_MAX: u32 = LAST - 1;

/// Key and preface of one sealed file.
#[derive(Clone)]
pub(super) struct Chunks {
    cipher: XChaCha20Poly1305,
    preface: [u8; PREFACE_BYTES],
}

impl Chunks {
    /// For a new file.
    pub fn fresh(key: &Key, generation: u32) -> Chunks {
        let mut preface = [0; PREFACE_BYTES];
        preface[..4].copy_from_slice(MAGIC);
        preface[4..8].copy_from_slice(&generation.to_le_bytes());
        preface[8..].copy_from_slice(&random::bytes::<20>());
        Chunks::of(key, preface)
    }

    /// For a file with this preface.
    pub fn of(key: &Key, preface: [u8; PREFACE_BYTES]) -> Chunks {
        Chunks { cipher: XChaCha20Poly1305::new(key.expose().into()), preface }
    }

    /// What the file starts with. It is bound to each chunk.
    pub fn preface(&self) -> &[u8; PREFACE_BYTES] {
        &self.preface
    }

    /// A tag that binds a name to this file, so that two files cannot change places.
    pub fn name_tag(&self, name: &[u8]) -> [u8; TAG_BYTES] {
        let about = [&self.preface[..], name].concat();
        let tag = self.cipher.encrypt_inout_detached(&self.nonce(u32::MAX), &about, (&mut [][..]).into());
        tag.expect("a name is short").into()
    }

    /// Whether the tag binds this name.
    pub fn has_name(&self, name: &[u8], tag: &[u8; TAG_BYTES]) -> bool {
        let (about, nonce) = ([&self.preface[..], name].concat(), self.nonce(u32::MAX));
        let tag = Tag::from(*tag);
        self.cipher.decrypt_inout_detached(&nonce, &about, (&mut [][..]).into(), &tag).is_ok()
    }

    fn nonce(&self, counter: u32) -> XNonce {
        let mut nonce = [0; 24];
        nonce[..20].copy_from_slice(&self.preface[8..]);
        nonce[20..].copy_from_slice(&counter.to_le_bytes());
        XNonce::from(nonce)
    }
}

/// What reading finds wrong with a sealed file.
#[derive(Debug)]
pub(super) struct Damage(pub String);

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Damage {}

impl From<Damage> for io::Error {
    fn from(damage: Damage) -> io::Error {
        io::Error::new(ErrorKind::InvalidData, damage)
    }
}

/// Seals what is written, chunk by chunk.
pub(super) struct Sealer {
    chunks: Chunks,
    file: File,
    /// Where the next chunk goes. Written by position, so that a chunk that did not fit on a full
    /// disk can be written again.
    end: u64,
    index: u32,
    plain: Zeroizing<Vec<u8>>,
    sealed: Vec<u8>,
    bytes: u64,
}

impl Sealer {
    /// Writes chunks to the file from this position on.
    pub fn new(chunks: Chunks, file: File, start: u64) -> Sealer {
        let plain = Zeroizing::new(Vec::with_capacity(CHUNK_BYTES));
        let sealed = Vec::with_capacity(CHUNK_BYTES + TAG_BYTES);
        Sealer { chunks, file, end: start, index: 0, plain, sealed, bytes: 0 }
    }

    /// Plain bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes the last chunk, which is there even if it is empty.
    pub fn finish(mut self) -> io::Result<(Chunks, File)> {
        self.put(LAST)?;
        Ok((self.chunks, self.file))
    }

    fn put(&mut self, last: u32) -> io::Result<()> {
        if self.index >= CHUNKS_MAX {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let nonce = self.chunks.nonce(self.index | last);
        // The plain bytes are kept until the chunk is written. Should that be tried again, nonce and
        // content are the same as before or the nonce differs; never one nonce for two contents.
        self.sealed.clear();
        self.sealed.extend_from_slice(&self.plain);
        let about = &self.chunks.preface;
        let tag = self.chunks.cipher.encrypt_inout_detached(&nonce, about, self.sealed.as_mut_slice().into());
        self.sealed.extend_from_slice(&tag.expect("a chunk is short"));
        self.file.write_all_at(&self.sealed, self.end)?;
        self.end += self.sealed.len() as u64;
        self.index += 1;
        self.plain.clear();
        Ok(())
    }
}

impl Write for Sealer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Not before more comes: a full chunk may turn out to be the last.
        if self.plain.len() == CHUNK_BYTES && !bytes.is_empty() {
            self.put(0)?;
        }
        let taken = bytes.len().min(CHUNK_BYTES - self.plain.len());
        self.plain.extend_from_slice(&bytes[..taken]);
        self.bytes += taken as u64;
        Ok(taken)
    }

    /// Does nothing: a chunk is written when it is full or the last.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a sealed file; hands out no byte that was not checked.
pub struct Unsealer {
    chunks: Chunks,
    file: Arc<File>,
    start: u64,
    /// Sealed bytes, tags included.
    body: u64,
    count: u32,
    index: u32,
    plain: Zeroizing<Vec<u8>>,
    at: usize,
}

impl Unsealer {
    /// Reads chunks from this position to the end of the file.
    pub(super) fn new(chunks: Chunks, file: Arc<File>, start: u64) -> io::Result<Unsealer> {
        let body = file.metadata()?.len().saturating_sub(start);
        let count = body.div_ceil(STEP);
        if body < (TAG_BYTES as u64) + (count.saturating_sub(1)) * STEP || count > u64::from(CHUNKS_MAX) {
            return Err(Damage("it is cut short".into()).into());
        }
        let count = u32::try_from(count).expect("just compared");
        let plain = Zeroizing::new(Vec::new());
        Ok(Unsealer { chunks, file, start, body, count, index: 0, plain, at: 0 })
    }

    /// Plain bytes of the whole content.
    pub fn length(&self) -> u64 {
        self.body - u64::from(self.count) * TAG_BYTES as u64
    }

    fn load(&mut self) -> io::Result<()> {
        let is_last = self.index + 1 == self.count;
        let before = u64::from(self.index) * STEP;
        let length = if is_last { self.body - before } else { STEP };
        self.at = 0;
        self.plain.clear();
        self.plain.resize(usize::try_from(length).expect("a chunk is short"), 0);
        let opened = self.file.read_exact_at(&mut self.plain, self.start + before).and_then(|()| {
            let (content, tag) =
                self.plain.split_last_chunk_mut::<TAG_BYTES>().expect("the count allows for it");
            let nonce = self.chunks.nonce(self.index | if is_last { LAST } else { 0 });
            let (about, tag) = (&self.chunks.preface, Tag::from(*tag));
            let opened = self.chunks.cipher.decrypt_inout_detached(&nonce, about, content.into(), &tag);
            opened.map_err(|_| {
                let (place, count) = (self.index + 1, self.count);
                Damage(format!("chunk {place} of {count} is not as it was written")).into()
            })
        });
        if opened.is_err() {
            self.plain.clear();
            return opened;
        }
        let content = self.plain.len() - TAG_BYTES;
        self.plain.truncate(content);
        self.index += 1;
        Ok(())
    }
}

impl BufRead for Unsealer {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.plain.len() && self.index < self.count {
            self.load()?;
        }
        Ok(&self.plain[self.at..])
    }

    fn consume(&mut self, count: usize) {
        self.at = (self.at + count).min(self.plain.len());
    }
}

impl Read for Unsealer {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let taken = self.fill_buf()?.read(into)?;
        self.consume(taken);
        Ok(taken)
    }
}
