//! Replay: brings a log back on top of a restored backup, up to a moment.
//!
//! Pages of committed transactions are written where SQLite's own checkpoint would write them. Every segment
//! from the backup to that moment must be there, open, and follow the one before it; else the restore is
//! refused, because a log that is cut short looks like a log that is whole.

use super::segment::{self, Head, Label, Segment, TAMPERED};
use super::ship::{self, Found, Objects};
use super::writing::{Went, Writing};
use crate::keeping::backup::receipt::{Place, Receipt};
use crate::keeping::backup::storage::Storage;
use crate::kernel::access::Position;
use crate::kernel::blobs::BlobName;
use crate::kernel::durable;
use crate::kernel::error::{Error, Result};
use crate::kernel::keyring::LogKey;
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;
use std::thread;

/// The moment to go back to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    /// As far as the log goes.
    Latest,
    /// This moment: everything that was committed by then, and nothing that came later.
    At(Timestamp),
}

/// What to do where the log does not go far enough.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shortfall {
    /// Refuse, and say what is missing.
    Refused,
    /// Go as far as possible, and say what is missing.
    Accepted,
}

/// What was brought back.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The name of the log.
    pub stream: String,
    /// The moment of the state: it holds all that was committed by then.
    pub at: Timestamp,
    /// When the last commit in it was seen; that of the backup itself if nothing came after it.
    pub last_commit: Timestamp,
    /// Segments that were read.
    pub segments: u32,
    /// Pages that were written.
    pub pages: u64,
    /// What is missing, if the restore ends before the moment that was named.
    pub missing: Option<String>,
    /// Files of evidence that did not come back, and why.
    pub lacking: Vec<String>,
    blobs: BTreeMap<String, u32>,
}

/// The newest backup that a restore to this moment can begin with.
pub fn base(receipts: &[Receipt], until: Until) -> Result<(&Receipt, &Place)> {
    let mut placed = receipts.iter().filter_map(|receipt| Some((receipt, receipt.log.as_ref()?)));
    let found = match until {
        Until::Latest => {
            if let Some(newest) = receipts.last().filter(|receipt| receipt.log.is_none()) {
                let said = format!("The newest backup, {}, is not followed by a log.", newest.number);
                return Err(Error::not_found(said)
                    .hint("Leave --at away to restore it as it was made, or name a moment before it."));
            }
            placed.next_back()
        }
        Until::At(at) => placed.rfind(|(_, place)| place.at <= at.0),
    };
    found.ok_or_else(|| {
        let first = receipts.iter().find_map(|receipt| receipt.log.as_ref());
        let words = first.map_or_else(
            || "No backup here is followed by a log.".to_owned(),
            |place| {
                let first = Timestamp(place.at);
                format!("This moment lies before the first that a log leads to here, which is {first}.")
            },
        );
        Error::not_found(words)
            .hint("Name a later moment, or leave --at away to restore a backup as it was made.")
    })
}

/// Told how many segments were read, of how many; an error ends the work.
pub type Step<'a> = &'a dyn Fn(u32, u32) -> Result<()>;

/// Brings the log behind a backup back into the restored data folder.
pub fn replay(
    storage: &dyn Storage,
    key: &LogKey,
    base: &Place,
    until: Until,
    shortfall: Shortfall,
    data: &Path,
) -> Result<Replayed> {
    replay_by_steps(storage, key, base, (until, shortfall), data, &|_, _| Ok(()))
}

/// The same, telling how far it is.
pub fn replay_by_steps(
    storage: &dyn Storage,
    key: &LogKey,
    base: &Place,
    (until, shortfall): (Until, Shortfall),
    data: &Path,
    step: Step<'_>,
) -> Result<Replayed> {
    let mut found = Found::at(storage)?;
    let Some((stream, first)) = stream_of(storage, &found, base)? else {
        let missing = "There is no log that follows this backup.".to_owned();
        return without_log(base, missing, shortfall);
    };
    let objects = found.logs.remove(&stream).unwrap_or_default();
    let head = if objects.has_head {
        Head::open(key, &stream, &storage.get(&segment::head_name(&stream))?).map(Some)
    } else {
        Ok(None)
    };
    let mut file = Writing::open(data)?;
    let reading = Reading { storage, key, stream: &stream, objects: &objects, base, step };
    let (segments, trouble) = match head {
        Ok(Some(head)) => {
            let (segments, trouble) = reading.run(&mut file, first, &head, until);
            let trouble = match (until, trouble) {
                (Until::Latest, None) => goes_on_elsewhere(storage, key, &found, &head)?,
                (_, trouble) => trouble,
            };
            (segments, trouble)
        }
        Ok(None) => (0, Some(Error::invalid("The head of the log is missing.").hint(TAMPERED))),
        Err(reason) => (0, Some(reason)),
    };
    if let (Some(reason), Shortfall::Refused) = (&trouble, shortfall) {
        return Err(reason.clone());
    }
    let at = file.finish(data)?.unwrap_or(Timestamp(base.at));
    Ok(Replayed {
        stream,
        at: if trouble.is_none() { reached(at, until) } else { at },
        last_commit: at,
        segments,
        pages: file.pages,
        missing: trouble.map(|reason| reason.sentence().to_owned()),
        lacking: Vec::new(),
        blobs: objects.blobs,
    })
}

/// A whole log holds everything up to the moment that was named, though nothing may have happened since.
fn reached(last: Timestamp, until: Until) -> Timestamp {
    match until {
        Until::Latest => last,
        Until::At(at) => at.max(last),
    }
}

/// Another log of this instance that reaches further than this one, and that no backup here begins: what it
/// holds would be missing without a word.
fn goes_on_elsewhere(
    storage: &dyn Storage,
    key: &LogKey,
    found: &Found,
    ours: &Head,
) -> Result<Option<Error>> {
    for (stream, _) in found.logs.iter().filter(|(_, objects)| objects.has_head) {
        let bytes = storage.get(&segment::head_name(stream))?;
        let Some(head) = Head::peek(&bytes).filter(|head| head.instance == ours.instance) else { continue };
        if head.at <= ours.at {
            continue;
        }
        let (at, until) = (Timestamp(head.at), Timestamp(ours.at));
        let hint = format!(
            "Name a moment up to {until}, or take what there is until then with `--as-far-as-possible`."
        );
        let how = match Head::open(key, stream, &bytes) {
            Ok(_) => "no backup here begins that one",
            Err(_) => "its head does not open with the keys of this backup",
        };
        let said = format!(
            "The log that follows this backup ends at {until}. Another one, {stream}, goes on to {at}, and {how}."
        );
        return Ok(Some(Error::invalid(said).hint(hint)));
    }
    Ok(None)
}

fn without_log(base: &Place, missing: String, shortfall: Shortfall) -> Result<Replayed> {
    if shortfall == Shortfall::Refused {
        return Err(Error::not_found(missing)
            .hint("With `--as-far-as-possible` you get the backup alone, with what is missing named."));
    }
    let (stream, at, blobs) = (String::new(), Timestamp(base.at), BTreeMap::new());
    Ok(Replayed {
        stream,
        at,
        last_commit: at,
        segments: 0,
        pages: 0,
        missing: Some(missing),
        lacking: Vec::new(),
        blobs,
    })
}

/// The log that a place lies in, and the number of its first segment that may reach behind it.
pub(super) fn stream_of(storage: &dyn Storage, found: &Found, base: &Place) -> Result<Option<(String, u32)>> {
    // Of several in which it could lie, the one that began last: the others ended before.
    let mut best: Option<(Position, &String, u32)> = None;
    for (stream, objects) in &found.logs {
        let Some((start, first)) = start_of(storage, stream, objects)? else { continue };
        if ship::is_behind(&start, &base.position)
            && best.as_ref().is_none_or(|(other, ..)| ship::is_behind(other, &start))
        {
            best = Some((start, stream, first));
        }
    }
    let Some((_, stream, first)) = best else { return Ok(None) };
    let segments = &found.logs[stream].segments;
    let last = segments.last().copied().unwrap_or(first);
    let number = ship::first_behind(storage, stream, segments, &base.position);
    // Where one cannot be read the search may fail: then from the first on, and it will be named.
    Ok(Some((stream.clone(), number.unwrap_or(Some(first)).unwrap_or(last + 1))))
}

/// Where a log begins, and the number of its first segment. One that has just begun has its head alone.
fn start_of(storage: &dyn Storage, stream: &str, objects: &Objects) -> Result<Option<(Position, u32)>> {
    if let Some(first) = objects.segments.first() {
        return Ok(ship::peek(storage, stream, *first).ok().map(|label| (ship::start_of(&label), *first)));
    }
    if !objects.has_head {
        return Ok(None);
    }
    let head = Head::peek(&storage.get(&segment::head_name(stream))?);
    Ok(head.and_then(|head| head.begins).map(|begins| (begins, 1)))
}

/// One walk through a log.
struct Reading<'a> {
    storage: &'a dyn Storage,
    key: &'a LogKey,
    stream: &'a str,
    objects: &'a Objects,
    base: &'a Place,
    step: Step<'a>,
}

impl Reading<'_> {
    /// Writes what was committed by the moment; answers how many segments were read, and why no more.
    fn run(&self, file: &mut Writing, first: u32, head: &Head, until: Until) -> (u32, Option<Error>) {
        let mut read = 0;
        match self.walk(file, first, head, until, &mut read) {
            Ok(()) => (read, None),
            Err(reason) => (read, Some(reason)),
        }
    }

    fn walk(&self, file: &mut Writing, first: u32, head: &Head, until: Until, read: &mut u32) -> Result<()> {
        let last = head.segments.max(self.objects.segments.last().copied().unwrap_or(0));
        let mut before: Option<(Label, String)> = self.one_before(first)?;
        let mut number = first;
        while number <= last {
            let end = last.min(number + u32::try_from(limits::LOG_FETCHES).unwrap_or(1) - 1);
            (self.step)(*read, last.saturating_sub(first) + 1)?;
            for (number, fetched) in (number..).zip(self.fetch(number, end)) {
                let bytes = fetched?.ok_or_else(|| missing(number, head))?;
                let segment =
                    opened(self.key, self.stream, number, &bytes, before.as_ref(), head, self.base)?;
                *read += 1;
                if file.take(&segment, self.base, until)? == Went::PastTheMoment {
                    return Ok(());
                }
                before = Some((segment.label, segment.tag));
            }
            number = end + 1;
        }
        match until {
            Until::At(at) if head.at < at.0 => Err(Error::not_found(format!(
                "The log at this target reaches to {}, and not to {at}.",
                Timestamp(head.at)
            ))
            .hint("Name an earlier moment, or take what there is with `--as-far-as-possible`.")),
            _ => Ok(()),
        }
    }

    /// The label and the tag of the segment before the first one that is needed, if it is still there.
    fn one_before(&self, first: u32) -> Result<Option<(Label, String)>> {
        let Some(number) = first.checked_sub(1).filter(|number| self.objects.segments.contains(number))
        else {
            return Ok(None);
        };
        let bytes = self.storage.get(&segment::name(self.stream, number))?;
        let segment = segment::open(self.key, self.stream, number, &bytes)?;
        Ok(Some((segment.label, segment.tag)))
    }

    /// Objects of a range, fetched side by side.
    fn fetch(&self, from: u32, to: u32) -> Vec<Result<Option<Bytes>>> {
        let get = |number: u32| {
            if !self.objects.segments.contains(&number) {
                return Ok(None);
            }
            self.storage.get(&segment::name(self.stream, number)).map(Some)
        };
        thread::scope(|scope| {
            let fetching: Vec<_> = (from..=to).map(|number| scope.spawn(move || get(number))).collect();
            let joined = fetching.into_iter().map(|thread| {
                thread.join().unwrap_or_else(|_| Err(Error::internal("fetching a segment panicked")))
            });
            joined.collect()
        })
    }
}

/// What to say of a segment that is not there.
pub(super) fn missing(number: u32, head: &Head) -> Error {
    Error::invalid(format!("Segment {number} of {} of the log is missing.", head.segments)).hint(TAMPERED)
}

/// A segment that follows the one before it, or leaves nothing out behind the base where there is none before.
pub(super) fn opened(
    key: &LogKey,
    stream: &str,
    number: u32,
    bytes: &[u8],
    before: Option<&(Label, String)>,
    head: &Head,
    base: &Place,
) -> Result<Segment> {
    let segment = segment::open(key, stream, number, bytes)?;
    let label = &segment.label;
    let follows = match before {
        Some((before, tag)) => label.previous == *tag && label.follows(before),
        None => reaches_the_base(label, base),
    };
    if !follows || (number == head.segments && segment.tag != head.tag) {
        return Err(Error::invalid(format!(
            "Segment {number} of the log does not follow the one before it: it was exchanged."
        ))
        .hint(TAMPERED));
    }
    Ok(segment)
}

/// Whether the first segment leaves nothing out between the backup and itself.
fn reaches_the_base(label: &Label, base: &Place) -> bool {
    let Position { generation, frame } = base.position;
    if label.generation == generation {
        return label.first <= frame.saturating_add(1);
    }
    label.number == 1 && label.first == 1 && label.begins == Some(base.position)
}

/// Fetches the files of evidence that came after the backup; answers which these are, found or not.
pub fn fetch_blobs(
    storage: &dyn Storage,
    replayed: &Replayed,
    names: &[BlobName],
    data: &Path,
) -> Result<Vec<BlobName>> {
    let mut lacked = Vec::new();
    for name in names {
        let text = name.to_string();
        let path = layout::blobs(data).join(&text[..2]).join(&text);
        if path.exists() {
            continue;
        }
        if let Some(number) = replayed.blobs.get(&text) {
            let bytes = storage.get(&segment::blob_name(&replayed.stream, *number, &text))?;
            durable::create_folder(path.parent().unwrap_or(data))?;
            durable::replace(&path, &bytes)?;
        }
        lacked.push(name.clone());
    }
    Ok(lacked)
}
