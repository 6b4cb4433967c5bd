//! Evidence: the record of a drill as somebody else may check it, signed by the key that signs receipts.

use crate::keeping::backup::prove::{Check, Proven};
use crate::kernel::error::{Error, Result};
use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

/// What a drill showed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Evidence {
    /// Layout of this record.
    pub version: u32,
    /// The instance.
    pub instance: String,
    /// Number of the drill.
    pub drill: i64,
    /// Where the backup lay.
    pub target: String,
    /// Number of its receipt.
    pub receipt: u64,
    /// Its snapshot, 64 hex digits.
    pub snapshot: String,
    /// Moment of the data, RFC 3339 in UTC.
    pub made_at: String,
    /// When the drill began, RFC 3339 in UTC.
    pub started_at: String,
    /// When everything was proven, RFC 3339 in UTC.
    pub finished_at: String,
    /// Age of the data when the drill began, in milliseconds.
    pub rpo_ms: i64,
    /// From the beginning until everything was proven, in milliseconds.
    pub rto_ms: i64,
    /// Version of the program that looked.
    pub testkeep: String,
    /// Bytes of the backup before compression.
    pub bytes: u64,
    /// Rows of all tables.
    pub rows: i64,
    /// Files of evidence that were read to their end.
    pub blobs: u64,
    /// Last entry of the audit trail.
    pub audit_entry: i64,
    /// One hash over all user data, as `testkeep digest` prints it.
    pub digest: String,
    /// Everything that was looked at.
    pub checks: Vec<Check>,
}

/// The signed text travels as it was signed: writing it anew could change a byte.
#[derive(Serialize, Deserialize)]
struct Sealed {
    body: String,
    signature: String,
    public_key: String,
}

impl Evidence {
    /// Takes what was proven into the record.
    pub(super) fn with(self, proven: Proven) -> Evidence {
        let Proven { checks, digest, rows, blobs, audit_entry } = proven;
        Evidence { checks, digest, rows, blobs, audit_entry, ..self }
    }

    /// The signed record as JSON.
    pub(super) fn seal(&self, key: &SigningKey) -> Result<String> {
        let body = serde_json::to_string(self).map_err(Error::internal)?;
        let signature = HEXLOWER.encode(&key.sign(body.as_bytes()).to_bytes());
        let public_key = HEXLOWER.encode(key.verifying_key().as_bytes());
        serde_json::to_string_pretty(&Sealed { body, signature, public_key }).map_err(Error::internal)
    }

    /// The record in a signed one, whose signature fits the key beside it.
    pub fn parse(sealed: &str) -> Option<Evidence> {
        let sealed: Sealed = serde_json::from_str(sealed).ok()?;
        let key = HEXLOWER.decode(sealed.public_key.as_bytes()).ok()?;
        let key = VerifyingKey::try_from(key.as_slice()).ok()?;
        let signature = HEXLOWER.decode(sealed.signature.as_bytes()).ok()?;
        let signature = Signature::from_slice(&signature).ok()?;
        key.verify_strict(sealed.body.as_bytes(), &signature).ok()?;
        serde_json::from_str(&sealed.body).ok()
    }
}
