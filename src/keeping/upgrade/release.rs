//! Release: a program that whoever holds the release key has signed, in the format of minisign.
//!
//! The signature covers the file and its trusted comment, `testkeep VERSION TARGET`; so nobody can pass an old
//! release off as a new one by renaming it. Source: https://jedisct1.github.io/minisign/

use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use minisign_verify::{PublicKey, Signature};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// The public key that this program was built with, for whoever builds releases: `TESTKEEP_RELEASE_KEY`.
const BUILT_IN: Option<&str> = option_env!("TESTKEEP_RELEASE_KEY");

/// What a good signature says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Release {
    /// The version that its trusted comment names.
    pub version: String,
}

/// Checks a file against its signature. `key` is a file with the public key; without it the one that this
/// program was built with counts.
///
/// Errors: `Invalid` where the file, the comment or the key is not the one that was signed.
pub fn verified(program: &Path, signature: &Path, key: Option<&Path>) -> Result<Release> {
    let public = public_key(key)?;
    let text = small(signature, "signature")?;
    let signature = Signature::decode(&text).map_err(|cause| {
        Error::invalid(format!("{} is not a signature of minisign.", signature.display())).because(cause)
    })?;
    let forged = |cause: minisign_verify::Error| {
        Error::invalid(format!(
            "{} was not signed with the release key, or was changed since.",
            program.display()
        ))
        .hint("Do not start it. Fetch the file and its signature again from where you trust it.")
        .because(cause)
    };
    let mut checking = public.verify_stream(&signature).map_err(forged)?;
    let mut file = File::open(program).map_err(|cause| unreadable(program, &cause))?;
    let mut chunk = vec![0; limits::COPY_CHUNK_BYTES];
    loop {
        match file.read(&mut chunk).map_err(|cause| unreadable(program, &cause))? {
            0 => break,
            length => checking.update(&chunk[..length]),
        }
    }
    checking.finalize().map_err(forged)?;
    release(signature.trusted_comment())
}

/// `testkeep 0.2.0 x86_64-unknown-linux-gnu`, the target being for people.
fn release(comment: &str) -> Result<Release> {
    let mut words = comment.split_whitespace();
    match (words.next(), words.next()) {
        (Some("testkeep"), Some(version)) => Ok(Release { version: version.to_owned() }),
        _ => {
            Err(Error::invalid("What was signed says that it is something else than a release of Testkeep.")
                .hint("Its trusted comment has to begin with `testkeep` and the version."))
        }
    }
}

fn public_key(key: Option<&Path>) -> Result<PublicKey> {
    let unusable = |cause: minisign_verify::Error| {
        Error::invalid("The release key is not a public key of minisign.").because(cause)
    };
    match (key, BUILT_IN) {
        (Some(path), _) => PublicKey::decode(&small(path, "release key")?).map_err(unusable),
        (None, Some(built_in)) => PublicKey::from_base64(built_in).map_err(unusable),
        (None, None) => Err(Error::invalid(
            "This program was built without a release key, so it cannot tell whom to believe.",
        )
        .hint("Name the file with the public key of whoever builds your releases: `upgrade_key`.")),
    }
}

fn small(path: &Path, what: &str) -> Result<String> {
    let mut text = String::new();
    let read =
        File::open(path).and_then(|file| file.take(limits::SIGNATURE_BYTES_MAX).read_to_string(&mut text));
    read.map(|_| text)
        .map_err(|cause| Error::not_found(format!("The {what} {} cannot be read: {cause}.", path.display())))
}

fn unreadable(path: &Path, cause: &std::io::Error) -> Error {
    Error::not_found(format!("{} cannot be read: {cause}.", path.display()))
}
