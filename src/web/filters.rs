//! What templates write by a filter: `{{ "run"|icon }}`, `{{ run.tally|tally }}`, `{{ run.started_at|moment }}`.
//!
//! A module with templates says `use crate::web::filters;` and has them all. What is put into the markup is
//! either escaped here or comes from a closed list.

use super::assets::ICONS;
use super::figures::{Bytes, Count, Elapsed, Moment};
use super::tally::Tally;
use crate::kernel::time::Timestamp;
use askama::filters::{Html, Safe, escape};
use askama::{Result, Values, filter_fn};
use std::borrow::Borrow;
use std::fmt::Display;

/// An icon of the sprite, hidden from readers that listen: the word stands beside it.
#[filter_fn]
pub fn icon(name: impl Display, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(drawn("icon", &closed(name))))
}

/// The mark of a status alone: `passed`, `failed`, `errored`, `blocked`, `skipped`, `untested` or `running`.
#[filter_fn]
pub fn mark(status: impl Display, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(marked(&closed(status))))
}

/// A status as mark, word and colour.
#[filter_fn]
pub fn status(status: impl Display, _: &dyn Values) -> Result<Safe<String>> {
    let word = closed(status);
    let (mark, said) = (marked(&word), capitalised(&word));
    Ok(Safe(format!("<span class=\"status\" data-status=\"{word}\">{mark}{said}</span>")))
}

/// A status as its mark, with the word for listeners only: for narrow columns.
#[filter_fn]
pub fn status_mark(status: impl Display, _: &dyn Values) -> Result<Safe<String>> {
    let word = closed(status);
    let (mark, said) = (marked(&word), capitalised(&word));
    Ok(Safe(format!(
        "<span class=\"status\" data-status=\"{word}\" title=\"{said}\">{mark}<span class=\"unseen\">{said}</span></span>"
    )))
}

/// A status as a badge.
#[filter_fn]
pub fn badge(status: impl Display, _: &dyn Values) -> Result<Safe<String>> {
    let word = closed(status);
    Ok(Safe(format!("<span class=\"badge\" data-status=\"{word}\">{}{word}</span>", marked(&word))))
}

/// The tally of a page, with the counts as its label.
#[filter_fn]
pub fn tally(tally: impl Borrow<Tally>, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(tally.borrow().drawing()))
}

/// The tally of a row.
#[filter_fn]
pub fn tally_small(tally: impl Borrow<Tally>, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(tally.borrow().small_drawing()))
}

/// A count with its thousands apart.
#[filter_fn]
pub fn count(count: impl Display, _: &dyn Values) -> Result<String> {
    Ok(Count(whole(count)?).to_string())
}

/// A size: `4.2 MB`.
#[filter_fn]
pub fn bytes(bytes: impl Display, _: &dyn Values) -> Result<String> {
    Ok(Bytes(whole(bytes)?).to_string())
}

/// A duration in milliseconds: `1 min 34 s`.
#[filter_fn]
pub fn elapsed(ms: impl Display, _: &dyn Values) -> Result<String> {
    Ok(Elapsed { ms: whole(ms)? }.to_string())
}

/// A number of days: `1 day`, `1,284 days`.
#[filter_fn]
pub fn days(days: impl Display, _: &dyn Values) -> Result<String> {
    let days = whole(days)?;
    Ok(format!("{} {}", Count(days), if days == 1 { "day" } else { "days" }))
}

/// A moment by value or behind any number of references, as templates hand it over.
pub trait AsMoment {
    /// The moment.
    fn at(&self) -> Timestamp;
}

impl AsMoment for Timestamp {
    fn at(&self) -> Timestamp {
        *self
    }
}

impl<T: AsMoment + ?Sized> AsMoment for &T {
    fn at(&self) -> Timestamp {
        (**self).at()
    }
}

/// A moment: how long ago, with the exact time in the reader's zone on hover.
#[filter_fn]
pub fn moment(at: impl AsMoment, _: &dyn Values) -> Result<Safe<String>> {
    let moment = Moment(at.at());
    Ok(Safe(format!("<time datetime=\"{}\" data-relative>{moment}</time>", moment.iso())))
}

/// A moment that is always written out.
#[filter_fn]
pub fn exact(at: impl AsMoment, _: &dyn Values) -> Result<Safe<String>> {
    let moment = Moment(at.at());
    Ok(Safe(format!("<time datetime=\"{}\" data-exact>{moment}</time>", moment.iso())))
}

/// Initials of a name in a circle, with the name for listeners and on hover.
#[filter_fn]
pub fn face(name: impl Display, _: &dyn Values) -> Result<Safe<String>> {
    let name = name.to_string();
    let (said, short) = (escape(&name, Html)?, initials(&name));
    let short = escape(&short, Html)?;
    Ok(Safe(format!(
        "<span class=\"face\" role=\"img\" aria-label=\"{said}\" title=\"{said}\">{short}</span>"
    )))
}

/// The first letters of the first and the last word of a name: `QL`.
pub(super) fn initials(name: &str) -> String {
    let first = |word: &str| word.chars().find(|letter| letter.is_alphanumeric());
    let letters: Vec<char> = name.split_whitespace().filter_map(first).collect();
    let ends = [letters.first(), letters.get(1..).and_then(|more| more.last())];
    ends.into_iter().flatten().flat_map(|letter| letter.to_uppercase()).collect()
}

/// Any whole number, by value or by reference, as templates hand them over.
fn whole(number: impl Display) -> Result<u64> {
    number.to_string().parse().map_err(askama::Error::custom)
}

/// A word of a closed list of ours, as names of icons and statuses are. One that is not could leave the attribute
/// it is put in, so nothing but letters comes through.
fn closed(word: impl Display) -> String {
    let word = word.to_string();
    debug_assert!(word.bytes().all(|byte| byte.is_ascii_lowercase()), "{word} is no word of a closed list");
    word.chars().filter(char::is_ascii_lowercase).collect()
}

fn marked(status: &str) -> String {
    drawn("mark", status).replacen(" aria", &format!(" data-status=\"{status}\" aria"), 1)
}

fn drawn(class: &str, name: &str) -> String {
    format!("<svg class=\"{class}\" aria-hidden=\"true\"><use href=\"{ICONS}#{name}\"/></svg>")
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_come_from_the_first_and_the_last_word() {
        assert_eq!(
            ["QA lead", "ann", "Ana María de la Cruz", "(x) y", ""].map(initials),
            ["QL", "A", "AC", "XY", ""]
        );
    }
}
