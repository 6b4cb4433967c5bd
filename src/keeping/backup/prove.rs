//! Prove: whether a backup that was brought back is what was backed up, from the first page to the last file.
//!
//! That every byte is the one of the signed receipt was shown when it came back; this asks whether those bytes
//! make an instance that works.

use super::manifest::Anchor;
use super::scratch::{Scratch, Task};
use crate::kernel::access::{AuditView, InstanceView};
use crate::kernel::audit::{self, Head, Verdict};
use crate::kernel::blobs::{Blobs, Verdict as Found};
use crate::kernel::digest;
use crate::kernel::error::{Error, Result};
use crate::kernel::integrity;
use crate::kernel::records;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// Whether it was found as it should be.
    pub is_good: bool,
    /// What was found, in a sentence.
    pub said: String,
}

/// What a proof came to.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Proven {
    /// Everything that was looked at, in order.
    pub checks: Vec<Check>,
    /// One hash over all user data.
    pub digest: String,
    /// Rows of all tables.
    pub rows: i64,
    /// Files of evidence that were read to their end.
    pub blobs: u64,
    /// The last entry of the audit trail.
    pub audit_entry: i64,
}

impl Proven {
    /// The first thing that is wrong.
    pub fn trouble(&self) -> Option<&Check> {
        self.checks.iter().find(|check| !check.is_good)
    }

    fn note(&mut self, name: &str, outcome: Result<String, String>) {
        let is_good = outcome.is_ok();
        let said = outcome.unwrap_or_else(|said| said);
        self.checks.push(Check { name: name.to_owned(), is_good, said });
    }
}

/// Looks at everything; a finding is a check that is not good, an error is one that could not be made.
pub async fn prove(scratch: &Arc<Scratch>, task: &Arc<Task>) -> Result<Proven> {
    let mut proven = Proven::default();
    let (receipt, manifest) = (&scratch.receipt, &scratch.manifest);
    let whole = format!(
        "{} files, {} bytes: each as the signed receipt of backup {} says.",
        receipt.files, receipt.bytes, receipt.number
    );
    proven.note("Files", Ok(whole));

    task.stage("Checking every page of the database", 0);
    let gate = scratch.shell.operator().gate::<InstanceView>(());
    let findings = gate.read_at_length(integrity::check).await?;
    let pages = manifest.database_bytes / manifest.page_bytes.max(1);
    proven.note(
        "Database",
        match findings.first() {
            None => Ok(format!("{pages} pages decrypted, their tags and their order checked.")),
            Some(first) => Err(format!("{} findings, the first: {first}", findings.len())),
        },
    );
    task.brake.go_on()?;

    task.stage("Checking the audit trail", 0);
    let (verdict, entry) = trail(scratch, &manifest.audit).await?;
    proven.audit_entry = entry;
    proven.note("Audit trail", verdict);

    task.stage("Counting rows", 0);
    rows(scratch, &mut proven).await?;

    evidence(scratch, task, &mut proven).await?;

    task.stage("Hashing all user data", 0);
    task.brake.go_on()?;
    proven.digest = gate.read_at_length(digest::of_user_data).await?;
    let digest = proven.digest.clone();
    proven.note("Digest", Ok(format!("One hash over all user data: {digest}")));
    Ok(proven)
}

async fn trail(scratch: &Scratch, anchor: &Anchor) -> Result<(Result<String, String>, i64)> {
    let hash = HEXLOWER.decode(anchor.hash.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
    let hash = hash.ok_or_else(|| Error::invalid("The manifest names no end of the audit trail."))?;
    let head = Head { seq: anchor.seq, hash };
    let gate = scratch.shell.operator().gate::<AuditView>(());
    let verdict = gate.read_at_length(move |tx| audit::verify(tx, Some(&head))).await?;
    Ok(match verdict {
        Verdict::Whole(head) => {
            (Ok(format!("{} entries, none changed, up to the end that was signed.", head.seq)), head.seq)
        }
        Verdict::BrokenAt(seq) => (Err(format!("Entry {seq} was changed, moved or taken out.")), seq),
        Verdict::CutShort { should_reach } => {
            (Err(format!("It should reach entry {should_reach} and does not.")), should_reach)
        }
    })
}

/// Opening the copy brings its schema up to date, which adds rows to the list of migrations.
async fn rows(scratch: &Scratch, proven: &mut Proven) -> Result<()> {
    let expected = scratch.manifest.rows.clone();
    let names: Vec<String> = expected.keys().filter(|name| *name != "migrations").cloned().collect();
    let gate = scratch.shell.operator().gate::<InstanceView>(());
    let found = gate.read_at_length(move |tx| records::counts(tx, &names)).await?;
    proven.rows = found.iter().map(|(_, count)| count).sum();
    let differs = found.iter().find(|(name, count)| expected.get(name) != Some(count));
    let outcome = match differs {
        _ if scratch.is_followed => Ok(format!(
            "{} rows in {} tables: the backup and what came after it, up to the moment.",
            proven.rows,
            found.len()
        )),
        Some((name, count)) => Err(format!(
            "{name} has {count} rows; when the backup was made it had {}.",
            expected.get(name).copied().unwrap_or_default()
        )),
        None => Ok(format!("{} rows in {} tables, as counted when it was made.", proven.rows, found.len())),
    };
    proven.note("Rows", outcome);
    Ok(())
}

/// Every file of evidence that the database speaks of: decrypted to its end and compared with its name.
async fn evidence(scratch: &Arc<Scratch>, task: &Arc<Task>, proven: &mut Proven) -> Result<()> {
    let gate = scratch.shell.operator().gate::<InstanceView>(());
    let names = gate.read_at_length(integrity::blobs).await?;
    task.stage("Reading every file of evidence", names.len() as u64);
    let (blobs, missing_then) = (scratch.instance.blobs.clone(), scratch.manifest.blobs_missing.clone());
    let watched = Arc::clone(task);
    let looking = tokio::task::spawn_blocking(move || looked_at(&blobs, &names, &missing_then, &watched));
    let (read, outcome) = looking.await.map_err(Error::internal)??;
    proven.blobs = read;
    proven.note("Evidence", outcome);
    Ok(())
}

fn looked_at(
    blobs: &Blobs,
    names: &[crate::kernel::blobs::BlobName],
    missing_then: &[String],
    task: &Task,
) -> Result<(u64, Result<String, String>)> {
    let mut read = 0;
    for name in names {
        task.brake.go_on()?;
        match blobs.verify(name)? {
            Found::Whole => read += 1,
            Found::Damaged(why) => return Ok((read, Err(format!("The file {name} is damaged: {why}.")))),
            Found::Missing if missing_then.contains(&name.to_string()) => {}
            Found::Missing => return Ok((read, Err(format!("The file {name} is missing.")))),
        }
        task.advance(1);
    }
    let lost = match missing_then.len() {
        0 => String::new(),
        count => format!(" {count} were missing from the instance already when the backup was made."),
    };
    Ok((
        read,
        Ok(format!("{read} files decrypted to their end, each with the content its name stands for.{lost}")),
    ))
}
