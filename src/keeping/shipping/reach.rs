//! Reach: the moments that a target leads back to.
//!
//! Told from names, labels and heads, so that a page can ask. Whether what lies there is what was sealed shows
//! when it is brought back: `replay` opens every piece.

use super::segment::{self, Head};
use super::ship::{self, Found, Objects};
use crate::keeping::backup::Receipt;
use crate::keeping::backup::receipt::Place;
use crate::keeping::backup::storage::Storage;
use crate::kernel::access::Position;
use crate::kernel::error::Result;
use crate::kernel::keyring::LogKey;
use crate::kernel::time::Timestamp;

/// Moments without a gap between them.
#[derive(Clone, Debug)]
pub struct Span {
    /// The first: that of a backup.
    pub from: Timestamp,
    /// The last.
    pub to: Timestamp,
    /// Numbers and moments of the backups that a restore can begin with, oldest first.
    bases: Vec<(u64, Timestamp)>,
}

/// All moments that a target leads back to.
#[derive(Clone, Default, Debug)]
pub struct Reach {
    /// Oldest first.
    pub spans: Vec<Span>,
    /// What is missing or changed there, in sentences.
    pub troubles: Vec<String>,
}

/// Segments of a log that follow one another.
struct Piece {
    begins: Position,
    /// Where it ends, if that is not the end of its log.
    ends: Option<Position>,
    to: Timestamp,
}

impl Reach {
    /// What a target leads to, given the backups that can be brought back from there. Blocks.
    pub fn of(storage: &dyn Storage, key: &LogKey, receipts: &[Receipt]) -> Result<Reach> {
        let mut reach = Reach::default();
        let placed: Vec<(u64, &Place)> =
            receipts.iter().filter_map(|receipt| Some((receipt.number, receipt.log.as_ref()?))).collect();
        for (stream, objects) in &Found::at(storage)?.logs {
            if !objects.has_head {
                reach.troubles.push("The head of a log is missing, so nothing tells how far it goes.".into());
                continue;
            }
            let head = match Head::open(key, stream, &storage.get(&segment::head_name(stream))?) {
                Ok(head) => head,
                Err(reason) => {
                    reach.troubles.push(reason.sentence().to_owned());
                    continue;
                }
            };
            let pieces = pieces(storage, key, objects, &head, &mut reach.troubles)?;
            for piece in &pieces {
                reach.spans.extend(piece.span(&placed));
            }
        }
        reach.spans.sort_by_key(|span| span.from);
        Ok(reach)
    }

    /// The newest moment of all.
    pub fn newest(&self) -> Option<Timestamp> {
        self.spans.iter().map(|span| span.to).max()
    }

    /// The number of the backup that a restore to this moment begins with: the newest that is not later.
    pub fn base(&self, at: Timestamp) -> Option<u64> {
        let holding = self.spans.iter().filter(|span| (span.from..=span.to).contains(&at));
        let bases = holding.flat_map(|span| &span.bases).filter(|(_, base)| *base <= at);
        bases.max_by_key(|(_, base)| *base).map(|(number, _)| *number)
    }
}

impl Piece {
    fn holds(&self, position: &Position) -> bool {
        ship::is_behind(&self.begins, position)
            && self.ends.is_none_or(|ends| ends != *position && ship::is_behind(position, &ends))
    }

    fn span(&self, placed: &[(u64, &Place)]) -> Option<Span> {
        let held = placed.iter().filter(|(_, place)| self.holds(&place.position));
        let bases: Vec<_> = held.map(|(number, place)| (*number, Timestamp(place.at))).collect();
        let from = bases.iter().map(|(_, at)| *at).min().filter(|from| *from <= self.to)?;
        Some(Span { from, to: self.to, bases })
    }
}

/// The pieces of one log: one, unless something is missing in the middle.
fn pieces(
    storage: &dyn Storage,
    key: &LogKey,
    objects: &Objects,
    head: &Head,
    troubles: &mut Vec<String>,
) -> Result<Vec<Piece>> {
    let numbers: Vec<u32> = objects.segments.iter().copied().collect();
    let mut pieces = Vec::new();
    if numbers.is_empty() {
        let at_once = head.begins.filter(|_| head.segments == 0);
        pieces.extend(at_once.map(|begins| Piece { begins, ends: None, to: Timestamp(head.at) }));
    }
    for run in numbers.chunk_by(|one, next| one + 1 == *next) {
        let (first, last) = (run[0], run[run.len() - 1]);
        let begins = ship::start_of(&ship::peek(storage, &head.stream, first)?);
        if last >= head.segments {
            pieces.push(Piece { begins, ends: None, to: Timestamp(head.at) });
            continue;
        }
        if let Some((ends, to)) = end_of(storage, key, &head.stream, run)? {
            pieces.push(Piece { begins, ends: Some(ends), to });
        }
    }
    let is_cut = |number: &u32| *number < head.segments && !objects.segments.contains(&(number + 1));
    let gaps = numbers.iter().filter(|number| is_cut(number)).map(|number| number + 1);
    let nothing = (numbers.is_empty() && head.segments > 0).then_some(1);
    troubles.extend(
        gaps.chain(nothing)
            .map(|number| format!("Segment {number} of {} of the log is missing.", head.segments)),
    );
    Ok(pieces)
}

/// The end of segments behind which something is missing, and the last moment of which they tell everything: what
/// was committed last may have been followed by more in the same moment.
fn end_of(
    storage: &dyn Storage,
    key: &LogKey,
    stream: &str,
    run: &[u32],
) -> Result<Option<(Position, Timestamp)>> {
    for number in run.iter().rev() {
        let bytes = storage.get(&segment::name(stream, *number))?;
        let Ok(opened) = segment::open(key, stream, *number, &bytes) else { continue };
        if let Some((_, at)) = opened.aside.marks.last() {
            let ends = Position { generation: opened.label.generation, frame: opened.label.end() };
            return Ok(Some((ends, Timestamp(at - 1))));
        }
    }
    Ok(None)
}
