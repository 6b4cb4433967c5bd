//! Segments: sealed pieces of the log, each bound to the one before; and the head, which tells how many
//! there are.
//!
//! An object is one line of JSON in the clear, which is bound to what follows, and the sealed rest.
//! See `docs/formats/log.md`.

use crate::kernel::access::{Frames, Generation, Position};
use crate::kernel::error::{Error, Result};
use crate::kernel::keyring::LogKey;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

/// The layout this program writes; it refuses others.
const VERSION: u32 = 1;
/// What the first line of a segment is called.
const SEGMENT: &str = "testkeep log segment";
/// What the first line of a head is called.
const HEAD: &str = "testkeep log head";
/// Bytes of the tag at the end of what is sealed.
const TAG_BYTES: usize = 16;
/// Bytes within which the line in the clear ends.
pub(super) const LINE_BYTES_MAX: u64 = 1_024;

/// What stands in the clear before a segment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Label {
    pub(super) format: String,
    pub(super) version: u32,
    /// Instance whose log it is.
    pub instance: String,
    /// The log: one uninterrupted row of segments.
    pub stream: String,
    /// Number in the log, from 1 without gaps.
    pub number: u32,
    /// The filling of the database's own log that the frames are of.
    #[serde(flatten)]
    pub generation: Generation,
    /// Number of the first frame.
    pub first: u32,
    /// Frames in it.
    pub frames: u32,
    /// Bytes of a page.
    pub page_bytes: u32,
    /// When it was sealed, in milliseconds since 1970.
    pub at: i64,
    /// Tag of the segment before, in hex; empty for the first.
    pub previous: String,
    /// Of the first segment: the place in the database's own log behind which this log begins.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub begins: Option<Position>,
}

/// What is sealed with the frames.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Aside {
    /// Frames that end a commit, and when each was seen, in milliseconds since 1970.
    pub marks: Vec<(u32, i64)>,
    /// The wrapped keys, if they changed since the segment before.
    pub keyring: Option<String>,
}

/// An opened segment.
#[derive(Debug)]
pub struct Segment {
    /// What stood in the clear, now known to be true.
    pub label: Label,
    /// What came with the frames.
    pub aside: Aside,
    /// The frames.
    pub frames: Frames,
    /// Its tag, which the next one names.
    pub tag: String,
}

/// How many segments there are, and up to which moment they hold everything.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Head {
    pub(super) format: String,
    pub(super) version: u32,
    /// Instance whose log it is.
    pub instance: String,
    /// The log.
    pub stream: String,
    /// Number of the last segment; 0 while there is none.
    pub segments: u32,
    /// Tag of the last segment.
    pub tag: String,
    /// Everything that was committed by then is in the segments, in milliseconds since 1970.
    pub at: i64,
    /// The place in the database's own log behind which this log begins, if that is known yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub begins: Option<Position>,
}

/// Name of a segment at its target.
pub fn name(stream: &str, number: u32) -> String {
    format!("log/{stream}-{number:08}")
}

/// Name of a file of evidence that goes before a segment.
pub fn blob_name(stream: &str, number: u32, blob: &str) -> String {
    format!("log/{stream}-{number:08}-{blob}")
}

/// Name of the head.
pub fn head_name(stream: &str) -> String {
    format!("log/{stream}-head")
}

impl Label {
    /// The label of these frames.
    pub fn of(instance: &str, stream: &str, number: u32, frames: &Frames) -> Label {
        Label {
            format: SEGMENT.into(),
            version: VERSION,
            instance: instance.into(),
            stream: stream.into(),
            number,
            generation: frames.generation,
            first: frames.first,
            frames: frames.count,
            page_bytes: frames.page_bytes,
            at: 0,
            previous: String::new(),
            begins: None,
        }
    }

    /// The label at the beginning of an object. True only once the segment was opened.
    pub fn peek(number: u32, bytes: &[u8]) -> Result<Label> {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let label: Label = serde_json::from_slice(line).map_err(|cause| unreadable(number).because(cause))?;
        if label.format != SEGMENT || label.version != VERSION {
            return Err(unreadable(number));
        }
        Ok(label)
    }

    /// Number of the last frame.
    pub fn end(&self) -> u32 {
        self.first.saturating_add(self.frames.saturating_sub(1))
    }

    /// Whether this one follows that one without a gap in the database's own log.
    pub fn follows(&self, before: &Label) -> bool {
        if self.generation == before.generation {
            return self.first == before.end() + 1;
        }
        before.generation.precedes(&self.generation) && self.first == 1
    }
}

/// Seals frames under their label; gives the object and its tag.
pub fn seal(key: &LogKey, label: &Label, aside: &Aside, frames: &[u8]) -> Result<(Vec<u8>, String)> {
    let aside = serde_json::to_vec(aside).map_err(Error::internal)?;
    let length = u32::try_from(aside.len()).map_err(Error::internal)?;
    sealed(key, label, &[&length.to_le_bytes(), aside.as_slice(), frames].concat())
}

/// Opens a segment that should have this number in this log.
pub fn open(key: &LogKey, stream: &str, number: u32, bytes: &[u8]) -> Result<Segment> {
    let label = Label::peek(number, bytes)?;
    if label.stream != stream || label.number != number {
        return Err(Error::invalid(format!(
            "Segment {number} of the log was exchanged: it is number {} of the log {}.",
            label.number, label.stream
        ))
        .hint(TAMPERED));
    }
    let (plain, tag) = unsealed(key, bytes).ok_or_else(|| changed(number))?;
    let split = plain.split_first_chunk::<4>().and_then(|(length, rest)| {
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        rest.split_at_checked(length)
    });
    let (aside, frames) = split.ok_or_else(|| unreadable(number))?;
    let aside: Aside = serde_json::from_slice(aside).map_err(|cause| unreadable(number).because(cause))?;
    let frames = Frames {
        generation: label.generation,
        first: label.first,
        count: label.frames,
        page_bytes: label.page_bytes,
        bytes: frames.to_vec(),
    };
    if !frames.is_whole() {
        return Err(unreadable(number));
    }
    Ok(Segment { label, aside, frames, tag })
}

impl Head {
    /// A head.
    pub fn new(instance: &str, stream: &str, segments: u32, tag: &str, at: i64) -> Head {
        let (instance, stream, tag) = (instance.into(), stream.into(), tag.into());
        Head { format: HEAD.into(), version: VERSION, instance, stream, segments, tag, at, begins: None }
    }

    /// What the object says; true only once it was opened.
    pub fn peek(bytes: &[u8]) -> Option<Head> {
        serde_json::from_slice(bytes.split(|byte| *byte == b'\n').next()?).ok()
    }

    /// The object.
    pub fn seal(&self, key: &LogKey) -> Result<Vec<u8>> {
        sealed(key, self, &[]).map(|(bytes, _)| bytes)
    }

    /// Opens the head of this log.
    pub fn open(key: &LogKey, stream: &str, bytes: &[u8]) -> Result<Head> {
        let wrong = || {
            Error::invalid("The head of the log was changed, or it is that of another instance.")
                .hint(TAMPERED)
        };
        let head = Head::peek(bytes).ok_or_else(wrong)?;
        let is_ours = head.format == HEAD && head.version == VERSION && head.stream == stream;
        if !is_ours || unsealed(key, bytes).is_none() {
            return Err(wrong());
        }
        Ok(head)
    }
}

/// What to do about a log that somebody changed.
pub(super) const TAMPERED: &str = "Delete nothing, and find out who wrote it. With `--as-far-as-possible` the \
    restore ends before it.";

fn changed(number: u32) -> Error {
    Error::invalid(format!(
        "Segment {number} of the log cannot be opened: it was changed, or it is of another instance."
    ))
    .hint(TAMPERED)
}

fn unreadable(number: u32) -> Error {
    Error::invalid(format!("Segment {number} of the log cannot be read: it is cut or damaged."))
        .hint(TAMPERED)
}

fn sealed(key: &LogKey, line: &impl Serialize, plain: &[u8]) -> Result<(Vec<u8>, String)> {
    let line = serde_json::to_string(line).map_err(Error::internal)?;
    let sealed = key.seal(&line, plain);
    let tag = HEXLOWER.encode(&sealed[sealed.len() - TAG_BYTES..]);
    Ok(([line.as_bytes(), b"\n", sealed.as_slice()].concat(), tag))
}

/// The plain bytes and their tag, if the line and the rest are as they were sealed.
fn unsealed(key: &LogKey, bytes: &[u8]) -> Option<(Vec<u8>, String)> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = (std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]);
    let plain = key.unseal(line, rest)?;
    let tag = HEXLOWER.encode(rest.get(rest.len().checked_sub(TAG_BYTES)?..)?);
    Some((plain, tag))
}

/// The tag of a segment, from its last bytes.
pub(super) fn tag_of(object: &[u8]) -> String {
    HEXLOWER.encode(&object[object.len().saturating_sub(TAG_BYTES)..])
}
