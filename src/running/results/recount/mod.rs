//! Counting anew: what is known of cases, drawn from all their results, for when results went away or came
//! back and for checking what was kept with each result.
//!
//! The results are read outside the writer, and what differs is written in small steps. A step that finds a
//! summary changed meanwhile leaves it, and the next round draws it anew.

mod sql;

use crate::kernel::access::{Door, Gate, Instance, Job, Permission, Read, StorageKeep, StorageView, Write};
use crate::kernel::audit::{Audited, Quiet};
use crate::kernel::error::Result;
use crate::kernel::id::{CaseId, ProjectId, ResultId, RunId};
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use crate::library::verdicts::Status;
use std::collections::BTreeMap;

/// Rounds until what others write meanwhile is left to the next time.
const ROUNDS: usize = 3;

/// Counts anew; may do nothing else that matters here.
pub const RECOUNTER: Job = Job {
    name: "recount",
    meaning: "Sums the results of cases up anew after some went away or came back.",
    may: &[StorageKeep::INFO],
};

/// What is known of a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// The project of the case.
    pub project: ProjectId,
    /// The latest verdict.
    pub status: Status,
    /// The result that gave it.
    pub result: ResultId,
    /// Its run.
    pub run: RunId,
    /// When it was given.
    pub at: Timestamp,
    /// Results that passed.
    pub passed: i64,
    /// Results that failed or errored.
    pub failed: i64,
    /// How often passed and failed took turns.
    pub flips: i64,
}

/// Summaries by case.
pub type Summaries = BTreeMap<CaseId, Summary>;

/// A summary that is not what the results say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Difference {
    /// The case it is about.
    pub case: CaseId,
    /// What is stored; none if nothing is.
    pub stored: Option<Summary>,
    /// What the results say; none if there are none.
    pub counted: Option<Summary>,
}

impl Difference {
    /// Whether the stored one is wrong, and not only drawn in another order: an upload that came in while
    /// others recorded gives its verdicts when it is complete.
    pub fn is_wrong(&self) -> bool {
        match (&self.stored, &self.counted) {
            (Some(stored), Some(counted)) => {
                (stored.passed, stored.failed) != (counted.passed, counted.failed)
            }
            _ => true,
        }
    }
}

/// Every summary that differs from what the results say, in one project or in all.
pub fn differences<P: Permission<Scope = Instance>>(
    tx: Read<'_, P>,
    project: Option<ProjectId>,
) -> Result<Vec<Difference>> {
    let mut counted = Summaries::new();
    let mut after = ResultId(0);
    loop {
        let step = sql::verdicts(tx, project, after, limits::RECOUNT_STEP)?;
        let Some(last) = step.last() else { break };
        after = last.1.result;
        step.into_iter().for_each(|(case, one)| add(&mut counted, case, one));
    }
    let mut stored: Summaries = sql::summaries(tx, project)?.into_iter().collect();
    let mut found = Vec::new();
    for (case, counted) in counted {
        let stored = stored.remove(&case);
        if stored.is_none_or(|stored| Summary { at: counted.at, ..stored } != counted) {
            found.push(Difference { case, stored, counted: Some(counted) });
        }
    }
    found.extend(stored.into_iter().map(|(case, stored)| Difference {
        case,
        stored: Some(stored),
        counted: None,
    }));
    Ok(found)
}

/// The same as recording the verdict after all before it.
fn add(counted: &mut Summaries, case: CaseId, one: Summary) {
    let is_failure = |status| matches!(status, Status::Failed | Status::Errored);
    counted
        .entry(case)
        .and_modify(|known| {
            let is_flip = one.passed > 0 && is_failure(known.status)
                || one.failed > 0 && known.status == Status::Passed;
            *known = Summary {
                passed: known.passed + one.passed,
                failed: known.failed + one.failed,
                flips: known.flips + i64::from(is_flip),
                ..one
            };
        })
        .or_insert(one);
}

/// Brings the summaries of a project up to what its results say; answers how many were changed.
pub async fn recount(gate: &Gate<StorageKeep>, project: ProjectId) -> Result<i64> {
    let mut changed = 0;
    for _ in 0..ROUNDS {
        let found = gate.read_at_length(move |tx| {
            let tx = tx.reading::<StorageView>();
            Ok((sql::recount_due(tx, project)?, differences(tx, Some(project))?))
        });
        let (due, found) = found.await?;
        if found.is_empty() {
            gate.write(move |tx| settle(tx, project, due)).await?;
            break;
        }
        for step in found.chunks(limits::RECOUNT_WRITES) {
            let step = step.to_vec();
            changed += gate.write(move |tx| store(tx, &step)).await?;
        }
    }
    Ok(changed)
}

/// Projects whose summaries wait to be counted anew.
pub fn waiting<P: Permission<Scope = Instance>>(tx: Read<'_, P>) -> Result<Vec<ProjectId>> {
    sql::recounts_due(tx)
}

/// Counts anew what waits for it; answers how many summaries were changed.
pub async fn recount_all(door: &Door) -> Result<i64> {
    let gate = door.job(&RECOUNTER).gate::<StorageKeep>(());
    let mut changed = 0;
    for project in gate.read(|tx| waiting(tx.reading::<StorageView>())).await? {
        changed += recount(&gate, project).await?;
    }
    Ok(changed)
}

fn settle(tx: Write<'_, StorageKeep>, project: ProjectId, due: i64) -> Result<Audited<'_, ()>> {
    sql::settle_recount(tx, project, due)?;
    Ok(tx.quiet(Quiet::Unchanged, ()))
}

/// A derived row is no news to an auditor: what took the results away left its entry.
fn store<'t>(tx: Write<'t, StorageKeep>, step: &[Difference]) -> Result<Audited<'t, i64>> {
    let mut changed = 0;
    for difference in step {
        changed += sql::store_summary(tx, difference)?;
    }
    Ok(tx.quiet(Quiet::Unchanged, changed))
}
