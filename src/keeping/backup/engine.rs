//! Engine: the jobs on one repository: create, backup, list, check, forget, prune.
//!
//! One job at a time: rustic_core writes no lock files and ignores restic's, so a lock file of ours
//! stands before every job that writes. Nothing here restores; on a damaged repository that code
//! may panic, so it lives in a process of its own.

use super::keep::Keep;
use super::locks::Papers;
use super::manifest::{Anchor, ROOT};
use super::mark::{self, Mark};
use super::reader::Ledger;
use super::receipt::{Chain, Identity, Place, Reach, Receipt};
use super::source::{Parts, Source};
use super::storage::Storage;
use super::target::Target;
use super::turn::{Turn, take_turn};
use super::{caught, now, own, reported, sealed, verify};
use crate::kernel::durable;
use crate::kernel::error::{Error, Result};
use crate::kernel::secret::Secret;
use bytesize::ByteSize;
use ed25519_dalek::SigningKey;
use rustic_core::repofile::{MasterKey, SnapshotFile};
use rustic_core::{
    BackupOptions, ConfigOptions, Credentials, KeyOptions, OpenStatus, ParentOptions, PruneOptions,
    RepairIndexOptions, Repository, RepositoryBackends, RepositoryOptions, SnapshotOptions,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use tracing::info;

/// Page writes are in place, so cuts by content cannot help: a random 1 % of a 60 MB file cost
/// 61.7 MB with the default cutter, 9.4 MB at 64 KiB and 2.6 MB at 16 KiB. 4 KiB saves little more
/// and needs an index four times as large (about 12 MB per GB of database).
const CHUNK: ByteSize = ByteSize::kib(16);
/// Several packs are in memory at once; 8 MiB instead of 32 keeps that small.
const DATA_PACK: ByteSize = ByteSize::mib(8);
const TREE_PACK: ByteSize = ByteSize::mib(2);
/// Pages and attached files are ciphertext, which does not shrink; trying took a third of the time of a backup.
const NO_COMPRESSION: i32 = 0;
/// Never the real command line: it could name paths or users.
const COMMAND: &str = "testkeep backup";

/// One repository with its password and its receipts.
pub struct Engine {
    pub(super) target: Target,
    pub(super) password: Secret<String>,
    pub(super) papers: Papers,
    /// Opening by password costs scrypt (128 MiB, about a second); by master key nothing.
    master: Mutex<Option<MasterKey>>,
    pub(super) identity: Identity,
    /// Keys that took the place of that of the identity, the newest last.
    successors: Vec<SigningKey>,
    receipts: PathBuf,
}

/// A snapshot and whether it is proven.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Snapshot id, 64 hex digits.
    pub snapshot: String,
    /// Time written into the snapshot, RFC 3339.
    pub time: String,
    /// `None`: the run died before its proof, so this is not a backup.
    pub receipt: Option<Receipt>,
}

impl Engine {
    /// Names the parts; touches nothing yet. `receipts` is the folder of the copies at home.
    pub fn new(
        target: Target,
        password: Secret<String>,
        master: Option<&Secret<Vec<u8>>>,
        identity: Identity,
        receipts: &Path,
    ) -> Engine {
        // One that cannot be read is as good as none: the password opens the same repository.
        let master = Mutex::new(master.and_then(|json| serde_json::from_slice(json.expose()).ok()));
        let (papers, successors) = (Papers::default(), Vec::new());
        Engine { target, password, papers, master, identity, successors, receipts: receipts.to_owned() }
    }

    /// With the keyring that is to lie beside the repository, and what it may still open with.
    pub fn with_papers(mut self, papers: Papers) -> Engine {
        self.papers = papers;
        self
    }

    /// Signs with the last of these keys, as soon as a receipt has vouched for it.
    pub fn signing_later_with(mut self, successors: Vec<SigningKey>) -> Engine {
        self.successors = successors;
        self
    }

    /// Creates the repository unless it is there. Gives the master key for the key ring: with it
    /// neither the password nor its cost is needed later.
    pub fn init_if_absent(&self) -> Result<Secret<Vec<u8>>> {
        let _turn = self.turn()?;
        let storage = self.target.storage();
        if storage.stat("config")?.is_some() {
            let repo = self.open_ours(&Arc::default())?;
            if storage.stat(mark::NAME)?.is_none() {
                self.mark()?;
            }
            return sealed(&repo.key());
        }
        self.recognise()?;
        storage.prepare()?;
        self.target.clear_half_made()?;
        let config = ConfigOptions::default()
            .set_chunker(Some("fixed_size".parse().map_err(reported)?))
            .set_chunk_size(Some(CHUNK))
            .set_datapack_size(Some(DATA_PACK))
            .set_datapack_size_limit(Some(DATA_PACK))
            .set_treepack_size(Some(TREE_PACK))
            .set_compression(Some(NO_COMPRESSION))
            // What was sealed is opened and compared when each backup is read back from its target.
            .set_extra_verify(Some(false));
        let repo = Repository::new(&options(), &self.backends(&Arc::default())).map_err(reported)?;
        let password = Credentials::password(self.password.expose());
        let repo = repo.init(&password, &KeyOptions::default(), &config).map_err(reported)?;
        self.mark()?;
        self.remember(repo.key());
        info!(target = storage.location(), "created the backup repository");
        sealed(&repo.key())
    }

    /// Backs up, proves and signs. An error means that nothing of the run is kept as a backup.
    pub fn backup(&self, parts: Parts<'_>, ledger: &Arc<Ledger>) -> Result<Receipt> {
        let (_turn, start) = (self.turn()?, now());
        let repo = self.open_ours(ledger)?;
        self.target.storage().sweep()?;
        let unfinished = Unfinished::begin(&self.receipts)?;
        if unfinished.was_cut {
            // What the cut run stored stands in no index, and so would be stored again.
            repo.repair_index(&RepairIndexOptions::default(), false).map_err(reported)?;
        }
        self.settle(&repo)?;
        let repo = repo.to_indexed_ids().map_err(reported)?;
        let mut chain = self.chain()?;
        let source = Source::of(parts, &self.identity.instance, ledger)?;
        let snapshot =
            SnapshotOptions::default().host(self.identity.host.clone()).command(COMMAND.to_owned());
        let snapshot = snapshot.to_snapshot().map_err(reported)?;
        // force: with a parent, a source of equal size and no mtime would not be read at all.
        let options =
            BackupOptions::default().no_scan(true).parent_opts(ParentOptions::default().force(true));
        let written = caught(|| repo.archive(&options, &source, snapshot, &[ROOT.into()]).map_err(reported));
        let written = written.map_err(|error| failed_read(ledger).err().unwrap_or(error))?;
        drop(repo);
        let proven = failed_read(ledger).and_then(|()| caught(|| self.prove(&source, &written, ledger)));
        if let Err(error) = proven {
            // With another ledger: after a cancellation this one refuses every call.
            self.open_ours(&Arc::default())?.delete_snapshots(&[written.id]).map_err(reported)?;
            return Err(error);
        }
        let receipt = Receipt {
            version: 1,
            instance: self.identity.instance.clone(),
            number: 0,
            snapshot: written.id.to_hex().to_string(),
            tree: written.tree.to_hex().to_string(),
            manifest_sha256: source.manifest_sha256.clone(),
            files: source.files(),
            bytes: source.bytes(),
            bytes_added: written.summary.as_ref().map_or(0, |summary| summary.data_added_packed),
            blobs_missing: source.blobs_missing,
            finished_at: now().to_string(),
            log: parts.pin.position.map(|position| Place { position, at: parts.pin.at.0 }),
            audit: Some(Anchor::of(&parts.pin.audit)),
            previous: String::new(),
            next_key: None,
        };
        let keys: Vec<SigningKey> =
            [&self.identity.signing].into_iter().chain(&self.successors).cloned().collect();
        let receipt = chain.append(receipt, self.target.storage(), &keys)?;
        unfinished.end()?;
        let (number, bytes, added) = (receipt.number, receipt.bytes, receipt.bytes_added);
        let elapsed_ms = (now() - start).get_milliseconds();
        info!(receipt = number, bytes, bytes_added = added, elapsed_ms, "made backup {number}");
        Ok(receipt)
    }

    /// Compares what we read, what the engine counted, and what the repository now lists.
    fn prove(&self, source: &Source, written: &SnapshotFile, ledger: &Ledger) -> Result<()> {
        let expected = verify::Totals { files: source.files(), bytes: source.bytes() };
        let totals = |files, bytes| verify::Totals { files, bytes };
        let ours = totals(ledger.files_done.load(Relaxed), ledger.bytes_done.load(Relaxed));
        let theirs = written.summary.as_ref().map_or(totals(0, 0), |summary| {
            totals(summary.total_files_processed, summary.total_bytes_processed)
        });
        expected.compared("our readers", &ours)?;
        expected.compared("the engine", &theirs)?;
        let repo = self.open_ours(&Arc::default())?.to_indexed().map_err(reported)?;
        verify::snapshot(&repo, written, &expected, &source.manifest_sha256).map(drop)
    }

    /// Snapshots by time, each with its receipt if it has one.
    pub fn list(&self) -> Result<Vec<Listed>> {
        let chain = self.chain()?;
        let mut found = self.open_ours(&Arc::default())?.get_all_snapshots().map_err(reported)?;
        found.sort();
        let listed = |snapshot: SnapshotFile| {
            let id = snapshot.id.to_hex().to_string();
            Listed { receipt: chain.of_snapshot(&id).cloned(), time: snapshot.time.to_string(), snapshot: id }
        };
        Ok(found.into_iter().map(listed).collect())
    }

    /// Those that can be brought back, oldest first.
    pub fn restorable(&self) -> Result<Vec<Receipt>> {
        let mut receipts: Vec<Receipt> =
            self.list()?.into_iter().filter_map(|listed| listed.receipt).collect();
        receipts.sort_by_key(|receipt| receipt.number);
        Ok(receipts)
    }

    /// The storage that the repository lies in.
    pub fn storage(&self) -> &dyn Storage {
        self.target.storage()
    }

    /// Deletes backups outside `keep`, and our own snapshots without a receipt; answers which.
    /// Frees no space, see `prune`. Refuses when no proven backup would stay: with all receipts
    /// lost, every snapshot looks unproven.
    pub fn forget(&self, keep: &Keep) -> Result<Vec<String>> {
        let _turn = self.turn()?;
        let (chain, repo) = (self.chain()?, self.open_ours(&Arc::default())?);
        let found = repo.get_all_snapshots().map_err(reported)?;
        let number = |snapshot: &SnapshotFile| chain.number_of(snapshot.id.to_hex().as_str());
        let (good, stray): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| number(found) > 0);
        let judged = keep.judged(good, number)?;
        if judged.iter().all(|judged| !judged.keep) {
            return Err(Error::conflict("No proven backup would be left, so nothing was deleted.")
                .hint("If receipts were lost, bring them back; otherwise make a backup first."));
        }
        let old = judged.into_iter().filter(|judged| !judged.keep).map(|judged| judged.snapshot.id);
        let own = |stray: &SnapshotFile| stray.hostname == self.identity.host;
        let ids: Vec<_> = old.chain(stray.into_iter().filter(own).map(|stray| stray.id)).collect();
        repo.delete_snapshots(&ids).map_err(reported)?;
        info!(snapshots = ids.len(), "deleted old backups");
        Ok(ids.iter().map(|id| id.to_hex().to_string()).collect())
    }

    /// Marks packs that nobody needs; a later run deletes those marked 23 hours ago or longer. A
    /// job of its own, never in the run of a backup: that delay protects other programs.
    pub fn prune(&self) -> Result<()> {
        let _turn = self.turn()?;
        // Once a week, all of them: after each backup only the newest are.
        self.chain_within(Reach::All)?;
        let (repo, options) = (self.open_ours(&Arc::default())?, PruneOptions::default());
        caught(|| repo.prune_plan(&options).and_then(|plan| repo.prune(&options, plan)).map_err(reported))
    }

    /// The verified receipts of both copies, the newest compared with those at the target.
    pub fn chain(&self) -> Result<Chain> {
        self.chain_within(Reach::Newest)
    }

    /// The verified receipts of both copies.
    pub(super) fn chain_within(&self, reach: Reach) -> Result<Chain> {
        let key = self.identity.signing.verifying_key();
        Chain::load_within(Some(&self.receipts), self.target.storage(), &key, reach)
    }

    /// Opens the repository, if it is that of this instance.
    pub(super) fn open_ours(&self, ledger: &Arc<Ledger>) -> Result<Repository<OpenStatus>> {
        self.recognise()?;
        if self.target.storage().stat("config")?.is_none() {
            let place = self.target.storage().location();
            return Err(Error::not_found(format!("There is no backup repository in {place}."))
                .hint("See that its disk is mounted, or set the target up anew."));
        }
        let known = self.master.lock().expect("nobody panics while holding it").clone();
        let backends = self.backends(ledger);
        if let Some(master) = known {
            match open(&backends, &Credentials::Masterkey(master)) {
                // The key fits nothing: it is that of another place, or this one was made anew. The password decides.
                Err(cause) if own(&cause).is_none() => {}
                opened => return opened.map_err(reported),
            }
        }
        let mut opened = open(&backends, &Credentials::password(self.password.expose()));
        for password in &self.papers.passwords_before {
            // It was out of reach when the kit was exchanged.
            match opened {
                Err(cause) if cause.is_incorrect_password() => {
                    opened = open(&backends, &Credentials::password(password.expose()));
                }
                _ => break,
            }
        }
        let repo = opened.map_err(reported)?;
        self.remember(repo.key());
        Ok(repo)
    }

    /// The master key of the repository, for a child that reads from it.
    pub fn master(&self) -> Result<Secret<Vec<u8>>> {
        sealed(&self.open_ours(&Arc::default())?.key())
    }

    /// Refuses the repository of another instance.
    fn recognise(&self) -> Result<()> {
        match Mark::read(&self.target)? {
            Some(mark) if mark != Mark::of(&self.identity) => Err(Error::conflict(format!(
                "{} holds the backups of another instance ({}).",
                self.target.storage().location(),
                mark.instance
            ))
            .hint("Choose an empty folder for the backups of this instance.")),
            _ => Ok(()),
        }
    }

    fn mark(&self) -> Result<()> {
        Mark::of(&self.identity).write(&self.target)
    }

    fn remember(&self, master: MasterKey) {
        *self.master.lock().expect("nobody panics while holding it") = Some(master);
    }

    pub(super) fn backends(&self, ledger: &Arc<Ledger>) -> RepositoryBackends {
        RepositoryBackends::new(Arc::new(self.target.with_ledger(ledger)), None)
    }

    /// Keeps other jobs out, those of other processes too.
    pub(super) fn turn(&self) -> Result<Turn> {
        take_turn(&self.receipts)?.ok_or_else(|| {
            Error::busy("Another backup job is at work on this target.").hint("Wait until it has finished.")
        })
    }
}

/// A mark beside our own receipts that a run is under way; one that was cut leaves it behind.
struct Unfinished {
    mark: PathBuf,
    was_cut: bool,
}

impl Unfinished {
    fn begin(receipts: &Path) -> Result<Unfinished> {
        let mark = receipts.join("unfinished");
        let was_cut = mark.exists();
        durable::replace(&mark, b"")?;
        Ok(Unfinished { mark, was_cut })
    }

    fn end(self) -> Result<()> {
        std::fs::remove_file(&self.mark).map_err(|cause| durable::trouble("remove", &self.mark, cause))
    }
}

/// The first failed read of a run, or that it was cancelled.
fn failed_read(ledger: &Ledger) -> Result<()> {
    ledger.go_on()?;
    let problems = ledger.problems();
    problems.first().map_or(Ok(()), |first| {
        Err(Error::invalid(format!("{} files could not be backed up; the first is {first}.", problems.len()))
            .hint("Nothing of this run was kept. Look at the health of the disk, then start it again."))
    })
}

/// Opens a repository with a key of whatever kind.
pub(super) fn open(
    backends: &RepositoryBackends,
    credentials: &Credentials,
) -> rustic_core::RusticResult<Repository<OpenStatus>> {
    Repository::new(&options(), backends)?.open(credentials)
}

/// The default keeps a cache in the home directory of whoever runs the server.
fn options() -> RepositoryOptions {
    RepositoryOptions::default().no_cache(true)
}
