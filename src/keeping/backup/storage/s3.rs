//! S3: a bucket of any store that speaks its protocol. An object appears whole with the end of its PUT.
//!
//! Requests are signed in their address, good for minutes. The content is not signed; its SHA-256 is a
//! signed header, which stores compare. No `If-None-Match`: the same name always means the same content,
//! and an attempt whose answer was lost would find its own object in its way.

use super::access::{KeyPair, Limits};
use super::bucket::{Retain, S3Place};
use super::http::{Ask, Http};
use super::line::{Beat, Line};
use super::online::{Online, Part, Remote, missing};
use super::protection::{Lock, Protection};
use super::retry::{Failed, Tried};
use super::{trouble, xml};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::secret::Secret;
use bytes::Bytes;
use data_encoding::BASE64;
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Response, StatusCode, Url};
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, Credentials, Map, Method, S3Action, UrlStyle};
use sha2::{Digest, Sha256};

/// A bucket, or a prefix in one.
pub struct S3 {
    http: Http,
    bucket: Bucket,
    prefix: String,
    id: String,
    secret: Secret<String>,
    retain: Option<Retain>,
}

impl S3 {
    /// Touches nothing yet.
    pub fn open(at: &S3Place, keys: &KeyPair, limits: Limits, place: String) -> Result<Online<S3>> {
        let style = if at.is_path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let bucket = Bucket::new(at.endpoint.clone(), style, at.bucket.clone(), at.region.clone());
        let bucket = bucket.map_err(|cause| {
            Error::invalid("This bucket has no address at this endpoint.")
                .hint("Add style=path to the address.")
                .because(cause)
        })?;
        let line = Line::new(limits, place);
        let http = Http::new(line.clone(), &keys.ca)?;
        let prefix = if at.prefix.is_empty() { String::new() } else { format!("{}/", at.prefix) };
        let (id, secret) = (keys.id.clone(), keys.secret.clone());
        Ok(Online::new(S3 { http, bucket, prefix, id, secret, retain: at.retain }, line))
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn signed<'a>(&self, action: &impl S3Action<'a>) -> Url {
        action.sign(limits::TARGET_SIGNATURE_TIME)
    }

    fn credentials(&self) -> Credentials {
        Credentials::new(self.id.as_str(), self.secret.expose().as_str())
    }

    /// A question about the bucket itself, for which the signing crate has no verb.
    fn about_bucket(&self, question: &str) -> Url {
        let (key, secret, region) = (self.id.as_str(), self.secret.expose().as_str(), self.bucket.region());
        let (now, seconds) = (jiff::Timestamp::now(), limits::TARGET_SIGNATURE_TIME.as_secs());
        let (url, query) = (self.bucket.base_url().clone(), [(question, "")]);
        let none = Map::new();
        rusty_s3::signing::sign(
            &now,
            Method::Get,
            url,
            key,
            secret,
            None,
            region,
            seconds,
            query.into_iter(),
            none.iter(),
        )
    }

    async fn refused(&self, verb: &str, name: &str, answer: Response) -> Failed {
        let status = answer.status();
        let said = self.http.said(answer).await;
        let (place, code) = (&self.http.line.place, xml::text_of(&said, "Code").unwrap_or_default());
        let because = format!("it answered {status}: {code}");
        let error = match code.as_str() {
            "NoSuchKey" => return missing(place, name),
            "NoSuchBucket" => Error::not_found(format!("There is no bucket at the backup target {place}."))
                .hint("Make it there, and look at its name and at the endpoint in the address."),
            "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "ExpiredToken" => {
                Error::unauthenticated(format!("The backup target {place} does not accept the access key."))
                    .hint("Type key and secret in again; keys expire or are replaced.")
            }
            "RequestTimeTooSkewed" => Error::conflict(format!(
                "The clocks of this machine and of the backup target {place} differ."
            ))
            .hint("Set the clock of this machine by the network; S3 accepts 15 minutes."),
            "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError" | "PermanentRedirect" => {
                Error::invalid(format!("The backup target {place} belongs to another region."))
                    .hint("Write the region of the bucket into the address: region=…")
            }
            "QuotaExceeded"
            | "XMinioStorageFull"
            | "InsufficientCapacity"
            | "XMinioAdminBucketQuotaExceeded" => trouble::no_space(place, verb, name),
            "SlowDown"
            | "InternalError"
            | "ServiceUnavailable"
            | "RequestTimeout"
            | "BadDigest"
            | "XAmzContentChecksumMismatch" => {
                let error =
                    Error::busy(format!("The backup target {place} could not {verb} `{name}`: {code}."))
                        .hint("Look at the state of the store; the next run goes on from what is there.");
                return Failed::passing(error.because(because));
            }
            _ => return trouble::of_status(&self.http.line, verb, name, status, &said),
        };
        error.because(because).into()
    }

    /// One page of a list, and where the next one begins.
    async fn page(
        &self,
        folder: &str,
        more: Option<&str>,
        max: usize,
        beat: &Beat,
    ) -> Tried<(Vec<(String, u64)>, Option<String>)> {
        let credentials = self.credentials();
        let mut action = ListObjectsV2::new(&self.bucket, Some(&credentials));
        action.with_prefix(format!("{}{folder}", self.prefix));
        action.with_max_keys(max);
        if let Some(token) = more {
            action.with_continuation_token(token);
        }
        let answer = self.http.send(Ask::new(reqwest::Method::GET, self.signed(&action)), beat).await?;
        if answer.status() != StatusCode::OK {
            return Err(self.refused("list", folder, answer).await);
        }
        let body = self.http.read(answer, limits::TARGET_ANSWER_BYTES_MAX, beat).await?;
        let text = std::str::from_utf8(&body).unwrap_or_default();
        let page = ListObjectsV2::parse_response(text)
            .map_err(|cause| self.http.wrong("answered with a list that cannot be read").because(cause))?;
        let own = |found: rusty_s3::actions::list_objects_v2::ListObjectsContent| {
            let name = found.key.strip_prefix(&self.prefix)?.to_owned();
            Some((name, found.size?))
        };
        Ok((page.contents.into_iter().filter_map(own).collect(), page.next_continuation_token))
    }

    /// An answer about the bucket: its XML, or `None` if there is no such setting or we may not ask.
    async fn setting(&self, question: &str, beat: &Beat) -> Tried<Option<String>> {
        let answer =
            self.http.send(Ask::new(reqwest::Method::GET, self.about_bucket(question)), beat).await?;
        if answer.status() != StatusCode::OK {
            return Ok(None);
        }
        let body = self.http.read(answer, limits::TARGET_ANSWER_BYTES_MAX, beat).await?;
        Ok(Some(String::from_utf8_lossy(&body).into_owned()))
    }
}

impl Remote for S3 {
    async fn prepare(&self, beat: &Beat) -> Tried<()> {
        // Nothing is made; a bucket that is not there is told before the first pack.
        self.page("", None, 1, beat).await.map(drop)
    }

    async fn sweep(&self, _: &Beat) -> Tried<()> {
        Ok(())
    }

    async fn put(&self, name: &str, content: &[Bytes], beat: &Beat) -> Tried<()> {
        let (credentials, key) = (self.credentials(), self.key(name));
        let mut action = self.bucket.put_object(Some(&credentials), &key);
        let mut hash = Sha256::new();
        content.iter().for_each(|part| hash.update(part));
        let sha256 = BASE64.encode(&hash.finalize());
        action.headers_mut().insert("x-amz-checksum-sha256", sha256.clone());
        // Without this one a store refuses objects that are to be locked.
        action.headers_mut().insert("x-amz-sdk-checksum-algorithm", "SHA256");
        let retain = self.retain.map(|retain| {
            let until =
                jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * i64::from(retain.days));
            (
                if retain.is_compliance { "COMPLIANCE" } else { "GOVERNANCE" },
                until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            )
        });
        if let Some((mode, until)) = &retain {
            action.headers_mut().insert("x-amz-object-lock-mode", *mode);
            action.headers_mut().insert("x-amz-object-lock-retain-until-date", until.as_str());
        }
        let mut ask = Ask::new(reqwest::Method::PUT, self.signed(&action)).body(content);
        ask =
            ask.header("x-amz-checksum-sha256", &sha256)?.header("x-amz-sdk-checksum-algorithm", "SHA256")?;
        if let Some((mode, until)) = &retain {
            ask = ask.header("x-amz-object-lock-mode", mode)?;
            ask = ask.header("x-amz-object-lock-retain-until-date", until)?;
        }
        let answer = self.http.send(ask, beat).await?;
        if !answer.status().is_success() {
            return Err(self.refused("write", name, answer).await);
        }
        Ok(())
    }

    async fn get(&self, name: &str, part: Option<Part>, beat: &Beat) -> Tried<Bytes> {
        let (credentials, key) = (self.credentials(), self.key(name));
        let url = self.signed(&self.bucket.get_object(Some(&credentials), &key));
        let answer = self.http.send(Ask::new(reqwest::Method::GET, url).part(part)?, beat).await?;
        match answer.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => self.http.content(answer, part, beat).await,
            StatusCode::RANGE_NOT_SATISFIABLE => Err(self.http.short().into()),
            _ => Err(self.refused("read", name, answer).await),
        }
    }

    async fn list(&self, folder: &str, beat: &Beat) -> Tried<Vec<(String, u64)>> {
        let (folder, mut found, mut more) = (format!("{folder}/"), Vec::new(), None);
        loop {
            let (page, next) = self.page(&folder, more.as_deref(), 1_000, beat).await?;
            // A server that repeats its token would keep us for ever.
            let is_stuck = page.is_empty() && next.is_some() && next == more;
            found.extend(page);
            if is_stuck || found.len() > limits::TARGET_OBJECTS_MAX {
                return Err(self.http.wrong("lists more objects than there can be").into());
            }
            more = next;
            if more.is_none() {
                return Ok(found);
            }
        }
    }

    async fn stat(&self, name: &str, beat: &Beat) -> Tried<Option<u64>> {
        let (credentials, key) = (self.credentials(), self.key(name));
        let url = self.signed(&self.bucket.head_object(Some(&credentials), &key));
        let answer = self.http.send(Ask::new(reqwest::Method::HEAD, url), beat).await?;
        match answer.status() {
            StatusCode::OK => {
                // The body of an answer to HEAD is empty whatever its length says.
                let length = answer
                    .headers()
                    .get(CONTENT_LENGTH)
                    .and_then(|length| length.to_str().ok()?.parse().ok());
                length
                    .map(Some)
                    .ok_or_else(|| self.http.wrong("does not tell the length of an object").into())
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refused("find", name, answer).await),
        }
    }

    async fn delete(&self, name: &str, beat: &Beat) -> Tried<bool> {
        let (credentials, key) = (self.credentials(), self.key(name));
        let url = self.signed(&self.bucket.delete_object(Some(&credentials), &key));
        let answer = self.http.send(Ask::new(reqwest::Method::DELETE, url), beat).await?;
        match answer.status() {
            // S3 does not tell whether there was one.
            status if status.is_success() => Ok(true),
            _ => Err(self.refused("delete", name, answer).await),
        }
    }

    async fn protection(&self, beat: &Beat) -> Tried<Protection> {
        let lock = self.setting("object-lock", beat).await?;
        let versions = self.setting("versioning", beat).await?;
        let text = |xml: &Option<String>, name: &str| xml.as_deref().and_then(|xml| xml::text_of(xml, name));
        let is_on = text(&lock, "ObjectLockEnabled").is_some_and(|word| word == "Enabled");
        let days = text(&lock, "Days").and_then(|days| days.parse().ok());
        let years = text(&lock, "Years").and_then(|years| years.parse::<u32>().ok());
        let days = days.or(years.map(|years| years.saturating_mul(365))).unwrap_or(0);
        let mut lock = is_on.then(|| Lock { mode: text(&lock, "Mode").unwrap_or_default(), days });
        if let (Some(lock), Some(own)) = (&mut lock, self.retain) {
            let mode = if own.is_compliance { "COMPLIANCE" } else { "GOVERNANCE" };
            *lock = Lock { mode: mode.into(), days: own.days };
        }
        let keeps_versions =
            versions.as_deref().map(|xml| xml::text_of(xml, "Status").as_deref() == Some("Enabled"));
        Ok(Protection { lock, keeps_versions, may_delete: None })
    }
}
