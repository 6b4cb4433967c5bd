//! Which folders this process may write to, once it has locked itself in; see `server/sandbox`.
//!
//! Only for sentences: the system refuses by itself, but it does not say why.

use super::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

static ROOTS: OnceLock<Vec<PathBuf>> = OnceLock::new();

/// From now on only folders below these can be written to. Said once in the life of a process.
pub fn ends_at(roots: Vec<PathBuf>) {
    let _ = ROOTS.set(roots);
}

/// Whether this process can write below a folder, which need not be there yet.
///
/// Errors: `Forbidden`, with the option that changes it.
pub fn check(folder: &Path) -> Result<()> {
    let Some(roots) = ROOTS.get() else { return Ok(()) };
    let folder = std::path::absolute(folder).map_err(Error::internal)?;
    let there = folder.ancestors().find_map(|above| above.canonicalize().ok()).unwrap_or_default();
    if roots.iter().any(|root| there.starts_with(root)) {
        return Ok(());
    }
    let named: Vec<String> = roots.iter().map(|root| root.display().to_string()).collect();
    Err(Error::forbidden(format!(
        "{} lies outside of the folders this program may write to.",
        folder.display()
    ))
    .hint(format!(
        "These are {}. Name another one in the option `backup_roots`, and start the program again.",
        named.join(", ")
    )))
}
