//! Blobs: files of evidence, encrypted, each under a keyed digest of its content.
//!
//! Whoever sees the folder learns how many files there are and how large, and nothing of what is in
//! them: not even whether a known file is among them. Which blob belongs to what is in the database.

mod keep;
mod name;
mod rekey;
mod sealed;
mod spool;

pub use name::BlobName;
pub use rekey::Rekeyed;
pub use sealed::Unsealer as Content;
pub use spool::{Spool, SpoolWriter};

use super::distress::{Damage as Word, Distress};
use super::durable::{self, trouble};
use super::error::{Error, Result};
use super::keyring::BlobKeys;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures_util::{Stream, stream};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sealed::{Chunks, Damage, PREFACE_BYTES, Sealer, TAG_BYTES};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, BufRead as _, ErrorKind, Read as _, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard};
use tempfile::NamedTempFile;

/// Where the chunks of a blob begin: after its preface and the tag of its name.
const CHUNKS_START: u64 = (PREFACE_BYTES + TAG_BYTES) as u64;

/// The store of one instance. Cloning is cheap.
#[derive(Clone)]
pub struct Blobs(Arc<Store>);

struct Store {
    folder: PathBuf,
    keys: RwLock<BlobKeys>,
    distress: Distress,
    /// Held while a file is taken for good or taken away: one must not find what the other removes.
    shelf: Mutex<()>,
}

/// A blob that lies safely on the disk; what its row in the database says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Its name in the store.
    pub name: BlobName,
    /// Digest of the plain content, 64 hex digits.
    pub sha256: String,
    /// Bytes of the plain content.
    pub bytes: i64,
}

/// How a blob was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// As it was written, and it has the content that its name says.
    Whole,
    /// It was changed, and this is how it shows.
    Damaged(String),
    /// It is not there.
    Missing,
}

impl Blobs {
    /// The store in this folder, which is made if it is missing.
    pub fn open(folder: &Path, keys: BlobKeys) -> Result<Blobs> {
        let store = Blobs(Arc::new(Store {
            folder: folder.to_owned(),
            keys: RwLock::new(keys),
            distress: Distress::default(),
            shelf: Mutex::default(),
        }));
        durable::create_folder(&store.tmp())?;
        Ok(store)
    }

    /// Takes away what a process left that died while it was writing; answers how many files.
    ///
    /// Only for whoever holds the instance: it would take the files of another process too.
    pub fn sweep(&self) -> Result<usize> {
        let folder = self.tmp();
        let swept = fs::read_dir(&folder).and_then(|left| {
            let removed = left.map(|entry| fs::remove_file(entry?.path()).map(|()| 1));
            removed.sum::<io::Result<usize>>()
        });
        swept.map_err(|cause| trouble("clear", &folder, cause))
    }

    /// Takes content in. What is not finished leaves nothing behind.
    pub fn writer(&self) -> Result<BlobWriter> {
        let folder = self.tmp();
        let chunks = self.fresh_chunks();
        let begun = NamedTempFile::new_in(&folder).and_then(|file| {
            file.as_file().write_all_at(chunks.preface(), 0)?;
            Ok((file.as_file().try_clone()?, file))
        });
        let (written, file) = begun.map_err(|cause| trouble("write", &folder, cause))?;
        let sealer = Sealer::new(chunks, written, CHUNKS_START);
        Ok(BlobWriter { blobs: self.clone(), file, sealer, name: self.mac(), sha256: Sha256::new() })
    }

    /// Reads a blob from its start. Errors: `NotFound`; `Internal` where it is damaged.
    pub fn reader(&self, name: &BlobName) -> Result<Content> {
        self.unseal(name).map_err(|cause| match cause.kind() {
            ErrorKind::NotFound => Error::not_found("This file is not in the store any more.")
                .hint("It can be brought back from a backup.")
                .because(format!("blob {name} is missing")),
            _ => failed("read", &self.path(name), cause),
        })
    }

    /// Reads a blob to its end and tells how it was found.
    pub fn verify(&self, name: &BlobName) -> Result<Verdict> {
        self.verify_file(name, &self.path(name))
    }

    fn verify_file(&self, name: &BlobName, path: &Path) -> Result<Verdict> {
        let read = self.unseal_file(name, path).and_then(|mut content| {
            let mut mac = self.mac();
            loop {
                let piece = content.fill_buf()?;
                if piece.is_empty() {
                    return Ok(BlobName::new(mac.finalize().into_bytes().into()));
                }
                mac.update(piece);
                let length = piece.len();
                content.consume(length);
            }
        });
        match read {
            Ok(found) if found == *name => Ok(Verdict::Whole),
            Ok(_) => Ok(Verdict::Damaged("its content is not the one its name stands for".into())),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(Verdict::Missing),
            Err(cause) => match damage(&cause) {
                Some(damage) => Ok(Verdict::Damaged(damage.to_string())),
                None => Err(trouble("read", path, cause)),
            },
        }
    }

    /// Where downloads leave word of damage that they met.
    pub fn distress(&self) -> &Distress {
        &self.0.distress
    }

    /// Reads every blob and compares it with its name; answers how many there are. Blocks.
    pub fn verify_all(&self) -> Result<u64> {
        let names = self.names()?;
        for name in &names {
            if let Verdict::Damaged(why) = self.verify(name)? {
                return Err(Error::conflict(format!("The file {name} is damaged: {why}."))
                    .hint("Restore it from the newest backup."));
            }
        }
        Ok(names.len() as u64)
    }

    /// The names of all blobs in the store, in no order.
    pub fn names(&self) -> Result<Vec<BlobName>> {
        let listed = || -> io::Result<Vec<BlobName>> {
            let mut names = Vec::new();
            for folder in fs::read_dir(&self.0.folder)? {
                let folder = folder?;
                if folder.file_name() == TMP || !folder.file_type()?.is_dir() {
                    continue;
                }
                for file in fs::read_dir(folder.path())? {
                    names.extend(file?.file_name().to_str().and_then(|name| name.parse::<BlobName>().ok()));
                }
            }
            Ok(names)
        };
        listed().map_err(|cause| trouble("list", &self.0.folder, cause))
    }

    /// Stores what was spooled, away from the async threads.
    pub async fn keep(&self, spool: &Spool) -> Result<Stored> {
        let (blobs, spool) = (self.clone(), spool.clone());
        blocking(move || {
            let (mut writer, mut content) = (blobs.writer()?, spool.reader()?);
            io::copy(&mut content, &mut writer).map_err(|cause| failed("write", &blobs.0.folder, cause))?;
            writer.finish()
        })
        .await
    }

    /// A blob for a reply: how many bytes it has, and its pieces. It was read to its end before the first
    /// piece goes out: an answer cannot be taken back. Errors: `Damaged` where it is damaged or missing.
    pub async fn download(
        &self,
        name: &BlobName,
    ) -> Result<(u64, impl Stream<Item = Result<Bytes>> + Send + use<>)> {
        let (blobs, name) = (self.clone(), name.clone());
        let path = self.path(&name);
        let content = blocking(move || match blobs.verify(&name)? {
            Verdict::Whole => blobs.reader(&name),
            Verdict::Damaged(_) | Verdict::Missing => {
                blobs.0.distress.tell(Word::Blob(name));
                Err(Error::damaged("This file is damaged on the disk of the instance, so it is not handed out.")
                    .hint("It can be brought back from a backup: the owner of the instance finds how under Storage."))
            }
        })
        .await?;
        Ok((content.length(), streamed(content, path)))
    }

    fn unseal(&self, name: &BlobName) -> io::Result<Content> {
        self.unseal_file(name, &self.path(name))
    }

    fn unseal_file(&self, name: &BlobName, path: &Path) -> io::Result<Content> {
        let mut file = File::open(path)?;
        let mut head = [0; PREFACE_BYTES + TAG_BYTES];
        file.read_exact(&mut head).map_err(|cause| match cause.kind() {
            ErrorKind::UnexpectedEof => Damage("it is cut short".into()).into(),
            _ => cause,
        })?;
        let (preface, tag) = head.split_first_chunk::<PREFACE_BYTES>().expect("it begins with a preface");
        let generation = u32::from_le_bytes([preface[4], preface[5], preface[6], preface[7]]);
        let keys = self.keys();
        let known = keys.generations.iter().find(|(known, _)| *known == generation);
        let (_, key) = known.ok_or_else(|| Damage(format!("the keyring has no key {generation} for it")))?;
        let chunks = Chunks::of(key, *preface);
        if !chunks.has_name(name.bytes(), tag.try_into().expect("the rest of the head is a tag")) {
            return Err(Damage("its beginning was changed, or it is another file".into()).into());
        }
        Content::new(chunks, Arc::new(file), CHUNKS_START)
    }

    fn keys(&self) -> RwLockReadGuard<'_, BlobKeys> {
        self.0.keys.read().expect("nobody panics while holding it")
    }

    /// The beginning of a new file, under the newest key.
    fn fresh_chunks(&self) -> Chunks {
        let keys = self.keys();
        let (generation, key) = keys.generations.last().expect("a keyring has a key for blobs");
        Chunks::fresh(key, *generation)
    }

    fn mac(&self) -> Hmac<Sha256> {
        <Hmac<Sha256>>::new_from_slice(self.keys().names.expose()).expect("HMAC takes any key length")
    }

    fn tmp(&self) -> PathBuf {
        self.0.folder.join(TMP)
    }

    fn path(&self, name: &BlobName) -> PathBuf {
        let name = name.to_string();
        self.0.folder.join(&name[..2]).join(name)
    }
}

/// Where files lie until they are whole.
const TMP: &str = "tmp";

/// Seals content while it is written.
pub struct BlobWriter {
    blobs: Blobs,
    file: NamedTempFile,
    sealer: Sealer,
    name: Hmac<Sha256>,
    sha256: Sha256,
}

impl BlobWriter {
    /// Makes the content durable under its name. The same content is kept once.
    pub fn finish(self) -> Result<Stored> {
        let BlobWriter { blobs, file, sealer, name, sha256 } = self;
        let name = BlobName::new(name.finalize().into_bytes().into());
        let bytes = i64::try_from(sealer.bytes()).expect("no disk holds more");
        let path = blobs.path(&name);
        let folder = path.parent().expect("a blob lies in a folder");
        let failed = |cause| failed("write", &path, cause);
        let _shelf = blobs.0.shelf.lock().expect("nobody panics while holding it");
        // One that is there stays, so that a backup need not copy it again; but not if it is damaged.
        if blobs.verify(&name)? == Verdict::Whole {
            keep::touch(&path)?;
        } else {
            let (chunks, written) = sealer.finish().map_err(failed)?;
            let tag = chunks.name_tag(name.bytes());
            written.write_all_at(&tag, PREFACE_BYTES as u64).map_err(failed)?;
            written.sync_all().map_err(failed)?;
            durable::create_folder(folder)?;
            durable::sync_folder(&blobs.0.folder)?;
            file.persist(&path).map_err(|cause| failed(cause.error))?;
        }
        // Also where another writer was first: its rename may not be on the disk yet.
        durable::sync_folder(folder)?;
        Ok(Stored { name, sha256: HEXLOWER.encode(&sha256.finalize()), bytes })
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.sealer.write(bytes)?;
        self.name.update(&bytes[..taken]);
        self.sha256.update(&bytes[..taken]);
        Ok(taken)
    }

    /// Does nothing: only a finished blob is on the disk.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Content in pieces. Each is read on a blocking thread of its own, so that a client who takes long
/// holds none.
fn streamed(content: Content, path: PathBuf) -> impl Stream<Item = Result<Bytes>> + Send + use<> {
    let next = |(mut content, path): (Content, PathBuf)| async move {
        let read = blocking(move || {
            let piece = content.fill_buf().map(Bytes::copy_from_slice);
            let piece = piece.map_err(|cause| failed("read", &path, cause))?;
            content.consume(piece.len());
            Ok((piece, (content, path)))
        });
        read.await.map(|(piece, rest)| (!piece.is_empty()).then_some((piece, rest)))
    };
    stream::try_unfold((content, path), next)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(Error::internal(panic)))
}

fn damage(cause: &io::Error) -> Option<&Damage> {
    cause.get_ref()?.downcast_ref()
}

/// A damaged file is ours to explain; the rest is the file system's.
fn failed(verb: &str, path: &Path, cause: io::Error) -> Error {
    match damage(&cause) {
        Some(damage) => Error::internal(format!("{} is damaged: {damage}", path.display())),
        None => trouble(verb, path, cause),
    }
}
