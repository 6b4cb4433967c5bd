//! The write-ahead log as it lies on the disk: which commits it holds, and whether it goes on where we
//! left it.
//!
//! Reads by position and by the file alone; the `-shm` file is never touched. Frames hold pages as they
//! are encrypted; their headers and checksums are clear, and the checksums protect against accidents only.
//! This module decides nothing: `keeper` does.

use super::pin::ReadAt;
use crate::kernel::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;

/// Bytes before the first frame.
const HEADER_BYTES: usize = 32;
/// Bytes before the page of each frame.
pub const FRAME_HEADER_BYTES: usize = 24;
/// The lowest bit tells the order of bytes in checksums: set for the highest first.
const MAGIC: u32 = 0x377f_0682;
/// The only version of the format there is.
const FORMAT: u32 = 3_007_000;

/// One filling of the log, from its first frame to its next beginning.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Generation {
    /// How often the log began anew before, as far as the connection knows that wrote it: others count anew.
    pub sequence: u32,
    /// Grows by one with each beginning.
    pub salt1: u32,
    /// Random.
    pub salt2: u32,
}

impl Generation {
    /// Whether the log began anew exactly once between the two.
    pub fn precedes(&self, next: &Generation) -> bool {
        next.salt1 == self.salt1.wrapping_add(1)
    }
}

/// A place in the log: behind so many frames of a generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Position {
    /// The filling.
    #[serde(flatten)]
    pub generation: Generation,
    /// Frames before this place.
    pub frame: u32,
}

/// A place up to which every frame was read and its checksum found right.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cursor {
    /// The place.
    #[serde(flatten)]
    pub position: Position,
    /// The checksum of everything before it.
    pub sums: [u32; 2],
}

/// Frames that follow each other in one generation, as they lie in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frames {
    /// The filling they are of.
    pub generation: Generation,
    /// Number of the first, counted from 1.
    pub first: u32,
    /// How many there are.
    pub count: u32,
    /// Bytes of a page.
    pub page_bytes: u32,
    /// Frame headers and pages.
    pub bytes: Vec<u8>,
}

/// What the beginning of the file says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub generation: Generation,
    pub page_bytes: u32,
    is_high_first: bool,
    sums: [u32; 2],
}

impl Header {
    /// The place before the first frame.
    pub fn start(&self) -> Cursor {
        Cursor { position: Position { generation: self.generation, frame: 0 }, sums: self.sums }
    }

    fn frame_bytes(&self) -> usize {
        FRAME_HEADER_BYTES + self.page_bytes as usize
    }

    /// Where the frame after so many begins.
    fn offset(&self, frames: u32) -> u64 {
        HEADER_BYTES as u64 + u64::from(frames) * self.frame_bytes() as u64
    }
}

/// The file of the log.
#[derive(Clone)]
pub(super) struct Log(pub Arc<dyn ReadAt>);

impl Log {
    /// What the file begins with; `None` while it is empty or its beginning is being written.
    pub fn header(&self) -> Result<Option<Header>> {
        let mut bytes = [0; HEADER_BYTES];
        if !self.fill(&mut bytes, 0)? {
            return Ok(None);
        }
        let magic = word(&bytes, 0);
        if magic & !1 != MAGIC || word(&bytes, 4) != FORMAT {
            return Ok(None);
        }
        let is_high_first = magic & 1 == 1;
        let sums = summed(&bytes[..24], [0; 2], is_high_first);
        let page_bytes = word(&bytes, 8);
        let is_size = page_bytes.is_power_of_two() && (512..=65_536).contains(&page_bytes);
        if sums != [word(&bytes, 24), word(&bytes, 28)] || !is_size {
            return Ok(None);
        }
        let generation =
            Generation { sequence: word(&bytes, 12), salt1: word(&bytes, 16), salt2: word(&bytes, 20) };
        Ok(Some(Header { generation, page_bytes, is_high_first, sums }))
    }

    /// Whether the frame before the place is the one that was there when the cursor was made.
    pub fn holds(&self, header: &Header, cursor: &Cursor) -> Result<bool> {
        let Position { generation, frame } = cursor.position;
        if generation != header.generation {
            return Ok(false);
        }
        if frame == 0 {
            return Ok(cursor.sums == header.sums);
        }
        let mut head = [0; FRAME_HEADER_BYTES];
        let is_there = self.fill(&mut head, header.offset(frame - 1))?;
        Ok(is_there && is_of(&head, &generation) && [word(&head, 16), word(&head, 20)] == cursor.sums)
    }

    /// Whether the filling before this one ended at the cursor, as far as what is left of it can show: the frame
    /// before the cursor still lies there, and no commit follows it. `kept` bytes of the file are never cut off
    /// when the log begins anew.
    pub fn ended_at(&self, header: &Header, cursor: &Cursor, kept: u64) -> Result<bool> {
        let before = Header { generation: cursor.position.generation, ..*header };
        let frame = cursor.position.frame;
        if frame == 0 || !before.generation.precedes(&header.generation) || before.offset(frame + 1) > kept {
            return Ok(false);
        }
        Ok(self.holds(&before, cursor)? && self.last_commit(&before, *cursor)? == *cursor)
    }

    /// The last commit at or after a place. Frames behind it belong to nothing yet.
    pub fn last_commit(&self, header: &Header, from: Cursor) -> Result<Cursor> {
        let (mut at, mut committed) = (from, from);
        let mut frame = vec![0; header.frame_bytes()];
        loop {
            let number = at.position.frame;
            if !self.fill(&mut frame, header.offset(number))? || !is_of(&frame, &header.generation) {
                return Ok(committed);
            }
            let sums = summed(&frame[..8], at.sums, header.is_high_first);
            let sums = summed(&frame[FRAME_HEADER_BYTES..], sums, header.is_high_first);
            if sums != [word(&frame, 16), word(&frame, 20)] {
                return Ok(committed);
            }
            at.position.frame += 1;
            at.sums = sums;
            if commits(&frame) {
                committed = at;
            }
        }
    }

    /// So many frames from the place on, and the place behind them. The caller knows that they are there:
    /// nobody writes over what was committed as long as the log cannot begin anew.
    pub fn frames(&self, header: &Header, from: Cursor, count: u32) -> Result<(Frames, Cursor)> {
        let Position { generation, frame } = from.position;
        let mut bytes = vec![0; count as usize * header.frame_bytes()];
        if !self.fill(&mut bytes, header.offset(frame))? {
            return Err(Error::internal("the log of the database became shorter while it was read"));
        }
        let mut behind = from;
        for one in bytes.chunks_exact(header.frame_bytes()) {
            let sums = summed(&one[..8], behind.sums, header.is_high_first);
            behind.sums = summed(&one[FRAME_HEADER_BYTES..], sums, header.is_high_first);
            if !is_of(one, &generation) || behind.sums != [word(one, 16), word(one, 20)] {
                return Err(Error::internal("the log of the database changed while it was read"));
            }
            behind.position.frame += 1;
        }
        let page_bytes = header.page_bytes;
        Ok((Frames { generation, first: frame + 1, count, page_bytes, bytes }, behind))
    }

    /// Whether there were so many bytes.
    fn fill(&self, buffer: &mut [u8], offset: u64) -> Result<bool> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.0.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => return Ok(false),
                Ok(got) => filled += got,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(Error::internal(cause)),
            }
        }
        Ok(true)
    }
}

impl Frames {
    /// The place behind the last of them.
    pub fn end(&self) -> u32 {
        self.first + self.count - 1
    }

    /// Each page with its number, and the pages of the database if a commit ends there.
    pub fn pages(&self) -> impl Iterator<Item = (u32, Option<u32>, &[u8])> {
        self.bytes.chunks_exact(FRAME_HEADER_BYTES + self.page_bytes as usize).map(|frame| {
            let size = commits(frame).then(|| word(frame, 4));
            (word(frame, 0), size, &frame[FRAME_HEADER_BYTES..])
        })
    }

    /// Whether the bytes are what the numbers say: as many frames, each of this generation.
    pub fn is_whole(&self) -> bool {
        let one = FRAME_HEADER_BYTES + self.page_bytes as usize;
        self.first > 0
            && self.count > 0
            && self.page_bytes.is_power_of_two()
            && self.bytes.len() == one * self.count as usize
            && self.bytes.chunks_exact(one).all(|frame| word(frame, 0) > 0 && is_of(frame, &self.generation))
    }
}

fn is_of(frame: &[u8], generation: &Generation) -> bool {
    word(frame, 8) == generation.salt1 && word(frame, 12) == generation.salt2
}

/// A frame that ends a commit names the pages of the database after it.
fn commits(frame: &[u8]) -> bool {
    word(frame, 4) != 0
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The checksum of SQLite over pairs of words, as its file format document has it.
fn summed(bytes: &[u8], sums: [u32; 2], is_high_first: bool) -> [u32; 2] {
    let [mut one, mut two] = sums;
    for pair in bytes.chunks_exact(8) {
        let words = pair.as_chunks::<4>().0;
        let [a, b] = [words[0], words[1]]
            .map(|word| if is_high_first { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) });
        one = one.wrapping_add(a).wrapping_add(two);
        two = two.wrapping_add(b).wrapping_add(one);
    }
    [one, two]
}
