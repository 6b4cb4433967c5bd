//! Recorder: verdicts into a run, in one transaction. The one path for pages, the API and report uploads.
//!
//! Every result costs a handful of inserts by prepared statements and, unless the run or the case is
//! new, two point lookups. Counters are gathered in memory and stored once, by `finish`.

use super::sql::{ItemState, Statements};
use super::{CaseOf, NewResult, RECORDED, Recorded, Source};
use crate::kernel::access::{CaseWrite, Permission, ResultWrite, Write};
use crate::kernel::audit::Audited;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{CaseId, ItemId, ResultId};
use crate::kernel::limits;
use crate::library::cases::bulk::{Finder, Known, Maker};
use crate::library::suites::Paths;
use crate::library::text::{Title, body, clipped};
use crate::library::verdicts::Status;
use crate::running::runs::{Counts, OpenRun};
use std::collections::HashMap;

/// Takes verdicts for one run. `finish` must follow: it stores the counts and writes the entry.
#[must_use = "finish it, or the counts of the run are wrong"]
pub struct Recorder<'t> {
    tx: Write<'t, ResultWrite>,
    run: OpenRun,
    source: Source,
    finder: Finder<'t>,
    maker: Option<Maker<'t>>,
    paths: Paths,
    statements: Statements<'t>,
    items: HashMap<CaseId, ItemState>,
    last_item: i64,
    last_result: i64,
    change: Counts,
    recorded: Vec<Recorded>,
}

/// What a recorder did.
#[derive(Debug)]
pub struct Batch {
    /// One for each result, in their order.
    pub recorded: Vec<Recorded>,
    /// By how much the counts of the run changed.
    pub change: Counts,
    /// Cases that had to be made.
    pub cases_made: i64,
}

impl<'t> Recorder<'t> {
    /// A recorder for a run that takes results.
    pub fn open(tx: Write<'t, ResultWrite>, run: OpenRun, source: Source) -> Result<Recorder<'t>> {
        let (last_item, last_result) = super::sql::last_ids(tx)?;
        Ok(Recorder {
            tx,
            run,
            source,
            finder: Finder::new(tx)?,
            maker: None,
            paths: Paths::default(),
            statements: Statements::new(tx, run.id, source.upload)?,
            items: HashMap::new(),
            last_item,
            last_result,
            change: Counts::default(),
            recorded: Vec::new(),
        })
    }

    /// Records one result.
    pub fn push(&mut self, result: NewResult) -> Result<Recorded> {
        let result = checked(result)?;
        let case = self.case(&result.case)?;
        let before = self.item(case.id)?;
        self.last_result += 1;
        let id = ResultId(self.last_result);
        let attempt = before.as_ref().map_or(0, |item| item.attempts) + 1;
        let item = match &before {
            Some(item) => item.id,
            None => {
                self.last_item += 1;
                ItemId(self.last_item)
            }
        };
        let now =
            ItemState { id: item, status: result.status, attempts: attempt, elapsed_ms: result.elapsed_ms };
        match &before {
            Some(_) => self.statements.update_item(&now, id)?,
            None => self.statements.insert_item(&now, case.id, case.revision, id)?,
        }
        self.statements.insert_result(id, item, attempt, &result)?;
        if !self.run.is_receiving {
            self.statements.summarise(case.id, id, result.status)?;
        }
        if !case.has_result {
            self.statements.mark_run(case.id)?;
        }
        self.count(before.as_ref(), &now);
        self.items.insert(case.id, now);
        let recorded = Recorded { id, item, case: case.number, attempt };
        self.recorded.push(recorded);
        Ok(recorded)
    }

    /// Stores the counts and writes the one entry of the batch.
    pub fn finish(self) -> Result<Audited<'t, Batch>> {
        let cases_made = self.maker.map(Maker::finish).transpose()?.unwrap_or(0);
        super::sql::add_counts(self.tx, self.run.id, self.source.kind, &self.change)?;
        let count = self.recorded.len() as i64;
        let entry = RECORDED.of(self.run.id).count("results", count).count("cases_made", cases_made);
        let batch = Batch { recorded: self.recorded, change: self.change, cases_made };
        self.tx.audited(entry.count("suites_made", self.paths.made), batch)
    }

    fn case(&mut self, case: &CaseOf) -> Result<Known> {
        match case {
            CaseOf::Number(number) => self.finder.by_number(*number)?.ok_or_else(|| {
                Error::invalid(format!("There is no case C{number} in this project."))
                    .hint("Write the case first, or send an automation key, which makes its case.")
            }),
            CaseOf::Key { key, title, suite } => match self.finder.by_key(key)? {
                Some(known) => Ok(known),
                None => self.make(key, title, suite),
            },
            CaseOf::Marked { number, otherwise } => match self.finder.by_number(*number)? {
                Some(known) => Ok(known),
                None => self.case(otherwise),
            },
        }
    }

    fn make(&mut self, key: &str, title: &Title, suite: &[Title]) -> Result<Known> {
        let maker = match &mut self.maker {
            Some(maker) => maker,
            None => {
                // Who may record results may not always write cases: asked when it first matters.
                let tx = self.tx.also::<CaseWrite>().map_err(|refused| {
                    refused.hint(format!(
                        "No case has this automation key, and making one needs the permission {}.",
                        CaseWrite::INFO.name
                    ))
                })?;
                self.maker.insert(Maker::new(tx)?)
            }
        };
        maker.make(&mut self.paths, suite, title, key)
    }

    /// The item as it stands: from memory, or looked up unless the run began empty.
    fn item(&mut self, case: CaseId) -> Result<Option<ItemState>> {
        match self.items.get(&case) {
            Some(known) => Ok(Some(*known)),
            None if self.run.is_empty => Ok(None),
            None => self.statements.item(case),
        }
    }

    fn count(&mut self, before: Option<&ItemState>, now: &ItemState) {
        if let Some(before) = before {
            *self.change.of_mut(before.status) -= 1;
            self.change.duration_ms -= before.elapsed_ms.unwrap_or(0);
        }
        *self.change.of_mut(now.status) += 1;
        self.change.duration_ms += now.elapsed_ms.unwrap_or(0);
    }
}

/// The result with what a machine sent cut to length.
fn checked(mut result: NewResult) -> Result<NewResult> {
    if result.status == Status::Untested {
        return Err(Error::invalid("Untested is what an item is before its first result.")
            .hint("Use passed, failed, errored, blocked or skipped."));
    }
    let is_absurd = |ms: &i64| !(0..=limits::ELAPSED_MS_MAX).contains(ms);
    if result.elapsed_ms.as_ref().is_some_and(is_absurd) {
        return Err(Error::invalid("The elapsed time is below zero or longer than a year.")
            .hint("Send elapsed_ms in milliseconds."));
    }
    if result.steps.len() > limits::STEPS_MAX {
        return Err(Error::invalid(format!("A case has at most {} steps.", limits::STEPS_MAX)));
    }
    let clip = |text: Option<String>, bytes_max| {
        text.filter(|text| !text.is_empty()).map(|text| clipped(text, bytes_max))
    };
    result.message = clip(result.message, limits::MESSAGE_BYTES_MAX);
    result.stack = clip(result.stack, limits::OUTPUT_BYTES_MAX);
    result.output = clip(result.output, limits::OUTPUT_BYTES_MAX);
    if let Some(comment) = result.comment.take().filter(|comment| !comment.trim().is_empty()) {
        result.comment = Some(body("The comment", &comment)?);
    }
    Ok(result)
}
