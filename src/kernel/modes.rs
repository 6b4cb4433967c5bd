//! Modes: what other accounts of the machine may read or change, and should not. Says it; changes nothing.

use super::layout;
use super::options::Options;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Bits that let others in: group and everybody.
const OTHERS: u32 = 0o077;
/// Bits that let everybody in. A group may be meant to read, such as the one of the certificates.
const EVERYBODY: u32 = 0o007;
/// Bits that let others write.
const OTHERS_WRITE: u32 = 0o022;

/// A file or a folder that is open to others.
#[derive(Clone, Debug)]
pub struct Loose {
    /// Where it is.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
    /// What to do.
    pub mend: String,
    can: &'static str,
}

impl fmt::Display for Loose {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Loose { path, mode, can, .. } = self;
        write!(out, "Other accounts may {can} {} (mode {mode:03o}).", path.display())
    }
}

/// Everything with a mode that is too wide: what the instance keeps, and the files that options name. Files that
/// are not there are passed over. The key file is not among them: with a wide mode it opens nothing.
pub fn loose(options: &Options) -> Vec<Loose> {
    let data = &options.data;
    let own = [
        data.clone(),
        layout::keyring(data),
        layout::database(data),
        layout::blobs(data),
        layout::log(data),
        layout::receipts(data),
        layout::tls(data),
    ];
    let own = own.iter().filter_map(|path| judged(path, OTHERS, "read"));
    let tls = options.tls_files.as_ref().map(|files| &files.key);
    let binding =
        options.acme.as_ref().and_then(|acme| acme.binding.as_ref()).map(|binding| &binding.key_file);
    let named = [tls, binding, options.metrics_token_file.as_ref()].into_iter().flatten();
    let named = named.filter_map(|path| judged(path, EVERYBODY, "read"));
    let written = [Some(layout::options(data)), options.upgrade_key.clone()].into_iter().flatten();
    let written: Vec<Loose> = written.filter_map(|path| judged(&path, OTHERS_WRITE, "change")).collect();
    own.chain(named).chain(written).collect()
}

fn judged(path: &Path, refused: u32, can: &'static str) -> Option<Loose> {
    let found = fs::metadata(path).ok()?;
    let mode = found.permissions().mode() & 0o777;
    let tight = mode & !refused;
    let mend = format!("chmod {tight:03o} {}", path.display());
    (mode & refused != 0).then(|| Loose { path: path.to_owned(), mode, mend, can })
}
