//! The test of a target: can it be written, read, listed and deleted from, how fast, and what does it protect.

use super::desk::Desk;
use super::work::blocking;
use crate::keeping::backup::storage::{Place, Protection, Storage, protection};
use crate::keeping::targets::{self, Goal, Target};
use crate::kernel::access::{BackupRun, Gate};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::TargetId;
use crate::kernel::limits;
use crate::kernel::random;
use crate::kernel::time::Clock;
use crate::web::figures::Bytes;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

/// Among the receipts, where it is taken for none of them.
const OBJECT: &str = "receipts/probe";
/// File systems that lie on another machine, by the numbers that the kernel gives them: NFS, CIFS, SMB2, Ceph,
/// and FUSE, under which sshfs and the like are found.
const ON_OTHER_MACHINES: [i64; 5] = [0x6969, 0xFF53_4D42, 0xFE53_4D42, 0x00C3_6400, 0x6573_5546];

/// What a test found.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Bytes a second when writing.
    pub write_rate: u64,
    /// Bytes a second when reading.
    pub read_rate: u64,
    /// What the target protects, in sentences.
    pub protection: Vec<String>,
}

impl Probe {
    /// The findings in a sentence.
    pub fn sentence(&self) -> String {
        let (write, read) = (Bytes(self.write_rate), Bytes(self.read_rate));
        format!("It was written, listed, read and deleted: {write} a second up, {read} a second down.")
    }
}

impl Desk {
    /// Tests a target and notes what was found, failures too.
    pub async fn test(&self, gate: &Gate<BackupRun>, id: TargetId) -> Result<Probe> {
        let instance = Arc::clone(&self.instance);
        let goal = gate
            .read(move |tx| {
                let target = targets::get(tx, id)?;
                Goal::even_if_off(tx, &instance, &target)
            })
            .await?;
        let tested = blocking(move || probe(&goal)).await;
        let noted = tested.clone().map(|probe| (probe.sentence(), Some(probe.protection.join("\n"))));
        gate.write(move |tx| targets::note_tested(tx, id, &noted)).await?;
        tested
    }

    /// Says why a target does not answer. Changes nothing.
    pub async fn reach(&self, gate: &Gate<BackupRun>, id: TargetId) -> Result<()> {
        let instance = Arc::clone(&self.instance);
        let goal = gate.read(move |tx| Goal::even_if_off(tx, &instance, &targets::get(tx, id)?)).await?;
        blocking(move || reach(&goal)).await
    }

    /// Whether a broken disk would take the data and this folder together, as far as the system tells.
    pub fn is_on_same_disk(&self, place: &Place) -> bool {
        let there = place.as_folder().and_then(disk);
        there.is_some() && there == disk(&self.instance.data)
    }
}

/// The disk that a path lies on, or will lie on once it is made, as the system numbers it.
pub(super) fn disk(path: &Path) -> Option<u64> {
    path.ancestors().find_map(|found| std::fs::metadata(found).ok()).map(|at| at.dev())
}

/// Whether a fire that takes this machine leaves the place alone, as far as its address and the system tell.
pub fn is_off_machine(place: &Place) -> bool {
    let Some(folder) = place.as_folder() else { return !is_loopback(place) };
    let mounted = folder.ancestors().find_map(|path| rustix::fs::statfs(path).ok());
    mounted.is_some_and(|system| ON_OTHER_MACHINES.contains(&(system.f_type & 0xFFFF_FFFF)))
}

fn is_loopback(place: &Place) -> bool {
    let host = match place {
        Place::Folder(_) => None,
        Place::Sftp(at) => Some(at.host.as_str()),
        Place::S3(at) => at.endpoint.host_str(),
        Place::WebDav(url) | Place::Rest(url) => url.host_str(),
    };
    let bare = host.unwrap_or_default().trim_matches(['[', ']']);
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The same for a target; one whose address cannot be read is nowhere.
pub(super) fn leaves_machine(target: &Target) -> bool {
    target.address.parse().is_ok_and(|place| is_off_machine(&place))
}

/// Whether a target answers at all. Changes nothing.
pub(super) fn reach(goal: &Goal) -> Result<()> {
    let opened = goal.open()?;
    if let Some(folder) = goal.place.as_folder().filter(|folder| !folder.is_dir()) {
        return Err(Error::not_found(format!("{} is not there.", folder.display()))
            .hint("See that its disk is mounted."));
    }
    opened.storage().stat("config").map(drop)
}

fn probe(goal: &Goal) -> Result<Probe> {
    goal.refuse_unconfirmed()?;
    let opened = goal.open()?;
    let storage = opened.storage();
    if storage.stat("config")?.is_none() {
        storage.prepare()?;
    }
    let mut found = protection::probe(storage)?;
    if goal.place.as_folder().is_some() {
        found = Protection { may_delete: Some(true), ..found };
    }
    let may_delete = found.may_delete != Some(false);
    // What cannot be taken away again should be small.
    let bytes = if may_delete { limits::TARGET_PROBE_BYTES } else { limits::TARGET_PROBE_BYTES / 64 };
    let block = random::bytes::<4096>();
    let content = bytes::Bytes::from(block.repeat(bytes / block.len()));
    let (write_ms, written) = timed(|| storage.put(OBJECT, std::slice::from_ref(&content)));
    written?;
    let (read_ms, read) = timed(|| storage.get(OBJECT));
    if read? != content {
        return Err(Error::invalid("The target gave back other bytes than it was given.")
            .hint("Use another one: backups there could not be restored."));
    }
    let listed = storage.list("receipts")?;
    if !listed.iter().any(|(name, size)| name == OBJECT && *size == bytes as u64) {
        return Err(Error::invalid("The target does not list what was just stored there.")
            .hint("Use another one: old backups could be neither found nor taken away."));
    }
    if may_delete {
        clean(storage)?;
    }
    let rate = |ms: i64| bytes as u64 * 1000 / u64::try_from(ms.max(1)).unwrap_or(1);
    Ok(Probe { write_rate: rate(write_ms), read_rate: rate(read_ms), protection: found.words() })
}

fn clean(storage: &dyn Storage) -> Result<()> {
    storage.delete(OBJECT)?;
    if storage.stat(OBJECT)?.is_some() {
        return Err(Error::invalid("The target still has what was just deleted there.")
            .hint("Old backups could not be taken away. Look at what this store does on delete."));
    }
    Ok(())
}

fn timed<T>(act: impl FnOnce() -> T) -> (i64, T) {
    let began = Clock::System.now();
    let done = act();
    (Clock::System.now().0 - began.0, done)
}
