//! Shipping: from the queue to one target, and what no kept backup needs any more away from it. It blocks.

use super::record::Book;
use super::segment::{self, Head, Label};
use super::state::{self, Reached};
use crate::keeping::backup::receipt::{Chain, Place, Receipt};
use crate::keeping::backup::storage::Storage;
use crate::kernel::access::Position;
use crate::kernel::durable::trouble;
use crate::kernel::error::Result;
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use bytes::Bytes;
use ed25519_dalek::VerifyingKey;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use tracing::warn;

/// Ships what one target lacks, then its head: everything up to `at` is there then.
///
/// Files of evidence go before the segment that speaks of them.
pub(super) fn upload(book: &Book, place: &str, storage: &dyn Storage, at: Timestamp) -> Result<()> {
    let state = book.state();
    let Some(reached) = state.places.get(place) else { return Ok(()) };
    if reached.is_lost {
        return rejoin(book, place, storage);
    }
    let mut tag = state.tag.clone();
    for number in reached.segments + 1..=state.cleared {
        for blob in book.queue.blobs(number)? {
            put_blob(book, storage, &segment::blob_name(&state.stream, number, &blob), &blob)?;
        }
        let sealed = Bytes::from(book.queue.get(number)?);
        storage.put(&state::object(&state, number), std::slice::from_ref(&sealed))?;
        tag = segment::tag_of(&sealed);
        book.change(|state| {
            if let Some(reached) = state.places.get_mut(place) {
                reached.segments = number;
            }
        })?;
    }
    if reached.segments == state.cleared && state.cleared < state.sealed {
        // The tag of the last one that may be shipped is not at hand; the next round has it.
        return Ok(());
    }
    let head = Head::new(&book.instance, &state.stream, state.cleared, &tag, at.0);
    let head = Head { begins: state.begins, ..head };
    storage.put(&segment::head_name(&state.stream), &[head.seal(&book.key)?.into()])?;
    book.queue.drop_until(book.state().shipped())
}

/// Whether there is a repository.
pub(super) fn is_ready(storage: &dyn Storage) -> Result<bool> {
    storage.stat("config").map(|found| found.is_some())
}

/// Whether the target has more of the log than this instance knows of. It does where the instance was set back,
/// as with a snapshot of its machine: going on would write over what is there.
pub(super) fn is_ahead(book: &Book, place: &str, storage: &dyn Storage) -> Result<bool> {
    let state = book.state();
    let name = segment::head_name(&state.stream);
    let Some(reached) = state.places.get(place) else { return Ok(false) };
    if storage.stat(&name)?.is_none() {
        return Ok(false);
    }
    // The head is written after this instance has noted what it speaks of. One that somebody changed says nothing.
    let head = Head::open(&book.key, &state.stream, &storage.get(&name)?);
    Ok(head.is_ok_and(|head| head.segments > reached.segments))
}

/// Ships the end of a log that does not go on.
pub(super) fn say_farewell(book: &Book, place: &str, storage: &dyn Storage) -> Result<()> {
    let state = book.state();
    // Files of evidence that the last segments speak of are in the backup that the next log begins with.
    book.change(|state| state.cleared = state.sealed)?;
    if state.places.get(place).is_none_or(|reached| reached.is_lost || reached.segments == state.sealed) {
        return Ok(());
    }
    let label = Label::peek(state.sealed, &book.queue.get(state.sealed)?)?;
    upload(book, place, storage, Timestamp(label.at))
}

/// A target that was given up has the log from now on, once it can be reached.
fn rejoin(book: &Book, place: &str, storage: &dyn Storage) -> Result<()> {
    storage.stat("config")?;
    book.change(|state| {
        let begins = state.cursor.map(|cursor| cursor.position);
        if let Some(reached) = state.places.get_mut(place) {
            *reached = Reached { since: state.sealed, begins, segments: state.sealed, is_lost: false };
        }
    })
}

fn put_blob(book: &Book, storage: &dyn Storage, object: &str, blob: &str) -> Result<()> {
    let path = layout::blobs(&book.data).join(blob.get(..2).unwrap_or_default()).join(blob);
    match fs::read(&path) {
        Ok(bytes) => storage.put(object, &[bytes.into()]),
        Err(cause) if cause.kind() == ErrorKind::NotFound => {
            warn!(blob, "a file of evidence was gone before it was shipped");
            Ok(())
        }
        Err(cause) => Err(trouble("read", &path, cause)),
    }
}

/// The receipts at a target whose snapshots are still there, from the oldest on.
pub(super) fn kept(storage: &dyn Storage, public: &VerifyingKey) -> Result<Vec<Receipt>> {
    let snapshots = storage.list("snapshots")?;
    let there: BTreeSet<&str> = snapshots.iter().filter_map(|(name, _)| name.rsplit('/').next()).collect();
    let receipts = Chain::load(None, storage, public)?.receipts;
    Ok(receipts.into_iter().filter(|receipt| there.contains(receipt.snapshot.as_str())).collect())
}

/// Whether one of the backups since then can be followed by a log that begins at this place.
pub(super) fn is_followed(kept: &[Receipt], begins: Option<Position>, since: i64) -> bool {
    let mut places = kept.iter().filter_map(|receipt| receipt.log.as_ref()).filter(|place| place.at >= since);
    begins.is_some_and(|begins| places.any(|place| is_behind(&begins, &place.position)))
}

/// Whether the second place is the first or comes after it, in one uninterrupted log.
pub(super) fn is_behind(first: &Position, second: &Position) -> bool {
    let (one, two) = (first.generation, second.generation);
    // Each beginning adds one. Logs that have nothing to do with each other began at random.
    let apart = two.salt1.wrapping_sub(one.salt1);
    if apart == 0 {
        return one == two && first.frame <= second.frame;
    }
    apart <= limits::LOG_BEGINNINGS_MAX
}

/// What lies at a target of all logs.
#[derive(Default)]
pub(super) struct Found {
    /// By the name of the log.
    pub logs: BTreeMap<String, Objects>,
}

/// What lies at a target of one log.
#[derive(Default)]
pub(super) struct Objects {
    /// Numbers of segments.
    pub segments: BTreeSet<u32>,
    /// Names of files of evidence, and under which number each lies.
    pub blobs: BTreeMap<String, u32>,
    /// Whether there is a head.
    pub has_head: bool,
}

impl Found {
    /// Lists a target.
    pub fn at(storage: &dyn Storage) -> Result<Found> {
        let mut found = Found::default();
        for (name, _) in storage.list("log")? {
            let Some((stream, rest)) = name.rsplit('/').next().and_then(|name| name.split_once('-')) else {
                continue;
            };
            let objects = found.logs.entry(stream.to_owned()).or_default();
            match rest.split_once('-') {
                None if rest == "head" => objects.has_head = true,
                None => objects.segments.extend(rest.parse::<u32>().ok()),
                Some((number, blob)) => {
                    objects.blobs.extend(number.parse().ok().map(|number| (blob.to_owned(), number)));
                }
            }
        }
        Ok(found)
    }
}

/// The line in the clear of a segment at a target.
pub(super) fn peek(storage: &dyn Storage, stream: &str, number: u32) -> Result<Label> {
    let name = segment::name(stream, number);
    let bytes = storage.stat(&name)?.unwrap_or(0).min(segment::LINE_BYTES_MAX);
    Label::peek(number, &storage.get_range(&name, 0, bytes)?)
}

/// The first segment that ends behind a place; `None` if none does. By halves: there may be thousands.
pub(super) fn first_behind(
    storage: &dyn Storage,
    stream: &str,
    segments: &BTreeSet<u32>,
    position: &Position,
) -> Result<Option<u32>> {
    let numbers: Vec<u32> = segments.iter().copied().collect();
    let (mut low, mut high) = (0, numbers.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let label = peek(storage, stream, numbers[middle])?;
        let end = Position { generation: label.generation, frame: label.end() };
        if is_behind(&end, position) { low = middle + 1 } else { high = middle }
    }
    Ok(numbers.get(low).copied())
}

/// Where a log begins, as far as its first segment tells.
pub(super) fn start_of(first: &Label) -> Position {
    let behind = Position { generation: first.generation, frame: first.first.saturating_sub(1) };
    first.begins.unwrap_or(behind)
}

/// Whether a log that begins like this can hold a place.
pub(super) fn may_hold(first: &Label, place: &Place) -> bool {
    is_behind(&start_of(first), &place.position)
}

/// Whether a kept backup can be followed by a log of which only the head is there.
fn is_begun_by(storage: &dyn Storage, stream: &str, kept: &[Receipt]) -> Result<bool> {
    let head = Head::peek(&storage.get(&segment::head_name(stream))?);
    Ok(is_followed(kept, head.and_then(|head| head.begins), 0))
}

/// Deletes what no kept backup needs: whole logs, and of the others what is before the oldest backup.
pub(super) fn prune(storage: &dyn Storage, current: &str, kept: &[Receipt]) -> Result<usize> {
    let mut gone = 0;
    for (stream, objects) in Found::at(storage)?.logs {
        let Some(first) = objects.segments.first() else {
            if stream != current && objects.has_head && !is_begun_by(storage, &stream, kept)? {
                storage.delete(&segment::head_name(&stream))?;
            }
            continue;
        };
        let label = peek(storage, &stream, *first)?;
        let oldest = kept.iter().filter_map(|receipt| receipt.log.as_ref()).find(|log| may_hold(&label, log));
        let until = match oldest {
            // One more stays: it shows that nothing is missing where the backup comes in between.
            Some(log) => match first_behind(storage, &stream, &objects.segments, &log.position)? {
                Some(number) => number.saturating_sub(1),
                None => objects.segments.last().copied().unwrap_or(0),
            },
            None if stream == current => continue,
            None => u32::MAX,
        };
        for number in objects.segments.range(..until) {
            storage.delete(&segment::name(&stream, *number))?;
            gone += 1;
        }
        for (blob, number) in objects.blobs.iter().filter(|(_, number)| **number < until) {
            storage.delete(&segment::blob_name(&stream, *number, blob))?;
        }
        if until == u32::MAX && objects.has_head {
            storage.delete(&segment::head_name(&stream))?;
        }
    }
    Ok(gone)
}
