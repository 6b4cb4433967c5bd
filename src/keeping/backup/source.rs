//! Source: what the engine reads: the pinned database in slices, the blobs, key ring and manifest.
//!
//! It does not decide whether a run was good: `reader` records, `engine` compares.

use super::manifest::{Anchor, Entry, Manifest, ROOT, VERSION, sha256, sha256_file};
use super::reader::{Body, Item, Ledger, Reader};
use super::{Say, now};
use crate::kernel::access::{Pin, ReadAt};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits::{BACKUP_KEYRING_BYTES_MAX, BACKUP_SLICE_BYTES};
use data_encoding::HEXLOWER;
use rustic_core::repofile::{Metadata, Node, NodeType};
use rustic_core::{ReadSource, ReadSourceEntry, RusticResult};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

/// What goes into a backup, as the caller names it.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// The database, held still.
    pub pin: &'a Pin,
    /// Folder of the encrypted attachments; files there never change.
    pub blobs: &'a Path,
    /// File of the wrapped keys.
    pub keyring: &'a Path,
}

/// The whole source of one run, hashed once before the engine reads it a second time.
///
/// Two passes cost one more read of everything, and prove for each file that what was hashed is
/// what was stored: a page that changed in between fails the run.
pub struct Source {
    items: Vec<Item>,
    ledger: Arc<Ledger>,
    /// SHA-256 of `manifest.json`, for the receipt.
    pub manifest_sha256: String,
    /// Blobs the database speaks of and the folder lacks.
    pub blobs_missing: u64,
}

impl Source {
    /// First pass: hashes everything and writes the manifest.
    pub fn of(parts: Parts<'_>, instance: &str, ledger: &Arc<Ledger>) -> Result<Source> {
        let (pin, made_at) = (parts.pin, now().to_string());
        let mut items = blob_items(parts.blobs, ledger)?;
        let blobs: Vec<Entry> = items.iter().map(|item| item.entry.clone()).collect();
        let blobs_missing = missing(pin, &items);
        let (slices, database_sha256) = slice_items(pin, ledger)?;
        let entries = slices.iter().map(|item| item.entry.clone()).collect();
        items.extend(slices);
        let keyring = in_memory("keyring.json", keyring(parts.keyring)?);
        let manifest = Manifest {
            version: VERSION,
            testkeep: env!("CARGO_PKG_VERSION").to_owned(),
            instance: instance.to_owned(),
            made_at,
            schema_version: pin.schema_version,
            database_bytes: pin.bytes,
            page_bytes: pin.page_bytes,
            database_sha256,
            rows: pin.rows.clone(),
            audit: Anchor::of(&pin.audit),
            slices: entries,
            keyring: keyring.entry.clone(),
            blobs,
            blobs_missing,
        };
        let manifest_item =
            in_memory("manifest.json", serde_json::to_vec_pretty(&manifest).map_err(Error::internal)?);
        let manifest_sha256 = manifest_item.entry.sha256.clone();
        items.extend([keyring, manifest_item]);
        let blobs_missing = manifest.blobs_missing.len() as u64;
        let source = Source { items, ledger: Arc::clone(ledger), manifest_sha256, blobs_missing };
        ledger.bytes_total.store(source.bytes(), Relaxed);
        Ok(source)
    }

    /// Files the snapshot must hold.
    pub fn files(&self) -> u64 {
        self.items.len() as u64
    }

    /// Bytes the snapshot must hold.
    pub fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.entry.bytes).sum()
    }
}

impl ReadSource for Source {
    type Open = Reader;
    type Iter = std::vec::IntoIter<RusticResult<ReadSourceEntry<Reader>>>;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(Some(self.bytes()))
    }

    /// In the order of their paths: the engine builds the tree as it gets it.
    fn entries(&self) -> Self::Iter {
        let entry = |item: &Item| {
            let path = PathBuf::from(format!("{ROOT}/{}", item.entry.path));
            let name = path.file_name().unwrap_or(OsStr::new("unnamed"));
            let meta = Metadata { size: item.entry.bytes, mode: Some(0o600), ..Metadata::default() };
            let node = Node::new_node(name, NodeType::File, meta);
            let open = Reader::new(item.clone(), Arc::clone(&self.ledger));
            Ok(ReadSourceEntry { path, node, open: Some(open) })
        };
        self.items.iter().map(entry).collect::<Vec<_>>().into_iter()
    }
}

/// The database in slices, one per folder, and the hash of the whole.
///
/// The list of chunks of a file (67 bytes each) lies in the JSON of its folder, and is written anew
/// whenever anything there changes. With one slice in each folder a changed page of a 60 MB
/// database cost 26 KB instead of 165 KB.
fn slice_items(pin: &Pin, ledger: &Ledger) -> Result<(Vec<Item>, String)> {
    let (mut whole, mut items, mut offset) = (Sha256::new(), Vec::new(), 0);
    let mut buffer = vec![0; usize::try_from(BACKUP_SLICE_BYTES).map_err(Error::internal)?];
    while offset < pin.bytes {
        ledger.go_on()?;
        let bytes = BACKUP_SLICE_BYTES.min(pin.bytes - offset);
        let slice = &mut buffer[..usize::try_from(bytes).map_err(Error::internal)?];
        read_exact_at(&*pin.file, slice, offset).say(|| {
            Error::invalid(format!(
                "The database could not be read at byte {offset}, so it was not backed up."
            ))
            .hint("Look at the health of the disk; restore an earlier backup if it is damaged.")
        })?;
        let path = format!("db/{:06}/pages", offset / BACKUP_SLICE_BYTES);
        let sha256 = thread::scope(|scope| {
            let own = scope.spawn(|| sha256(slice));
            whole.update(&*slice);
            own.join().map_err(|_| Error::internal("hashing a slice panicked"))
        })?;
        let entry = Entry { path, bytes, sha256 };
        items.push(Item { entry, body: Body::Slice { file: Arc::clone(&pin.file), offset } });
        offset += bytes;
    }
    Ok((items, HEXLOWER.encode(&whole.finalize())))
}

/// Files below `root` whose names are those of blobs. Others are half-written ones, and a blob that
/// vanishes meanwhile was deleted; if the database still speaks of it, the manifest says so.
fn blob_items(root: &Path, ledger: &Ledger) -> Result<Vec<Item>> {
    let unreadable =
        |path: &Path| Error::busy(format!("The attachment {} could not be read.", path.display()));
    let (mut open, mut items) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = open.pop() {
        let found = match fs::read_dir(&folder) {
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => continue,
            found => found.say(|| unreadable(&folder))?,
        };
        for entry in found {
            ledger.go_on()?;
            let entry = entry.say(|| unreadable(&folder))?;
            let (path, kind) = (entry.path(), entry.file_type().say(|| unreadable(&folder))?);
            if kind.is_dir() {
                open.push(path);
                continue;
            }
            let Some(below) = path.strip_prefix(root).ok().and_then(Path::to_str).filter(|_| is_blob(&path))
            else {
                continue;
            };
            let (sha256, bytes) = match sha256_file(&path) {
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => continue,
                hashed => hashed.say(|| unreadable(&path))?,
            };
            let entry = Entry { path: format!("blobs/{below}"), bytes, sha256 };
            items.push(Item { entry, body: Body::Path(path) });
        }
    }
    // By part and not by text: "ab" stands before "ab-1", although '-' sorts before '/'.
    items.sort_by(|a, b| Path::new(&a.entry.path).cmp(Path::new(&b.entry.path)));
    Ok(items)
}

fn is_blob(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.len() == 64 && name.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn missing(pin: &Pin, items: &[Item]) -> Vec<String> {
    let name = |item: &'_ Item| item.entry.path.rsplit('/').next().unwrap_or_default().to_owned();
    let found: BTreeSet<String> = items.iter().map(name).collect();
    pin.blobs.iter().filter(|name| !found.contains(*name)).cloned().collect()
}

fn keyring(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BACKUP_KEYRING_BYTES_MAX).read_to_end(&mut bytes));
    read.say(|| {
        Error::busy(format!("The key file {} could not be read.", path.display()))
            .hint("A backup without it could not be opened, so none was made.")
    })?;
    Ok(bytes)
}

fn in_memory(path: &str, bytes: Vec<u8>) -> Item {
    let entry = Entry { path: path.to_owned(), bytes: bytes.len() as u64, sha256: sha256(&bytes) };
    Item { entry, body: Body::Memory(bytes.into()) }
}

fn read_exact_at(file: &dyn ReadAt, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match file.read_at(buf, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            got => (buf, offset) = (&mut buf[got..], offset + got as u64),
        }
    }
    Ok(())
}
