//! Which folders this process may write to, once it has locked itself in; see `server/sandbox`.
//!
//! Only for sentences: the system refuses by itself, but it does not say why.

use super::error::Error;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

static ROOTS: OnceLock<Vec<PathBuf>> = OnceLock::new();

/// From now on only folders below these can be written to. Said once in the life of a process.
pub fn ends_at(roots: Vec<PathBuf>) {
    let _ = ROOTS.set(roots);
}

/// Why this process cannot write to a path, if it is for the sandbox.
pub fn refusal(path: &Path) -> Option<Error> {
    let roots = ROOTS.get()?;
    let whole = std::path::absolute(path).ok()?;
    let there = whole.ancestors().find_map(|above| above.canonicalize().ok())?;
    if roots.iter().any(|root| there.starts_with(root)) {
        return None;
    }
    let named: Vec<String> = roots.iter().map(|root| root.display().to_string()).collect();
    let sentence = format!("{} lies outside of the folders this program may write to.", path.display());
    Some(Error::forbidden(sentence).hint(format!(
        "These are {}. Name another one in the option `backup_roots`, and start the program again.",
        named.join(", ")
    )))
}
