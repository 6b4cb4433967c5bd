//! Certificates of deletion: what went, when, by which rule and whose order, signed by the key that signs
//! backups. They say how many and prove which ids, and nothing of what was in it. See
//! `docs/formats/certificate.md`.

use super::sql::Deletion;
use crate::kernel::error::{Error, Result};
use crate::kernel::instance::Instance;
use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _, VerifyingKey};
use serde::{Deserialize, Serialize};

/// What is signed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Statement {
    /// Layout of this statement.
    pub version: u32,
    /// Number of the certificate in the instance.
    pub number: i64,
    /// The instance.
    pub instance: String,
    /// Class of data.
    pub class: String,
    /// The rule, in words.
    pub rule: String,
    /// Who approved it, as the audit trail names them.
    pub approved_by: String,
    /// Milliseconds since 1970 in UTC.
    pub started_at: i64,
    /// Milliseconds since 1970 in UTC.
    pub finished_at: i64,
    /// Rows that went, by kind.
    pub counts: std::collections::BTreeMap<String, i64>,
    /// Bytes of files whose last name went.
    pub evidence_bytes: i64,
    /// When the oldest of it was made or put away, in milliseconds since 1970 in UTC.
    pub first_at: Option<i64>,
    /// The same of the newest.
    pub last_at: Option<i64>,
    /// SHA-256 over the ids, step by step.
    pub ids_sha256: String,
}

/// A statement with its signature: the bytes that were signed stand in it as they are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Certificate {
    /// The statement as JSON text, exactly as it was signed.
    pub statement: String,
    /// Ed25519 over the bytes of that text, 128 hex digits.
    pub signature: String,
    /// The key that the signature is held against, 64 hex digits: that of the backups.
    pub public_key: String,
}

/// Signs what a deletion came to.
pub(super) fn sign(instance: &Instance, deletion: &Deletion, finished_at: i64) -> Result<Certificate> {
    let keyring = instance.keyring()?;
    let key = SigningKey::from_bytes(keyring.backup_signing().expose());
    let statement = Statement {
        version: 1,
        number: deletion.id.0,
        instance: keyring.uuid().to_owned(),
        class: deletion.class.word().to_owned(),
        rule: deletion.rule.clone(),
        approved_by: deletion.approved_by.clone(),
        started_at: deletion.started_at.0,
        finished_at,
        counts: deletion.counts.clone(),
        evidence_bytes: deletion.bytes,
        first_at: deletion.first_at.map(|at| at.0),
        last_at: deletion.last_at.map(|at| at.0),
        ids_sha256: deletion.digest.clone(),
    };
    let statement = serde_json::to_string(&statement).map_err(Error::internal)?;
    let signature = key.sign(statement.as_bytes());
    Ok(Certificate {
        statement,
        signature: HEXLOWER.encode(&signature.to_bytes()),
        public_key: HEXLOWER.encode(key.verifying_key().as_bytes()),
    })
}

/// The statement of a certificate that is signed by this key, 64 hex digits.
pub fn verify(certificate: &Certificate, public_key: &str) -> Result<Statement> {
    let wrong = || Error::invalid("This certificate was not signed by that key, or it was changed.");
    let key = HEXLOWER.decode(public_key.as_bytes()).map_err(|_| wrong())?;
    let key = VerifyingKey::try_from(key.as_slice()).map_err(|_| wrong())?;
    let signature = HEXLOWER.decode(certificate.signature.as_bytes()).map_err(|_| wrong())?;
    let signature = Signature::from_slice(&signature).map_err(|_| wrong())?;
    key.verify(certificate.statement.as_bytes(), &signature).map_err(|_| wrong())?;
    serde_json::from_str(&certificate.statement).map_err(|_| wrong())
}
