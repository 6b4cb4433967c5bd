//! Rekey: encrypts files anew under the newest key, one by one, each swapped in whole.
//!
//! The preface of a file names its key, so the work can stop anywhere and go on later.

use super::sealed::{PREFACE_BYTES, Sealer};
use super::{BlobName, Blobs, CHUNKS_START, blocking, damage, failed};
use crate::kernel::durable::{self, trouble};
use crate::kernel::error::{Error, Result};
use crate::kernel::keyring::BlobKeys;
use hmac::Mac as _;
use std::fs::File;
use std::io::{BufRead as _, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use tempfile::NamedTempFile;

/// What became of one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rekeyed {
    /// It has the newest key now; so many plain bytes were read and written.
    Anew(u64),
    /// It had it already.
    Had,
    /// It is not there any more.
    Gone,
    /// It is damaged, and was left as it is.
    Damaged,
}

impl Blobs {
    /// Takes other keys into use; new files get the newest.
    pub fn use_keys(&self, keys: BlobKeys) {
        *self.0.keys.write().expect("nobody panics while holding it") = keys;
    }

    /// Encrypts a file anew unless it has the newest key. Blocks.
    pub fn rekey(&self, name: &BlobName) -> Result<Rekeyed> {
        let path = self.path(name);
        let mut preface = [0; PREFACE_BYTES];
        match File::open(&path).and_then(|mut file| file.read_exact(&mut preface)) {
            Ok(()) => {}
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Rekeyed::Gone),
            Err(cause) if cause.kind() == ErrorKind::UnexpectedEof => return Ok(Rekeyed::Damaged),
            Err(cause) => return Err(trouble("read", &path, cause)),
        }
        let newest = self.keys().generations.last().map(|(generation, _)| *generation);
        if Some(u32::from_le_bytes([preface[4], preface[5], preface[6], preface[7]])) == newest {
            return Ok(Rekeyed::Had);
        }
        match self.written_anew(name) {
            Ok(rekeyed) => Ok(rekeyed),
            Err(cause) if damage(&cause).is_some() => Ok(Rekeyed::Damaged),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(Rekeyed::Gone),
            Err(cause) => Err(failed("write", &path, cause)),
        }
    }

    /// The same away from the async threads.
    pub async fn rekey_aside(&self, name: &BlobName) -> Result<Rekeyed> {
        let (blobs, name) = (self.clone(), name.clone());
        blocking(move || blobs.rekey(&name)).await
    }

    fn written_anew(&self, name: &BlobName) -> std::io::Result<Rekeyed> {
        let (path, mut content) = (self.path(name), self.unseal(name)?);
        let (mut mac, chunks) = (self.mac(), self.fresh_chunks());
        let file = NamedTempFile::new_in(self.tmp())?;
        file.as_file().write_all_at(chunks.preface(), 0)?;
        let mut sealer = Sealer::new(chunks, file.as_file().try_clone()?, CHUNKS_START);
        loop {
            let piece = content.fill_buf()?;
            if piece.is_empty() {
                break;
            }
            mac.update(piece);
            sealer.write_all(piece)?;
            let length = piece.len();
            content.consume(length);
        }
        if BlobName::new(mac.finalize().into_bytes().into()) != *name {
            return Ok(Rekeyed::Damaged);
        }
        let bytes = sealer.bytes();
        let (chunks, written) = sealer.finish()?;
        written.write_all_at(&chunks.name_tag(name.bytes()), PREFACE_BYTES as u64)?;
        written.sync_all()?;
        // One that was deleted meanwhile stays away; and none is deleted between this look and the exchange.
        let _shelf = self.0.shelf.lock().expect("nobody panics while holding it");
        if !path.exists() {
            return Ok(Rekeyed::Gone);
        }
        file.persist(&path).map_err(|cause| cause.error)?;
        let folder = path.parent().expect("a blob lies in a folder");
        durable::sync_folder(folder).map_err(|reason| std::io::Error::other(Error::to_string(&reason)))?;
        Ok(Rekeyed::Anew(bytes))
    }
}
