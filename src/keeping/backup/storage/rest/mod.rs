//! rest-server: restic's own server, version 2 of its API. It stores each object whole or not at all.
//!
//! It takes restic's kinds of objects only; what is ours goes to `beside`.

mod beside;

use super::access::{Limits, WebAccess};
use super::http::{Ask, Http};
use super::line::{Beat, Line};
use super::online::{Online, Part, Remote, missing};
use super::retry::Tried;
use super::webdav::{basic, below};
use super::{check_name, trouble};
use crate::kernel::error::Result;
use crate::kernel::limits;
use beside::Head;
use bytes::Bytes;
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Kinds of objects that the server knows.
const KINDS: [&str; 5] = ["data", "index", "keys", "locks", "snapshots"];
/// The form of lists with lengths in them.
const VERSION_2: &str = "application/vnd.x.restic.rest.v2";

/// A repository on a rest-server.
pub struct Rest {
    http: Http,
    base: Url,
    beside: Url,
    login: Option<String>,
    /// Objects of ours by the name the server knows them under.
    known: Mutex<BTreeMap<String, Head>>,
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
        let (base, beside) = (base.clone(), beside::beside(base));
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
        self.list_ours(folder, beat).await
    }

    async fn stat(&self, name: &str, beat: &Beat) -> Tried<Option<u64>> {
        match called(name) {
            Called::Theirs(path) => self.length(below(&self.base, &path), name, beat).await,
            Called::Ours => self.stat_ours(name, beat).await,
        }
    }

    async fn delete(&self, name: &str, beat: &Beat) -> Tried<bool> {
        match called(name) {
            Called::Theirs(path) => self.remove(below(&self.base, &path), name, beat).await,
            Called::Ours => self.delete_ours(name, beat).await,
        }
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
