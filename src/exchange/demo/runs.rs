//! Runs and results of the demonstration project: pipelines first, then one run that people are at.

use super::words::{self, Dice};
use super::{Filled, Plan, Written};
use crate::kernel::access::{Gate, UploadWrite, Write};
use crate::kernel::audit::Audited;
use crate::kernel::error::Result;
use crate::library::text::Title;
use crate::library::verdicts::Status;
use crate::running::results::{self, CaseOf, NewResult, Recorder, Source};
use crate::running::runs::{self, Run, Selection, State};

/// Results of one automated run, and so of one change.
const RESULTS_PER_RUN: u64 = 1_000;
/// Items of the run that people are at; half of them have been executed.
const MANUAL_ITEMS: usize = 48;
/// One case in so many passes and fails by turns.
const FLAKY_ONE_IN: i64 = 40;

/// Records results, run by run.
pub(super) async fn record(
    gate: &Gate<UploadWrite>,
    plan: Plan,
    written: &Written,
    filled: &mut Filled,
    done: &mut impl FnMut(u64),
) -> Result<()> {
    let mut dice = Dice::new(plan.seed.wrapping_add(1));
    let items: Vec<i64> = written.manual.iter().copied().take(MANUAL_ITEMS).collect();
    let executed = (items.len() / 2).min(usize::try_from(plan.results).unwrap_or(usize::MAX));
    let by_pipelines = plan.results - executed as u64;
    let mut next = 0;
    while filled.results < by_pipelines && !written.automated.is_empty() {
        let left =
            usize::try_from((by_pipelines - filled.results).min(RESULTS_PER_RUN)).unwrap_or(usize::MAX);
        let results = by_pipeline(&written.automated, &mut next, left, &mut dice);
        let (count, title) = (results.len() as u64, words::run_title(filled.runs));
        gate.write(move |tx| automated(tx, &Title::from_machine(&title), results)).await?;
        filled.runs += 1;
        filled.results += count;
        done(filled.cases + filled.results);
    }
    if !items.is_empty() {
        let results: Vec<NewResult> =
            items[..executed].iter().map(|case| by_hand(*case, &mut dice)).collect();
        gate.write(move |tx| manual(tx, items, results)).await?;
        filled.runs += 1;
        filled.results += executed as u64;
        done(filled.cases + filled.results);
    }
    Ok(())
}

fn automated<'t>(
    tx: Write<'t, UploadWrite>,
    title: &Title,
    results: Vec<NewResult>,
) -> Result<Audited<'t, Run>> {
    let run = runs::receive(tx.narrow(), title)?.value;
    let mut recorder = Recorder::open(tx.narrow(), run, Source::AUTOMATED)?;
    for result in results {
        recorder.push(result)?;
    }
    let _ = recorder.finish()?;
    results::settle(tx.narrow(), run.id)?;
    runs::accept(tx.narrow(), run, State::Closed)
}

fn manual(
    tx: Write<'_, UploadWrite>,
    items: Vec<i64>,
    executed: Vec<NewResult>,
) -> Result<Audited<'_, results::Batch>> {
    let title = Title::new("run", "Release 4.2, checked by hand")?;
    let run = runs::create(tx.narrow(), &title, &Selection::Cases(items))?.value;
    results::record(tx.narrow(), runs::taking(tx, run.number)?, Source::MANUAL, executed)
}

/// Results of one run, going on in the list of cases where the run before ended. A flaky case that
/// failed is often tried again, as pipelines do.
fn by_pipeline(cases: &[i64], next: &mut usize, most: usize, dice: &mut Dice) -> Vec<NewResult> {
    let mut results = Vec::with_capacity(most + 1);
    for _ in 0..cases.len() {
        if results.len() >= most {
            break;
        }
        let case = cases[*next % cases.len()];
        *next += 1;
        let is_flaky = case % FLAKY_ONE_IN == 7;
        let result = by_code(case, is_flaky, dice);
        let is_retried = is_flaky && result.status == Status::Failed && dice.happens(700);
        results.push(result);
        if is_retried && results.len() < most {
            results.push(verdict(case, Status::Passed, dice));
        }
    }
    results
}

fn by_code(case: i64, is_flaky: bool, dice: &mut Dice) -> NewResult {
    let failing = if is_flaky { 300 } else { 23 };
    let status = match dice.below(1_000) {
        roll if roll < failing => Status::Failed,
        roll if roll < failing + 5 => Status::Errored,
        roll if roll < failing + 15 => Status::Skipped,
        _ => Status::Passed,
    };
    let mut result = verdict(case, status, dice);
    if matches!(status, Status::Failed | Status::Errored) {
        let (message, stack) = words::failure(dice);
        result.message = Some(message.to_owned());
        result.stack = Some(stack.to_owned());
    }
    result
}

fn by_hand(case: i64, dice: &mut Dice) -> NewResult {
    let (status, comment) = match dice.below(100) {
        0..8 => (Status::Failed, Some("The sum is one cent off, on a phone as well.")),
        8..14 => (Status::Blocked, Some("The test account is locked; asked for another one.")),
        14..24 => (Status::Passed, Some("As expected, in two browsers.")),
        _ => (Status::Passed, None),
    };
    let elapsed_ms = i64::try_from(20_000 + dice.below(240_000)).ok();
    NewResult {
        comment: comment.map(str::to_owned),
        elapsed_ms,
        ..NewResult::new(CaseOf::Number(case), status)
    }
}

/// Most checks are quick, some are not.
fn verdict(case: i64, status: Status, dice: &mut Dice) -> NewResult {
    let base = if dice.happens(60) { 2_000 + dice.below(18_000) } else { 8 + dice.below(900) };
    let elapsed_ms = if status == Status::Skipped { None } else { i64::try_from(base).ok() };
    NewResult { elapsed_ms, ..NewResult::new(CaseOf::Number(case), status) }
}
