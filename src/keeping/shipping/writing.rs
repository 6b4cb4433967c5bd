//! Writing: pages of a log into a database file, transaction by transaction, where SQLite's own checkpoint would
//! write them.

use super::replay::Until;
use super::segment::Segment;
use super::ship;
use crate::keeping::backup::receipt::Place;
use crate::kernel::access::Position;
use crate::kernel::durable::{self, trouble};
use crate::kernel::error::{Error, Result};
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Whether the moment lies further on.
#[derive(PartialEq, Eq)]
pub(super) enum Went {
    On,
    PastTheMoment,
}

/// The database file that is written.
pub(super) struct Writing {
    file: File,
    page_bytes: u64,
    /// Pages of the transaction that is not known to be wanted yet.
    held: Held,
    length: Option<u64>,
    at: Option<Timestamp>,
    /// Pages that were written.
    pub pages: u64,
    /// The place behind the last transaction that was written, and its moment.
    pub place: Option<Place>,
    keyring: Option<String>,
    held_keyring: Option<String>,
}

impl Writing {
    /// Writes into the restored database.
    pub fn open(data: &Path) -> Result<Writing> {
        let path = layout::database(data);
        let file =
            OpenOptions::new().write(true).open(&path).map_err(|cause| trouble("write", &path, cause))?;
        let held = Held { folder: data.to_owned(), pages: Vec::new(), aside: None };
        let (length, at, keyring, held_keyring) = (None, None, None, None);
        Ok(Writing { file, page_bytes: 0, held, length, at, pages: 0, place: None, keyring, held_keyring })
    }

    /// Writes what was committed by the moment.
    pub fn take(&mut self, segment: &Segment, base: &Place, until: Until) -> Result<Went> {
        self.page_bytes = segment.label.page_bytes.into();
        if segment.aside.keyring.is_some() {
            self.held_keyring.clone_from(&segment.aside.keyring);
        }
        let mut marks = segment.aside.marks.iter().peekable();
        for (frame, (page, pages, bytes)) in (segment.label.first..).zip(segment.frames.pages()) {
            let place = Position { generation: segment.label.generation, frame };
            // What the backup holds already is written once more only where it lies between two marks.
            if !ship::is_behind(&place, &base.position) {
                self.held.push(page, bytes)?;
            }
            let Some((_, at)) = marks.next_if(|(marked, _)| *marked == frame) else { continue };
            if matches!(until, Until::At(moment) if *at > moment.0) {
                return Ok(Went::PastTheMoment);
            }
            let pages = pages.ok_or_else(|| {
                Error::invalid(format!("Segment {} of the log marks no commit.", segment.label.number))
            })?;
            if !self.held.is_empty() {
                self.write(pages, Timestamp(*at))?;
                self.place = Some(Place { position: place, at: *at });
            }
        }
        Ok(Went::On)
    }

    fn write(&mut self, pages: u32, at: Timestamp) -> Result<()> {
        let (file, page_bytes) = (&self.file, self.page_bytes);
        let written = self.held.drain(|page, bytes| {
            let offset = (u64::from(page) - 1) * page_bytes;
            file.write_all_at(bytes, offset)
        });
        self.pages += written.map_err(no_room)?;
        self.length = Some(u64::from(pages) * self.page_bytes);
        self.at = Some(at);
        if self.held_keyring.is_some() {
            self.keyring = self.held_keyring.take();
        }
        Ok(())
    }

    /// Cuts the file to the size of its last commit and makes all of it durable; answers its moment.
    pub fn finish(&mut self, data: &Path) -> Result<Option<Timestamp>> {
        let path = layout::database(data);
        let done = self.length.map_or(Ok(()), |length| self.file.set_len(length));
        done.and_then(|()| self.file.sync_all()).map_err(|cause| trouble("write", &path, cause))?;
        if let Some(keyring) = &self.keyring {
            durable::replace(&layout::keyring(data), keyring.as_bytes())?;
        }
        Ok(self.at)
    }
}

/// Pages that wait for the end of their transaction: the newest in memory, those before, as encrypted as they
/// are, in a file without a name. One transaction may write the whole database, as the exchange of its key does.
struct Held {
    folder: PathBuf,
    pages: Vec<(u32, Vec<u8>)>,
    aside: Option<Aside>,
}

struct Aside {
    file: File,
    /// Their numbers.
    pages: Vec<u32>,
    /// Bytes of all.
    bytes: u64,
}

impl Held {
    fn is_empty(&self) -> bool {
        self.pages.is_empty() && self.aside.is_none()
    }

    fn push(&mut self, page: u32, bytes: &[u8]) -> Result<()> {
        self.pages.push((page, bytes.to_vec()));
        if self.pages.len() < limits::LOG_PAGES_HELD { Ok(()) } else { self.put_aside().map_err(no_room) }
    }

    fn put_aside(&mut self) -> io::Result<()> {
        let aside = match &mut self.aside {
            Some(aside) => aside,
            None => {
                let file = tempfile::tempfile_in(&self.folder)?;
                self.aside.insert(Aside { file, pages: Vec::new(), bytes: 0 })
            }
        };
        for (page, bytes) in self.pages.drain(..) {
            aside.file.write_all_at(&bytes, aside.bytes)?;
            aside.bytes += bytes.len() as u64;
            aside.pages.push(page);
        }
        Ok(())
    }

    /// Hands all of them out, the oldest first; answers how many there were.
    fn drain(&mut self, mut write: impl FnMut(u32, &[u8]) -> io::Result<()>) -> io::Result<u64> {
        let mut count = 0;
        if let Some(Aside { file, pages, bytes }) = self.aside.take() {
            let mut piece = vec![0; usize::try_from(bytes / pages.len() as u64).unwrap_or(0)];
            let mut offset = 0;
            for page in pages {
                file.read_exact_at(&mut piece, offset)?;
                write(page, &piece)?;
                offset += piece.len() as u64;
                count += 1;
            }
        }
        for (page, bytes) in self.pages.drain(..) {
            write(page, &bytes)?;
            count += 1;
        }
        Ok(count)
    }
}

fn no_room(cause: io::Error) -> Error {
    Error::busy("The restored database could not be written.").hint("Look at the free space.").because(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_were_put_aside_come_before_those_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let mut held = Held { folder: folder.path().to_owned(), pages: Vec::new(), aside: None };
        for round in 0..2_u8 {
            for page in 1..=3 {
                held.push(page, &[round * 10 + u8::try_from(page).unwrap(); 16]).unwrap();
            }
            held.put_aside().unwrap();
        }
        held.push(2, &[99; 16]).unwrap();
        let mut seen = Vec::new();
        let count = held.drain(|page, bytes| {
            seen.push((page, bytes[0], bytes[15]));
            Ok(())
        });
        assert_eq!(count.unwrap(), 7);
        let pages = [(1, 1), (2, 2), (3, 3), (1, 11), (2, 12), (3, 13), (2, 99)];
        assert_eq!(seen, pages.map(|(page, byte)| (page, byte, byte)));
        assert!(held.is_empty());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
    }
}
