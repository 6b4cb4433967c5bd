//! The checks themselves: each reads at length outside the writer, then notes what it found.

use super::{Cause, Kind, sql};
use crate::keeping::trail;
use crate::kernel::access::{
    AuditExport, AuditView, Caller, Changes, Gate, StorageKeep, StorageView, Tx, Write,
};
use crate::kernel::audit::{Audited, Quiet, Verdict};
use crate::kernel::blobs;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::CheckId;
use crate::kernel::instance::Instance;
use crate::kernel::integrity::{self, Finding};
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use crate::running::results::recount;
use sql::File;

/// How much of the files a check reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reach {
    /// As many as are due this night.
    Share,
    /// All of them.
    Whole,
}

/// Makes one check and records it; answers how much is wrong. Errors leave a failed record.
pub async fn check(instance: &Instance, caller: &Caller<Changes>, kind: Kind, cause: Cause) -> Result<i64> {
    let gate = caller.gate::<StorageKeep>(());
    let id = gate.write(move |tx| super::start(tx, kind, cause)).await?;
    carry_out(instance, caller, id, kind, cause).await
}

/// Makes every check, one after the other; answers how much is wrong in all. One that cannot be made keeps none
/// of the others from being made.
///
/// Errors: that of the first check that could not be made.
pub async fn check_all(instance: &Instance, caller: &Caller<Changes>, cause: Cause) -> Result<i64> {
    let (mut wrong, mut failure) = (0, None);
    for kind in Kind::ALL {
        match check(instance, caller, *kind, cause).await {
            Ok(found) => wrong += found,
            Err(reason) => failure = failure.or(Some(reason)),
        }
    }
    failure.map_or(Ok(wrong), Err)
}

/// Notes that every check is being made, so that whoever looks meanwhile is told; `go_through` makes them. One that
/// is being made already is left to whoever makes it.
///
/// Errors: the first reason if none could be begun.
pub async fn begin_all(caller: &Caller<Changes>, cause: Cause) -> Result<Vec<(Kind, CheckId)>> {
    let gate = caller.gate::<StorageKeep>(());
    let (mut begun, mut failure) = (Vec::new(), None);
    for kind in Kind::ALL {
        match gate.write(move |tx| super::start(tx, *kind, cause)).await {
            Ok(id) => begun.push((*kind, id)),
            Err(reason) => failure = failure.or(Some(reason)),
        }
    }
    match failure {
        Some(reason) if begun.is_empty() => Err(reason),
        _ => Ok(begun),
    }
}

/// Makes the checks that were begun. One that cannot be made stops no other; the first reason is answered.
pub async fn go_through(
    instance: &Instance,
    caller: &Caller<Changes>,
    begun: Vec<(Kind, CheckId)>,
    cause: Cause,
) -> Result<i64> {
    let (mut wrong, mut failure) = (0, None);
    for (kind, id) in begun {
        match carry_out(instance, caller, id, kind, cause).await {
            Ok(found) => wrong += found,
            Err(reason) => failure = failure.or(Some(reason)),
        }
    }
    failure.map_or(Ok(wrong), Err)
}

async fn carry_out(
    instance: &Instance,
    caller: &Caller<Changes>,
    id: CheckId,
    kind: Kind,
    cause: Cause,
) -> Result<i64> {
    let gate = caller.gate::<StorageKeep>(());
    let looked = match kind {
        Kind::Database => database(&gate).await,
        Kind::Files => {
            let reach = if cause == Cause::Schedule { Reach::Share } else { Reach::Whole };
            files(instance, &gate, reach).await.map(|looked| (looked, Vec::new()))
        }
        Kind::Trail => audit_trail(instance, &caller.gate::<AuditExport>(())).await,
        Kind::Keys => Ok(keys(instance)),
        Kind::Sums => sums(&gate).await,
    };
    match looked {
        Ok((looked, found)) => gate.write(move |tx| super::finish(tx, id, kind, looked, &found)).await,
        Err(reason) => {
            let said = reason.sentence().to_owned();
            gate.write(move |tx| fail(tx, id, &said)).await?;
            Err(reason)
        }
    }
}

fn fail<'t>(tx: Write<'t, StorageKeep>, id: CheckId, message: &str) -> Result<Audited<'t, ()>> {
    sql::fail(tx, id, message)?;
    Ok(tx.quiet(Quiet::JobHeartbeat, ()))
}

async fn database(gate: &Gate<StorageKeep>) -> Result<(i64, Vec<Finding>)> {
    let seen = gate.read_at_length(integrity::examine).await?;
    Ok((seen.pages, seen.findings))
}

async fn audit_trail(instance: &Instance, gate: &Gate<AuditExport>) -> Result<(i64, Vec<Finding>)> {
    let verdict = trail::verify(instance, gate).await?;
    let entries = gate.read(|tx| trail::length(tx.reading::<AuditView>())).await?;
    Ok(match verdict {
        Verdict::Whole(_) => (entries, Vec::new()),
        Verdict::BrokenAt(entry) | Verdict::CutShort { should_reach: entry } => {
            (entries, vec![Finding::new(format!("entry {entry}"), trail::in_words(&verdict))])
        }
    })
}

/// Reads the key ring from the disk with the keys that are in memory.
fn keys(instance: &Instance) -> (i64, Vec<Finding>) {
    match instance.keyring() {
        Ok(keyring) => (keyring.slots().count() as i64, Vec::new()),
        Err(reason) => (0, vec![Finding::new("keyring", reason.sentence())]),
    }
}

async fn sums(gate: &Gate<StorageKeep>) -> Result<(i64, Vec<Finding>)> {
    let read = gate.read_at_length(|tx| {
        let mut found = sql::wrong_sums(tx)?;
        let differing = recount::differences(tx.reading::<StorageView>(), None)?;
        let waiting = recount::waiting(tx.reading::<StorageView>())?;
        for wrong in differing.iter().filter(|difference| difference.is_wrong()) {
            let project = wrong.stored.or(wrong.counted).map(|summary| summary.project);
            // What was purged or brought back a moment ago is about to be counted anew.
            if project.is_some_and(|project| !waiting.contains(&project)) {
                let sentence = format!("What is known of case {} is not what its results say.", wrong.case.0);
                found.push(Finding::new(format!("case {}", wrong.case.0), sentence));
            }
        }
        found.truncate(limits::INTEGRITY_FINDINGS_MAX);
        Ok((sql::files(tx)?, found))
    });
    read.await
}

/// Reads files to their end, a step at a time: what a step found is kept even if the next never comes.
async fn files(instance: &Instance, gate: &Gate<StorageKeep>, reach: Reach) -> Result<i64> {
    let (mut left, began) = gate
        .read(move |tx| {
            let all = sql::files(tx)?;
            let nights = super::watch::nights(tx)?;
            Ok((if reach == Reach::Whole { all } else { (all + nights - 1) / nights }, tx.now()))
        })
        .await?;
    // Damaged ones are looked at every time: somebody may have put them back.
    let known = gate.read(|tx| sql::damaged(tx)).await?;
    let mut looked = look(instance, gate, known).await?;
    while left > 0 {
        let limit = left.min(limits::BLOBS_PER_STEP);
        // Before the moment of the beginning, so that no file is read twice.
        let due = gate.read(move |tx| sql::files_due(tx, began, limit)).await?;
        if due.is_empty() {
            break;
        }
        let step = look(instance, gate, due).await?;
        (looked, left) = (looked + step, left - step);
    }
    Ok(looked)
}

/// Reads these files and notes how each was found.
pub(super) async fn look(instance: &Instance, gate: &Gate<StorageKeep>, files: Vec<File>) -> Result<i64> {
    let names = files.iter().map(|file| file.name.clone()).collect();
    let found = instance.blobs.examine(names).await?;
    let seen: Vec<_> = files.into_iter().zip(found.into_iter().map(|(_, verdict)| verdict)).collect();
    let count = seen.len() as i64;
    gate.write(move |tx| note_files(tx, &seen)).await?;
    Ok(count)
}

fn note_files<'t>(tx: Write<'t, StorageKeep>, seen: &[(File, blobs::Verdict)]) -> Result<Audited<'t, ()>> {
    for (file, verdict) in seen {
        let object = format!("file {}", file.name);
        let why = match verdict {
            blobs::Verdict::Whole => None,
            blobs::Verdict::Damaged(why) => Some(format!("A file of evidence is damaged: {why}.")),
            blobs::Verdict::Missing => Some("A file of evidence is missing.".to_owned()),
        };
        sql::set_state(tx, file.id, why.is_some())?;
        match why {
            None => sql::mend(tx, Kind::Files, &object)?,
            Some(sentence) => sql::add(tx, Kind::Files, &Finding { object, sentence })?,
        }
    }
    super::ring(tx, Kind::Files)?;
    Ok(tx.quiet(Quiet::JobHeartbeat, ()))
}

/// The one file that a download met, looked at now.
pub(super) async fn look_at(
    instance: &Instance,
    gate: &Gate<StorageKeep>,
    name: blobs::BlobName,
) -> Result<()> {
    let file = gate.read(move |tx| sql::file_named(tx, &name)).await?;
    look(instance, gate, file.into_iter().collect()).await.map(drop)
}

/// The moment before which a check of the database after damage is not repeated.
pub(super) fn lately(now: Timestamp) -> Timestamp {
    Timestamp(now.0 - limits::DISTRESS_EVERY_MS)
}

/// For a check that cannot be made now.
pub(super) fn is_under_way(reason: &Error) -> bool {
    reason.kind() == crate::kernel::error::Kind::Conflict
}
