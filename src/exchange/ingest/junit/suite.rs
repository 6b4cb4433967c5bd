//! One `testsuite`: its name, what it declares, and what it says about itself.

use super::verdicts::Verdicts;
use crate::exchange::ingest::key::Keys;
use crate::exchange::ingest::text::{Kept, Oddities, name};
use crate::exchange::ingest::xml::Tag;
use crate::exchange::ingest::{Found, Outcome, Summary};
use crate::kernel::error::Result;
use crate::kernel::limits;

/// A suite that is open.
pub(super) struct Suite {
    /// Whether its name became a level of the path.
    pub is_level: bool,
    pub file: Option<String>,
    /// Cases directly in it.
    pub cases: u64,
    pub verdicts: Verdicts,
    pub output: Kept,
}

impl Suite {
    /// A suite begins: it joins the path, unless it has no name or repeats its parent.
    pub(super) fn open(tag: &mut Tag<'_>, path: &mut Vec<String>) -> Result<(Suite, Declared)> {
        let mut suite = Suite {
            is_level: false,
            file: None,
            cases: 0,
            verdicts: Verdicts::new(),
            output: Kept::new(limits::REPORT_OUTPUT_BYTES_MAX),
        };
        let mut declared = Declared::default();
        let mut own = None;
        tag.attributes(|attribute, value, _| match attribute {
            "name" => own = name(value),
            "file" | "filepath" => suite.file = name(value),
            _ => declared.take(attribute, value),
        })?;
        if let Some(own) = own.filter(|own| path.last() != Some(own)) {
            path.push(own);
            suite.is_level = true;
        }
        Ok((suite, declared))
    }

    /// The suite ends. When it broke by itself, outside of any case, that is an entry of its own.
    pub(super) fn close(
        &mut self,
        path: &mut Vec<String>,
        keys: &mut Keys,
        odd: &mut Oddities,
    ) -> Option<Found> {
        let broken = self.verdicts.outcome.is_some().then(|| {
            let verdict = self.verdicts.take(odd);
            let name = format!("{} (suite)", path.last().map_or("(unnamed)", String::as_str));
            Found {
                automation_key: keys.next(path, None, &name),
                suites: path.clone(),
                class: None,
                name,
                file: self.file.take(),
                outcome: Outcome::Errored,
                elapsed_ms: None,
                message: verdict.message,
                stack: verdict.stack,
                output: self.output.take(odd),
                earlier: Vec::new(),
                case_ref: None,
            }
        });
        if self.is_level {
            path.pop();
        }
        broken
    }
}

/// Totals that a writer puts on a suite or on the root. Often wrong, so only compared.
#[derive(Default)]
pub(super) struct Declared {
    tests: Option<u64>,
    bad: Option<u64>,
}

impl Declared {
    pub(super) fn take(&mut self, attribute: &str, value: &str) {
        let total = match attribute {
            "tests" => &mut self.tests,
            "failures" | "errors" => &mut self.bad,
            _ => return,
        };
        if let Ok(value) = value.trim().parse::<u64>() {
            *total = Some(total.unwrap_or(0).saturating_add(value));
        }
    }

    /// Adds the totals of a neighbour.
    pub(super) fn add(&mut self, other: &Declared) {
        for (total, more) in [(&mut self.tests, other.tests), (&mut self.bad, other.bad)] {
            if let Some(more) = more {
                *total = Some(total.unwrap_or(0).saturating_add(more));
            }
        }
    }

    /// Takes over what it does not know itself.
    pub(super) fn or(self, other: Declared) -> Declared {
        Declared { tests: self.tests.or(other.tests), bad: self.bad.or(other.bad) }
    }

    /// A sentence when the file says another thing than it holds.
    pub(super) fn note(&self, summary: &Summary) -> Option<String> {
        let bad = summary.failed + summary.errored;
        let agrees = |declared: Option<u64>, counted| declared.is_none_or(|declared| declared == counted);
        if agrees(self.tests, summary.found) && agrees(self.bad, bad) {
            return None;
        }
        let (found, tests) = (summary.found, self.tests.unwrap_or(summary.found));
        Some(match self.bad {
            Some(declared) => format!(
                "The report declares {tests} tests, {declared} of them failed or errored; it holds {found}, \
                 {bad} of them failed or errored. What it holds was counted."
            ),
            None => {
                format!("The report declares {tests} tests; it holds {found}. What it holds was counted.")
            }
        })
    }
}
