//! Proof: opens a copy of the copy as a start would, and looks at all of it. What it opens is wiped afterwards.

use super::copy::Growing;
use super::state::{Copy, Proof};
use crate::keeping::takeover;
use crate::kernel::access::{AuditView, InstanceView, Shell};
use crate::kernel::audit::{self, Verdict};
use crate::kernel::blobs::BlobName;
use crate::kernel::durable::{self, trouble};
use crate::kernel::error::{Error, Result};
use crate::kernel::instance::Instance;
use crate::kernel::integrity;
use crate::kernel::keyring::Keyring;
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::records;
use crate::kernel::time::Clock;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tracing::warn;

/// The folder of the copy that is opened.
const PLACE: &str = "proof";

/// A copy of the copy, not opened yet. Wiped when dropped.
pub(super) struct Bench {
    place: PathBuf,
    keyring: Keyring,
    copy: Copy,
    /// Where its files of evidence lie.
    files: PathBuf,
    /// Whether it is the backup alone, of which the rows were counted.
    is_base: bool,
    began: SystemTime,
}

/// What was seen.
pub(super) struct Looked {
    pub proof: Proof,
    /// The takeovers that the copy knows.
    pub lineage: String,
    /// Files of evidence that it speaks of.
    files: HashSet<String>,
    began: SystemTime,
}

impl Looked {
    /// Takes files of evidence away that were deleted on the other machine: what was erased there is not to stay
    /// here. One that came lately may belong to a row that is still to come.
    pub fn clear_strays(&self, folder: &Path) {
        for path in stored(folder) {
            let is_named = |name: &str| name.parse::<BlobName>().is_err() || self.files.contains(name);
            if path.file_name().and_then(OsStr::to_str).is_none_or(is_named) {
                continue;
            }
            let changed = fs::metadata(&path).and_then(|meta| meta.modified());
            if changed.is_ok_and(|at| at + limits::STANDBY_STRAY_AGE < self.began)
                && let Err(cause) = fs::remove_file(&path)
            {
                warn!(%cause, "a file of evidence that was deleted could not be taken away");
            }
        }
    }
}

/// Everything that lies in the folders of a folder.
fn stored(folder: &Path) -> Vec<PathBuf> {
    let within = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    fs::read_dir(folder).into_iter().flatten().flatten().flat_map(|entry| within(entry.path())).collect()
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.place);
    }
}

/// Wipes what a process left that was killed.
pub(super) fn sweep(folder: &Path) -> Result<()> {
    let place = folder.join(PLACE);
    match fs::remove_dir_all(&place) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => Err(trouble("wipe", &place, cause)),
        _ => Ok(()),
    }
}

/// Copies the database aside. Blocks; nothing may be written into the copy meanwhile.
pub(super) fn prepare(growing: &Growing<'_>) -> Result<Bench> {
    let (folder, place) = (growing.folder, growing.folder.join(PLACE));
    sweep(folder)?;
    durable::create_folder(&place)?;
    let data = growing.copy.data(folder);
    let bench = Bench {
        keyring: growing.keyring()?,
        copy: growing.copy.clone(),
        files: layout::blobs(&data),
        is_base: growing.copy.segments == 0,
        began: SystemTime::now(),
        place,
    };
    let (from, to) = (layout::database(&data), layout::database(&bench.place));
    fs::copy(&from, &to).map_err(|cause| trouble("write", &to, cause))?;
    bench.keyring.save(&bench.place)?;
    Ok(bench)
}

impl Bench {
    /// Opens it and looks at everything. What is wrong is in the answer; an error is a look that was not possible.
    pub async fn look(self, clock: Clock) -> Result<Looked> {
        let (instance, shell) = Instance::open_copy(&self.place, self.keyring.copy(), clock.clone())?;
        let looked = self.findings(&shell, &clock).await;
        instance.door.shut_down().await;
        looked
    }

    async fn findings(&self, shell: &Shell, clock: &Clock) -> Result<Looked> {
        let gate = shell.operator().gate::<InstanceView>(());
        let names: Vec<String> =
            self.copy.rows.keys().filter(|name| *name != "migrations").cloned().collect();
        let (mut findings, counts, files, lineage) = gate
            .read_at_length(move |tx| {
                let counts = records::counts(tx, &names)?;
                Ok((integrity::check(tx)?, counts, integrity::blobs(tx)?, takeover::lineage(tx)?))
            })
            .await?;
        let differs =
            counts.iter().find(|(name, rows)| self.is_base && self.copy.rows.get(name) != Some(rows));
        findings.extend(differs.map(|(name, rows)| {
            let expected = self.copy.rows.get(name).copied().unwrap_or_default();
            format!("{name} has {rows} rows; the manifest of the backup says {expected}.")
        }));
        let audit_entry = trail(shell, &self.copy, &mut findings).await?;
        let path = layout::database(&self.place);
        let database_bytes = fs::metadata(&path).map_err(|cause| trouble("read", &path, cause))?.len();
        let proof = Proof {
            at: clock.now().0,
            reached: self.copy.reached,
            is_good: findings.is_empty(),
            database_bytes,
            rows: counts.iter().map(|(_, rows)| rows).sum(),
            audit_entry,
            files: files.len() as u64,
            files_missing: missing(&self.files, &files).len() as u64,
            findings,
        };
        let files = files.iter().map(BlobName::to_string).collect();
        Ok(Looked { proof, lineage, files, began: self.began })
    }
}

/// The end of the trail, which has to go on where the backup that was signed ends.
pub(super) async fn trail(shell: &Shell, copy: &Copy, findings: &mut Vec<String>) -> Result<i64> {
    let anchor = copy.anchor.head()?;
    let gate = shell.operator().gate::<AuditView>(());
    Ok(match gate.read_at_length(move |tx| audit::verify(tx, Some(&anchor))).await? {
        Verdict::Whole(head) => head.seq,
        Verdict::BrokenAt(seq) => {
            findings.push(format!("Entry {seq} of the audit trail was changed, moved or taken out."));
            seq
        }
        Verdict::CutShort { should_reach } => {
            findings.push(format!("The audit trail should reach entry {should_reach} and does not."));
            should_reach
        }
    })
}

/// Those of these files that do not lie in the folder.
pub(super) fn missing(folder: &Path, names: &[BlobName]) -> Vec<String> {
    let name = |path: PathBuf| Some(path.file_name()?.to_str()?.to_owned());
    let there: HashSet<String> = stored(folder).into_iter().filter_map(name).collect();
    names.iter().map(BlobName::to_string).filter(|name| !there.contains(name)).collect()
}

impl Proof {
    /// Errors: `Invalid` with the first thing that is wrong.
    pub(super) fn refuse_bad(&self) -> Result<()> {
        match self.findings.first() {
            None => Ok(()),
            Some(first) => Err(Error::invalid(format!("The copy is not whole: {first}")).hint(
                "It begins anew with the next backup. `testkeep verify` tells whether the target is good.",
            )),
        }
    }
}
