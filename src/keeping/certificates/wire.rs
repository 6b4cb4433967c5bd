//! The wire to a directory: requests of the ACME crate over our own HTTP client, so that there is no second one.

use crate::kernel::limits;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Body, Certificate, Client, redirect};
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

/// A client that trusts the authority of the options, else those of the system.
#[derive(Clone)]
pub(super) struct Wire {
    client: Client,
    /// How long the directory asked to be left alone, when it last refused, in milliseconds.
    wait_ms: Arc<Mutex<Option<i64>>>,
}

impl Wire {
    /// Nothing is sent yet.
    pub fn new(authority: Option<&Path>) -> Result<Wire, String> {
        let builder = Client::builder()
            .timeout(limits::ACME_ANSWER_WAIT)
            .https_only(true)
            .redirect(redirect::Policy::none())
            .no_proxy();
        let builder = match authority {
            None => builder,
            Some(path) => {
                let shown = path.display();
                let pem = std::fs::read(path)
                    .map_err(|reason| format!("The authority in {shown} cannot be read: {reason}."))?;
                let certificates = Certificate::from_pem_bundle(&pem).ok().filter(|found| !found.is_empty());
                builder.tls_certs_only(certificates.ok_or(format!("There is no certificate in {shown}."))?)
            }
        };
        let client = builder.build().map_err(|reason| format!("No directory can be called: {reason}."))?;
        Ok(Wire { client, wait_ms: Arc::default() })
    }

    /// How long the directory asked to be left alone.
    pub fn wait_ms(&self) -> Option<i64> {
        *self.wait_ms.lock().expect("nobody panics while holding it")
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>>;

impl HttpClient for Wire {
    fn request(&self, request: http::Request<BodyWrapper<Bytes>>) -> Answering {
        let wire = self.clone();
        Box::pin(async move { wire.send(request).await.map_err(Error::Other) })
    }
}

impl Wire {
    async fn send(
        &self,
        request: http::Request<BodyWrapper<Bytes>>,
    ) -> Result<BytesResponse, Box<dyn std::error::Error + Send + Sync>> {
        let (head, body) = request.into_parts();
        let url = head.uri.to_string();
        let sent = self.client.request(head.method, url).headers(head.headers).body(Body::wrap(body));
        let mut answer = sent.send().await?;
        if !answer.status().is_success() {
            *self.wait_ms.lock().expect("nobody panics while holding it") = retry_after(answer.headers());
        }
        let mut read = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if read.len() + chunk.len() > limits::ACME_ANSWER_BYTES_MAX {
                return Err("the answer is larger than any that is meant".into());
            }
            read.extend_from_slice(&chunk);
        }
        let mut response = http::Response::new(BodyWrapper::from(read));
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        Ok(BytesResponse::from(response))
    }
}

/// Seconds, or a date, as HTTP says it.
fn retry_after(headers: &HeaderMap) -> Option<i64> {
    let words = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = words.parse::<u32>() {
        return Some(i64::from(seconds) * 1_000);
    }
    let at = DateTime::parse_from_rfc2822(words).ok()?;
    let now = headers.get(reqwest::header::DATE)?.to_str().ok()?;
    let now = DateTime::parse_from_rfc2822(now).map(|now| now.with_timezone(&Utc)).ok()?;
    Some((at.with_timezone(&Utc) - now).num_milliseconds().max(0))
}
