//! HTTP: one client for each target, and requests whose bytes are paced and watched.

use super::line::{Beat, Line};
use super::online::Part;
use super::retry::{Failed, Tried};
use super::trouble;
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use bytes::{Bytes, BytesMut};
use futures_util::stream::unfold;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue, RANGE};
use reqwest::redirect::Policy;
use reqwest::{Body, Client, Method, Response, Url};
use std::sync::Arc;

/// A client of one server.
pub struct Http {
    client: Client,
    /// How it is talked to.
    pub line: Arc<Line>,
}

/// One request.
pub struct Ask {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Vec<Bytes>>,
}

impl Ask {
    /// A request without a body.
    pub fn new(method: Method, url: Url) -> Ask {
        Ask { method, url, headers: HeaderMap::new(), body: None }
    }

    /// With one more header. The value is ours or was checked: it is plain ASCII.
    pub fn header(mut self, name: &'static str, value: &str) -> Result<Ask> {
        let value = HeaderValue::from_str(value).map_err(Error::internal)?;
        self.headers.insert(HeaderName::from_static(name), value);
        Ok(self)
    }

    /// With a body of known length, sent in small pieces.
    pub fn body(mut self, content: &[Bytes]) -> Ask {
        self.body = Some(content.to_vec());
        self
    }

    /// For a part only.
    pub fn part(mut self, part: Option<Part>) -> Result<Ask> {
        if let Some(Part { offset, length }) = part {
            let range = HeaderValue::from_str(&format!("bytes={offset}-{}", offset + length - 1));
            self.headers.insert(RANGE, range.map_err(Error::internal)?);
        }
        Ok(self)
    }
}

impl Http {
    /// A client that trusts the system's authorities, or those of `ca` alone. It follows no redirect and asks
    /// no proxy: credentials go where the address says.
    pub fn new(line: Arc<Line>, ca: &str) -> Result<Http> {
        // Tools and tests may come here before the server chose one; a second choice changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(concat!("testkeep/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(line.limits.connect_wait)
            .redirect(Policy::none())
            .no_proxy()
            // Each object has a connection of its own: one stalled stream must not hold up the others.
            .http1_only();
        if !ca.trim().is_empty() {
            let unreadable = |cause: Option<reqwest::Error>| {
                let error = Error::invalid("The certificate of the authority is not in PEM form.")
                    .hint("Paste the text between and with the lines BEGIN CERTIFICATE and END CERTIFICATE.");
                cause.map_or(error.clone(), |cause| error.because(cause))
            };
            let found = reqwest::Certificate::from_pem_bundle(ca.as_bytes());
            let found = found.map_err(|cause| unreadable(Some(cause)))?;
            if found.is_empty() {
                return Err(unreadable(None));
            }
            builder = builder.tls_certs_only(found);
        }
        let client = builder.build().map_err(|cause| {
            Error::invalid("This machine trusts no certificate authority.")
                .hint(
                    "Install its CA certificates, or give the authority of the target with the credentials.",
                )
                .because(cause)
        })?;
        Ok(Http { client, line })
    }

    /// Sends a request and waits for the head of the answer.
    pub async fn send(&self, ask: Ask, beat: &Beat) -> Tried<Response> {
        let mut request = self.client.request(ask.method, ask.url).headers(ask.headers);
        if let Some(content) = ask.body {
            let length: usize = content.iter().map(Bytes::len).sum();
            request = request.header(CONTENT_LENGTH, length);
            // With its length known a stream is sent as it is, not in chunks that S3 refuses.
            request =
                request.body(if length == 0 { Body::from(Bytes::new()) } else { streamed(content, beat) });
        }
        let answer = request.send().await.map_err(|failed| trouble::of_request(&self.line, failed))?;
        beat.now();
        Ok(answer)
    }

    /// Reads an answer that must not be longer than `max`.
    pub async fn read(&self, mut answer: Response, max: u64, beat: &Beat) -> Tried<Bytes> {
        let mut gathered = BytesMut::new();
        while let Some(piece) =
            answer.chunk().await.map_err(|failed| trouble::of_request(&self.line, failed))?
        {
            if (gathered.len() + piece.len()) as u64 > max {
                let error = format!("An answer of the {} is larger than {} KiB.", self.line.end(), max >> 10);
                return Err(Error::too_large(error).into());
            }
            beat.pass(piece.len()).await;
            gathered.extend_from_slice(&piece);
        }
        Ok(gathered.freeze())
    }

    /// Reads an object or the part of it that was asked for.
    pub async fn content(&self, answer: Response, part: Option<Part>, beat: &Beat) -> Tried<Bytes> {
        let Some(Part { offset, length }) = part else {
            let promised = answer.content_length();
            let content = self.read(answer, limits::BACKUP_OBJECT_BYTES_MAX, beat).await?;
            return if promised.is_none_or(|bytes| bytes == content.len() as u64) {
                Ok(content)
            } else {
                Err(Failed::passing(self.wrong("cut an object short")))
            };
        };
        let begins = answer.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
        let is_asked = begins.is_some_and(|range| range.starts_with(&format!("bytes {offset}-")));
        // Some stores answer 200 to a part; what counts is which part they say it is.
        if !is_asked {
            return Err(self.wrong("does not answer requests for parts of objects").into());
        }
        let content = self.read(answer, length, beat).await?;
        if content.len() as u64 != length {
            return Err(self.short().into());
        }
        Ok(content)
    }

    /// What a server wrote beside a failure; the beginning is enough.
    pub async fn said(&self, mut answer: Response) -> String {
        let mut said = Vec::new();
        while said.len() < 16 << 10
            && let Ok(Some(piece)) = answer.chunk().await
        {
            said.extend_from_slice(&piece);
        }
        String::from_utf8_lossy(&said).into_owned()
    }

    /// An object does not hold the part that was asked for.
    pub fn short(&self) -> Error {
        self.wrong("holds an object that is shorter than it should be")
    }

    /// An answer that is none.
    pub fn wrong(&self, what: &str) -> Error {
        Error::invalid(format!("The backup target {} {what}.", self.line.place))
            .hint("Look at its server; `testkeep verify` tells whether the backups there are whole.")
    }
}

fn streamed(content: Vec<Bytes>, beat: &Beat) -> Body {
    let beat = beat.clone();
    Body::wrap_stream(unfold((content, 0), move |(mut content, mut at)| {
        let beat = beat.clone();
        async move {
            while content.get(at).is_some_and(Bytes::is_empty) {
                at += 1;
            }
            let rest = content.get_mut(at)?;
            let piece = rest.split_to(rest.len().min(limits::TARGET_CHUNK_BYTES));
            beat.pass(piece.len()).await;
            Some((Ok::<_, std::convert::Infallible>(piece), (content, at)))
        }
    }))
}
