//! The hold on a data folder: one server at a time, and whoever comes second learns who was first.

use super::build;
use super::durable::{self, trouble};
use super::error::{Error, Result};
use super::layout;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// The data folder is ours as long as this lives. The system lets go even after `kill -9`.
#[derive(Debug)]
pub struct Held {
    file: File,
}

/// What the process that holds a folder says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Noted {
    /// Its version.
    pub version: String,
    /// Words that it added.
    pub words: Vec<String>,
}

impl Held {
    /// Adds a word to what this process says of itself, for whoever asks `noted`.
    pub fn note(&self, word: &str) -> Result<()> {
        write!(&self.file, " {word}").map_err(Error::internal)
    }
}

/// Holds the folder against every other process, and makes it if it is missing.
///
/// Errors: `Conflict` with the number of the process that holds it.
pub fn hold(data: &Path) -> Result<Held> {
    durable::create_folder(data)?;
    let path = layout::serve_lock(data);
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = open.map_err(|cause| trouble("open", &path, cause))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut holder = String::new();
        // Only for the sentence, which is true without the number as well.
        let _ = file.read_to_string(&mut holder);
        let holder = holder.split_whitespace().next().unwrap_or("that has just started");
        return Err(Error::conflict(format!(
            "The data folder {} is in use by process {holder}.",
            data.display()
        ))
        .hint("Stop that process first, or name another folder with `--data`."));
    }
    let own = format!("{} {}", std::process::id(), build::VERSION);
    let noted = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(own.as_bytes()));
    noted.map_err(|cause| trouble("write", &path, cause))?;
    Ok(Held { file })
}

/// The process that holds the folder, as the system knows it. Asking disturbs nobody: trying the lock could
/// turn a server away that starts at this moment.
pub fn holder(data: &Path) -> Option<u32> {
    let file = std::fs::metadata(layout::serve_lock(data)).ok()?;
    let inode = format!(":{}", file.ino());
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    // Such as `1: FLOCK  ADVISORY  WRITE 4711 fe:01:1234 0 EOF`.
    let ours = locks
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|words| words.contains(&"FLOCK") && words.iter().any(|word| word.ends_with(&inode)))?;
    ours.get(4)?.parse().ok()
}

/// What the holder of the folder, or else the one before, said of itself. The folder of its process in /proc tells
/// nobody but root which program it runs, as its memory is private.
pub fn noted(data: &Path) -> Option<Noted> {
    let text = std::fs::read_to_string(layout::serve_lock(data)).ok()?;
    let mut words = text.split_whitespace().skip(1).map(str::to_owned);
    Some(Noted { version: words.next()?, words: words.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_once_and_free_again_afterwards() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("data");
        let held = hold(&data).unwrap();
        let refusal = hold(&data).unwrap_err();
        assert!(refusal.sentence().ends_with(&format!("in use by process {}.", std::process::id())));
        assert_eq!(holder(&data), Some(std::process::id()));
        held.note("files").unwrap();
        let said = Noted { version: build::VERSION.to_owned(), words: vec!["files".to_owned()] };
        assert_eq!(noted(&data), Some(said));
        drop(held);
        assert_eq!(holder(&data), None);
        hold(&data).unwrap();
    }
}
