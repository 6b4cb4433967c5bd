//! The mark of a stop in good order: gone while a server runs, and it knows where the audit trail ended.
//!
//! Every change leaves an entry. So a database that lacks the marked one has lost commits, as it does without its
//! log or with an older one beside it, and nothing else would tell. It costs one small file at each stop; after a
//! kill there is no mark, and nothing to compare with.

use super::audit::{Head, chain};
use super::db::row;
use super::durable;
use super::error::{Error, Result};
use super::layout;
use data_encoding::HEXLOWER;
use rusqlite::{Connection, named_params};
use std::fs;
use std::path::Path;

/// Leaves the mark; `head` is the end of the trail, if it could be read.
pub fn leave(data: &Path, head: Option<&Head>) -> Result<()> {
    let text = head.map(|head| format!("{} {}\n", head.seq, HEXLOWER.encode(&head.hash)));
    durable::replace(&layout::clean_mark(data), text.unwrap_or_default().as_bytes())
}

/// Takes the mark away; answers whether the last stop was in good order.
pub fn take(data: &Path) -> bool {
    fs::remove_file(layout::clean_mark(data)).is_ok()
}

/// Forgets where the trail ended, because another state takes the place of the one that stopped.
pub(super) fn forget_end(data: &Path) -> Result<()> {
    if layout::clean_mark(data).exists() { leave(data, None) } else { Ok(()) }
}

/// Refuses a database without the entry that was its last when it was stopped. What cannot be read is for the
/// checks to tell.
///
/// Errors: `Conflict` with both ends.
pub(super) fn refuse_older(conn: &Connection, data: &Path) -> Result<()> {
    let Some(marked) = marked(data) else { return Ok(()) };
    let named = "SELECT seq, hash FROM audit WHERE seq = :seq";
    let named = row::first::<Head>(conn, named, named_params! { ":seq": marked.seq });
    let (Ok(named), Ok(last)) = (named, chain::head(conn)) else { return Ok(()) };
    if !super::db::is_sound(conn) || named.as_ref() == Some(&marked) {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "Changes of this instance are gone: when it was stopped, entry {} was the last of its audit trail; now the \
         trail ends with entry {} and does not hold that one.",
        marked.seq, last.seq
    ))
    .hint(
        "The database or its log, testkeep.db and testkeep.db-wal, was deleted or exchanged since: put back those \
         that were there, or restore a backup. To go on without the changes, delete the file `stopped` in the data \
         folder. Nothing was changed.",
    ))
}

/// None where no server stopped in good order, or one that did not note it.
fn marked(data: &Path) -> Option<Head> {
    let text = fs::read_to_string(layout::clean_mark(data)).ok()?;
    let (seq, hash) = text.trim_end().split_once(' ')?;
    let hash = HEXLOWER.decode(hash.as_bytes()).ok()?.try_into().ok()?;
    Some(Head { seq: seq.parse().ok()?, hash })
}
