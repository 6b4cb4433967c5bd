//! Scratch: a backup brought back beside the instance, opened with its keys, and wiped afterwards.
//!
//! It is as encrypted as the instance itself. Drills prove one, restores take rows and files out of one, and the
//! whole instance may become one. One at a time: the bench belongs to whoever began.

use super::child::Brake;
use super::manifest::Manifest;
use super::receipt::Receipt;
use super::restore::{self, Job};
use crate::kernel::access::Shell;
use crate::kernel::durable::{self, trouble};
use crate::kernel::error::{Error, Result};
use crate::kernel::instance::Instance;
use crate::kernel::keyring::Keyring;
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::swap;
use crate::kernel::time::Clock;
use rustix::fs::{FlockOperation, flock, statvfs};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// Held by whoever works in a scratch folder, so that a sweep takes only what nobody uses.
const LOCK: &str = "lock";
/// How the names of scratch folders begin. Nothing else is ever wiped, wherever it lies.
const PREFIX: &str = "backup-";

/// A backup that lies open.
pub struct Scratch {
    /// Its folder, data and lock.
    folder: PathBuf,
    /// What was brought back, opened with the keys of its time.
    pub instance: Instance,
    /// The right to act in it.
    pub shell: Shell,
    /// The backup it is.
    pub receipt: Receipt,
    /// What its manifest says.
    pub manifest: Manifest,
    /// Where the backup came from.
    pub target: String,
    /// Whether it holds what came after the backup as well, up to a moment.
    pub is_followed: bool,
    _lock: File,
}

/// What is brought back, and where from.
pub struct Errand {
    /// The repository and its key.
    pub job: Job,
    /// The backup.
    pub receipt: Receipt,
    /// Where it comes from, for people.
    pub target: String,
    /// The keyring of the living instance.
    pub keyring: Keyring,
    /// Folder in which scratch folders are made.
    pub place: PathBuf,
}

impl Scratch {
    /// Brings a backup back and opens it. Blocks.
    pub fn open(program: &Path, errand: Errand, task: &Task) -> Result<Scratch> {
        Scratch::opened(program, errand, task, |_, _| Ok(())).map(|(scratch, ())| scratch)
    }

    /// The same; before it is opened, `follow` brings what came after it into its folder, told the keys of its time.
    pub fn open_followed<T>(
        program: &Path,
        errand: Errand,
        task: &Task,
        follow: impl FnOnce(&Keyring, &Path) -> Result<T>,
    ) -> Result<(Scratch, T)> {
        let (mut scratch, told) = Scratch::opened(program, errand, task, follow)?;
        scratch.is_followed = true;
        Ok((scratch, told))
    }

    fn opened<T>(
        program: &Path,
        errand: Errand,
        task: &Task,
        follow: impl FnOnce(&Keyring, &Path) -> Result<T>,
    ) -> Result<(Scratch, T)> {
        let Errand { job, receipt, target, keyring, place } = errand;
        durable::create_folder(&place)?;
        refuse_without_room(&place, receipt.bytes)?;
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&place);
        let folder = folder.map_err(|cause| trouble("write in", &place, cause))?;
        let lock =
            File::create(folder.path().join(LOCK)).map_err(|cause| trouble("write in", &place, cause))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(Error::internal)?;
        let data = folder.path().join("data");
        task.stage("Bringing the backup back", receipt.bytes);
        *task.growing.lock().expect(HELD) = Some(folder.path().to_owned());
        let restored = restore::restore_with(program, &job, &receipt, &data, &task.brake);
        *task.growing.lock().expect(HELD) = None;
        let manifest = restored?;
        let then = || fs::read(layout::keyring(&data)).map_err(Error::internal);
        let told = follow(&keyring.as_of(&then()?)?, &data)?;
        task.stage("Opening it", 0);
        // Read anew: what came after the backup may have brought other keys.
        let keyring = keyring.as_of(&then()?)?;
        keyring.save(&data)?;
        let (instance, shell) = Instance::open_copy(&data, keyring, Clock::System)?;
        let folder = folder.keep();
        let is_followed = false;
        Ok((Scratch { folder, instance, shell, receipt, manifest, target, is_followed, _lock: lock }, told))
    }

    /// The data folder of what was brought back.
    pub fn data(&self) -> &Path {
        &self.instance.data
    }

    /// Closes it and leaves its files where they are; answers their folder, which nobody sweeps away while this
    /// process holds the lock that comes with it.
    pub async fn close_and_keep(mut self) -> (PathBuf, File) {
        self.instance.door.shut_down().await;
        let held = self._lock.try_clone().expect("the system grants one more descriptor");
        // Nothing is left for `drop` to wipe.
        self.folder = PathBuf::new();
        (self.instance.data.clone(), held)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.folder.as_os_str().is_empty() {
            return;
        }
        if let Err(cause) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(%cause, folder = %self.folder.display(), "a scratch folder could not be wiped; the next start does");
        }
    }
}

/// Wipes the scratch folders in a place that processes left who are gone; answers how many there were.
pub fn sweep(place: &Path) -> Result<usize> {
    let listed = match fs::read_dir(place) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(0),
        listed => listed.map_err(|cause| trouble("list", place, cause))?,
    };
    let mut swept = 0;
    for entry in listed {
        let entry = entry.map_err(|cause| trouble("list", place, cause))?;
        let (path, name) = (entry.path(), entry.file_name());
        let is_ours = name.to_str().is_some_and(|name| name.starts_with(PREFIX))
            && entry.file_type().is_ok_and(|kind| kind.is_dir());
        let is_left = is_ours
            && match File::open(path.join(LOCK)) {
                Ok(lock) => flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok(),
                // Cut off before its lock was made. Whatever else lacks one is not ours.
                Err(_) => fs::read_dir(&path).is_ok_and(|mut inside| inside.next().is_none()),
            };
        if is_left {
            fs::remove_dir_all(&path).map_err(|cause| trouble("wipe", &path, cause))?;
            swept += 1;
        }
    }
    Ok(swept)
}

fn refuse_without_room(place: &Path, bytes: u64) -> Result<()> {
    let found = statvfs(place).map_err(|cause| trouble("look at", place, cause.into()))?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let needed = bytes.saturating_add(limits::SCRATCH_FREE_BYTES_MIN);
    if free >= needed {
        return Ok(());
    }
    let mib = |bytes: u64| bytes / (1 << 20);
    Err(Error::busy(format!(
        "Bringing this backup back takes {} MiB in {}, and {} MiB are free there.",
        mib(needed),
        place.display(),
        mib(free)
    ))
    .hint("Make room, or choose another folder for scratch copies on the page of drills."))
}

const HELD: &str = "nobody panics while holding it";

/// The place for one scratch copy, and what is done there now.
#[derive(Default)]
pub struct Bench {
    current: Arc<Mutex<Option<Arc<Task>>>>,
    kept: Mutex<Option<Arc<Scratch>>>,
}

/// What is done at the bench: how far it is, and the brake that stops it.
#[derive(Default)]
pub struct Task {
    /// What it is, in a word or two.
    pub what: &'static str,
    stage: Mutex<&'static str>,
    done: AtomicU64,
    total: AtomicU64,
    growing: Mutex<Option<PathBuf>>,
    /// Stops it.
    pub brake: Brake,
}

/// How far a task is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Progress {
    /// What is done.
    pub what: &'static str,
    /// Which part of it.
    pub stage: &'static str,
    /// So much of it.
    pub done: u64,
    /// Of so much; 0 if nobody knows.
    pub total: u64,
}

impl Task {
    /// Begins another part of the work; `total` is how much of it there is, 0 if nobody knows.
    pub fn stage(&self, stage: &'static str, total: u64) {
        *self.stage.lock().expect(HELD) = stage;
        self.done.store(0, Relaxed);
        self.total.store(total, Relaxed);
    }

    /// So much more is done.
    pub fn advance(&self, by: u64) {
        self.done.fetch_add(by, Relaxed);
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let growing = self.growing.lock().expect(HELD).clone();
        let (total, counted) = (self.total.load(Relaxed), self.done.load(Relaxed));
        // The engine tells nobody how far it is, so the folder that it fills does.
        let done = growing.map_or(counted, |folder| swap::size_of(&folder).min(total));
        Progress { what: self.what, stage: *self.stage.lock().expect(HELD), done, total }
    }
}

/// The right to work at the bench; passes on when it is dropped.
pub struct Turn {
    current: Arc<Mutex<Option<Arc<Task>>>>,
    /// What is done.
    pub task: Arc<Task>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.current.lock().expect(HELD) = None;
    }
}

impl Bench {
    /// Takes the bench. Errors: `Conflict` while something else is done there.
    pub fn take(&self, what: &'static str) -> Result<Turn> {
        let mut current = self.current.lock().expect(HELD);
        if let Some(task) = &*current {
            return Err(Error::conflict(format!("{} is under way already.", task.what))
                .hint("Wait until it is done, or stop it."));
        }
        let task = Arc::new(Task { what, ..Task::default() });
        *current = Some(Arc::clone(&task));
        Ok(Turn { current: Arc::clone(&self.current), task })
    }

    /// How far the work is that goes on now.
    pub fn progress(&self) -> Option<Progress> {
        let task = self.current.lock().expect(HELD).clone();
        task.map(|task| task.progress())
    }

    /// Stops whatever goes on now.
    pub fn stop(&self) {
        if let Some(task) = &*self.current.lock().expect(HELD) {
            task.brake.pull();
        }
    }

    /// Stops the work that goes on now if it is one of these: who may stop a drill may not stop a restore. Answers
    /// whether it was.
    pub fn stop_only(&self, what: &[&str]) -> bool {
        let current = self.current.lock().expect(HELD);
        let asked = current.as_ref().filter(|task| what.contains(&task.what));
        asked.inspect(|task| task.brake.pull()).is_some()
    }

    /// Keeps a copy for whoever asks for the same backup next.
    pub fn keep(&self, scratch: Arc<Scratch>) {
        *self.kept.lock().expect(HELD) = Some(scratch);
    }

    /// The copy that was kept, if it is this backup of this target.
    pub fn kept(&self, target: &str, receipt: u64) -> Option<Arc<Scratch>> {
        let kept = self.kept.lock().expect(HELD).clone();
        kept.filter(|scratch| scratch.target == target && scratch.receipt.number == receipt)
    }

    /// Wipes the copy that was kept, once nobody uses it any more.
    pub fn clear(&self) {
        *self.kept.lock().expect(HELD) = None;
    }

    /// The same, if it is still this one.
    pub fn clear_if(&self, scratch: &Arc<Scratch>) {
        let mut kept = self.kept.lock().expect(HELD);
        if kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, scratch)) {
            *kept = None;
        }
    }
}
