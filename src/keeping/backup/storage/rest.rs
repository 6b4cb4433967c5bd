//! rest-server: restic's own server, version 2 of its API. It stores each object whole or not at all.
//!
//! It takes restic's kinds of objects only, each named by the SHA-256 of its content. What is ours beside
//! them (`testkeep.json`, receipts, the log) goes into a repository of its own next to the first, as objects
//! that carry their name in front of their content. restic never looks there.

use super::access::{Limits, WebAccess};
use super::check_name;
use super::http::{Ask, Http};
use super::line::{Beat, Line};
use super::online::{Online, Part, Remote, missing};
use super::retry::{Failed, Tried};
use super::trouble;
use super::webdav::{basic, below};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Method, Response, StatusCode, Url};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// Kinds of objects that the server knows.
const KINDS: [&str; 5] = ["data", "index", "keys", "locks", "snapshots"];
/// The form of lists with lengths in them.
const VERSION_2: &str = "application/vnd.x.restic.rest.v2";
/// Name of the second repository, or the end of its name.
const BESIDE: &str = "testkeep";
/// The longest line in front of an object of ours, in bytes.
const HEAD_BYTES_MAX: u64 = 512;
/// Heads that are read at the same time.
const HEADS_AT_ONCE: usize = 8;

/// A repository on a rest-server.
pub struct Rest {
    http: Http,
    base: Url,
    beside: Url,
    login: Option<String>,
    /// Objects of ours by the name the server knows them under.
    known: Mutex<BTreeMap<String, Head>>,
}

/// The line in front of an object of ours. Of several with one name the highest serial counts.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Head {
    name: String,
    serial: u64,
    bytes: u64,
    /// Length of this line itself.
    #[serde(skip)]
    head_bytes: u64,
}

/// One line of a list.
#[derive(Deserialize)]
struct Listed {
    name: String,
    size: u64,
}

/// How the server calls an object.
enum Called {
    /// One of restic's.
    Theirs(String),
    /// One of ours.
    Ours,
}

impl Rest {
    /// Touches nothing yet.
    pub fn open(base: &Url, access: &WebAccess, limits: Limits, place: String) -> Result<Online<Rest>> {
        let line = Line::new(limits, place);
        let http = Http::new(line.clone(), &access.ca)?;
        let (base, beside) = (base.clone(), beside(base));
        let login = basic(access);
        Ok(Online::new(Rest { http, base, beside, login, known: Mutex::default() }, line))
    }

    async fn send(&self, ask: Ask, beat: &Beat) -> Tried<Response> {
        let ask = match &self.login {
            Some(login) => ask.header("authorization", login)?,
            None => ask,
        };
        self.http.send(ask, beat).await
    }

    async fn refused<T>(&self, verb: &str, name: &str, answer: Response) -> Tried<T> {
        let status = answer.status();
        let said = self.http.said(answer).await;
        Err(trouble::of_status(&self.http.line, verb, name, status, &said))
    }

    async fn create(&self, repository: &Url, beat: &Beat) -> Tried<()> {
        let mut url = repository.clone();
        url.set_path(&format!("{}/", repository.path().trim_end_matches('/')));
        url.set_query(Some("create=true"));
        let answer = self.send(Ask::new(Method::POST, url).body(&[]), beat).await?;
        if answer.status().is_success() {
            Ok(())
        } else {
            self.refused("create", "the repository", answer).await
        }
    }

    async fn listed(&self, repository: &Url, kind: &str, beat: &Beat) -> Tried<Vec<Listed>> {
        let ask =
            Ask::new(Method::GET, below(repository, &format!("{kind}/"))).header("accept", VERSION_2)?;
        let answer = self.send(ask, beat).await?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(Vec::new()),
            _ => return self.refused("list", kind, answer).await,
        }
        let body = self.http.read(answer, limits::TARGET_ANSWER_BYTES_MAX, beat).await?;
        let found: Option<Vec<Listed>> = serde_json::from_slice(&body).map_err(|cause| {
            self.http.wrong("does not speak version 2 of restic's REST protocol").because(cause)
        })?;
        Ok(found.unwrap_or_default())
    }

    async fn fetch(&self, url: Url, name: &str, part: Option<Part>, beat: &Beat) -> Tried<Bytes> {
        let answer = self.send(Ask::new(Method::GET, url).part(part)?, beat).await?;
        match answer.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => self.http.content(answer, part, beat).await,
            StatusCode::NOT_FOUND => Err(missing(&self.http.line.place, name)),
            StatusCode::RANGE_NOT_SATISFIABLE => Err(self.http.short().into()),
            _ => self.refused("read", name, answer).await,
        }
    }

    async fn store(&self, url: Url, name: &str, content: &[Bytes], beat: &Beat) -> Tried<()> {
        let answer = self.send(Ask::new(Method::POST, url.clone()).body(content), beat).await?;
        if answer.status().is_success() {
            return Ok(());
        }
        let bytes: u64 = content.iter().map(|part| part.len() as u64).sum();
        let there = self.length(url.clone(), name, beat).await?;
        // A server that only appends refuses what is there already. Names fix the content.
        if answer.status() == StatusCode::FORBIDDEN && there == Some(bytes) {
            return Ok(());
        }
        if there.is_some_and(|length| length < bytes) {
            // Not every server of this protocol writes beside and renames: one with a full disk left a part.
            let _ = self.remove(url, name, beat).await;
        }
        self.refused("write", name, answer).await
    }

    async fn length(&self, url: Url, name: &str, beat: &Beat) -> Tried<Option<u64>> {
        let answer = self.send(Ask::new(Method::HEAD, url), beat).await?;
        match answer.status() {
            StatusCode::OK => {
                let length = answer.headers().get(CONTENT_LENGTH);
                let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
                length
                    .map(Some)
                    .ok_or_else(|| self.http.wrong("does not tell the length of an object").into())
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => self.refused("find", name, answer).await,
        }
    }

    async fn remove(&self, url: Url, name: &str, beat: &Beat) -> Tried<bool> {
        let answer = self.send(Ask::new(Method::DELETE, url), beat).await?;
        match answer.status() {
            status if status.is_success() => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => self.refused("delete", name, answer).await,
        }
    }

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

    async fn put_ours(&self, name: &str, content: &[Bytes], beat: &Beat) -> Tried<()> {
        if self.listed(&self.beside, "data", beat).await?.is_empty() {
            self.create(&self.beside, beat).await?;
        }
        self.refresh(beat).await?;
        let older = self.versions(name);
        let serial = older.first().map_or(1, |(_, head)| head.serial + 1);
        let bytes = content.iter().map(|part| part.len() as u64).sum();
        let (head, line) = Head::new(name, serial, bytes)?;
        let whole: Vec<Bytes> = [line].into_iter().chain(content.iter().cloned()).collect();
        let mut hash = Sha256::new();
        whole.iter().for_each(|part| hash.update(part));
        let id = HEXLOWER.encode(&hash.finalize());
        self.store(self.ours(&id), name, &whole, beat).await?;
        self.known.lock().expect("nobody panics while holding it").insert(id, head);
        for (id, _) in older {
            // A server that only appends keeps the older ones; the serial tells them apart.
            let _ = self.remove(self.ours(&id), name, beat).await;
        }
        Ok(())
    }

    async fn get_ours(&self, name: &str, part: Option<Part>, beat: &Beat) -> Tried<Bytes> {
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

    async fn delete_ours(&self, name: &str, beat: &Beat) -> Tried<bool> {
        self.refresh(beat).await?;
        let found = self.versions(name);
        for (id, _) in &found {
            self.remove(self.ours(id), name, beat).await?;
            self.known.lock().expect("nobody panics while holding it").remove(id);
        }
        Ok(!found.is_empty())
    }
}

impl Remote for Rest {
    async fn prepare(&self, beat: &Beat) -> Tried<()> {
        self.create(&self.base, beat).await?;
        self.create(&self.beside, beat).await
    }

    async fn sweep(&self, _: &Beat) -> Tried<()> {
        Ok(())
    }

    async fn put(&self, name: &str, content: &[Bytes], beat: &Beat) -> Tried<()> {
        match called(name) {
            Called::Theirs(path) => self.store(below(&self.base, &path), name, content, beat).await,
            Called::Ours => self.put_ours(name, content, beat).await,
        }
    }

    async fn get(&self, name: &str, part: Option<Part>, beat: &Beat) -> Tried<Bytes> {
        match called(name) {
            Called::Theirs(path) => self.fetch(below(&self.base, &path), name, part, beat).await,
            Called::Ours => self.get_ours(name, part, beat).await,
        }
    }

    async fn list(&self, folder: &str, beat: &Beat) -> Tried<Vec<(String, u64)>> {
        let kind = folder.split('/').next().unwrap_or_default();
        if KINDS.contains(&kind) {
            let named = |found: Listed| {
                let shard = found.name.get(..2).filter(|_| kind == "data").map(|two| format!("{two}/"));
                (format!("{kind}/{}{}", shard.unwrap_or_default(), found.name), found.size)
            };
            let inside = format!("{folder}/");
            let found = self.listed(&self.base, kind, beat).await?.into_iter().map(named);
            return Ok(found
                .filter(|(name, _)| name.starts_with(&inside) && check_name(name).is_ok())
                .collect());
        }
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

    async fn stat(&self, name: &str, beat: &Beat) -> Tried<Option<u64>> {
        match called(name) {
            Called::Theirs(path) => self.length(below(&self.base, &path), name, beat).await,
            Called::Ours => {
                self.refresh(beat).await?;
                Ok(self.versions(name).first().map(|(_, head)| head.bytes))
            }
        }
    }

    async fn delete(&self, name: &str, beat: &Beat) -> Tried<bool> {
        match called(name) {
            Called::Theirs(path) => self.remove(below(&self.base, &path), name, beat).await,
            Called::Ours => self.delete_ours(name, beat).await,
        }
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

fn called(name: &str) -> Called {
    if name == "config" {
        return Called::Theirs(name.to_owned());
    }
    match name.split_once('/') {
        Some(("data", rest)) => Called::Theirs(format!("data/{}", rest.rsplit('/').next().unwrap_or(rest))),
        Some((kind, _)) if KINDS.contains(&kind) => Called::Theirs(name.to_owned()),
        _ => Called::Ours,
    }
}

/// The repository for what is ours. The server allows two folders above an object's kind, and keeps those of
/// each user below the user's name.
fn beside(base: &Url) -> Url {
    let path = base.path().trim_matches('/');
    let mut url = base.clone();
    url.set_path(&match path.contains('/') {
        true => format!("/{path}-{BESIDE}"),
        false => format!("{path}/{BESIDE}"),
    });
    url
}
