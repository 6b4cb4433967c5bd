//! Beside: a second repository for what rest-server does not take: `testkeep.json`, receipts, the log.
//!
//! The server names each object by the SHA-256 of its content. So ours carry their name in front of their
//! content; see `docs/formats/backup.md`. restic never looks there.

use super::Listed;
use super::Rest;
use crate::keeping::backup::storage::check_name;
use crate::keeping::backup::storage::line::Beat;
use crate::keeping::backup::storage::online::{Part, missing};
use crate::keeping::backup::storage::retry::{Failed, Tried};
use crate::keeping::backup::storage::webdav::below;
use crate::kernel::error::{Error, Result};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Name of the second repository, or the end of its name.
const BESIDE: &str = "testkeep";
/// The longest line in front of an object of ours, in bytes.
const HEAD_BYTES_MAX: u64 = 512;
/// Heads that are read at the same time.
const HEADS_AT_ONCE: usize = 8;

/// The line in front of an object of ours. Of several with one name the highest serial counts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Head {
    name: String,
    serial: u64,
    bytes: u64,
    /// Length of this line itself.
    #[serde(skip)]
    head_bytes: u64,
}

impl Rest {
    fn ours(&self, id: &str) -> Url {
        below(&self.beside, &format!("data/{id}"))
    }

    /// Learns which objects of ours there are: one list, and the first line of each that is new.
    async fn refresh(&self, beat: &Beat) -> Tried<()> {
        let listed = self.listed(&self.beside, "data", beat).await?;
        let fresh: Vec<Listed> = {
            let mut known = self.known.lock().expect("nobody panics while holding it");
            let there: BTreeSet<&str> = listed.iter().map(|found| found.name.as_str()).collect();
            known.retain(|id, _| there.contains(id.as_str()));
            listed.into_iter().filter(|found| found.size > 0 && !known.contains_key(&found.name)).collect()
        };
        let reads = fresh.into_iter().map(|Listed { name, size }| async move {
            let part = Part { offset: 0, length: HEAD_BYTES_MAX.min(size) };
            let begins = self.fetch(self.ours(&name), &name, Some(part), beat).await?;
            Ok::<_, Failed>(Head::read(&begins, size).map(|head| (name, head)))
        });
        let heads: Vec<_> = stream::iter(reads).buffer_unordered(HEADS_AT_ONCE).try_collect().await?;
        self.known.lock().expect("nobody panics while holding it").extend(heads.into_iter().flatten());
        Ok(())
    }

    /// Everything known under a name, the one that counts first.
    fn versions(&self, name: &str) -> Vec<(String, Head)> {
        let known = self.known.lock().expect("nobody panics while holding it");
        let named = known.iter().filter(|(_, head)| head.name == name);
        let mut found: Vec<_> = named.map(|(id, head)| (id.clone(), head.clone())).collect();
        found.sort_by_key(|(_, head)| std::cmp::Reverse(head.serial));
        found
    }

    pub(super) async fn put_ours(&self, name: &str, content: &[Bytes], beat: &Beat) -> Tried<()> {
        if self.listed(&self.beside, "data", beat).await?.is_empty() {
            self.create(&self.beside, beat).await?;
        }
        self.refresh(beat).await?;
        let older = self.versions(name);
        let bytes = content.iter().map(|part| part.len() as u64).sum();
        let newest = older.first().map_or(0, |(_, head)| head.serial);
        if older.first().is_some_and(|(_, head)| head.bytes == bytes) {
            // The same content needs no second copy; a server that only appends would keep each.
            let (_, _, id) = numbered(name, newest, bytes, content)?;
            if older.first().is_some_and(|(known, _)| *known == id) {
                return Ok(());
            }
        }
        let (head, whole, id) = numbered(name, newest + 1, bytes, content)?;
        self.store(self.ours(&id), name, &whole, beat).await?;
        self.known.lock().expect("nobody panics while holding it").insert(id, head);
        for (id, _) in older {
            // A server that only appends keeps the older ones; the serial tells them apart.
            let _ = self.remove(self.ours(&id), name, beat).await;
        }
        Ok(())
    }

    pub(super) async fn get_ours(&self, name: &str, part: Option<Part>, beat: &Beat) -> Tried<Bytes> {
        let newest = |rest: &Rest| rest.versions(name).into_iter().next();
        if newest(self).is_none() {
            self.refresh(beat).await?;
        }
        let (id, head) = newest(self).ok_or_else(|| missing(&self.http.line.place, name))?;
        let Part { offset, length } = part.unwrap_or(Part { offset: 0, length: head.bytes });
        if offset.saturating_add(length) > head.bytes {
            return Err(self.http.short().into());
        }
        if length == 0 {
            return Ok(Bytes::new());
        }
        let part = Part { offset: head.head_bytes + offset, length };
        self.fetch(self.ours(&id), name, Some(part), beat).await
    }

    pub(super) async fn delete_ours(&self, name: &str, beat: &Beat) -> Tried<bool> {
        self.refresh(beat).await?;
        let found = self.versions(name);
        for (id, _) in &found {
            self.remove(self.ours(id), name, beat).await?;
            self.known.lock().expect("nobody panics while holding it").remove(id);
        }
        Ok(!found.is_empty())
    }

    /// Names and lengths of what is ours below a folder.
    pub(super) async fn list_ours(&self, folder: &str, beat: &Beat) -> Tried<Vec<(String, u64)>> {
        self.refresh(beat).await?;
        let inside = format!("{folder}/");
        let mut newest: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for head in self.known.lock().expect("nobody panics while holding it").values() {
            let counts = newest.get(&head.name).is_none_or(|(serial, _)| *serial < head.serial);
            if counts && head.name.starts_with(&inside) {
                newest.insert(head.name.clone(), (head.serial, head.bytes));
            }
        }
        Ok(newest.into_iter().map(|(name, (_, bytes))| (name, bytes)).collect())
    }

    /// The length of an object of ours.
    pub(super) async fn stat_ours(&self, name: &str, beat: &Beat) -> Tried<Option<u64>> {
        self.refresh(beat).await?;
        Ok(self.versions(name).first().map(|(_, head)| head.bytes))
    }
}

impl Head {
    fn new(name: &str, serial: u64, bytes: u64) -> Result<(Head, Bytes)> {
        let mut head = Head { name: name.to_owned(), serial, bytes, head_bytes: 0 };
        let mut line = serde_json::to_vec(&head).map_err(Error::internal)?;
        line.push(b'\n');
        head.head_bytes = line.len() as u64;
        if head.head_bytes > HEAD_BYTES_MAX {
            return Err(Error::internal(format!("`{name}` is too long a name for an object")));
        }
        Ok((head, line.into()))
    }

    /// Reads the first line of an object that is `size` bytes long; `None` if it is not one of ours.
    fn read(begins: &[u8], size: u64) -> Option<Head> {
        let end = begins.iter().position(|byte| *byte == b'\n')?;
        let mut head: Head = serde_json::from_slice(&begins[..end]).ok()?;
        head.head_bytes = end as u64 + 1;
        let is_whole = head.head_bytes.checked_add(head.bytes) == Some(size);
        (is_whole && check_name(&head.name).is_ok()).then_some(head)
    }
}

/// An object of ours as the server gets it: what stands in its first line, all of it, and its name there.
fn numbered(name: &str, serial: u64, bytes: u64, content: &[Bytes]) -> Result<(Head, Vec<Bytes>, String)> {
    let (head, line) = Head::new(name, serial, bytes)?;
    let whole: Vec<Bytes> = [line].into_iter().chain(content.iter().cloned()).collect();
    let mut hash = Sha256::new();
    whole.iter().for_each(|part| hash.update(part));
    Ok((head, whole, HEXLOWER.encode(&hash.finalize())))
}

/// The repository for what is ours. The server allows two folders above an object's kind, and keeps those of
/// each user below the user's name.
pub fn beside(base: &Url) -> Url {
    let path = base.path().trim_matches('/');
    let mut url = base.clone();
    url.set_path(&match path.contains('/') {
        true => format!("/{path}-{BESIDE}"),
        false => format!("{path}/{BESIDE}"),
    });
    url
}
