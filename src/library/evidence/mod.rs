//! Evidence: files attached to a case or a result. The bytes are an encrypted blob; the same bytes are kept once.
//!
//! What comes in is never trusted: its kind is read from its bytes, and it goes out so that no browser
//! runs any of it.

mod api;
mod pages;
mod serve;
mod sniff;
mod sql;

pub use api::Api;
pub use serve::{Served, serve};
pub use sniff::Media;

use crate::kernel::access::{InProject, ProjectView, Read, ResultWrite, Write};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::blobs::{BlobName, Blobs, Spool, Stored};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{CaseId, EvidenceId, ResultId};
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use crate::library::holds;
use crate::web::routes::Route;
use crate::web::upload::{Bounds, Received};
use std::io::Read as _;

const ATTACHED: Event = Event::new("evidence.attached", "A file was attached.");
const GIVEN: Event =
    Event::new("evidence.given", "Files that were attached to nothing yet went to a result.");
const REMOVED: Event = Event::new("evidence.removed", "A file was taken away from where it was attached.");
/// What the audit trail may say of evidence.
pub const EVENTS: &[Event] = &[ATTACHED, GIVEN, REMOVED];

/// The routes of this slice.
pub fn routes() -> Vec<Route> {
    pages::routes().into_iter().chain(api::routes()).collect()
}

/// What one upload of evidence may bring.
pub const BOUNDS: Bounds = Bounds {
    files_max: limits::EVIDENCE_FILES_MAX,
    file_bytes_max: limits::EVIDENCE_BYTES_MAX,
    bytes_max: limits::EVIDENCE_BYTES_MAX * 2,
};

/// A file that is attached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// Its number.
    pub id: EvidenceId,
    /// What it is called.
    pub name: String,
    /// What it is.
    pub media: Media,
    /// How large it is.
    pub bytes: i64,
    /// Digest of its content, 64 hex digits.
    pub sha256: String,
    /// Where its bytes lie.
    pub blob: BlobName,
    /// The result it belongs to.
    pub result: Option<ResultId>,
    /// The case it belongs to, by its number in the project.
    pub case: Option<i64>,
    /// Who attached it.
    pub author: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Whether its bytes were found damaged: then it is not handed out.
    pub is_damaged: bool,
}

/// To what a file is attached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// To nothing yet.
    Nothing,
    /// To a result.
    Result(ResultId),
    /// To a case, by its number in the project.
    Case(i64),
}

/// A file whose bytes are stored and that waits for its row.
#[derive(Clone, Debug)]
pub struct Kept {
    name: String,
    media: Media,
    stored: Stored,
}

/// Stores the bytes of a received file. Nothing refers to them before `attach`.
pub async fn keep(blobs: &Blobs, file: Received) -> Result<Kept> {
    if file.spool.is_empty() {
        return Err(Error::invalid(format!("The file \"{}\" is empty.", file.name)));
    }
    let media = sniff::media(&head(&file.spool)?);
    let stored = blobs.keep(&file.spool).await?;
    Ok(Kept { name: file.name, media, stored })
}

/// Attaches stored files, all or none.
pub fn attach<'t>(
    tx: Write<'t, ResultWrite>,
    owner: Owner,
    files: &[Kept],
) -> Result<Audited<'t, Vec<Evidence>>> {
    let (result, case) = match owner {
        Owner::Nothing => (None, None),
        Owner::Case(number) => (None, Some(case_of(tx, number)?)),
        Owner::Result(id) if sql::has_result(tx, id)? => (Some(id), None),
        Owner::Result(id) => {
            return Err(Error::not_found(format!("There is no result {} in this project.", id.0)));
        }
    };
    let bytes: i64 = files.iter().map(|file| file.stored.bytes).sum();
    if sql::add_bytes(tx, bytes)? > limits::EVIDENCE_PROJECT_BYTES_MAX {
        let gib = limits::EVIDENCE_PROJECT_BYTES_MAX / (1024 * 1024 * 1024);
        return Err(Error::too_large(format!("The files of this project would be larger than {gib} GiB."))
            .hint("Take files away that nobody needs any more."));
    }
    let mut attached = Vec::with_capacity(files.len());
    for file in files {
        let blob = sql::insert_blob(tx, &file.stored)?;
        attached.push(sql::insert(tx, blob, &file.name, file.media.kind, result, case)?);
    }
    let first = attached.first().map_or(EvidenceId(0), |first| first.id);
    let entry = ATTACHED.of(first).count("files", files.len() as i64).count("bytes", bytes);
    tx.audited(
        entry.count("result", result.map_or(0, |id| id.0)).count("case", case.map_or(0, |id| id.0)),
        attached,
    )
}

/// Gives files that the actor attached to nothing yet to a result; those that are not such files are left
/// as they are. Answers how many went.
pub fn give<'t>(
    tx: Write<'t, ResultWrite>,
    files: &[EvidenceId],
    result: ResultId,
) -> Result<Audited<'t, i64>> {
    let mut count = 0;
    for id in files {
        count += sql::give(tx, *id, result)?;
    }
    tx.audited(GIVEN.of(result).count("files", count), count)
}

/// Takes a file away from where it was attached. Its bytes stay until the store is cleared of what nothing names.
pub fn remove(tx: Write<'_, ResultWrite>, id: EvidenceId) -> Result<Audited<'_, Evidence>> {
    let evidence = one(tx, id)?;
    holds::refuse_whole(tx)?;
    sql::delete(tx, id)?;
    sql::add_bytes(tx, -evidence.bytes)?;
    tx.audited(REMOVED.of(id), evidence)
}

/// One file of this project.
pub fn one(tx: impl InProject, id: EvidenceId) -> Result<Evidence> {
    sql::one(tx, id)?.ok_or_else(|| Error::not_found(format!("There is no file {} in this project.", id.0)))
}

/// Files of a case, the oldest first.
pub fn of_case(tx: Read<'_, ProjectView>, case: CaseId) -> Result<Vec<Evidence>> {
    sql::of_case(tx, case)
}

/// Files of a result, the oldest first.
pub fn of_result(tx: Read<'_, ProjectView>, result: ResultId) -> Result<Vec<Evidence>> {
    sql::of_result(tx, result)
}

fn case_of(tx: impl InProject, number: i64) -> Result<CaseId> {
    sql::case(tx, number)?
        .ok_or_else(|| Error::not_found(format!("There is no case C{number} in this project.")))
}

fn head(spool: &Spool) -> Result<Vec<u8>> {
    let mut head = Vec::with_capacity(sniff::HEAD_BYTES);
    let reading = spool.reader()?.take(sniff::HEAD_BYTES as u64).read_to_end(&mut head);
    reading.map_err(Error::internal)?;
    Ok(head)
}
