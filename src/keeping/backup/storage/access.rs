//! Access: what opens a place and must stay secret, and how patient to be with it.

use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::secret::Secret;
use serde::{Deserialize, Serialize, Serializer};
use std::time::Duration;

/// The credentials of a target. Serialising writes the secrets out: only to be sealed, or over a pipe to a
/// child of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Access {
    /// None: a folder.
    #[default]
    Open,
    /// WebDAV and rest-server.
    Web(WebAccess),
    /// S3.
    S3(KeyPair),
    /// SFTP.
    Ssh(SshAccess),
}

/// Name and password over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebAccess {
    /// Empty for a server that asks for none.
    pub user: String,
    /// Its password.
    #[serde(serialize_with = "exposed")]
    pub password: Secret<String>,
    /// Certificates in PEM form that alone are trusted; empty for those of the system.
    #[serde(default)]
    pub ca: String,
}

/// An access key of an S3 store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPair {
    /// Its public half.
    pub id: String,
    /// Its secret half.
    #[serde(serialize_with = "exposed")]
    pub secret: Secret<String>,
    /// Certificates in PEM form that alone are trusted; empty for those of the system.
    #[serde(default)]
    pub ca: String,
}

/// How to sign in to an SSH server, and how to know it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshAccess {
    /// What proves who we are.
    pub login: Login,
    /// The key of the server as a person has confirmed it: `ssh-ed25519 AAAA…`.
    pub host_key: String,
}

/// What proves to an SSH server who we are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Login {
    /// A password.
    Password(#[serde(serialize_with = "exposed")] Secret<String>),
    /// A private key in OpenSSH form, Ed25519 or ECDSA.
    Key {
        /// The text of its file.
        #[serde(serialize_with = "exposed")]
        pem: Secret<String>,
        /// What unlocks it; empty if it is not encrypted.
        #[serde(serialize_with = "exposed")]
        passphrase: Secret<String>,
    },
}

/// How fast and how patient a target is used. The defaults are those of `kernel::limits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes a second in both directions together; `None` is as fast as it goes.
    pub bytes_per_second: Option<u64>,
    /// How long a connection may take to come about.
    pub connect_wait: Duration,
    /// How long the target may neither take nor give a byte.
    pub silence_max: Duration,
    /// Attempts at one object.
    pub tries_max: u32,
    /// How long after the first attempt another one may begin.
    pub tries_for: Duration,
    /// Pause after the first failed attempt.
    pub retry_pause: Duration,
}

impl Access {
    /// The kind in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Access::Open => "missing",
            Access::Web(_) => "a user and a password for HTTP",
            Access::S3(_) => "an access key of S3",
            Access::Ssh(_) => "for SSH",
        }
    }

    /// The secrets as bytes to seal.
    pub fn to_bytes(&self) -> Result<Secret<Vec<u8>>> {
        serde_json::to_vec(self).map(Secret::new).map_err(Error::internal)
    }

    /// Reads what [`Access::to_bytes`] wrote. The error does not repeat it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Access> {
        serde_json::from_slice(bytes).map_err(|_| {
            Error::invalid("The stored credentials of a backup target cannot be read.")
                .hint("Type them in again on the page of the target.")
        })
    }
}

impl Limits {
    /// With a cap in bytes a second.
    pub fn capped(bytes_per_second: Option<u64>) -> Limits {
        Limits { bytes_per_second, ..Limits::default() }
    }

    /// The same for somebody who waits for a page: one attempt, and not long.
    pub fn brief(self) -> Limits {
        let wait = limits::TARGET_PAGE_WAIT;
        Limits { connect_wait: wait, silence_max: wait, tries_max: 1, ..self }
    }

    pub(super) fn check(&self) -> Result<()> {
        let min = limits::TARGET_BYTES_PER_SECOND_MIN;
        if self.bytes_per_second.is_some_and(|bytes| bytes < min) {
            return Err(Error::invalid(format!("A bandwidth cap is at least {} KiB a second.", min >> 10))
                .hint("Slower than this a backup would hardly ever finish."));
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            bytes_per_second: None,
            connect_wait: limits::TARGET_CONNECT_WAIT,
            silence_max: limits::TARGET_SILENCE_MAX,
            tries_max: limits::TARGET_TRIES_MAX,
            tries_for: limits::TARGET_CALL_MAX,
            retry_pause: limits::TARGET_RETRY_PAUSE,
        }
    }
}

fn exposed<S: Serializer>(secret: &Secret<String>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(secret.expose())
}
