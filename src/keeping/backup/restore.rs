//! Restore: the engine works in a child process, and the parent believes only hashes.
//!
//! rustic_core panics on a missing or damaged pack and may leave a file of full length behind. So:
//! child into a staging folder, compare with the signed receipt and the manifest, sync, rename.
//! Nothing appears at the destination unless every byte is right.

use super::child::{self, Brake};
use super::engine::open;
use super::manifest::{Entry, Manifest, sha256, sha256_file};
use super::mark::Mark;
use super::receipt::{Chain, Receipt};
use super::storage::{Place, Reach, sync_dir};
use super::target::Target;
use super::{Say, reported, sealed, staging};
use crate::kernel::error::{Error, Result};
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::secret::Secret;
use data_encoding::HEXLOWER;
use ed25519_dalek::VerifyingKey;
use rustic_core::{Credentials, OpenStatus, Repository, RepositoryBackends};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A repository and the key that opens it.
#[derive(Clone)]
pub struct Job {
    /// Where the repository is, and what opens the place.
    pub reach: Reach,
    /// Its master key, as the key ring keeps it.
    pub master: Secret<Vec<u8>>,
}

/// What somebody finds who has the place and the password of the recovery kit, and nothing else.
pub struct Found {
    /// The instance whose backups these are.
    pub instance: String,
    /// The key that the receipts were held against. Compare it with the key ring that comes back,
    /// which nobody can make without the secret of the kit.
    pub public_key: VerifyingKey,
    /// All backups, oldest first; the last is the newest.
    pub receipts: Vec<Receipt>,
    /// To hand to [`restore`].
    pub job: Job,
}

impl Found {
    /// The newest backup.
    pub fn newest(&self) -> Result<&Receipt> {
        self.receipts.last().ok_or_else(|| {
            Error::not_found("There is no backup: the target holds no receipt.")
                .hint("Name another place with a copy of the repository, if there is one.")
        })
    }

    /// The backup of this number.
    pub fn numbered(&self, number: u64) -> Result<&Receipt> {
        self.receipts.iter().find(|receipt| receipt.number == number).ok_or_else(|| {
            let newest = self.receipts.last().map_or(0, |receipt| receipt.number);
            Error::not_found(format!("There is no backup {number}; the newest is {newest}."))
        })
    }

    /// Those whose data is still there, oldest first.
    pub fn restorable(&self) -> Result<Vec<Receipt>> {
        let snapshots = self.job.reach.open()?.storage().list("snapshots")?;
        let is_there = |receipt: &&Receipt| {
            snapshots.iter().any(|(name, _)| name.rsplit('/').next() == Some(receipt.snapshot.as_str()))
        };
        Ok(self.receipts.iter().filter(is_there).cloned().collect())
    }

    /// The repository at this target, opened with the key that was found.
    pub(super) fn open(&self, target: &Target) -> Result<Repository<OpenStatus>> {
        let backends = RepositoryBackends::new(Arc::new(target.clone()), None);
        let master = serde_json::from_slice(self.job.master.expose()).map_err(Error::internal)?;
        open(&backends, &Credentials::Masterkey(master)).map_err(reported)
    }
}

/// Opens the repository at a place on a machine that knows nothing of the instance.
///
/// Without `public_key` the receipts are held against the key that lies beside them: that finds damage,
/// and not somebody who exchanged both. `keeping::recovery` asks the key ring, which finds that too.
pub fn find(reach: &Reach, password: &Secret<String>, public_key: Option<&VerifyingKey>) -> Result<Found> {
    let (target, place) = (reach.open()?, &reach.place);
    let mark = Mark::read(&target)?.ok_or_else(|| {
        let hint = match place {
            Place::Folder(_) => {
                "Name the folder that has `testkeep.json` in it, and see that its disk is mounted."
            }
            _ => "See that the address is that of the target, its path included: `testkeep.json` lies there.",
        };
        Error::not_found(format!("{place} holds no backups of Testkeep.")).hint(hint)
    })?;
    let unreadable = || Error::invalid("The public key in `testkeep.json` cannot be read.");
    let bytes = HEXLOWER.decode(mark.public_key.as_bytes()).say(unreadable)?;
    let beside = VerifyingKey::try_from(bytes.as_slice()).say(unreadable)?;
    let public_key = *public_key.unwrap_or(&beside);
    let chain = Chain::load(None, target.storage(), &public_key)?;
    let backends = RepositoryBackends::new(Arc::new(target), None);
    let repo = open(&backends, &Credentials::password(password.expose())).map_err(|cause| {
        if !cause.is_incorrect_password() {
            return reported(cause);
        }
        Error::unauthenticated(format!("This recovery kit does not open {place}.")).hint(format!(
            "The backups there are of the instance with the number {}; the number stands on its kit.",
            mark.instance
        ))
    })?;
    let job = Job { reach: reach.clone(), master: sealed(&repo.key())? };
    Ok(Found { instance: mark.instance, public_key, receipts: chain.receipts, job })
}

/// Restores the backup of `receipt` to `destination`: `testkeep.db`, `blobs/` and `keyring.json`.
///
/// `program` is our own executable. Needs free space for the whole backup beside the destination,
/// and a destination that does not exist yet.
pub fn restore(program: &Path, job: &Job, receipt: &Receipt, destination: &Path) -> Result<Manifest> {
    restore_with(program, job, receipt, destination, &Brake::default())
}

/// The same, for as long as nobody pulls the brake.
pub fn restore_with(
    program: &Path,
    job: &Job,
    receipt: &Receipt,
    destination: &Path,
    brake: &Brake,
) -> Result<Manifest> {
    if destination.exists() {
        return Err(Error::conflict(format!("{} exists already.", destination.display()))
            .hint("Choose a place that does not exist yet; nothing is ever restored over something else."));
    }
    let unusable = || {
        Error::busy(format!("{} could not be written.", destination.display()))
            .hint("Look at the free space and the permissions of its parent folder.")
    };
    let parent = destination.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    // Beside the destination, because a rename is only atomic within one file system. Removed when
    // dropped, so a failed restore leaves nothing.
    let staging = tempfile::Builder::new().prefix(staging::PREFIX).tempdir_in(parent).say(unusable)?;
    child::run(program, job, receipt, staging.path(), brake)?;
    let manifest = checked_manifest(staging.path(), receipt)?;
    brake.go_on()?;
    assemble(staging.path(), &manifest, brake)?;
    let ready = fs::create_dir_all(layout::blobs(staging.path()))
        .and_then(|()| fs::remove_file(staging.path().join("manifest.json")))
        .and_then(|()| sync_tree(staging.path()))
        .and_then(|()| fs::rename(staging.path(), destination));
    ready.say(unusable)?;
    let _ = staging.keep();
    sync_dir(parent).say(unusable)?;
    Ok(manifest)
}

fn checked_manifest(staging: &Path, receipt: &Receipt) -> Result<Manifest> {
    let mut bytes = Vec::new();
    let read = File::open(staging.join("manifest.json"))
        .and_then(|file| file.take(limits::BACKUP_MANIFEST_BYTES_MAX).read_to_end(&mut bytes));
    read.say(|| Error::invalid("The backup holds no manifest, so nothing was restored."))?;
    if sha256(&bytes) != receipt.manifest_sha256 {
        return Err(Error::invalid("The manifest is not the one the receipt was signed for.")
            .hint("Somebody changed the repository. Try another backup, and find out who wrote this one."));
    }
    Manifest::parse(&bytes)
}

/// Compares everything and joins the slices. Each slice is removed once it is joined.
fn assemble(staging: &Path, manifest: &Manifest, brake: &Brake) -> Result<()> {
    let unwritable =
        || Error::busy("The restored database could not be written.").hint("Look at the free space.");
    let path = layout::database(staging);
    let mut options = OpenOptions::new();
    let mut database = options.write(true).create_new(true).mode(0o600).open(path).say(unwritable)?;
    let mut whole = Sha256::new();
    for slice in &manifest.slices {
        brake.go_on()?;
        let path = compared(staging, slice)?;
        let content = fs::read(&path).say(|| damaged(slice))?;
        whole.update(&content);
        database.write_all(&content).and_then(|()| fs::remove_file(&path)).say(unwritable)?;
    }
    if HEXLOWER.encode(&whole.finalize()) != manifest.database_sha256 {
        return Err(Error::invalid("The joined database is not the one that was backed up."));
    }
    match fs::remove_dir_all(staging.join("db")) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(unwritable().because(cause)),
        _ => {}
    }
    let mut rest = manifest.blobs.iter().chain([&manifest.keyring]);
    rest.try_for_each(|entry| compared(staging, entry).map(drop))
}

fn compared(staging: &Path, entry: &Entry) -> Result<PathBuf> {
    let path = Path::new(&entry.path);
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(Error::invalid(format!(
            "The manifest names a place outside the backup: {}.",
            entry.path
        )));
    }
    let path = staging.join(path);
    let (sha256, bytes) = sha256_file(&path).say(|| damaged(entry))?;
    if (sha256.as_str(), bytes) != (entry.sha256.as_str(), entry.bytes) {
        return Err(damaged(entry));
    }
    Ok(path)
}

fn damaged(entry: &Entry) -> Error {
    Error::invalid(format!("{} came back damaged, so nothing was restored.", entry.path))
        .hint("Run `testkeep verify`; an older backup may be whole.")
}

/// Makes a tree durable, and closes it to other accounts of the machine.
fn sync_tree(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            File::open(&path)?.sync_all()?;
        }
    }
    fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    sync_dir(dir)
}
