//! Recovery: from a repository and a paper, kit or shares, to an instance that starts, on a machine that knew nothing.
//!
//! The engine's `restore` compares every byte with the signed receipt; this adds what only the paper can
//! show, and an everyday key. The destination appears whole under its name, or not at all.

use super::backup::manifest::Manifest;
use super::backup::restore::{self, Found};
use super::backup::staging::Staging;
use super::backup::storage::{Reach, Storage};
use super::backup::{Proof, Receipt, locks, verify};
use super::backups;
use super::shipping::replay::{self, Replayed, Shortfall, Until};
use crate::kernel::access::{AuditView, InstanceKeep, InstanceView, Shell};
use crate::kernel::audit::{self, Event, Head, Verdict};
use crate::kernel::blobs;
use crate::kernel::durable::{self, trouble};
use crate::kernel::error::{Error, Result};
use crate::kernel::instance::Instance;
use crate::kernel::integrity;
use crate::kernel::keyring::{self, Keyring, Paper, Unlock};
use crate::kernel::layout;
use crate::kernel::secret::Secret;
use crate::kernel::time::Clock;
use crate::people::sessions;
use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::path::{Path, PathBuf};

/// The instance as a whole came back.
pub const RESTORED: Event = Event::new("instance.restored", "The instance came back from a backup.");

/// Events of this slice.
pub const EVENTS: &[Event] = &[RESTORED];

/// What to bring back, and where.
pub struct Order {
    /// Where the repository is, and what opens the place.
    pub from: Reach,
    /// The data folder to make.
    pub into: PathBuf,
    /// The file with the everyday key; made unless it is there.
    pub key_file: PathBuf,
    /// Number of the backup; the newest if none is named.
    pub number: Option<u64>,
    /// The moment to go back to; that of the backup itself without it.
    pub until: Option<Until>,
    /// What to do where the log does not reach that moment.
    pub shortfall: Shortfall,
}

/// An instance that came back.
pub struct Restored {
    /// The backup it came from.
    pub receipt: Receipt,
    /// What was in it.
    pub manifest: Manifest,
    /// What was brought back behind it.
    pub replayed: Option<Replayed>,
}

/// Paper, and the keyring that it opened beside the repository, if one lies there that fits it.
pub(super) struct Brought<'a> {
    paper: &'a Paper,
    beside: Option<Keyring>,
}

impl<'a> Brought<'a> {
    pub(super) fn to(place: &dyn Storage, paper: &'a Paper) -> Result<Brought<'a>> {
        // Whoever can write there can lay something down, but nothing that this paper opens.
        let opened = |json: &Vec<u8>| Keyring::open_bytes(json, &paper.unlock()).ok();
        let beside = locks::keyrings_beside(place)?.iter().find_map(opened);
        Ok(Brought { paper, beside })
    }

    /// The password of the repository at this place.
    fn password(&self, place: &str) -> Result<Secret<String>> {
        match (self.paper, &self.beside) {
            (Paper::Kit(secret), _) => Ok(secret.repository_password()),
            (Paper::Shares(_), Some(keyring)) => Ok(keyring.backup_password()),
            (Paper::Shares(_), None) => Err(Error::unauthenticated(format!(
                "These shares open no backup at {place}."
            ))
            .hint(
                "Shares open a place once a backup went there after they were printed, and those of an older \
                     set open nothing. The recovery kit opens it without them.",
            )),
        }
    }

    /// The keys of what came back. A paper that is younger than the backup opens it by the keyring that lies
    /// beside the repository.
    pub(super) fn keyring(&self, json: &[u8]) -> Result<Keyring> {
        Keyring::open_bytes(json, &self.paper.unlock()).or_else(|reason| match &self.beside {
            Some(beside) => beside.as_of(json),
            None => Err(reason),
        })
    }

    fn keyring_in(&self, data: &Path) -> Result<Keyring> {
        let path = layout::keyring(data);
        self.keyring(&std::fs::read(&path).map_err(|cause| trouble("read", &path, cause))?)
    }
}

/// Opens a repository with what somebody has on paper.
pub fn find(from: &Reach, paper: &Paper) -> Result<Found> {
    found(from, paper).map(|(found, _)| found)
}

/// The same with the paper and what it opened there.
pub(super) fn found<'a>(from: &Reach, paper: &'a Paper) -> Result<(Found, Brought<'a>)> {
    let brought = Brought::to(from.open()?.storage(), paper)?;
    let found = restore::find(from, &brought.password(&from.place.to_string())?, None)?;
    Ok((found, brought))
}

/// Reads the newest backup back, every byte, on a machine that has the paper and no instance.
pub fn verify(from: &Reach, paper: &Paper) -> Result<Proof> {
    let (found, brought) = found(from, paper)?;
    let mut proof = verify::verify_found(&found)?;
    if let Err(reason) = vouched(&found, &proof.receipt, &brought) {
        proof.findings.errors.push(reason.sentence().to_owned());
    }
    Ok(proof)
}

/// Brings an instance back. `program` is our own executable: the engine works in a child of its own.
///
/// Errors: `Conflict` if the destination exists; whatever goes wrong, it does not exist afterwards.
pub async fn restore(program: &Path, order: &Order, paper: &Paper) -> Result<Restored> {
    let Order { from, into, key_file, number, until, shortfall } = order;
    if into.symlink_metadata().is_ok() {
        return Err(taken(into));
    }
    keyring::refuse_inside(into, key_file)?;
    let (found, brought) = found(from, paper)?;
    // What is past its retention has a receipt and no data: a restore cannot begin with it.
    let there = match until {
        Some(_) => found.restorable()?,
        None => Vec::new(),
    };
    let receipt = match (until, number) {
        (_, Some(number)) => found.numbered(*number)?,
        (Some(until), None) => replay::base(&there, *until)?.0,
        (None, None) => found.newest()?,
    };
    vouched(&found, receipt, &brought)?;

    let parent = into.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    durable::create_folder(parent)?;
    let staging = Staging::beside(parent)?;
    let data = staging.path().join("data");
    let manifest = restore::restore(program, &found.job, receipt, &data)?;

    let target = from.open()?;
    let log = target.storage();
    let replayed =
        until.map(|until| follow_log(log, receipt, until, *shortfall, &data, &brought)).transpose()?;

    let had_key = key_file.exists();
    let finished = async {
        open_from_now_on(&data, key_file, &brought)?;
        let replayed = replayed.map(|replayed| (log, replayed));
        let replayed = prove_by_opening(&data, key_file, &manifest, receipt, replayed).await?;
        let moved = renameat_with(CWD, &data, CWD, into, RenameFlags::NOREPLACE);
        moved.map_err(|cause| match cause {
            rustix::io::Errno::EXIST => taken(into),
            cause => trouble("create", into, cause.into()),
        })?;
        durable::sync_folder(parent)?;
        Ok(replayed)
    };
    match finished.await {
        Ok(replayed) => Ok(Restored { receipt: receipt.clone(), manifest, replayed }),
        Err(reason) => {
            if !had_key {
                // Made for a folder that is not there.
                let _ = std::fs::remove_file(key_file);
            }
            Err(reason)
        }
    }
}

/// Brings what was committed after the backup back, up to the moment.
fn follow_log(
    log: &dyn Storage,
    receipt: &Receipt,
    until: Until,
    shortfall: Shortfall,
    data: &Path,
    brought: &Brought<'_>,
) -> Result<Replayed> {
    let key = brought.keyring_in(data)?.log();
    let place = receipt.log.as_ref().ok_or_else(|| {
        Error::not_found(format!("Backup {} is not followed by a log.", receipt.number))
            .hint("Leave --at away to restore it as it was made.")
    })?;
    replay::replay(log, &key, place, until, shortfall, data)
}

fn taken(into: &Path) -> Error {
    Error::conflict(format!("{} exists already.", into.display()))
        .hint("Choose a place that does not exist yet; nothing is ever restored over something else.")
}

/// The key beside the receipts could have been exchanged together with them. The one in the key ring
/// could not: nobody makes a key ring that this paper opens.
pub(super) fn vouched(found: &Found, receipt: &Receipt, brought: &Brought<'_>) -> Result<()> {
    let keyring = brought.keyring(&verify::keyring_in(found, receipt)?)?;
    let signing = SigningKey::from_bytes(keyring.backup_signing().expose());
    if signing.verifying_key() != found.public_key {
        return Err(Error::invalid(format!(
            "The receipts were not signed by the instance of {}.",
            brought.paper.spoken()
        ))
        .hint(
            "Somebody exchanged them. Use another copy of the repository, and find out who wrote this one.",
        ));
    }
    Ok(())
}

/// Gives the restored instance an everyday key in the place of the one that was lost.
fn open_from_now_on(data: &Path, key_file: &Path, brought: &Brought<'_>) -> Result<()> {
    if let Some(folder) = key_file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        durable::create_folder(folder)?;
    }
    let mut keyring = brought.keyring_in(data)?;
    keyring.replace_slot(&Unlock::KeyFile(key_file.to_owned()))?;
    keyring.save(data)
}

/// Opens the instance as a start will do it, and compares its audit trail with the end that was signed.
async fn prove_by_opening(
    data: &Path,
    key_file: &Path,
    manifest: &Manifest,
    receipt: &Receipt,
    replayed: Option<(&dyn Storage, Replayed)>,
) -> Result<Option<Replayed>> {
    let (instance, shell) = Instance::open(data, &Unlock::KeyFile(key_file.to_owned()), Clock::System)?;
    let proven = async {
        let replayed = match replayed {
            Some((log, replayed)) => Some(pages_and_files_are_whole(&instance, &shell, log, replayed).await?),
            None => None,
        };
        trail_is_whole(&shell, manifest, receipt).await?;
        Ok(replayed)
    };
    let proven = proven.await;
    instance.door.shut_down().await;
    proven
}

/// After a log was brought back: checks every page, fetches the files of evidence that came with the log,
/// and reads these to their end.
async fn pages_and_files_are_whole(
    instance: &Instance,
    shell: &Shell,
    log: &dyn Storage,
    mut replayed: Replayed,
) -> Result<Replayed> {
    let gate = shell.operator().gate::<InstanceView>(());
    let (findings, names) =
        gate.read_at_length(|tx| Ok((integrity::check(tx)?, integrity::blobs(tx)?))).await?;
    if let Some(finding) = findings.first() {
        return Err(Error::invalid(format!("The database is not whole after its log: {finding}"))
            .hint("Restore to an earlier moment, or a backup as it was made, without --at."));
    }
    for name in replay::fetch_blobs(log, &replayed, &names, &instance.data)? {
        let lacking = match instance.blobs.verify(&name)? {
            blobs::Verdict::Whole => continue,
            blobs::Verdict::Missing => format!("{name} is missing"),
            blobs::Verdict::Damaged(how) => format!("{name} is damaged: {how}"),
        };
        replayed.lacking.push(lacking);
    }
    Ok(replayed)
}

async fn trail_is_whole(shell: &Shell, manifest: &Manifest, receipt: &Receipt) -> Result<()> {
    let hash = HEXLOWER.decode(manifest.audit.hash.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
    let hash = hash.ok_or_else(|| Error::invalid("The manifest names no end of the audit trail."))?;
    let head = Head { seq: manifest.audit.seq, hash };
    let gate = shell.operator().gate::<AuditView>(());
    let verdict = gate.read_at_length(move |tx| audit::verify(tx, Some(&head))).await?;
    if !matches!(verdict, Verdict::Whole(_)) {
        return Err(Error::invalid("The audit trail in this backup is not whole, so nothing was restored.")
            .hint("Try an older backup with --backup, and find out when the trail was broken."));
    }
    let number = i64::try_from(receipt.number).unwrap_or(i64::MAX);
    let (gate, receipt) = (shell.operator().gate::<InstanceKeep>(()), receipt.clone());
    let restored = gate.write(move |tx| {
        // Whoever held a session or a link when the backup was made need not be who holds it now.
        sessions::end_for_everybody(tx)?;
        backups::settle(tx.also()?, &receipt)?;
        tx.audited(RESTORED.alone().count("receipt", number), ())
    });
    restored.await
}
