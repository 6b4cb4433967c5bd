//! Verify: reads a backup back and compares it with what was promised.
//!
//! Restores nothing and changes nothing.

use super::engine::Engine;
use super::manifest::{Manifest, ROOT, sha256};
use super::reader::Ledger;
use super::receipt::{Chain, Reach, Receipt};
use super::restore::Found;
use super::{caught, reported};
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::limits;
use rustic_core::repofile::SnapshotFile;
use rustic_core::{CheckOptions, IndexedFull, LsOptions, Open, OpenStatus, Repository};
use std::io::{self, Write};
use std::sync::Arc;

/// What a check found. Show the warnings too: unused packs of a killed run are some.
#[derive(Debug, Default)]
pub struct Findings {
    /// Data is missing or damaged.
    pub errors: Vec<String>,
    /// Nothing is lost, something is untidy.
    pub warnings: Vec<String>,
}

/// What reading back the newest backup showed. Good only if `findings` has no errors.
#[derive(Debug)]
pub struct Proof {
    /// The newest backup.
    pub receipt: Receipt,
    /// Receipts in the chain, all signed and linked.
    pub receipts: u64,
    /// What its manifest says, if that could be read.
    pub manifest: Option<Manifest>,
    /// All that is wrong with the repository and the backup.
    pub findings: Findings,
}

/// Files and bytes of a snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Totals {
    pub files: u64,
    pub bytes: u64,
}

impl Totals {
    pub(super) fn compared(&self, who: &str, found: &Totals) -> Result<()> {
        if self != found {
            return Err(Error::invalid(format!(
                "The backup is incomplete: {who} counted {} files and {} bytes instead of {} and {}.",
                found.files, found.bytes, self.files, self.bytes
            ))
            .hint("Start it again; if it happens twice, look at the health of the disk."));
        }
        Ok(())
    }
}

impl Engine {
    /// Reads every pack and compares every hash.
    pub fn check(&self) -> Result<Findings> {
        self.check_with(&Arc::default(), None)
    }

    /// Reads every pack, or those that one backup needs.
    fn check_with(&self, ledger: &Arc<Ledger>, of: Option<&Receipt>) -> Result<Findings> {
        let _turn = self.turn()?;
        check(&self.open_ours(ledger)?, of)
    }

    /// The manifest of a backup, read back from its target.
    pub fn manifest(&self, receipt: &Receipt) -> Result<Manifest> {
        caught(|| read_back(&self.open_ours(&Arc::default())?.to_indexed().map_err(reported)?, receipt))
    }

    /// Reads back everything: all packs, the chain of receipts, and whether the newest backup is
    /// there as it was signed. A target that was set back to an older state lacks it.
    pub fn verify_latest(&self) -> Result<Proof> {
        self.proven(self.chain_within(Reach::All)?, None, &Arc::default())
    }

    /// Reads back what this new backup needs, the older parts too, with the newest receipts; given up when somebody
    /// cancels the ledger. What only other backups need is read by `verify_latest`: a repository holds many times as
    /// much as one backup, and far targets count each byte.
    pub fn verify_made(&self, made: &Receipt, ledger: &Arc<Ledger>) -> Result<Proof> {
        self.proven(self.chain()?, Some(made), ledger)
    }

    fn proven(&self, chain: Chain, of: Option<&Receipt>, ledger: &Arc<Ledger>) -> Result<Proof> {
        let receipt = chain.newest()?.clone();
        let mut findings = self.check_with(ledger, of).unwrap_or_else(|error| Findings::of(&error));
        ledger.go_on()?;
        for number in &chain.lost_at_target {
            findings.warnings.push(format!("The target has lost its copy of receipt {number}."));
        }
        let read = || read_back(&self.open_ours(&Arc::default())?.to_indexed().map_err(reported)?, &receipt);
        let manifest = caught(read);
        Ok(proof(receipt, chain.receipts.len(), manifest, findings))
    }
}

/// The same for a repository that was found on a machine without the instance. Takes no turn: no
/// server of this machine works on it.
///
/// Errors: what keeps the target from being read at all, which says nothing about the backups there.
pub fn verify_found(found: &Found) -> Result<Proof> {
    let (receipt, target) = (found.newest()?.clone(), found.job.reach.open()?);
    let checked = found.open(&target).and_then(|repo| check(&repo, None));
    let manifest = caught(|| read_back(&found.open(&target)?.to_indexed().map_err(reported)?, &receipt));
    if let Some(failure) = target.failure().filter(|failure| failure.kind() == Kind::Busy) {
        return Err(failure);
    }
    let findings = checked.unwrap_or_else(|error| Findings::of(&error));
    Ok(proof(receipt, found.receipts.len(), manifest, findings))
}

/// The wrapped keys in a backup, as the manifest says they are.
pub fn keyring_in(found: &Found, receipt: &Receipt) -> Result<Vec<u8>> {
    let target = found.job.reach.open()?;
    let read = caught(|| {
        let repo = found.open(&target)?.to_indexed().map_err(reported)?;
        let manifest = read_back(&repo, receipt)?;
        let bytes = dumped(&repo, &snapshot_of(&repo, receipt)?, &manifest.keyring.path)?;
        if sha256(&bytes) != manifest.keyring.sha256 {
            return Err(Error::invalid("The key ring in the backup came back changed."));
        }
        Ok(bytes)
    });
    read.map_err(|reason| target.failure().filter(|failure| failure.kind() == Kind::Busy).unwrap_or(reason))
}

/// Reads every pack, or those that one backup needs, and compares every hash. Whether all packs are there is looked at
/// in any case.
fn check(repo: &Repository<OpenStatus>, of: Option<&Receipt>) -> Result<Findings> {
    let options = CheckOptions::default().read_data(true);
    let results = match of {
        None => caught(|| repo.check(options).map_err(reported))?,
        Some(receipt) => {
            let tree = snapshot_of(repo, receipt)?.tree;
            caught(|| repo.check_with_trees(options, vec![tree]).map_err(reported))?
        }
    };
    let mut findings = Findings::default();
    for (level, finding) in results.0 {
        // The type of the level is not exported; the text of its name is what there is.
        let is_error = format!("{level:?}") == "Error";
        let list = if is_error { &mut findings.errors } else { &mut findings.warnings };
        list.push(finding.to_string());
    }
    Ok(findings)
}

fn proof(receipt: Receipt, receipts: usize, manifest: Result<Manifest>, mut findings: Findings) -> Proof {
    let manifest = manifest.map_err(|error| findings.errors.push(error.sentence().to_owned())).ok();
    if receipt.blobs_missing > 0 {
        let count = receipt.blobs_missing;
        findings.warnings.push(format!("{count} attached files were missing when the backup was made."));
    }
    Proof { receipt, receipts: receipts as u64, manifest, findings }
}

/// The manifest of a backup that is at its target as it was signed.
pub(super) fn read_back<S: IndexedFull>(repo: &Repository<S>, receipt: &Receipt) -> Result<Manifest> {
    let found = snapshot_of(repo, receipt)?;
    let expected = Totals { files: receipt.files, bytes: receipt.bytes };
    Manifest::parse(&snapshot(repo, &found, &expected, &receipt.manifest_sha256)?)
}

pub(super) fn snapshot_of<S: Open>(repo: &Repository<S>, receipt: &Receipt) -> Result<SnapshotFile> {
    let all = repo.get_all_snapshots().map_err(reported)?;
    let found = all.into_iter().find(|snapshot| snapshot.id.to_hex().as_str() == receipt.snapshot);
    let number = receipt.number;
    let found = found.ok_or_else(|| {
        Error::invalid(format!("Backup {number} is not at the target any more."))
            .hint("The target may have been set back to an older state. Make a new backup now.")
    })?;
    if found.tree.to_hex().as_str() != receipt.tree {
        return Err(Error::invalid(format!(
            "The snapshot of backup {number} is not the one that was signed."
        )));
    }
    Ok(found)
}

impl Findings {
    fn of(error: &Error) -> Findings {
        Findings { errors: vec![error.sentence().to_owned()], warnings: Vec::new() }
    }
}

/// Compares the totals of a snapshot and its manifest with what they should be; gives the manifest.
pub(super) fn snapshot<S: IndexedFull>(
    repo: &Repository<S>,
    found: &SnapshotFile,
    expected: &Totals,
    manifest_sha256: &str,
) -> Result<Vec<u8>> {
    let root = repo.node_from_snapshot_and_path(found, ROOT).map_err(reported)?;
    let mut listed = Totals { files: 0, bytes: 0 };
    for entry in repo.ls(&root, &LsOptions::default()).map_err(reported)? {
        let (_, node) = entry.map_err(reported)?;
        if node.is_file() {
            listed = Totals { files: listed.files + 1, bytes: listed.bytes + node.meta.size };
        }
    }
    expected.compared("the repository", &listed)?;
    let manifest = dumped(repo, found, "manifest.json")?;
    if sha256(&manifest) != manifest_sha256 {
        return Err(Error::invalid("The manifest came back changed.")
            .hint("Run `testkeep verify` to see what is wrong with the repository."));
    }
    Ok(manifest)
}

/// One file of a snapshot, bounded.
pub(super) fn dumped<S: IndexedFull>(
    repo: &Repository<S>,
    found: &SnapshotFile,
    name: &str,
) -> Result<Vec<u8>> {
    let node = repo.node_from_snapshot_and_path(found, &format!("{ROOT}/{name}")).map_err(reported)?;
    let mut bytes = Bounded(Vec::new());
    repo.dump(&node, &mut bytes).map_err(reported)?;
    Ok(bytes.0)
}

struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if (self.0.len() + bytes.len()) as u64 > limits::BACKUP_MANIFEST_BYTES_MAX {
            return Err(io::Error::other("the manifest is larger than 512 MiB"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
