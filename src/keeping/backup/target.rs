//! Target: any storage as the engine wants to see it, with a stop button.
//!
//! Names follow restic's default layout, so that every restic opens the repository.

use super::reader::Ledger;
use super::storage::{Folder, Storage};
use crate::kernel::error::{Error, Result};
use bytes::Bytes;
use rustic_core::{BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend};
use std::path::Path;
use std::sync::{Arc, Mutex};

const HELD: &str = "nobody panics while holding it";

/// Storage of one repository. Cheap to clone.
#[derive(Clone)]
pub struct Target {
    storage: Arc<dyn Storage>,
    ledger: Arc<Ledger>,
    failure: Arc<Mutex<Option<Error>>>,
}

impl Target {
    /// A folder on this machine; touches nothing yet.
    pub fn folder(root: &Path) -> Target {
        Target::of(Folder::new(root))
    }

    /// Any other storage.
    pub fn of(storage: impl Storage) -> Target {
        Target { storage: Arc::new(storage), ledger: Arc::default(), failure: Arc::default() }
    }

    /// The objects themselves, for what lies beside the repository.
    pub fn storage(&self) -> &dyn Storage {
        &*self.storage
    }

    /// The same storage, refusing every call once this ledger is cancelled.
    pub fn with_ledger(&self, ledger: &Arc<Ledger>) -> Target {
        let storage = self.storage.with_ledger(ledger).unwrap_or_else(|| Arc::clone(&self.storage));
        Target { storage, ledger: Arc::clone(ledger), failure: Arc::clone(&self.failure) }
    }

    /// The first thing that the storage could not do for the engine, which keeps it to itself when it panics.
    pub fn failure(&self) -> Option<Error> {
        self.failure.lock().expect(HELD).clone()
    }

    /// Takes away the key that a making left which was cut off before the config: with two keys under one password
    /// whoever comes with the recovery kit may take the one that opens nothing.
    ///
    /// Errors: `Conflict` where more lies there than that. The keys are then all that opens it.
    pub(super) fn clear_half_made(&self) -> Result<()> {
        for folder in ["snapshots", "index", "data", "receipts"] {
            if let Some((name, _)) = self.storage.list(folder)?.first() {
                return Err(Error::conflict(format!(
                    "{} holds a repository without its file `config`: {name} is there.",
                    self.storage.location()
                ))
                .hint("Bring `config` back from a copy, or choose an empty place. Nothing was changed."));
            }
        }
        let mut keys = self.storage.list("keys")?.into_iter().filter(|(name, _)| is_object(name));
        keys.try_for_each(|(name, _)| self.storage.delete(&name))
    }

    fn guarded<T>(&self, act: impl FnOnce(&dyn Storage) -> Result<T>) -> RusticResult<T> {
        let done = self.ledger.go_on().and_then(|()| act(&*self.storage));
        let done = done.inspect_err(|error| {
            self.failure.lock().expect(HELD).get_or_insert_with(|| error.clone());
        });
        done.map_err(|error| RusticError::with_source(ErrorKind::Backend, "The backup target failed.", error))
    }
}

impl ReadBackend for Target {
    fn location(&self) -> String {
        self.storage.location()
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(Id, u32)>> {
        let short = |bytes: u64| u32::try_from(bytes).map_err(Error::internal);
        self.guarded(|storage| {
            if kind == FileType::Config {
                let found = storage.stat("config")?;
                return found.into_iter().map(|bytes| Ok((Id::default(), short(bytes)?))).collect();
            }
            let mut ids = Vec::new();
            for (path, bytes) in storage.list(kind.dirname())? {
                let name = path.rsplit('/').next().unwrap_or_default();
                if let Ok(id) = name.parse::<Id>() {
                    ids.push((id, short(bytes)?));
                }
            }
            Ok(ids)
        })
    }

    fn read_full(&self, kind: FileType, id: &Id) -> RusticResult<Bytes> {
        self.guarded(|storage| storage.get(&object(kind, id)))
    }

    fn read_partial(
        &self,
        kind: FileType,
        id: &Id,
        _: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        self.guarded(|storage| storage.get_range(&object(kind, id), offset.into(), length.into()))
    }

    fn warmup_path(&self, kind: FileType, id: &Id) -> String {
        object(kind, id)
    }
}

impl WriteBackend for Target {
    fn write_bytes(&self, kind: FileType, id: &Id, _: bool, content: BytesList) -> RusticResult<()> {
        self.guarded(|storage| storage.put(&object(kind, id), content.slice()))
    }

    fn remove(&self, kind: FileType, id: &Id, _: bool) -> RusticResult<()> {
        self.guarded(|storage| storage.delete(&object(kind, id)))
    }
}

/// Whether an object is named by its digest, as all are that the engine writes.
fn is_object(name: &str) -> bool {
    name.rsplit('/').next().is_some_and(|name| name.parse::<Id>().is_ok())
}

fn object(kind: FileType, id: &Id) -> String {
    let name = id.to_hex();
    match kind {
        FileType::Config => "config".into(),
        FileType::Pack => format!("data/{}/{}", &name.as_str()[..2], name.as_str()),
        _ => format!("{}/{}", kind.dirname(), name.as_str()),
    }
}
