//! What this program is made of: its version, who compiled it, and the list of all its parts.
//!
//! Written by `build.rs`; nothing here asks the machine it runs on.

use super::error::{Error, Result};
use super::upgrade::SCHEMA;
use data_encoding::HEXLOWER;
use flate2::read::GzDecoder;
use rusqlite::Connection;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::Read as _;
use std::sync::OnceLock;

/// The version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The list of parts, packed.
const PARTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/parts.json.gz"));

/// How this program was built.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Build {
    /// Its version.
    pub version: &'static str,
    /// The schema of its database.
    pub schema: i64,
    /// The commit it was built from, if whoever built it said so.
    pub commit: Option<&'static str>,
    /// The compiler.
    pub rustc: &'static str,
    /// The machine it is for.
    pub target: &'static str,
    /// The cipher of the database.
    pub sqlcipher: String,
    /// The database.
    pub sqlite: &'static str,
    /// What the cipher of the database calculates with.
    pub crypto: String,
}

impl Build {
    /// How this program was built. The libraries are asked, not believed.
    pub fn of_this_program() -> Result<Build> {
        let database = Connection::open_in_memory().map_err(Error::internal)?;
        // Without a key there is no cipher, and nobody who could answer for it.
        database.pragma_update(None, "key", "none").map_err(Error::internal)?;
        let said = |pragma: &str| -> Result<String> {
            let answer = database.query_row(pragma, [], |row| row.get::<_, String>(0));
            answer.map(|words| words.trim().to_owned()).map_err(Error::internal)
        };
        Ok(Build {
            version: VERSION,
            schema: SCHEMA,
            commit: Some(env!("TESTKEEP_BUILD_COMMIT")).filter(|commit| !commit.is_empty()),
            rustc: env!("TESTKEEP_BUILD_RUSTC"),
            target: env!("TESTKEEP_BUILD_TARGET"),
            sqlcipher: said("PRAGMA cipher_version")?,
            sqlite: rusqlite::version(),
            crypto: said("PRAGMA cipher_provider_version")?,
        })
    }
}

/// SHA-256 of the executable that runs, also where another lies in its place by now; 64 hex digits. Read once.
pub fn sha256() -> Result<String> {
    static DIGEST: OnceLock<String> = OnceLock::new();
    if let Some(known) = DIGEST.get() {
        return Ok(known.clone());
    }
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    let mut file = File::open("/proc/self/exe").map_err(Error::internal)?;
    loop {
        match file.read(&mut buffer).map_err(Error::internal)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    Ok(DIGEST.get_or_init(|| HEXLOWER.encode(&hash.finalize())).clone())
}

/// Every part of the program with version, licence and digest, as CycloneDX 1.6 in JSON.
pub fn parts() -> String {
    let mut list = String::new();
    GzDecoder::new(PARTS).read_to_string(&mut list).expect("the build packed it");
    list
}
