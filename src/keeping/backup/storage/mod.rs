//! Storage: a place for named objects: folder, bucket, WebDAV collection, SFTP account or rest-server.
//!
//! The trait is all that a kind of target has to implement. It neither encrypts nor names anything; the
//! engine does both. Kinds behind a network implement `online::Remote` instead and get attempts, pace,
//! silence and the stop button from there.

pub mod access;
mod address;
mod bucket;
mod folder;
pub mod http;
pub mod line;
mod online;
mod pace;
pub mod place;
pub mod protection;
mod reach;
mod rest;
pub mod retry;
mod s3;
mod sftp;
mod trouble;
mod webdav;
mod xml;

pub use access::{Access, KeyPair, Limits, Login, SshAccess, WebAccess};
pub use bucket::{Retain, S3Place};
pub use folder::{Folder, sync_dir};
pub use place::Place;
pub use protection::Protection;
pub use reach::Reach;
pub use sftp::{HostKey, learn};

use super::reader::Ledger;
use crate::kernel::error::{Error, Result};
use bytes::Bytes;
use std::sync::Arc;

/// A place that keeps objects under names like `data/ab/abcdef…`. An object appears whole or not at all.
pub trait Storage: Send + Sync + 'static {
    /// Where it is, for people; holds no secret.
    fn location(&self) -> String;
    /// Makes an empty place ready for its first object.
    fn prepare(&self) -> Result<()>;
    /// Removes what a killed run left half written. Only while no other run writes.
    fn sweep(&self) -> Result<()>;
    /// Stores an object, in place of one with this name; on return it survives a power cut.
    fn put(&self, name: &str, content: &[Bytes]) -> Result<()>;
    /// The whole object.
    fn get(&self, name: &str) -> Result<Bytes>;
    /// A part of an object; shorter ones are an error.
    fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes>;
    /// Names and lengths of all objects whose names begin with `folder` and a slash.
    fn list(&self, folder: &str) -> Result<Vec<(String, u64)>>;
    /// The length of an object, if there is one.
    fn stat(&self, name: &str) -> Result<Option<u64>>;
    /// Removes an object; on return it stays away, power cut or not.
    fn delete(&self, name: &str) -> Result<()>;
    /// What the target itself says of how it protects objects from whoever can back up. Changes nothing.
    fn protection(&self) -> Result<Protection> {
        Ok(Protection::default())
    }
    /// The same place, giving up in the middle of an object once this ledger is cancelled. `None` from
    /// kinds that are quick enough to look between two objects only.
    fn with_ledger(&self, _ledger: &Arc<Ledger>) -> Option<Arc<dyn Storage>> {
        None
    }
}

/// Object names are ours: letters, digits and `._-` between slashes, so that no kind has to escape them.
fn check_name(name: &str) -> Result<()> {
    let is_plain = |part: &str| {
        let is_word = part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        is_word && !matches!(part, "" | "." | "..")
    };
    if name.split('/').all(is_plain) {
        return Ok(());
    }
    Err(Error::internal(format!("`{name}` is no name for an object")))
}

/// A name for an object that is not whole yet. `sweep` removes what a killed run leaves.
fn passing_name() -> Result<String> {
    getrandom::u64().map(|number| format!("tmp/{number:016x}")).map_err(Error::internal)
}
