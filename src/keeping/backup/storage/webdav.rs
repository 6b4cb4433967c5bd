//! WebDAV: a collection on a web server. An object is put under a passing name and moved to its own.
//!
//! Signs in with name and password over TLS; takes no part in locks, properties or versions.

use super::access::{Limits, WebAccess};
use super::http::{Ask, Http};
use super::line::{Beat, Line};
use super::online::{Online, Part, Remote, missing};
use super::retry::{Failed, Tried};
use super::{check_name, passing_name, trouble, xml};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use bytes::Bytes;
use data_encoding::BASE64;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::{Method, Response, StatusCode, Url};

/// Folders that are looked into at the same time.
const FOLDERS_AT_ONCE: usize = 8;

/// A collection.
pub struct WebDav {
    http: Http,
    base: Url,
    /// The header that signs in; `None` for a server that asks for nothing.
    login: Option<String>,
}

/// One member of a collection.
struct Member {
    name: String,
    bytes: u64,
    is_folder: bool,
}

impl WebDav {
    /// Touches nothing yet.
    pub fn open(base: &Url, access: &WebAccess, limits: Limits, place: String) -> Result<Online<WebDav>> {
        let line = Line::new(limits, place);
        let http = Http::new(line.clone(), &access.ca)?;
        Ok(Online::new(WebDav { http, base: base.clone(), login: basic(access) }, line))
    }

    fn url(&self, name: &str) -> Url {
        below(&self.base, name)
    }

    async fn ask(&self, method: &'static str, name: &str, beat: &Beat) -> Tried<Response> {
        self.send(self.order(method, name)?, beat).await
    }

    fn order(&self, method: &'static str, name: &str) -> Result<Ask> {
        let method = Method::from_bytes(method.as_bytes()).map_err(Error::internal)?;
        Ok(Ask::new(method, self.url(name)))
    }

    async fn send(&self, ask: Ask, beat: &Beat) -> Tried<Response> {
        let ask = match &self.login {
            Some(login) => ask.header("authorization", login)?,
            None => ask,
        };
        self.http.send(ask, beat).await
    }

    async fn checked(&self, verb: &str, name: &str, answer: Response) -> Tried<Response> {
        let status = answer.status();
        if status.is_success() && status != StatusCode::MULTI_STATUS {
            return Ok(answer);
        }
        let said = self.http.said(answer).await;
        Err(trouble::of_status(&self.http.line, verb, name, status, &said))
    }

    /// Makes one folder; that it exists already is as good.
    async fn make(&self, folder: &str, beat: &Beat) -> Tried<()> {
        let answer = self.ask("MKCOL", folder, beat).await?;
        if answer.status() == StatusCode::METHOD_NOT_ALLOWED {
            return Ok(());
        }
        self.checked("create", if folder.is_empty() { "its folder" } else { folder }, answer).await.map(drop)
    }

    /// Makes the folders that lead to an object, from the top.
    async fn make_parents(&self, name: &str, beat: &Beat) -> Tried<()> {
        for (at, _) in name.match_indices('/') {
            self.make(&name[..at], beat).await?;
        }
        Ok(())
    }

    async fn rename(&self, half: &str, name: &str, beat: &Beat) -> Tried<Response> {
        let ask = self.order("MOVE", half)?.header("destination", self.url(name).as_str())?;
        self.send(ask.header("overwrite", "T")?, beat).await
    }

    /// What a folder holds, or what a single object is; `None` if there is no such thing.
    async fn members(&self, name: &str, depth: &'static str, beat: &Beat) -> Tried<Option<Vec<Member>>> {
        const WANTED: &[u8] = b"<?xml version=\"1.0\" encoding=\"utf-8\"?><D:propfind xmlns:D=\"DAV:\">\
            <D:prop><D:getcontentlength/><D:resourcetype/></D:prop></D:propfind>";
        let ask = self.order("PROPFIND", name)?.header("depth", depth)?;
        let ask = ask.header("content-type", "application/xml")?.body(&[Bytes::from_static(WANTED)]);
        let answer = self.send(ask, beat).await?;
        match answer.status() {
            StatusCode::MULTI_STATUS => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => {
                let said = self.http.said(answer).await;
                return Err(trouble::of_status(&self.http.line, "list", name, status, &said));
            }
        }
        let body = self.http.read(answer, limits::TARGET_ANSWER_BYTES_MAX, beat).await?;
        let unreadable = || self.http.wrong("answered with a list that cannot be read");
        let text = std::str::from_utf8(&body).map_err(|_| unreadable())?;
        Ok(Some(read_members(text, &self.base).ok_or_else(unreadable)?))
    }
}

impl Remote for WebDav {
    async fn prepare(&self, beat: &Beat) -> Tried<()> {
        for folder in ["", "tmp", "data", "keys", "index", "snapshots", "locks", "receipts"] {
            self.make(folder, beat).await?;
        }
        Ok(())
    }

    async fn sweep(&self, beat: &Beat) -> Tried<()> {
        let Some(found) = self.members("tmp", "1", beat).await? else { return self.make("tmp", beat).await };
        for half in found.iter().filter(|found| !found.is_folder && found.name.starts_with("tmp/")) {
            self.delete(&half.name, beat).await?;
        }
        Ok(())
    }

    async fn put(&self, name: &str, content: &[Bytes], beat: &Beat) -> Tried<()> {
        let half = passing_name()?;
        let mut answer = self.send(self.order("PUT", &half)?.body(content), beat).await?;
        if matches!(answer.status(), StatusCode::CONFLICT | StatusCode::NOT_FOUND) {
            // Somebody removed the folder of passing names, or this place was filled by copying.
            self.make("tmp", beat).await?;
            answer = self.send(self.order("PUT", &half)?.body(content), beat).await?;
        }
        let stored = self.checked("write", name, answer).await;
        if let Err(failed) = stored {
            // What arrived of it, if anything; else the next run sweeps.
            let _ = self.delete(&half, beat).await;
            return Err(failed);
        }
        let mut moved = self.rename(&half, name, beat).await?;
        if !moved.status().is_success() && name.contains('/') {
            // Servers answer differently to a folder that is not there.
            self.make_parents(name, beat).await?;
            moved = self.rename(&half, name, beat).await?;
        }
        let moved = self.checked("write", name, moved).await;
        if moved.is_err() {
            let _ = self.delete(&half, beat).await;
        }
        moved.map(drop)
    }

    async fn get(&self, name: &str, part: Option<Part>, beat: &Beat) -> Tried<Bytes> {
        let answer = self.send(self.order("GET", name)?.part(part)?, beat).await?;
        match answer.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => self.http.content(answer, part, beat).await,
            StatusCode::NOT_FOUND => Err(missing(&self.http.line.place, name)),
            StatusCode::RANGE_NOT_SATISFIABLE => Err(self.http.short().into()),
            _ => Err(self
                .checked("read", name, answer)
                .await
                .err()
                .unwrap_or_else(|| self.http.short().into())),
        }
    }

    async fn list(&self, folder: &str, beat: &Beat) -> Tried<Vec<(String, u64)>> {
        let (mut open, mut found) = (vec![folder.to_owned()], Vec::new());
        while !open.is_empty() {
            let level = std::mem::take(&mut open);
            let looks = stream::iter(level.into_iter().map(|folder| async move {
                let members = self.members(&folder, "1", beat).await?.unwrap_or_default();
                let inside = format!("{folder}/");
                let inside = members.into_iter().filter(|member| member.name.starts_with(&inside));
                Ok::<Vec<Member>, Failed>(inside.collect())
            }));
            let lists: Vec<Vec<Member>> = looks.buffer_unordered(FOLDERS_AT_ONCE).try_collect().await?;
            for member in lists.into_iter().flatten() {
                if member.is_folder {
                    open.push(member.name);
                } else {
                    found.push((member.name, member.bytes));
                }
            }
            if found.len() + open.len() > limits::TARGET_OBJECTS_MAX {
                return Err(self.http.wrong("lists more objects than there can be").into());
            }
        }
        Ok(found)
    }

    async fn stat(&self, name: &str, beat: &Beat) -> Tried<Option<u64>> {
        let found = self.members(name, "0", beat).await?;
        Ok(found
            .and_then(|found| found.into_iter().find(|member| !member.is_folder))
            .map(|member| member.bytes))
    }

    async fn delete(&self, name: &str, beat: &Beat) -> Tried<bool> {
        let answer = self.ask("DELETE", name, beat).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        self.checked("delete", name, answer).await.map(|_| true)
    }
}

/// The header that signs in, unless there is nobody to name.
pub fn basic(access: &WebAccess) -> Option<String> {
    let both = || format!("{}:{}", access.user, access.password.expose());
    (!access.user.is_empty()).then(|| format!("Basic {}", BASE64.encode(both().as_bytes())))
}

/// The address of an object. Names need no escaping, see `check_name`.
pub fn below(base: &Url, name: &str) -> Url {
    let mut url = base.clone();
    let path = base.path().trim_end_matches('/');
    url.set_path(&format!("{path}/{name}"));
    url
}

/// Members in an answer to PROPFIND, named from the base; others than ours are left out.
fn read_members(text: &str, base: &Url) -> Option<Vec<Member>> {
    let (mut members, mut href, mut bytes, mut is_folder) = (Vec::new(), String::new(), 0, false);
    let root = format!("{}/", base.path().trim_end_matches('/'));
    xml::walk(text, |path, text| match path.last().map(String::as_str) {
        Some("href") => text.clone_into(&mut href),
        Some("getcontentlength") => bytes = text.parse().unwrap_or(bytes),
        Some("collection") => is_folder = true,
        Some("response") => {
            let url = base.join(&std::mem::take(&mut href)).ok();
            let name = url
                .as_ref()
                .and_then(|url| url.path().strip_prefix(&root))
                .map(|name| name.trim_end_matches('/'));
            if let Some(name) = name.filter(|name| check_name(name).is_ok()) {
                members.push(Member { name: name.to_owned(), bytes, is_folder });
            }
            (bytes, is_folder) = (0, false);
        }
        _ => {}
    })?;
    Some(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_whatever_prefix_and_form_of_address_a_server_likes() {
        let base = Url::parse("https://keep.example/a%20b").unwrap();
        let text = r#"<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:x="urn:x">
            <d:response><d:href>/a%20b/data/</d:href><d:propstat><d:prop><d:resourcetype><d:collection/>
            </d:resourcetype></d:prop></d:propstat></d:response>
            <d:response><d:href>https://keep.example/a%20b/data/ab</d:href><d:propstat><d:prop>
            <d:getcontentlength>17</d:getcontentlength><d:resourcetype/></d:prop></d:propstat>
            <d:propstat><d:prop><x:quota/></d:prop><d:status>HTTP/1.1 404</d:status></d:propstat></d:response>
            <d:response><d:href>/a%20b/data/b&amp;c</d:href></d:response>
            <d:response><d:href>/elsewhere/data</d:href></d:response>
            <d:response><d:href>/a%20b/../../etc/passwd</d:href></d:response></d:multistatus>"#;
        let found: Vec<_> = read_members(text, &base).unwrap();
        let found: Vec<_> = found.iter().map(|m| (m.name.as_str(), m.bytes, m.is_folder)).collect();
        assert_eq!(found, [("data", 0, true), ("data/ab", 17, false)]);
        for hostile in ["<a><b></a>", &"<a>".repeat(100), "<a>&lol;</a>"] {
            assert!(read_members(hostile, &base).is_none(), "{hostile}");
        }
    }
}
