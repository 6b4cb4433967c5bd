//! Text of a report: bounded while it is gathered, clean when it is handed on.

use crate::kernel::limits;
use std::borrow::Cow;
use std::fmt::Write as _;

/// What was odd in a file. Told once in its summary, not once a check.
#[derive(Default)]
pub(super) struct Oddities {
    /// Control characters that XML does not allow.
    pub controls: u64,
    /// References to entities that XML does not know, kept as written.
    pub entities: u64,
    /// Texts that were cut.
    pub cuts: u64,
    /// Durations that could not be read.
    pub durations: u64,
}

impl Oddities {
    /// A sentence for each kind.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut note = |count: u64, what: &str| {
            if count > 0 {
                notes.push(format!("{what}: {count}."));
            }
        };
        note(self.durations, "Durations that cannot be read, and count as unknown");
        note(self.cuts, "Texts that were longer than what is kept, and were cut");
        note(self.controls, "Control characters that XML does not allow, taken out or replaced");
        note(self.entities, "References to entities that XML does not define, kept as they are written");
        notes
    }
}

/// Gathers text up to a bound; the rest is counted as cut.
pub(super) struct Kept {
    bytes: Vec<u8>,
    max: usize,
    is_cut: bool,
}

impl Kept {
    pub(super) fn new(bytes_max: usize) -> Kept {
        Kept { bytes: Vec::new(), max: bytes_max, is_cut: false }
    }

    pub(super) fn push(&mut self, text: &[u8]) {
        let room = self.max - self.bytes.len();
        self.is_cut |= text.len() > room && !text.trim_ascii().is_empty();
        self.bytes.extend_from_slice(&text[..text.len().min(room)]);
    }

    /// What comes next begins in a line of its own.
    pub(super) fn begin_line(&mut self) {
        if !self.bytes.is_empty() && !self.bytes.ends_with(b"\n") {
            self.push(b"\n");
        }
    }

    /// Forgets white space if there is nothing else: it only indents what comes next.
    pub(super) fn drop_indent(&mut self) {
        if self.bytes.trim_ascii().is_empty() {
            self.bytes.clear();
        }
    }

    /// Adds a text of its own after what is there already.
    pub(super) fn push_part(&mut self, text: &str, between: &str) {
        if !self.bytes.is_empty() {
            self.push(between.as_bytes());
        }
        self.push(text.as_bytes());
    }

    /// The text, or None when there is nothing but white space. Leaves the keeper empty, with its memory.
    pub(super) fn take(&mut self, odd: &mut Oddities) -> Option<String> {
        let is_cut = std::mem::take(&mut self.is_cut);
        let bytes = self.bytes.trim_ascii_end();
        if bytes.is_empty() {
            self.bytes.clear();
            return None;
        }
        let blank = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let indent = bytes[..blank].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let mut text = match clean(whole_characters(&bytes[indent..], is_cut), odd) {
            Cow::Borrowed(text) => text.to_owned(),
            Cow::Owned(text) => text,
        };
        if is_cut {
            odd.cuts += 1;
            write!(text, "\n… cut after {} KiB", self.max / 1024).expect("a string takes any text");
        }
        self.bytes.clear();
        Some(text)
    }
}

/// The text without the half of a character at which it was cut.
fn whole_characters(bytes: &[u8], is_cut: bool) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            debug_assert!(is_cut, "text is valid UTF-8 before it is cut");
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
    }
}

/// Text that may be stored and shown: line ends become `\n`, colour codes of terminals vanish, other
/// control characters become U+FFFD.
pub(super) fn clean<'a>(text: &'a str, odd: &mut Oddities) -> Cow<'a, str> {
    if !text.bytes().any(|byte| byte < b' ' && byte != b'\n' && byte != b'\t') {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\r' if rest.peek() == Some(&'\n') => {}
            '\r' => clean.push('\n'),
            '\x1B' if rest.peek() == Some(&'[') => {
                odd.controls += 1;
                rest.next();
                while rest.next_if(|next| matches!(next, ' '..='?')).is_some() {}
                rest.next_if(|next| matches!(next, '@'..='~'));
            }
            '\n' | '\t' | ' '.. => clean.push(character),
            _ => {
                odd.controls += 1;
                clean.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }
    Cow::Owned(clean)
}

/// A name within its bound. None when it is blank.
pub(super) fn name(text: &str) -> Option<String> {
    let text = text.trim();
    match text.char_indices().nth(limits::REPORT_NAME_CHARS_MAX) {
        _ if text.is_empty() => None,
        None => Some(text.to_owned()),
        Some((end, _)) => Some(format!("{}…", &text[..end])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> Option<String> {
        let mut kept = Kept::new(1024);
        kept.push(text.as_bytes());
        kept.take(&mut Oddities::default())
    }

    #[test]
    fn white_space_around_a_text_goes_and_its_indentation_stays() {
        assert_eq!(kept(" \n\t\r\n "), None);
        assert_eq!(kept("\n    at a\n    at b\n  ").as_deref(), Some("    at a\n    at b"));
    }

    #[test]
    fn a_text_is_cut_between_characters_and_says_so() {
        let text = kept(&format!("a{}", "€".repeat(2000))).unwrap();
        assert_eq!(text, format!("a{}\n… cut after 1 KiB", "€".repeat(341)));
    }

    #[test]
    fn control_characters_and_colours_do_not_come_through() {
        let mut odd = Oddities::default();
        assert_eq!(clean("a\x1B[1;31mred\x1B[0m\0\r\nb\rc\x1B", &mut odd), "ared\u{FFFD}\nb\nc\u{FFFD}");
        assert_eq!(odd.controls, 4);
    }
}
