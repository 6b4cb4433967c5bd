//! Source: what lies in a backup of a thing, in pieces that fit into one transaction, parents first.

use super::sql;
use super::what::What;
use crate::keeping::backup::Scratch;
use crate::kernel::access::{InstanceView, Read};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::records::Record;
use std::collections::VecDeque;
use std::sync::Arc;

/// Some rows that go together.
pub(super) enum Piece {
    /// The project itself, with the roles that people had in it.
    Project { row: Record, grants: Vec<Record> },
    /// Suites, each after the one it lies in.
    Suites(Vec<Record>),
    /// Cases with their revisions and the files attached to them.
    Cases { cases: Vec<Record>, revisions: Vec<Record>, evidence: Vec<Record> },
    /// A run without what lies in it.
    Run(Record),
    /// Items of a run.
    Items(Vec<Record>),
    /// Results of a run with the files attached to them.
    Results { results: Vec<Record>, evidence: Vec<Record> },
    /// Report uploads of a run.
    Uploads(Vec<Record>),
    /// What is known of cases from all their results.
    Summaries(Vec<Record>),
}

/// Where the next piece comes from.
enum Step {
    Suites,
    Cases(Vec<i64>),
    Run(i64),
    Items { run: i64, after: i64 },
    Results { run: i64, after: i64 },
    Uploads(i64),
    Summaries(Vec<i64>),
}

/// Reads the pieces one after the other, so that a large project needs no large memory.
pub(super) struct Source {
    scratch: Arc<Scratch>,
    first: Option<Piece>,
    steps: VecDeque<Step>,
    suites: Vec<i64>,
    project: i64,
}

/// Cases that are read at once: each has revisions.
const CASES_AT_ONCE: usize = 100;

impl Source {
    /// Finds the thing in the backup.
    pub async fn open(scratch: Arc<Scratch>, what: &What) -> Result<Source> {
        let (asked, missing) = (what.clone(), not_in(what, &scratch));
        let gate = scratch.shell.operator().gate::<InstanceView>(());
        let found = gate.read_at_length(move |tx| outline(tx, &asked)).await?.ok_or(missing)?;
        let Outline { project, grants, suites, cases, runs } = found;
        let mut steps = VecDeque::from([Step::Suites]);
        steps.extend(cases.chunks(CASES_AT_ONCE).map(|ids| Step::Cases(ids.to_vec())));
        for run in &runs {
            steps.extend([
                Step::Run(*run),
                Step::Items { run: *run, after: 0 },
                Step::Results { run: *run, after: 0 },
                Step::Uploads(*run),
            ]);
        }
        if !runs.is_empty() {
            steps.extend(cases.chunks(limits::RESTORE_CHUNK_ROWS).map(|ids| Step::Summaries(ids.to_vec())));
        }
        let id = project.id();
        let first = Some(Piece::Project { row: project, grants });
        Ok(Source { scratch, first, steps, suites, project: id })
    }

    /// The next piece; none at the end.
    pub async fn next(&mut self) -> Result<Option<Piece>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let Some(step) = self.steps.pop_front() else { return Ok(None) };
        let (suites, project) = (self.suites.clone(), self.project);
        let gate = self.scratch.shell.operator().gate::<InstanceView>(());
        let (piece, again) = gate.read_at_length(move |tx| read(tx, step, &suites, project)).await?;
        if let Some(step) = again {
            self.steps.push_front(step);
        }
        Ok(Some(piece))
    }
}

fn not_in(what: &What, scratch: &Scratch) -> Error {
    Error::not_found(format!(
        "Backup {} of {} does not hold {what}.",
        scratch.receipt.number, scratch.manifest.made_at
    ))
    .hint("Name another backup with its number; the list of backups has them all.")
}

struct Outline {
    project: Record,
    grants: Vec<Record>,
    suites: Vec<i64>,
    cases: Vec<i64>,
    runs: Vec<i64>,
}

fn outline(tx: Read<'_, InstanceView>, what: &What) -> Result<Option<Outline>> {
    let Some(project) = sql::project(tx, what.key())? else { return Ok(None) };
    let id = project.id();
    let (cases, runs) = match what {
        What::Project(_) => (sql::case_ids(tx, id)?, sql::run_ids(tx, id)?),
        What::Case(_, number) => match sql::case(tx, id, *number)? {
            Some(case) => (vec![case.id()], Vec::new()),
            None => return Ok(None),
        },
        What::Run(_, number) => match sql::run(tx, id, *number)? {
            Some(run) => (sql::cases_of_run(tx, run.id())?, vec![run.id()]),
            None => return Ok(None),
        },
    };
    let is_whole = matches!(what, What::Project(_));
    let grants = if is_whole { sql::grants(tx, id)? } else { Vec::new() };
    let suites = if is_whole {
        sql::suite_ids(tx, id)?
    } else {
        let mut needed = Vec::new();
        for case in &cases {
            for suite in sql::suites_above(tx, *case)? {
                if !needed.contains(&suite) {
                    needed.push(suite);
                }
            }
        }
        needed
    };
    Ok(Some(Outline { project, grants, suites, cases, runs }))
}

fn read(
    tx: Read<'_, InstanceView>,
    step: Step,
    suites: &[i64],
    project: i64,
) -> Result<(Piece, Option<Step>)> {
    Ok(match step {
        Step::Suites => {
            let mut rows = sql::suites(tx, project)?;
            rows.retain(|row| suites.contains(&row.id()));
            (Piece::Suites(rows), None)
        }
        Step::Cases(ids) => {
            let (mut cases, mut revisions, mut evidence) = (Vec::new(), Vec::new(), Vec::new());
            for id in ids {
                cases.extend(sql::row(tx, "cases", id)?);
                revisions.extend(sql::revisions(tx, id)?);
                evidence.extend(sql::evidence_of_case(tx, id)?);
            }
            (Piece::Cases { cases, revisions, evidence }, None)
        }
        Step::Run(run) => {
            let row = sql::row(tx, "runs", run)?.ok_or_else(|| Error::internal("a run is gone"))?;
            (Piece::Run(row), None)
        }
        Step::Items { run, after } => {
            let rows = sql::items(tx, run, after)?;
            let again =
                full(&rows).map(|last| Step::Items { run, after: last.number("case_id").unwrap_or(0) });
            (Piece::Items(rows), again)
        }
        Step::Results { run, after } => {
            let results = sql::results(tx, run, after)?;
            let last = results.last().map_or(after, Record::id);
            let evidence = sql::evidence_of_results(tx, run, after, last)?;
            let again = full(&results).map(|last| Step::Results { run, after: last.id() });
            (Piece::Results { results, evidence }, again)
        }
        Step::Uploads(run) => (Piece::Uploads(sql::uploads(tx, run)?), None),
        Step::Summaries(ids) => {
            let mut rows = Vec::new();
            for id in ids {
                rows.extend(sql::summary(tx, id)?);
            }
            (Piece::Summaries(rows), None)
        }
    })
}

/// The last of a chunk after which there may be more.
fn full(rows: &[Record]) -> Option<&Record> {
    rows.last().filter(|_| rows.len() == limits::RESTORE_CHUNK_ROWS)
}
