//! Names of blobs: keyed digests, 64 hex digits.

use data_encoding::HEXLOWER;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use std::fmt;
use std::str::FromStr;

/// The name of a blob: HMAC-SHA256 of its content under a key of the instance.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct BlobName([u8; 32]);

impl BlobName {
    /// The name of these digest bytes.
    pub(super) fn new(digest: [u8; 32]) -> BlobName {
        BlobName(digest)
    }

    /// The digest itself.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// Takes 64 small hex digits and nothing else, so a name can never lead out of its folder.
impl FromStr for BlobName {
    type Err = NoName;

    fn from_str(text: &str) -> Result<BlobName, NoName> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| NoName)?;
        bytes.try_into().map(BlobName).map_err(|_| NoName)
    }
}

/// This text is not the name of a blob.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoName;

impl fmt::Display for NoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a blob has 64 hex digits")
    }
}

impl std::error::Error for NoName {}

impl ToSql for BlobName {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.to_string().into())
    }
}

impl FromSql for BlobName {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<BlobName> {
        value.as_str()?.parse().map_err(|error: NoName| FromSqlError::Other(Box::new(error)))
    }
}
