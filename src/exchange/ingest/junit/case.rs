//! One `testcase`, from its start tag to the check it becomes.

use super::verdicts::Verdicts;
use crate::exchange::ingest::key::{self, Keys};
use crate::exchange::ingest::text::{Kept, Oddities, name};
use crate::exchange::ingest::xml::Tag;
use crate::exchange::ingest::{Found, Outcome, duration};
use crate::kernel::error::Result;
use crate::kernel::limits;

/// Stands for a name that the report does not give.
const UNNAMED: &str = "(unnamed)";

/// A case that is being read. Used again for the next one, so that its texts keep their memory.
pub(super) struct Case {
    name: Option<String>,
    class: Option<String>,
    file: Option<String>,
    /// What `status` and its like say; children outweigh it.
    status: Option<Outcome>,
    elapsed_ms: Option<i64>,
    case_ref: Option<String>,
    property: Kept,
    names_a_case: bool,
    pub verdicts: Verdicts,
    pub output: Kept,
}

impl Case {
    pub(super) fn new() -> Case {
        Case {
            name: None,
            class: None,
            file: None,
            status: None,
            elapsed_ms: None,
            case_ref: None,
            property: Kept::new(limits::REPORT_REFERENCE_BYTES_MAX),
            names_a_case: false,
            verdicts: Verdicts::new(),
            output: Kept::new(limits::REPORT_OUTPUT_BYTES_MAX),
        }
    }

    /// A case begins.
    pub(super) fn open(&mut self, tag: &mut Tag<'_>) -> Result<()> {
        self.status = None;
        self.elapsed_ms = None;
        let mut is_testlink = false;
        let mut other_class = None;
        tag.attributes(|attribute, value, odd| match attribute {
            "name" => self.name = name(value),
            "classname" => self.class = name(value),
            "class" => other_class = name(value),
            "file" => self.file = name(value),
            "filepath" if self.file.is_none() => self.file = name(value),
            "time" => {
                self.elapsed_ms = duration::ms_of_seconds(value);
                odd.durations += u64::from(self.elapsed_ms.is_none() && !value.trim().is_empty());
            }
            "status" | "result" => self.status = self.status.or(status(value)),
            "skipped" | "ignored" | "disabled" if value.eq_ignore_ascii_case("true") => {
                self.status = Some(Outcome::Skipped);
            }
            "internalid" => is_testlink = true,
            _ => {}
        })?;
        if is_testlink {
            return Err(tag
                .refused("this is a TestLink export: it holds cases, not results")
                .hint("Import it as cases. To upload results, let the tool that ran them write JUnit XML."));
        }
        self.class = self.class.take().or(other_class);
        self.verdicts.about(self.name.as_deref());
        Ok(())
    }

    /// A property of the case begins.
    pub(super) fn open_property(&mut self, tag: &mut Tag<'_>) -> Result<()> {
        self.names_a_case = false;
        tag.attributes(|attribute, value, _| match attribute {
            "name" => self.names_a_case = key::names_a_case(value),
            "value" => self.property.push(value.as_bytes()),
            _ => {}
        })
    }

    /// Where the text of a property goes: some writers put its value there.
    pub(super) fn property_text(&mut self) -> &mut Kept {
        &mut self.property
    }

    pub(super) fn close_property(&mut self, odd: &mut Oddities) {
        let value = self.property.take(odd).filter(|_| self.names_a_case);
        if self.case_ref.is_none() {
            self.case_ref = value.and_then(|value| key::reference(&value));
        }
    }

    /// The case ends.
    pub(super) fn close(
        &mut self,
        suites: &[String],
        suite_file: Option<&String>,
        keys: &mut Keys,
        odd: &mut Oddities,
    ) -> Found {
        let verdict = self.verdicts.take(odd);
        let name = self.name.take().unwrap_or_else(|| UNNAMED.to_owned());
        let class = self.class.take();
        Found {
            automation_key: keys.next(suites, class.as_deref(), &name),
            suites: suites.to_vec(),
            file: self.file.take().or_else(|| suite_file.cloned()),
            outcome: verdict.outcome.or(self.status).unwrap_or(Outcome::Passed),
            elapsed_ms: self.elapsed_ms,
            message: verdict.message,
            stack: verdict.stack,
            output: self.output.take(odd),
            earlier: verdict.earlier,
            case_ref: self.case_ref.take().or_else(|| key::marker(&name)),
            class,
            name,
        }
    }
}

/// What a `status` or `result` says that needs no child to say it.
fn status(word: &str) -> Option<Outcome> {
    let is = |words: &[&str]| words.iter().any(|known| word.trim().eq_ignore_ascii_case(known));
    if is(&["notrun", "not run", "disabled", "suppressed", "skipped", "skip", "ignored", "pending"]) {
        Some(Outcome::Skipped)
    } else if is(&["fail", "failed", "failure"]) {
        Some(Outcome::Failed)
    } else if is(&["error", "errored"]) {
        Some(Outcome::Errored)
    } else {
        None
    }
}
