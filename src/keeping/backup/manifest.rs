//! Manifest: what a snapshot must contain; the list that backup promises and restore compares.
//!
//! Lies in the snapshot as `manifest.json`. See `docs/formats/backup.md`.

use super::Say;
use crate::kernel::audit::Head;
use crate::kernel::error::{Error, Result};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Root of everything of ours inside a snapshot.
pub const ROOT: &str = "/testkeep";
/// The layout this program writes; it refuses a newer one.
pub const VERSION: u32 = 1;

/// One file of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Path below [`ROOT`], `/` between parts.
    pub path: String,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256, lower-case hex.
    pub sha256: String,
}

/// The end of the audit trail at the pin: whoever restores can tell that none of it was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Number of the last entry.
    pub seq: i64,
    /// Its keyed hash, lower-case hex.
    pub hash: String,
}

impl Anchor {
    /// The end of this trail.
    pub fn of(head: &Head) -> Anchor {
        Anchor { seq: head.seq, hash: HEXLOWER.encode(&head.hash) }
    }

    /// The same as the trail is checked against it.
    pub fn head(&self) -> Result<Head> {
        let hash = HEXLOWER.decode(self.hash.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
        let hash = hash.ok_or_else(|| Error::invalid("The backup names no end of the audit trail."))?;
        Ok(Head { seq: self.seq, hash })
    }
}

/// Everything a restore compares. Its own hash stands in the signed receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout of this file and of the snapshot.
    pub version: u32,
    /// The Testkeep that made the backup.
    pub testkeep: String,
    /// Instance the data belongs to.
    pub instance: String,
    /// Moment of the pin, RFC 3339 in UTC.
    pub made_at: String,
    /// Schema of the database.
    pub schema_version: i64,
    /// Length of the whole database file.
    pub database_bytes: u64,
    /// Length of one page of it.
    pub page_bytes: u64,
    /// SHA-256 of the whole database file.
    pub database_sha256: String,
    /// Rows of each table.
    pub rows: BTreeMap<String, i64>,
    /// End of the audit trail.
    pub audit: Anchor,
    /// Pieces of the database in file order; joined they are the database.
    pub slices: Vec<Entry>,
    /// The wrapped keys of the instance.
    pub keyring: Entry,
    /// Attached files, encrypted under their own keys.
    pub blobs: Vec<Entry>,
    /// Names of blobs that the database speaks of and the blob folder did not hold.
    pub blobs_missing: Vec<String>,
}

impl Manifest {
    /// Reads a manifest whose hash was found to be right.
    pub fn parse(bytes: &[u8]) -> Result<Manifest> {
        #[derive(Deserialize)]
        struct Layout {
            version: u32,
        }
        let unreadable = || Error::invalid("The manifest of the backup cannot be read.");
        // The number first: a newer layout may not parse at all.
        let layout: Layout = serde_json::from_slice(bytes).say(unreadable)?;
        if layout.version != VERSION {
            let found = layout.version;
            return Err(Error::conflict(format!(
                "This backup has layout {found}; this Testkeep knows layout {VERSION}."
            ))
            .hint("Restore it with the version of Testkeep that made it, or a newer one."));
        }
        serde_json::from_slice(bytes).say(unreadable)
    }
}

/// SHA-256 as lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// SHA-256 and length of a file, read in steps of 1 MiB: a blob may be larger than memory.
pub fn sha256_file(path: &Path) -> io::Result<(String, u64)> {
    let (mut file, mut step) = (File::open(path)?, vec![0; 1 << 20]);
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    loop {
        match file.read(&mut step)? {
            0 => return Ok((HEXLOWER.encode(&hash.finalize()), bytes)),
            got => {
                hash.update(&step[..got]);
                bytes += got as u64;
            }
        }
    }
}
