//! What commands need that talk to an instance over HTTPS: its address, its certificate, a token.

use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::secret::Secret;
use clap::Args;
use reqwest::{Client, Response, Url};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long connecting may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long one request may take, its upload included.
const REQUEST_MAX: Duration = Duration::from_secs(600);

/// Which instance, and how to know that it is the right one.
#[derive(Args, Debug)]
pub struct At {
    /// Address of the instance, https://keep.example:8443 for example. Without it, the environment
    /// variable TESTKEEP_URL.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// File that holds the token. Without it, the environment variable TESTKEEP_TOKEN.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// PEM file with the certificate to trust, or the one that signed it.
    #[arg(long, value_name = "FILE", conflicts_with = "fingerprint")]
    pub cacert: Option<PathBuf>,
    /// SHA-256 fingerprint of the certificate, as `testkeep serve` prints it.
    #[arg(long, value_name = "HEX")]
    pub fingerprint: Option<String>,
}

impl At {
    /// The address as it was given.
    pub fn url(&self) -> Result<String> {
        let given = self.url.clone().or_else(|| std::env::var("TESTKEEP_URL").ok());
        given.filter(|url| !url.is_empty()).ok_or_else(|| {
            Error::invalid("No address of an instance was given.")
                .hint("Name it with --url, such as https://keep.example:8443, or set TESTKEEP_URL.")
        })
    }
}

/// A client that trusts exactly what was asked for.
pub fn http(at: &At) -> Result<Client> {
    let builder = Client::builder().connect_timeout(CONNECT_MAX).timeout(REQUEST_MAX).no_proxy();
    let builder = match (&at.fingerprint, &at.cacert) {
        (Some(text), _) => builder.tls_backend_preconfigured(pinned(fingerprint(text)?)?),
        (None, Some(path)) => {
            let pem = std::fs::read(path)
                .map_err(|cause| Error::not_found(format!("{} cannot be read: {cause}.", path.display())))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|cause| {
                Error::invalid(format!("{} holds no certificate in PEM form.", path.display())).because(cause)
            })?;
            builder.tls_certs_only(certificates)
        }
        (None, None) => builder,
    };
    builder.build().map_err(Error::internal)
}

fn fingerprint(text: &str) -> Result<[u8; 32]> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
        Error::invalid("The fingerprint is not a SHA-256 in hexadecimal.")
            .hint("`testkeep serve` prints it: 64 hex digits, colons allowed.")
    })
}

/// Trusts one certificate, by its digest, and nothing else.
#[derive(Debug)]
struct Pin {
    sha256: [u8; 32],
    provider: Arc<CryptoProvider>,
}

fn pinned(sha256: [u8; 32]) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(Pin { sha256, provider: Arc::clone(&provider) });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found: [u8; 32] = Sha256::digest(certificate.as_ref()).into();
        if found == self.sha256 {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The token, from its file or from the environment; never from the command line.
pub fn token(at: &At) -> Result<Secret<String>> {
    let text = match &at.token_file {
        Some(path) => std::fs::read_to_string(path).map_err(|cause| {
            Error::not_found(format!("The token file {} cannot be read: {cause}.", path.display()))
        })?,
        None => std::env::var("TESTKEEP_TOKEN").map_err(|_| {
            Error::unauthenticated("No token was given.").hint(
                "Name a file with --token-file, or set TESTKEEP_TOKEN. `testkeep token create` makes one.",
            )
        })?,
    };
    Ok(Secret::new(text.trim().to_owned()))
}

/// Address of a resource of the API.
pub fn address(at: &At, path: &str) -> Result<Url> {
    let given = at.url()?;
    let base = given.trim_end_matches('/');
    let url = Url::parse(&format!("{base}/api/v1/{path}")).ok().filter(|url| url.has_host());
    let url = url.filter(|url| ["http", "https"].contains(&url.scheme())).ok_or_else(|| {
        Error::invalid(format!("“{given}” is not the address of an instance."))
            .hint("Write it like https://keep.example:8443.")
    })?;
    if url.scheme() == "http" && !is_this_machine(&url) {
        return Err(Error::invalid(format!(
            "“{given}” is not encrypted: everybody on the way could read the token."
        ))
        .hint("Write https://. Plain http is spoken on this machine only, to 127.0.0.1 or localhost."));
    }
    Ok(url)
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The instance could not be reached, in words.
pub fn unreachable(at: &At, reason: reqwest::Error) -> Error {
    let mut causes = String::new();
    let mut source = std::error::Error::source(&reason);
    while let Some(cause) = source {
        causes = cause.to_string();
        source = cause.source();
    }
    let is_certificate = causes.contains("certificate");
    let hint = if is_certificate {
        "Pass --fingerprint with what `testkeep serve` printed, or --cacert with the certificate's file."
    } else {
        "Is it running, and does the address carry the right port?"
    };
    let url = at.url().unwrap_or_default();
    Error::busy(format!("{url} cannot be reached: {causes}.")).hint(hint).because(reason)
}

/// The JSON of an answer, or the failure it tells of.
pub async fn json(answer: Response) -> Result<Value> {
    let status = answer.status();
    let body = answer.bytes().await.map_err(Error::internal)?;
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status.is_success() {
        return Ok(value);
    }
    let told = |name: &str| value[name].as_str().map(str::to_owned);
    let sentence = told("detail").or_else(|| told("title"));
    let sentence = sentence.unwrap_or_else(|| format!("The instance answered {status}."));
    let failure = Error::of_kind(kind(status.as_u16()), sentence);
    Err(match told("hint") {
        Some(hint) => failure.hint(hint),
        None => failure,
    })
}

fn kind(status: u16) -> Kind {
    let row = crate::kernel::error::KINDS.iter().find(|row| row.http_status == status);
    row.map_or(if status >= 500 { Kind::Internal } else { Kind::Invalid }, |row| row.kind)
}
