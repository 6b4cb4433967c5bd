//! Bytes of any declared encoding become UTF-8, and each has a line and a column.
//!
//! Knows of XML only where its encoding is declared.

use crate::kernel::limits;
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::io::{self, BufRead, Read};

/// Bytes in which the declaration of the encoding must stand.
const HEAD_BYTES: usize = 1024;

/// A place in a text. Both count from 1; columns count characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub line: u64,
    pub column: u64,
}

impl Place {
    const START: Place = Place { line: 1, column: 1 };

    /// The place behind this UTF-8 text.
    pub(super) fn after(self, text: &[u8]) -> Place {
        let (line, rest) = match text.iter().rposition(|byte| *byte == b'\n') {
            None => (self, text),
            Some(last) => {
                let newlines = text.iter().filter(|byte| **byte == b'\n').count() as u64;
                (Place { line: self.line + newlines, column: 1 }, &text[last + 1..])
            }
        };
        // A character is counted where it starts: at a byte that does not continue one.
        let characters = rest.iter().filter(|byte| **byte & 0xC0 != 0x80).count() as u64;
        Place { line: line.line, column: line.column + characters }
    }
}

/// Reads UTF-8 from bytes in another encoding, whole characters at a time.
pub(super) struct Decoded<R> {
    source: io::Chain<io::Cursor<Vec<u8>>, R>,
    decoder: Decoder,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    is_at_end: bool,
    fault: Option<String>,
    place: Place,
    /// Bytes that may be consumed before reading fails. Bounds what a parser gathers at a stretch.
    allowance: usize,
}

impl<R: BufRead> Decoded<R> {
    pub(super) fn new(mut input: R) -> io::Result<Decoded<R>> {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        input.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
        let (encoding, fault) = match encoding_of(&head) {
            Ok(encoding) => (encoding, None),
            Err(fault) => (UTF_8, Some(fault)),
        };
        Ok(Decoded {
            source: io::Cursor::new(head).chain(input),
            decoder: encoding.new_decoder_with_bom_removal(),
            buffer: vec![0; limits::REPORT_BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            is_at_end: fault.is_some(),
            fault,
            place: Place::START,
            allowance: usize::MAX,
        })
    }

    /// Where the next byte stands.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Why reading failed, in a sentence for people. None when the source itself failed.
    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Whether as much was consumed as was allowed.
    pub(super) fn is_exhausted(&self) -> bool {
        self.allowance == 0
    }

    /// Lets at most this many bytes pass from now on.
    pub(super) fn allow(&mut self, bytes: usize) {
        self.allowance = bytes;
    }

    /// The next bytes: at least `count` of them, unless the text ends before. Consumes nothing.
    pub(super) fn ahead(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.end - self.start < count && !self.is_at_end {
            self.refill()?;
        }
        if self.start == self.end && self.fault.is_some() {
            return Err(io::Error::other("cannot be decoded"));
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn refill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let source = match self.source.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            source => source?,
        };
        let is_last = source.is_empty();
        let (result, read, written) =
            self.decoder.decode_to_utf8_without_replacement(source, &mut self.buffer[self.end..], is_last);
        self.source.consume(read);
        self.end += written;
        match result {
            DecoderResult::InputEmpty => self.is_at_end = is_last,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => {
                self.is_at_end = true;
                self.fault = Some(format!(
                    "the bytes that follow are not text in {}, which the file declares or implies",
                    self.decoder.encoding().name()
                ));
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Decoded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Decoded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.allowance == 0 {
            return Err(io::Error::other("too long"));
        }
        let allowance = self.allowance;
        self.ahead(1).map(|bytes| &bytes[..bytes.len().min(allowance)])
    }

    fn consume(&mut self, count: usize) {
        self.place = self.place.after(&self.buffer[self.start..self.start + count]);
        self.start += count;
        self.allowance = self.allowance.saturating_sub(count);
    }
}

/// The encoding of a file, from its first bytes. A byte order mark outweighs the declaration.
fn encoding_of(head: &[u8]) -> Result<&'static Encoding, String> {
    match head {
        [] => return Err("the file is empty".to_owned()),
        [0x1F, 0x8B, ..] | [b'P', b'K', 3, 4, ..] => return Err("the file is compressed".to_owned()),
        [0xFE, 0xFF, ..] | [0, b'<', ..] => return Ok(UTF_16BE),
        [0xFF, 0xFE, ..] | [b'<', 0, ..] => return Ok(UTF_16LE),
        [0xEF, 0xBB, 0xBF, ..] => return Ok(UTF_8),
        _ if head.iter().take(HEAD_BYTES / 4).any(|byte| *byte == 0) => {
            return Err("the file holds binary data, not text".to_owned());
        }
        _ => {}
    }
    let Some(label) = declared(head.trim_ascii_start()) else { return Ok(UTF_8) };
    match Encoding::for_label_no_replacement(label) {
        // Writers that hand a text to somebody else declare UTF-16 and store UTF-8; .NET is known for it.
        // The declaration could be read byte for byte, so it is not true.
        Some(encoding) if encoding == UTF_16LE || encoding == UTF_16BE => Ok(UTF_8),
        Some(encoding) => Ok(encoding),
        None => Err(format!(
            "the file declares the encoding “{}”, which nobody here reads",
            String::from_utf8_lossy(&label[..label.len().min(40)])
        )),
    }
}

/// The name in `<?xml … encoding="name"?>`.
fn declared(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_prefix(b"<?xml")?;
    let text = &text[..text.iter().position(|byte| *byte == b'>')?];
    let word = b"encoding";
    let text = &text[text.windows(word.len()).position(|part| part == word)? + word.len()..];
    let text = text.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (quote, text) = text.split_first().filter(|(quote, _)| matches!(quote, b'"' | b'\''))?;
    Some(text[..text.iter().position(|byte| byte == quote)?].trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_characters_not_bytes() {
        let place = Place::START.after("ab\nü€".as_bytes());
        assert_eq!(place, Place { line: 2, column: 3 });
    }

    #[test]
    fn a_declaration_may_be_written_in_any_manner() {
        for text in [
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>",
            "<?xml version='1.0' encoding = 'ISO-8859-1' standalone='yes' ?>",
        ] {
            assert_eq!(declared(text.as_bytes()), Some(&b"ISO-8859-1"[..]), "{text}");
        }
        for text in ["<?xml version='1.0'?>", "<?xml encoding=", "<?xml encoding='x", "<a encoding='x'>"] {
            assert_eq!(declared(text.as_bytes()), None, "{text}");
        }
    }
}
