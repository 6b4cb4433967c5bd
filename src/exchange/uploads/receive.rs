//! Receiving: the files of an upload, read to their end and counted, or one clear refusal. Stores nothing.

use super::{Counts, Order};
use crate::exchange::ingest::{self, Format, Found};
use crate::kernel::blobs::Spool;
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::web::upload::Received;
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use std::io::Read as _;

/// Bytes of a file from which its format is told.
const HEAD_BYTES: u64 = 8 * 1024;

/// An upload whose files are all good.
pub(super) struct Incoming {
    pub order: Order,
    /// Digest of the files, their format and their run: what makes two uploads the same.
    pub content: String,
    /// How the run is called that is made for them, without its date.
    pub title: String,
    pub files: i64,
    pub bytes: i64,
    pub counts: Counts,
    /// Results, attempts that were repeated included.
    pub results: u64,
    pub notes: Vec<String>,
    sources: Vec<Source>,
    /// All checks, if they are few.
    kept: Option<Vec<Found>>,
}

struct Source {
    name: String,
    format: Format,
    spool: Spool,
}

/// Reads all files away from the async threads.
pub(super) async fn read(order: Order, files: Vec<Received>) -> Result<Box<Incoming>> {
    blocking(move || Incoming::of(order, files).map(Box::new)).await
}

/// Work that reads files of an upload, away from the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(Error::internal(panic)))
}

impl Incoming {
    fn of(order: Order, files: Vec<Received>) -> Result<Incoming> {
        if files.is_empty() {
            return Err(Error::invalid("This upload holds no file.")
                .hint("Send the report as the body, or as files of a form: curl -F file=@report.xml …"));
        }
        let mut incoming = Incoming {
            content: digest(&order, &files),
            title: title(&files),
            files: files.len() as i64,
            bytes: files.iter().map(|file| file.spool.bytes() as i64).sum(),
            counts: Counts::default(),
            results: 0,
            notes: Vec::new(),
            sources: Vec::with_capacity(files.len()),
            kept: None,
            order,
        };
        let (mut keeper, mut broken, mut first_broken) = (Keeper::default(), 0, None);
        for Received { name, spool, .. } in files {
            let format = match incoming.order.format {
                Some(format) => format,
                None => format_of(&spool)?,
            };
            let source = Source { name, format, spool };
            let summary = source.each(&mut |found| {
                keeper.take(found);
                Ok(())
            })?;
            broken += summary.broken_suites;
            first_broken = first_broken.or_else(|| summary.first_broken.clone());
            incoming.counts.add(&summary);
            incoming.note(&source.name, summary.notes);
            incoming.sources.push(source);
        }
        incoming.results = keeper.results;
        incoming.kept = keeper.kept();
        refuse_senseless(&incoming, broken, first_broken)?;
        Ok(incoming)
    }

    /// Hands on each check, in the order of the files. Content that was read once reads the same again.
    pub(super) fn each(&mut self, sink: &mut dyn FnMut(Found) -> Result<()>) -> Result<()> {
        if let Some(kept) = self.kept.take() {
            return kept.into_iter().try_for_each(sink);
        }
        self.sources.iter().try_for_each(|source| source.each(sink).map(drop))
    }

    fn note(&mut self, file: &str, notes: Vec<String>) {
        let is_alone = self.files == 1;
        for note in notes {
            match self.notes.len() {
                len if len < limits::UPLOAD_NOTES_MAX => {
                    self.notes.push(if is_alone { note } else { format!("{file}: {note}") });
                }
                limits::UPLOAD_NOTES_MAX => self.notes.push("Further notes are not kept.".into()),
                _ => {}
            }
        }
    }
}

impl Source {
    fn each(&self, sink: &mut dyn FnMut(Found) -> Result<()>) -> Result<ingest::Summary> {
        ingest::read(self.format, &self.name, self.spool.reader()?, sink)
    }
}

/// Keeps checks as long as they are few, and counts their results.
#[derive(Default)]
struct Keeper {
    results: u64,
    bytes: usize,
    kept: Vec<Found>,
}

impl Keeper {
    fn take(&mut self, found: Found) {
        self.results += 1 + found.earlier.len() as u64;
        self.bytes += weight(&found);
        if self.has_room() {
            self.kept.push(found);
        } else {
            self.kept = Vec::new();
        }
    }

    fn has_room(&self) -> bool {
        self.results <= limits::UPLOAD_KEPT_RESULTS as u64 && self.bytes <= limits::UPLOAD_KEPT_BYTES
    }

    fn kept(self) -> Option<Vec<Found>> {
        self.has_room().then_some(self.kept)
    }
}

/// Bytes of text in a check.
pub(super) fn weight(found: &Found) -> usize {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let earlier = found.earlier.iter().map(|attempt| length(&attempt.message) + length(&attempt.stack));
    let own = [&found.class, &found.file, &found.message, &found.stack, &found.output].map(length);
    found.name.len()
        + found.automation_key.len()
        + found.suites.iter().map(String::len).sum::<usize>()
        + own.iter().sum::<usize>()
        + earlier.sum::<usize>()
}

fn format_of(spool: &Spool) -> Result<Format> {
    let mut head = Vec::with_capacity(HEAD_BYTES as usize);
    spool.reader()?.take(HEAD_BYTES).read_to_end(&mut head).map_err(Error::internal)?;
    // A file that nobody knows is read all the same: the refusal then names the place.
    Ok(ingest::detect(&head).unwrap_or(Format::Junit))
}

fn refuse_senseless(incoming: &Incoming, broken: u64, first_broken: Option<String>) -> Result<()> {
    if incoming.results > limits::ITEMS_MAX as u64 {
        return Err(Error::too_large(format!(
            "This upload holds {} results; a run takes {}.",
            incoming.results,
            limits::ITEMS_MAX
        ))
        .hint("Split it into several uploads."));
    }
    match first_broken.filter(|_| incoming.counts.total == broken as i64) {
        Some(first) => Err(Error::invalid(format!("No check ran: suite {first}.")).hint(
            "Nothing was stored. Mend what keeps the suite from starting, and upload its next report.",
        )),
        None => Ok(()),
    }
}

fn digest(order: &Order, files: &[Received]) -> String {
    let mut digest = Sha256::new();
    let format = order.format.map_or("auto", Format::word);
    digest.update(format!("{format}\n{}\n", order.target.text()));
    files.iter().for_each(|file| digest.update(format!("{}\n", file.spool.sha256())));
    HEXLOWER.encode(&digest.finalize())
}

fn title(files: &[Received]) -> String {
    let first = files.first().map_or("report", |file| file.name.as_str());
    match files.len() {
        0 | 1 => first.to_owned(),
        count => format!("{first} and {} more", count - 1),
    }
}
