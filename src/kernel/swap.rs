//! The swap: another state of the instance takes the place of the present one, whole or not at all.
//!
//! `prepare` writes down what is to be exchanged; the exchange itself happens at the next start, before
//! anything is opened, by renames that may be cut off and repeated at any point. What stood there before is
//! kept beside it until somebody deletes it or goes back to it.
//! Knows nothing of backups: what lies in the staging folder was proven by whoever put it there.

use super::durable::{self, trouble};
use super::error::{Error, Result};
use super::layout;
use super::stopped;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What makes up the state of an instance: everything that must change together. The log of the database goes
/// with its database, and after it: a database without its log is an older state that looks whole, a log without
/// its database is nothing. Receipts, certificate and options stay.
const PARTS: [&str; 5] =
    [layout::DATABASE_FILE, "testkeep.db-wal", "testkeep.db-shm", layout::BLOBS_FOLDER, layout::KEYRING_FILE];
/// How many of them are the database alone.
const DATABASE_PARTS: usize = 3;
/// The beginning of the names of folders that keep what stood there before.
const KEPT: &str = "before-";
/// In such a folder: why and when it was put there.
const LABEL: &str = "kept.json";

/// Why a state takes the place of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A backup was brought back.
    Restore,
    /// An upgrade did not work out.
    Upgrade,
    /// Somebody went back to what stood there before.
    Return,
}

impl Reason {
    /// The word in names of folders.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Restore => "restore",
            Reason::Upgrade => "upgrade",
            Reason::Return => "return",
        }
    }
}

/// How far an exchange has come. Each step only begins when the one before is on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    /// The present state is moved aside.
    Aside,
    /// The other one is moved in.
    In,
}

/// What is to be exchanged; see `layout::swap`. Both folders are named, never paths: they lie in the data folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Order {
    version: u32,
    reason: Reason,
    staging: String,
    kept: String,
    at: i64,
    step: Step,
    /// Whether files and keys stay, because only the database is exchanged.
    #[serde(default)]
    is_of_database: bool,
}

impl Order {
    fn parts(&self) -> &'static [&'static str] {
        if self.is_of_database { &PARTS[..DATABASE_PARTS] } else { &PARTS }
    }
}

/// A state that stood here before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Name of its folder in the data folder.
    #[serde(skip)]
    pub name: String,
    /// Why another one took its place.
    pub reason: Reason,
    /// When that was ordered, in milliseconds since 1970 in UTC.
    pub at: i64,
    /// Bytes of its files.
    #[serde(skip)]
    pub bytes: u64,
}

/// Orders that the state in `staging`, a folder in the data folder, takes the place of the present one at the
/// next start. The caller closes the instance and starts it again.
///
/// Errors: `Conflict` where an exchange is ordered already, where `staging` holds no whole state, or where it
/// lies on another disk than the data.
pub fn prepare(data: &Path, staging: &Path, reason: Reason, now: Timestamp) -> Result<()> {
    if is_ordered(data) {
        return Err(Error::conflict("This instance is about to take on another state already.")
            .hint("Start it again; that finishes it."));
    }
    let name = staging.strip_prefix(data).ok().and_then(Path::to_str);
    let name = name.filter(|name| !name.is_empty() && !name.contains(".."));
    let name = name.ok_or_else(|| Error::internal("a staging folder lies outside the data folder"))?;
    let has_keyring = staging.join(layout::KEYRING_FILE).is_file();
    let is_of_database = match reason {
        Reason::Restore => false,
        Reason::Upgrade => true,
        // What was put aside in the place of a database is a database.
        Reason::Return => !has_keyring,
    };
    for (part, is_there) in [
        (layout::DATABASE_FILE, staging.join(layout::DATABASE_FILE).is_file()),
        (layout::KEYRING_FILE, has_keyring || is_of_database),
    ] {
        if !is_there {
            return Err(Error::conflict(format!("There is no whole state in {name}: {part} is missing.")));
        }
    }
    refuse_other_disk(data, staging)?;
    sync_parts(staging)?;
    let stamp: String = now.to_string().chars().filter(char::is_ascii_alphanumeric).take(18).collect();
    let kept = format!("{KEPT}{}-{stamp}", reason.word());
    if data.join(&kept).exists() {
        return Err(Error::conflict("Another state was put aside in this very moment.").hint("Try again."));
    }
    let order = Order {
        version: 1,
        reason,
        staging: name.into(),
        kept,
        at: now.0,
        step: Step::Aside,
        is_of_database,
    };
    write(data, &order)
}

/// Whether an exchange is ordered and not done.
pub fn is_ordered(data: &Path) -> bool {
    layout::swap(data).exists()
}

/// Takes an order back that nobody has begun to carry out.
pub fn call_off(data: &Path) -> Result<()> {
    remove_file(&layout::swap(data))
}

/// Carries out what was ordered, from wherever it was cut off; answers what was put aside. Only for whoever holds
/// the data folder, before anything in it is opened.
pub fn resume_at_start(data: &Path) -> Result<Option<Kept>> {
    let Some(mut order) = read(data)? else { return Ok(None) };
    let (staging, kept) = (data.join(&order.staging), data.join(&order.kept));
    stopped::forget_end(data)?;
    if order.step == Step::Aside {
        durable::create_folder(&kept)?;
        let label = Kept { name: String::new(), reason: order.reason, at: order.at, bytes: 0 };
        let label = serde_json::to_vec_pretty(&label).map_err(Error::internal)?;
        durable::replace(&kept.join(LABEL), &label)?;
        move_parts(order.parts(), data, &kept)?;
        order.step = Step::In;
        write(data, &order)?;
    }
    move_parts(order.parts(), &staging, data)?;
    remove_folder(&staging)?;
    remove_file(&layout::swap(data))?;
    durable::sync_folder(data)?;
    tracing::warn!(
        kept = order.kept,
        reason = order.reason.word(),
        "another state took the place of this one"
    );
    described(data, order.kept).map(Some)
}

/// States that were put aside, the newest first.
pub fn kept(data: &Path) -> Result<Vec<Kept>> {
    let listed = fs::read_dir(data).map_err(|cause| trouble("list", data, cause))?;
    let mut found = Vec::new();
    for entry in listed {
        let name = entry.map_err(|cause| trouble("list", data, cause))?.file_name();
        let name = name.to_string_lossy().into_owned();
        if name.starts_with(KEPT) && data.join(&name).join(LABEL).exists() {
            found.push(described(data, name)?);
        }
    }
    found.sort_by_key(|kept| std::cmp::Reverse(kept.at));
    Ok(found)
}

/// Deletes a state that was put aside.
pub fn discard(data: &Path, name: &str) -> Result<()> {
    let folder = known(data, name)?;
    // Without its label it is no state any more, even if the rest is cut off in the middle.
    remove_file(&folder.join(LABEL))?;
    remove_folder(&folder)
}

/// Orders that a state that was put aside takes its place again at the next start.
pub fn go_back(data: &Path, name: &str, now: Timestamp) -> Result<()> {
    prepare(data, &known(data, name)?, Reason::Return, now)
}

fn known(data: &Path, name: &str) -> Result<PathBuf> {
    let found = kept(data)?.into_iter().find(|kept| kept.name == name);
    let found = found.ok_or_else(|| Error::not_found("No state of this name was put aside."))?;
    Ok(data.join(found.name))
}

fn described(data: &Path, name: String) -> Result<Kept> {
    let folder = data.join(&name);
    let label = folder.join(LABEL);
    let json = fs::read(&label).map_err(|cause| trouble("read", &label, cause))?;
    let kept: Kept = serde_json::from_slice(&json).map_err(Error::internal)?;
    Ok(Kept { bytes: size_of(&folder), name, ..kept })
}

/// Bytes of all files in a folder, as far as they can be seen.
pub fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => size_of(&entry.path()),
        // What lies on the disk: an engine may set the length of a file before its bytes are there.
        Ok(found) => found.blocks() * 512,
        Err(_) => 0,
    });
    sizes.sum()
}

/// Moves what is there. What is not there was moved before, or never was.
fn move_parts(parts: &[&str], from: &Path, to: &Path) -> Result<()> {
    for part in parts {
        let (source, target) = (from.join(part), to.join(part));
        match fs::rename(&source, &target) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => {}
            moved => moved.map_err(|cause| trouble("move", &source, cause))?,
        }
    }
    durable::sync_folder(to)?;
    if from.exists() { durable::sync_folder(from) } else { Ok(()) }
}

/// A rename works within one file system only.
fn refuse_other_disk(data: &Path, staging: &Path) -> Result<()> {
    let disk = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
    let blobs = layout::blobs(data);
    let places = [Some(data), blobs.exists().then_some(&*blobs), Some(staging)];
    let disks: Vec<_> = places.into_iter().flatten().map(disk).collect();
    if disks.windows(2).all(|pair| pair[0] == pair[1]) {
        return Ok(());
    }
    Err(Error::conflict("The files of evidence lie on another disk than the database.")
        .hint("Stop the instance and restore it with `testkeep restore --into` instead."))
}

fn sync_parts(staging: &Path) -> Result<()> {
    for path in [layout::DATABASE_FILE, layout::KEYRING_FILE].map(|part| staging.join(part)) {
        if !path.exists() {
            continue;
        }
        let synced = fs::File::open(&path).and_then(|file| file.sync_all());
        synced.map_err(|cause| trouble("write", &path, cause))?;
    }
    durable::sync_folder(staging)
}

fn write(data: &Path, order: &Order) -> Result<()> {
    durable::replace(&layout::swap(data), &serde_json::to_vec_pretty(order).map_err(Error::internal)?)
}

fn read(data: &Path) -> Result<Option<Order>> {
    let path = layout::swap(data);
    let json = match fs::read(&path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|cause| trouble("read", &path, cause))?,
    };
    let unreadable = |cause| {
        Error::conflict(format!("{} cannot be read.", path.display()))
            .hint("It says which state of the instance is to take the place of which. Ask before you delete it.")
            .because(cause)
    };
    let order: Order = serde_json::from_slice(&json).map_err(unreadable)?;
    if order.version != 1 {
        return Err(Error::conflict("A newer Testkeep ordered another state for this instance.")
            .hint("Start it with that version."));
    }
    Ok(Some(order))
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|cause| trouble("remove", path, cause)),
    }
}

fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|cause| trouble("remove", path, cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(folder: &Path, word: &str) {
        fs::create_dir_all(layout::blobs(folder)).unwrap();
        for (name, what) in
            [(layout::DATABASE_FILE, "db"), (layout::KEYRING_FILE, "keys"), ("blobs/one", "blob")]
        {
            fs::write(folder.join(name), format!("{word} {what}")).unwrap();
        }
    }

    fn word(data: &Path) -> String {
        let words = [layout::DATABASE_FILE, layout::KEYRING_FILE, "blobs/one"].map(|name| {
            let text = fs::read_to_string(data.join(name)).unwrap();
            text.split(' ').next().unwrap().to_owned()
        });
        assert!(words.iter().all(|word| *word == words[0]), "between two states: {words:?}");
        words[0].clone()
    }

    #[test]
    fn f18_a_swap_that_is_cut_off_anywhere_ends_as_the_new_state() {
        // Every prefix of its renames, as a kill leaves them.
        for cut in 0..8 {
            let place = tempfile::tempdir().unwrap();
            let (data, staging) = (place.path(), place.path().join("scratch/next"));
            state(data, "old");
            fs::write(data.join("testkeep.db-wal"), "old log").unwrap();
            state(&staging, "new");
            prepare(data, &staging, Reason::Restore, Timestamp(1_767_323_045_000)).unwrap();
            let order = read(data).unwrap().unwrap();
            let kept = data.join(&order.kept);
            if cut > 0 {
                fs::create_dir_all(&kept).unwrap();
                let parts = PARTS.iter().filter(|part| data.join(part).exists());
                for part in parts.take(cut - 1) {
                    fs::rename(data.join(part), kept.join(part)).unwrap();
                }
            }
            if cut > 5 {
                let label = Kept { name: String::new(), reason: order.reason, at: order.at, bytes: 0 };
                fs::write(kept.join(LABEL), serde_json::to_vec(&label).unwrap()).unwrap();
                write(data, &Order { step: Step::In, ..order }).unwrap();
                fs::rename(staging.join(PARTS[0]), data.join(PARTS[0])).unwrap();
            }
            let found = resume_at_start(data).unwrap().unwrap();
            assert_eq!(word(data), "new", "cut {cut}");
            assert!(!staging.exists() && !is_ordered(data) && !data.join("testkeep.db-wal").exists());
            assert!(resume_at_start(data).unwrap().is_none());
            go_back(data, &found.name, Timestamp(1_767_323_046_000)).unwrap();
            resume_at_start(data).unwrap();
            assert_eq!(word(data), "old", "cut {cut}");
            assert_eq!(fs::read_to_string(data.join("testkeep.db-wal")).unwrap(), "old log");
            let aside = kept_names(data);
            assert_eq!(aside.len(), 1, "{aside:?}");
            discard(data, &aside[0]).unwrap();
            assert!(kept_names(data).is_empty() && discard(data, "before-x").is_err());
        }
    }

    fn kept_names(data: &Path) -> Vec<String> {
        kept(data).unwrap().into_iter().map(|kept| kept.name).collect()
    }
}
