//! Following: a log behind a copy, brought to another machine piece by piece as it comes.
//!
//! Segments lie on this disk, whole, before the first page of them is written: a process that is killed while it
//! writes begins again at the place that was noted before, and writes the same pages once more. Nothing here
//! knows of the machine that follows; it blocks.

use super::replay::{self, Until};
use super::segment::{self, Head, Label};
use super::ship::{self, Found};
use super::writing::Writing;
use crate::keeping::backup::receipt::Place;
use crate::keeping::backup::storage::{Folder, Storage};
use crate::kernel::access::Position;
use crate::kernel::blobs::BlobName;
use crate::kernel::error::{Error, Result};
use crate::kernel::keyring::LogKey;
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::path::Path;
use std::thread;

/// The log behind a place, and the number of its first segment that may reach behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lead {
    /// Name of the log.
    pub stream: String,
    /// The first segment that is wanted.
    pub next: u32,
}

/// What was written into a copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    /// The place behind the last transaction.
    pub place: Place,
    /// The last segment that was read.
    pub last: u32,
    /// Pages that were written.
    pub pages: u64,
}

/// What lies at a target of all logs.
pub struct Listed(Found);

/// The log that follows this place, if there is one.
pub fn behind(storage: &dyn Storage, place: &Place) -> Result<Option<Lead>> {
    let found = replay::stream_of(storage, &Found::at(storage)?, place)?;
    Ok(found.map(|(stream, next)| Lead { stream, next }))
}

/// The head of this log, and the object that it is. Errors: `NotFound` where there is none, `Invalid` where it was
/// changed.
pub fn head(storage: &dyn Storage, key: &LogKey, stream: &str) -> Result<(Head, Bytes)> {
    let name = segment::head_name(stream);
    if storage.stat(&name)?.is_none() {
        return Err(Error::not_found("The log that was followed is not at the target any more."));
    }
    let bytes = storage.get(&name)?;
    Head::open(key, stream, &bytes).map(|head| (head, bytes))
}

/// Puts a head here, after the segments that it speaks of.
pub fn put_head(here: &Folder, stream: &str, head: Bytes) -> Result<()> {
    here.put(&segment::head_name(stream), &[head])
}

/// Brings segments of this log up to a number here, the one before them too; those that are here already stay.
pub fn fetch(from: &dyn Storage, lead: &Lead, to: u32, here: &Folder, head: &Head) -> Result<()> {
    let there = Found::at(here)?.logs.remove(&lead.stream).unwrap_or_default().segments;
    // It shows that nothing is missing between the copy and the first. It may be gone from the target.
    if let Some(before) = lead.next.checked_sub(1).filter(|number| *number > 0 && !there.contains(number)) {
        let name = segment::name(&lead.stream, before);
        if from.stat(&name)?.is_some() {
            here.put(&name, &[from.get(&name)?])?;
        }
    }
    let wanted: Vec<u32> = (lead.next..=to).filter(|number| !there.contains(number)).collect();
    for some in wanted.chunks(limits::LOG_FETCHES) {
        let get = |number: u32| from.get(&segment::name(&lead.stream, number));
        let fetched: Vec<Result<Bytes>> = thread::scope(|scope| {
            let fetching: Vec<_> = some.iter().map(|number| scope.spawn(move || get(*number))).collect();
            let joined = fetching.into_iter().map(|thread| {
                thread.join().unwrap_or_else(|_| Err(Error::internal("fetching a segment panicked")))
            });
            joined.collect()
        });
        for (number, bytes) in some.iter().zip(fetched) {
            let name = segment::name(&lead.stream, *number);
            let bytes = match bytes {
                Err(_) if from.stat(&name)?.is_none() => return Err(replay::missing(*number, head)),
                bytes => bytes?,
            };
            here.put(&name, &[bytes])?;
        }
    }
    Ok(())
}

/// Writes the segments that lie here into the copy in `data`, from `base` on; none if nothing lies here. Where one
/// does not follow the one before it, what came before is in the copy all the same, and the reason is in the answer.
pub fn apply(
    here: &Folder,
    key: &LogKey,
    stream: &str,
    head: &Head,
    base: &Place,
    data: &Path,
) -> Result<Option<(Applied, Option<Error>)>> {
    let numbers = Found::at(here)?.logs.remove(stream).unwrap_or_default().segments;
    let Some(first) = numbers.first().copied() else { return Ok(None) };
    let mut file = Writing::open(data)?;
    let mut before: Option<(Label, String)> = None;
    let mut trouble = None;
    for (expected, number) in (first..).zip(numbers) {
        let opened = match number == expected {
            true => here
                .get(&segment::name(stream, number))
                .and_then(|bytes| replay::opened(key, stream, number, &bytes, before.as_ref(), head, base)),
            false => Err(replay::missing(expected, head)),
        };
        match opened {
            Ok(segment) => {
                file.take(&segment, base, Until::Latest)?;
                before = Some((segment.label, segment.tag));
            }
            Err(reason) => {
                trouble = Some(reason);
                break;
            }
        }
    }
    file.finish(data)?;
    let last = before.map_or(first - 1, |(label, _)| label.number);
    let place = file.place.take().unwrap_or_else(|| base.clone());
    Ok(Some((Applied { place, last, pages: file.pages }, trouble)))
}

/// Takes away what lies here behind a number: what could not be read is to be fetched once more.
pub fn forget(here: &Folder, stream: &str, last: u32) -> Result<()> {
    let numbers = Found::at(here)?.logs.remove(stream).unwrap_or_default().segments;
    let wrong = numbers.into_iter().filter(|number| *number > last);
    wrong.into_iter().try_for_each(|number| here.delete(&segment::name(stream, number)))
}

/// Takes away what lies here and is in the copy, but for the last: the next one is to show that it follows.
pub fn clear(here: &Folder, stream: &str, applied: &Applied) -> Result<()> {
    let numbers = Found::at(here)?.logs.remove(stream).unwrap_or_default().segments;
    let behind: BTreeSet<u32> = numbers.into_iter().filter(|number| *number < applied.last).collect();
    for number in behind {
        let label = ship::peek(here, stream, number)?;
        let end = Position { generation: label.generation, frame: label.end() };
        // A transaction that goes on in the next segment is read once more.
        if ship::is_behind(&end, &applied.place.position) {
            here.delete(&segment::name(stream, number))?;
        }
    }
    Ok(())
}

impl Listed {
    /// Lists a target.
    pub fn at(storage: &dyn Storage) -> Result<Listed> {
        Found::at(storage).map(Listed)
    }

    /// The newest moment that another log of this instance says it reaches, if that is after this one. Nobody has
    /// proven that yet.
    pub fn another_after(
        &self,
        storage: &dyn Storage,
        instance: &str,
        stream: &str,
        at: Timestamp,
    ) -> Result<Option<Timestamp>> {
        let others = self.0.logs.iter().filter(|(name, objects)| objects.has_head && *name != stream);
        let mut newest = None;
        for (name, _) in others {
            let head = Head::peek(&storage.get(&segment::head_name(name))?);
            let later = head.filter(|head| head.instance == instance && head.at > at.0);
            newest = newest.max(later.map(|head| Timestamp(head.at)));
        }
        Ok(newest)
    }

    /// Files of evidence that came with this log, and under which number each lies.
    pub fn files(&self, stream: &str) -> Vec<(BlobName, u32)> {
        let objects = self.0.logs.get(stream);
        let named = |(name, number): (&String, &u32)| Some((name.parse().ok()?, *number));
        objects.into_iter().flat_map(|objects| objects.blobs.iter().filter_map(named)).collect()
    }
}

/// A file of evidence as it was stored with the log.
pub fn file(storage: &dyn Storage, stream: &str, name: &BlobName, number: u32) -> Result<Bytes> {
    storage.get(&segment::blob_name(stream, number, &name.to_string()))
}
