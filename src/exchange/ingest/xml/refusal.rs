//! Why a document is refused: file, line, column, and what to do now.

use super::Xml;
use crate::exchange::ingest::decode::Place;
use crate::kernel::error::Error;
use crate::kernel::limits;
use quick_xml::Error as XmlError;
use quick_xml::errors::IllFormedError;
use std::borrow::Cow;
use std::io::{self, BufRead};

pub(super) const STRAY_AMPERSAND: &str = "an “&” that begins no reference; in text it is written “&amp;”";

impl<R: BufRead> Xml<'_, R> {
    /// Text where only elements may be.
    pub(super) fn stray(&self, place: Place, first: u8) -> Error {
        if self.has_root {
            return malformed(self.file, place, "text after the end of the root element");
        }
        let what = match first {
            b'{' | b'[' => "this looks like JSON, not like XML",
            _ => "this is not XML: it does not begin with a tag",
        };
        refused(self.file, place, what)
            .hint("Check that the right file was uploaded, and that it is the report itself.")
    }

    /// What quick-xml complained about, in our words.
    pub(super) fn broken(&self, begin: Place, error: XmlError) -> Error {
        let what = match error {
            XmlError::Io(error) => return self.unread(begin, &error),
            XmlError::Syntax(_) => {
                return truncated(
                    self.file,
                    begin,
                    "the file ends inside of the tag, comment or declaration that begins here",
                );
            }
            XmlError::IllFormed(IllFormedError::MismatchedEndTag { expected, found }) => {
                format!("</{}> closes <{}>", short(&found), short(&expected))
            }
            XmlError::IllFormed(IllFormedError::UnmatchedEndTag(found)) => {
                format!("</{}> closes nothing", short(&found))
            }
            error => error.to_string(),
        };
        malformed(self.file, begin, &what)
    }

    /// Why there are no further bytes. `begin` is where the piece began that they belong to.
    pub(super) fn unread(&self, begin: Place, error: &io::Error) -> Error {
        let input = self.reader.get_ref();
        if let Some(fault) = input.fault() {
            return refused(self.file, input.place(), fault).hint(
                "Upload the XML file itself. If it is text in another encoding, name that in its first line: \
                 <?xml version=\"1.0\" encoding=\"windows-1252\"?>.",
            );
        }
        if input.is_exhausted() {
            let what = format!(
                "the tag, comment or declaration that begins here is longer than {} MiB",
                limits::REPORT_MARKUP_BYTES_MAX / (1024 * 1024)
            );
            return refused(self.file, begin, &what)
                .hint("Let the tool write long texts into elements, not into attributes.");
        }
        source_failed(error)
    }
}

/// Refuses a file, with the place.
pub(super) fn refused(file: &str, place: Place, what: &str) -> Error {
    let file = short(file);
    Error::invalid(format!("{file}, line {}, column {}: {what}.", place.line, place.column))
}

pub(super) fn malformed(file: &str, place: Place, what: &str) -> Error {
    refused(file, place, what).hint(
        "The file is not well-formed XML, and nothing of it was stored. Repair what wrote it, or the file, and upload it again.",
    )
}

pub(super) fn truncated(file: &str, place: Place, what: &str) -> Error {
    refused(file, place, what).hint(
        "It was cut off: by a run that was killed, a full disk or a broken upload. Nothing of it was stored; upload the whole file.",
    )
}

/// The source broke, not the document. An error of ours that travelled through it arrives unharmed.
pub(super) fn source_failed(error: &io::Error) -> Error {
    let ours = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    ours.cloned().unwrap_or_else(|| Error::internal(error.to_string()))
}

/// A name of somebody else's, short enough for a message.
pub(super) fn short(name: &str) -> Cow<'_, str> {
    match name.char_indices().nth(80) {
        Some((end, _)) => Cow::Owned(format!("{}…", &name[..end])),
        None => Cow::Borrowed(name),
    }
}
