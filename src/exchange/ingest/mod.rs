//! Reports of automated checks: recognised by content, read as a stream, handed on check by check.
//!
//! This module reads. It stores nothing, and does not know which case a check belongs to.

mod decode;
mod duration;
mod junit;
mod key;
mod text;
mod xml;

use crate::kernel::error::Result;
use crate::kernel::words::unknown;
use std::io::BufRead;

/// How a check ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Passed,
    /// An assertion said no.
    Failed,
    /// Anything else broke.
    Errored,
    Skipped,
}

impl Outcome {
    /// The word in tables and messages.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::Errored => "errored",
            Outcome::Skipped => "skipped",
        }
    }
}

/// One executed check, as the report tells it. Texts are cut at the bounds in `limits`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// From the outermost suite inwards, without empty names and without a level that repeats its parent.
    pub suites: Vec<String>,
    pub class: Option<String>,
    pub name: String,
    pub file: Option<String>,
    pub outcome: Outcome,
    /// None when the report has no duration, or one that cannot be read.
    pub elapsed_ms: Option<i64>,
    pub message: Option<String>,
    pub stack: Option<String>,
    /// What the check printed.
    pub output: Option<String>,
    /// Attempts before the last one, oldest first. All other fields tell the last.
    pub earlier: Vec<Earlier>,
    /// The case that the report itself names, such as `C123` or `SHOP-C12`: in a property, or in the name.
    pub case_ref: Option<String>,
    /// The same in every report for the same check, and never twice in one file. See `docs/formats/junit.md`.
    pub automation_key: String,
}

/// An attempt that was followed by another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Earlier {
    pub outcome: Outcome,
    pub message: Option<String>,
    pub stack: Option<String>,
}

/// What one file held: counted, not declared.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Summary {
    pub found: u64,
    pub passed: u64,
    pub failed: u64,
    pub errored: u64,
    pub skipped: u64,
    /// Sum over the checks.
    pub duration_ms: i64,
    /// Of `found`, entries for suites that broke outside of any check.
    pub broken_suites: u64,
    /// The first of them, in words: `Checkout broke with "no driver"`.
    pub first_broken: Option<String>,
    /// What a person should know about the file, one sentence each.
    pub notes: Vec<String>,
}

impl Summary {
    /// A suite that broke by itself, to be counted besides.
    fn note_broken_suite(&mut self, found: &Found) {
        self.broken_suites += 1;
        if self.first_broken.is_none() {
            let name = found.suites.last().map_or("(unnamed)", String::as_str);
            let message = found.message.as_deref().and_then(|message| message.lines().next());
            let why = message.map(|line| format!(" with \"{}\"", line.chars().take(200).collect::<String>()));
            self.first_broken = Some(format!("{name} broke{}", why.unwrap_or_default()));
        }
    }

    fn count(&mut self, found: &Found) {
        self.found += 1;
        *match found.outcome {
            Outcome::Passed => &mut self.passed,
            Outcome::Failed => &mut self.failed,
            Outcome::Errored => &mut self.errored,
            Outcome::Skipped => &mut self.skipped,
        } += 1;
        self.duration_ms = self.duration_ms.saturating_add(found.elapsed_ms.unwrap_or(0));
    }
}

/// A format of reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Junit,
}

impl Format {
    /// The word in tables and in the API.
    pub fn word(self) -> &'static str {
        match self {
            Format::Junit => "junit",
        }
    }

    /// The format of this word.
    pub fn of_word(word: &str) -> Result<Format> {
        match word {
            "junit" => Ok(Format::Junit),
            _ => Err(unknown("format", word, &["auto", "junit"])),
        }
    }
}

/// The format of a report, from its first bytes; a few KiB are enough. None when nobody here reads it.
pub fn detect(first_bytes: &[u8]) -> Option<Format> {
    junit::is_junit(first_bytes).then_some(Format::Junit)
}

/// Reads a report and hands each check to `sink`, in the order of the file.
///
/// Holds one check and a hash for each key seen, whatever the size of the file.
/// Errors: `Invalid` with file, line and column when the file does not parse, `TooLarge` beyond
/// `limits`, and whatever `sink` returns. The sink has seen the checks before the broken place by
/// then: store them in a transaction that an error undoes. Never panics, whatever the bytes.
pub fn read(
    format: Format,
    file_name: &str,
    input: impl BufRead,
    sink: &mut dyn FnMut(Found) -> Result<()>,
) -> Result<Summary> {
    match format {
        Format::Junit => junit::read(file_name, input, sink),
    }
}
