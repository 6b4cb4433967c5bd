//! Somebody else saved first: both texts side by side, and the choice.

use super::differences::{Piece, Tag, pieces};
use super::form::CaseForm;
use super::{base, frame};
use crate::kernel::access::{ProjectView, Read, Tx};
use crate::kernel::error::Result;
use crate::kernel::time::Timestamp;
use crate::library::cases::diff::diff;
use crate::library::cases::{self, Draft};
use crate::library::projects;
use crate::web::filters;
use crate::web::layout::Frame;
use crate::web::visit::Visit;
use askama::Template;

#[derive(Template)]
#[template(path = "library/cases/conflict.html")]
pub(super) struct ConflictPage {
    frame: Frame,
    reference: String,
    action: String,
    draft: String,
    fields: Vec<(&'static str, String)>,
    author: Option<String>,
    at: Timestamp,
    base: i64,
    newest: i64,
    pieces: Vec<Piece>,
}

/// Both texts side by side, with the newest revision as the one to go on from.
pub(super) fn conflict(
    tx: Read<'_, ProjectView>,
    visit: Visit,
    number: i64,
    form: &CaseForm,
    draft: &Draft,
) -> Result<ConflictPage> {
    let key = projects::key(tx)?;
    let base = base(&key);
    let theirs = cases::open(tx, number)?;
    let newest = theirs.case.revision;
    let mut pieces = pieces(&diff(&theirs.revision, &draft.as_revision(newest, tx.now())));
    if theirs.case.kind != draft.kind {
        pieces.push(Piece::of_line("Kind", theirs.case.kind.said(), draft.kind.said()));
    }
    if theirs.case.automation_key != draft.automation_key {
        let (old, new) = (theirs.case.automation_key.as_deref(), draft.automation_key.as_deref());
        pieces.push(Piece::of_line("Automation key", old.unwrap_or("none"), new.unwrap_or("none")));
    }
    Ok(ConflictPage {
        frame: frame(tx, visit)?.crumb(format!("C{number}"), format!("{base}/{number}")).here("Edit"),
        reference: format!("{key}-C{number}"),
        action: format!("{base}/{number}/edit"),
        draft: format!("{key}.{number}"),
        fields: form.fields(newest),
        author: theirs.revision.author,
        at: theirs.revision.created_at,
        base: form.base_revision.unwrap_or(0),
        newest,
        pieces,
    })
}
