//! Options of certificates: the directory that issues them, and the listener for those who show one.
//!
//! Only what must be known before the listeners open; what has become of it lies in the database.

use super::{Value, list, named, one, path, wrong, yes_or_no};
use crate::kernel::error::{Error, Result};
use std::net::SocketAddr;
use std::path::PathBuf;

/// A certificate and its key, kept by somebody else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// The chain, ours first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Certificates from a directory that speaks ACME (RFC 8555).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acme {
    /// Address of the directory.
    pub directory: String,
    /// Names to ask for; empty for the host of the public address and the further names.
    pub names: Vec<String>,
    /// E-mail addresses that the directory may write to.
    pub contacts: Vec<String>,
    /// How the directory convinces itself.
    pub challenge: Challenge,
    /// Authority that signed the certificate of the directory, if it is a private one.
    pub authority: Option<PathBuf>,
    /// An account that exists elsewhere, if the directory asks for one.
    pub binding: Option<Binding>,
}

/// How a directory convinces itself that a name is ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Challenge {
    /// It fetches a file over plain HTTP at port 80.
    Http,
    /// It shakes hands at port 443.
    TlsAlpn,
}

impl Challenge {
    /// As RFC 8555 and RFC 8737 name it.
    pub fn word(self) -> &'static str {
        match self {
            Challenge::Http => "http-01",
            Challenge::TlsAlpn => "tls-alpn-01",
        }
    }
}

/// External account binding: ties our account to one that exists elsewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// The id of its key.
    pub id: String,
    /// File with the key, in base64url.
    pub key_file: PathBuf,
}

/// A second way in, for those who show a certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admin {
    /// Where it is.
    pub listen: SocketAddr,
    /// Who signed the certificates of those who may come in; none for the authority of the instance.
    pub authority: Option<PathBuf>,
}

/// The files of the options, which go together.
pub(super) fn files(values: &[Value]) -> Result<Option<TlsFiles>> {
    match (path(values, "tls_certificate"), path(values, "tls_key")) {
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (None, None) => Ok(None),
        _ => Err(Error::invalid("`tls_certificate` and `tls_key` go together, and only one is set.")
            .hint("Set both, or neither to use the certificate that the instance makes itself.")),
    }
}

/// What the options say of a directory; none while none is named.
pub(super) fn acme(values: &[Value]) -> Result<Option<Acme>> {
    let Some(directory) = one(named(values, "acme_directory"), directory)? else { return Ok(None) };
    let terms = named(values, "acme_terms_agreed");
    if !one(terms, yes_or_no)?.unwrap_or(false) {
        return Err(Error::invalid(format!("{directory} is used by those only who agree to its terms."))
            .hint("Read its terms of service, then set `acme_terms_agreed` to yes."));
    }
    let binding = match (one(named(values, "acme_eab_id"), text)?, path(values, "acme_eab_key_file")) {
        (Some(id), Some(key_file)) => Some(Binding { id, key_file }),
        (None, None) => None,
        _ => {
            return Err(Error::invalid("`acme_eab_id` and `acme_eab_key_file` go together.")
                .hint("Set both as the directory has given them to you, or neither."));
        }
    };
    let challenge = one(named(values, "acme_challenge"), challenge)?.unwrap_or(Challenge::TlsAlpn);
    if challenge == Challenge::Http && named(values, "acme_http_listen").words.is_empty() {
        return Err(wrong(named(values, "acme_http_listen"), "")
            .hint("The directory fetches a file over plain HTTP: set it to 0.0.0.0:80, for example."));
    }
    Ok(Some(Acme {
        directory,
        names: list(named(values, "acme_names"), |word| Some(word.to_ascii_lowercase()))?,
        contacts: list(named(values, "acme_contact"), text)?,
        challenge,
        authority: path(values, "acme_ca"),
        binding,
    }))
}

/// What the options say of a second way in.
pub(super) fn admin(values: &[Value]) -> Result<Option<Admin>> {
    let listen = one(named(values, "admin_listen"), |word| word.parse().ok())?;
    Ok(listen.map(|listen| Admin { listen, authority: path(values, "admin_ca") }))
}

fn directory(word: &str) -> Option<String> {
    word.strip_prefix("https://").filter(|rest| !rest.is_empty()).map(|_| word.to_owned())
}

fn text(word: &str) -> Option<String> {
    Some(word.to_owned())
}

fn challenge(word: &str) -> Option<Challenge> {
    [Challenge::Http, Challenge::TlsAlpn].into_iter().find(|challenge| challenge.word() == word)
}
