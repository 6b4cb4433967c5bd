//! XML as a stream: tags one by one, text straight into a bounded keeper, errors with line and column.
//!
//! Tags are parsed by quick-xml; character data passes it by, so that a huge text needs no memory.
//! Nothing is fetched and no entity is expanded: those that XML does not define stay as written.
//! This module knows nothing of reports.

mod refusal;
mod tag;

use super::decode::{Decoded, Place};
use super::text::{Kept, Oddities};
use crate::kernel::error::Result;
use crate::kernel::limits;
use quick_xml::Reader;
use quick_xml::events::Event;
use refusal::{STRAY_AMPERSAND, malformed, refused, short, source_failed, truncated};
use std::io::BufRead;
pub(super) use tag::Tag;
use tag::resolve;

const CDATA: &[u8] = b"<![CDATA[";

/// What comes next in a document. An empty element opens and closes.
pub(super) enum Token<'a> {
    Open(Tag<'a>),
    Close,
    End,
}

/// Reads one document.
pub(super) struct Xml<'f, R: BufRead> {
    file: &'f str,
    reader: Reader<Decoded<R>>,
    /// For quick-xml; one tag at a time.
    buffer: Vec<u8>,
    /// Content of the tag that was read last.
    tag: String,
    /// Where each open element began.
    open: Vec<Place>,
    is_empty_element: bool,
    has_root: bool,
    pub odd: Oddities,
}

enum Markup {
    Open {
        name_len: usize,
        is_empty: bool,
    },
    Close,
    End,
    /// Comments, declarations, processing instructions.
    Other,
}

impl<'f, R: BufRead> Xml<'f, R> {
    /// Begins to read. `file` is the name in messages.
    pub(super) fn new(file: &'f str, input: R) -> Result<Xml<'f, R>> {
        let decoded = Decoded::new(input).map_err(|error| source_failed(&error))?;
        Ok(Xml {
            file,
            reader: Reader::from_reader(decoded),
            buffer: Vec::new(),
            tag: String::new(),
            open: Vec::new(),
            is_empty_element: false,
            has_root: false,
            odd: Oddities::default(),
        })
    }

    /// The next tag. Text before it goes to `keep`.
    pub(super) fn next(&mut self, mut keep: Option<&mut Kept>) -> Result<Token<'_>> {
        if std::mem::take(&mut self.is_empty_element) {
            self.open.pop();
            return Ok(Token::Close);
        }
        let (place, markup) = loop {
            self.text(keep.as_deref_mut())?;
            let place = self.place();
            match self.markup(place)? {
                Markup::Other => {}
                markup => break (place, markup),
            }
        };
        let (name_len, is_empty) = match markup {
            Markup::Open { name_len, is_empty } => (name_len, is_empty),
            Markup::Close => {
                self.open.pop();
                return Ok(Token::Close);
            }
            Markup::End | Markup::Other => return self.end().map(|()| Token::End),
        };
        self.is_empty_element = is_empty;
        self.opened(place, name_len)?;
        Ok(Token::Open(Tag { content: &self.tag, name_len, place, file: self.file, odd: &mut self.odd }))
    }

    fn place(&self) -> Place {
        self.reader.get_ref().place()
    }

    /// One piece of markup, of bounded length.
    fn markup(&mut self, place: Place) -> Result<Markup> {
        self.buffer.clear();
        self.reader.get_mut().allow(limits::REPORT_MARKUP_BYTES_MAX);
        let markup = match self.reader.read_event_into(&mut self.buffer) {
            Ok(Event::Start(tag)) => {
                self.tag.clear();
                self.tag.push_str(&tag);
                Markup::Open { name_len: tag.name().as_ref().len(), is_empty: false }
            }
            Ok(Event::Empty(tag)) => {
                self.tag.clear();
                self.tag.push_str(&tag);
                Markup::Open { name_len: tag.name().as_ref().len(), is_empty: true }
            }
            Ok(Event::End(_)) => Markup::Close,
            Ok(Event::Eof) => Markup::End,
            Ok(_) => Markup::Other,
            Err(error) => return Err(self.broken(place, error)),
        };
        self.reader.get_mut().allow(usize::MAX);
        Ok(markup)
    }

    /// Checks a start tag against what came before.
    fn opened(&mut self, place: Place, name_len: usize) -> Result<()> {
        let name = &self.tag[..name_len];
        if !name.starts_with(|first: char| first.is_alphabetic() || first == '_' || first == ':') {
            return Err(malformed(
                self.file,
                place,
                "a “<” that begins no tag; in text it is written “&lt;”",
            ));
        }
        if let Some(found) = self.tag.find('<') {
            let place = place.after(b"<").after(&self.tag.as_bytes()[..found]);
            return Err(malformed(
                self.file,
                place,
                "a “<” inside of a tag; in an attribute it is written “&lt;”",
            ));
        }
        if self.open.is_empty() && std::mem::replace(&mut self.has_root, true) {
            let what = format!("a second root element <{}>; a report has one", short(name));
            return Err(malformed(self.file, place, &what));
        }
        self.open.push(place);
        if self.open.len() > limits::REPORT_DEPTH_MAX {
            let what = format!("elements stand more than {} deep in one another", limits::REPORT_DEPTH_MAX);
            return Err(refused(self.file, place, &what)
                .hint("No known tool nests reports like this; check the file."));
        }
        Ok(())
    }

    /// The end of the input, which must be the end of the document, too.
    fn end(&self) -> Result<()> {
        let place = self.place();
        match self.open.last() {
            Some(open) => Err(truncated(
                self.file,
                place,
                &format!(
                    "the file ends here, but the element that begins in line {}, column {} is still open",
                    open.line, open.column
                ),
            )),
            None if !self.has_root => Err(truncated(self.file, place, "the file ends without any element")),
            None => Ok(()),
        }
    }

    /// Passes character data on, up to the next markup that is not CDATA.
    fn text(&mut self, mut keep: Option<&mut Kept>) -> Result<()> {
        loop {
            let input = self.reader.get_mut();
            let place = input.place();
            let count = match input.ahead(CDATA.len()) {
                Err(error) => return Err(self.unread(place, &error)),
                Ok([]) => return Ok(()),
                Ok(bytes) if self.open.is_empty() => {
                    let blank = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                    match bytes.get(blank) {
                        Some(b'<') if !bytes[blank..].starts_with(CDATA) => {
                            input.consume(blank);
                            return Ok(());
                        }
                        Some(first) => {
                            let place = place.after(&bytes[..blank]);
                            let first = *first;
                            return Err(self.stray(place, first));
                        }
                        None => blank,
                    }
                }
                Ok(bytes) => match bytes[0] {
                    b'<' if bytes.starts_with(CDATA) => {
                        input.consume(CDATA.len());
                        self.cdata(place, keep.as_deref_mut())?;
                        continue;
                    }
                    b'<' => return Ok(()),
                    b'&' => {
                        self.reference(place, keep.as_deref_mut())?;
                        continue;
                    }
                    _ => {
                        let end = bytes.iter().position(|byte| matches!(byte, b'<' | b'&'));
                        let text = &bytes[..end.unwrap_or(bytes.len())];
                        if let Some(keep) = keep.as_deref_mut() {
                            keep.push(text);
                        }
                        text.len()
                    }
                },
            };
            input.consume(count);
        }
    }

    /// The rest of a CDATA section.
    fn cdata(&mut self, begin: Place, mut keep: Option<&mut Kept>) -> Result<()> {
        let close = b"]]>";
        loop {
            let input = self.reader.get_mut();
            let place = input.place();
            let bytes = match input.ahead(close.len()) {
                Err(error) => return Err(self.unread(place, &error)),
                Ok(bytes) => bytes,
            };
            if bytes.len() < close.len() {
                return Err(truncated(
                    self.file,
                    begin,
                    "the file ends inside of the CDATA section that begins here",
                ));
            }
            let end = bytes.windows(close.len()).position(|part| part == close);
            // What may be the beginning of the closing mark waits for what comes.
            let text = &bytes[..end.unwrap_or(bytes.len() + 1 - close.len())];
            if let Some(keep) = keep.as_deref_mut() {
                keep.push(text);
            }
            let count = text.len() + end.map_or(0, |_| close.len());
            input.consume(count);
            if end.is_some() {
                return Ok(());
            }
        }
    }

    /// A reference such as `&lt;` or `&#10;` in text.
    fn reference(&mut self, place: Place, keep: Option<&mut Kept>) -> Result<()> {
        let input = self.reader.get_mut();
        let bytes = match input.ahead(limits::REPORT_ENTITY_BYTES_MAX) {
            Err(error) => return Err(self.unread(place, &error)),
            Ok(bytes) => &bytes[..bytes.len().min(limits::REPORT_ENTITY_BYTES_MAX)],
        };
        let end = bytes.iter().position(|byte| *byte == b';');
        let written = end.and_then(|end| std::str::from_utf8(&bytes[..=end]).ok());
        let Some((written, replacement)) = written.and_then(|text| Some((text, resolve(text)?))) else {
            return Err(malformed(self.file, place, STRAY_AMPERSAND));
        };
        let count = written.len();
        if let Some(keep) = keep {
            match replacement {
                Some(character) => keep.push(character.encode_utf8(&mut [0; 4]).as_bytes()),
                None => {
                    self.odd.entities += 1;
                    keep.push(written.as_bytes());
                }
            }
        }
        input.consume(count);
        Ok(())
    }
}
