//! Start tags and their attributes.

use super::refusal::{STRAY_AMPERSAND, malformed, refused, short};
use crate::exchange::ingest::decode::Place;
use crate::exchange::ingest::text::{Oddities, clean};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use quick_xml::events::BytesStart;
use quick_xml::events::attributes::AttrError;
use std::borrow::Cow;

/// A start tag.
pub(in crate::exchange::ingest) struct Tag<'a> {
    /// All between `<` and `>`.
    pub(super) content: &'a str,
    pub(super) name_len: usize,
    /// Where `<` stands.
    pub(super) place: Place,
    pub(super) file: &'a str,
    pub odd: &'a mut Oddities,
}

impl<'a> Tag<'a> {
    /// The name without its namespace prefix.
    pub(in crate::exchange::ingest) fn name(&self) -> &'a str {
        let name = &self.content[..self.name_len];
        name.rsplit_once(':').map_or(name, |(_, local)| local)
    }

    /// The name for messages.
    pub(in crate::exchange::ingest) fn short_name(&self) -> Cow<'a, str> {
        short(self.name())
    }

    /// An error that points to this tag.
    pub(in crate::exchange::ingest) fn refused(&self, what: &str) -> Error {
        refused(self.file, self.place, what)
    }

    /// Calls `each` with name and value of every attribute.
    pub(in crate::exchange::ingest) fn attributes(
        &mut self,
        mut each: impl FnMut(&str, &str, &mut Oddities),
    ) -> Result<()> {
        let tag = BytesStart::from_content(self.content, self.name_len);
        for (count, attribute) in tag.attributes().enumerate() {
            if count == limits::REPORT_ATTRIBUTES_MAX {
                let what = format!("an element has more than {} attributes", limits::REPORT_ATTRIBUTES_MAX);
                return Err(self.refused(&what).hint("No known tool writes such reports; check the file."));
            }
            let attribute = attribute.map_err(|error| self.bad_attribute(&error))?;
            let name = attribute.key.as_ref();
            match self.unescape(&attribute.value) {
                Ok(value) => each(name, &value, self.odd),
                Err(at) => {
                    let start = attribute.value.as_ptr() as usize - tag.as_ptr() as usize;
                    return Err(malformed(self.file, self.place_of(start + at), STRAY_AMPERSAND));
                }
            }
        }
        Ok(())
    }

    /// The value with its references resolved, or where the bad one stands in it.
    fn unescape<'v>(&mut self, value: &'v str) -> Result<Cow<'v, str>, usize> {
        let Some(first) = value.find('&') else { return Ok(clean(value, self.odd)) };
        let mut text = String::with_capacity(value.len());
        text.push_str(&value[..first]);
        let mut rest = &value[first..];
        while !rest.is_empty() {
            let end = rest.find(';').filter(|end| *end < limits::REPORT_ENTITY_BYTES_MAX);
            let Some((written, replacement)) =
                end.and_then(|end| Some((&rest[..=end], resolve(&rest[..=end])?)))
            else {
                return Err(value.len() - rest.len());
            };
            match replacement {
                Some(character) => text.push(character),
                None => {
                    self.odd.entities += 1;
                    text.push_str(written);
                }
            }
            rest = &rest[written.len()..];
            let next = rest.find('&').unwrap_or(rest.len());
            text.push_str(&rest[..next]);
            rest = &rest[next..];
        }
        Ok(Cow::Owned(match clean(&text, self.odd) {
            Cow::Owned(clean) => clean,
            Cow::Borrowed(_) => text,
        }))
    }

    /// Where a byte of the content stands.
    fn place_of(&self, offset: usize) -> Place {
        let offset = offset.min(self.content.len());
        self.place.after(b"<").after(&self.content.as_bytes()[..offset])
    }

    fn bad_attribute(&self, error: &AttrError) -> Error {
        let (offset, what) = match *error {
            AttrError::ExpectedEq(offset) => (offset, "an attribute without “=” and a value"),
            AttrError::ExpectedValue(offset) => (offset, "an attribute without a value"),
            AttrError::UnquotedValue(offset) => (offset, "a value of an attribute without quotes around it"),
            AttrError::ExpectedQuote(offset, _) => {
                (offset, "a value of an attribute that is not closed by a quote")
            }
            AttrError::Duplicated(offset, _) => (offset, "an attribute that the element has already"),
        };
        malformed(self.file, self.place_of(offset), what)
    }
}

/// What `&…;` stands for. The outer None: it is no reference; the inner one: XML does not know the entity.
pub(super) fn resolve(written: &str) -> Option<Option<char>> {
    let name = written.strip_prefix('&')?.strip_suffix(';')?;
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        return char::from_u32(code.ok()?).map(Some);
    }
    Some(Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => {
            let is_name = name.starts_with(|first: char| first.is_alphabetic() || first == '_')
                && name.chars().all(|next| next.is_alphanumeric() || matches!(next, '_' | '-' | '.' | ':'));
            return is_name.then_some(None);
        }
    }))
}
