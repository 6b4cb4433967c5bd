//! What is done to many chosen cases at once: all of it or nothing. Each case leaves its own entry.

use super::Case;
use crate::kernel::access::{CaseWrite, Write};
use crate::kernel::audit::{Audited, Quiet};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::SuiteId;
use crate::kernel::limits;

/// Moves cases to the end of a suite, in the order given; answers how many.
pub fn move_to<'t>(tx: Write<'t, CaseWrite>, numbers: &[i64], suite: SuiteId) -> Result<Audited<'t, usize>> {
    each(tx, numbers, |number| super::move_to(tx, number, suite))
}

/// Puts cases into the trash; answers how many were named.
pub fn trash<'t>(tx: Write<'t, CaseWrite>, numbers: &[i64]) -> Result<Audited<'t, usize>> {
    each(tx, numbers, |number| super::trash(tx, number))
}

/// Takes cases out of the trash; answers how many were named.
pub fn recover<'t>(tx: Write<'t, CaseWrite>, numbers: &[i64]) -> Result<Audited<'t, usize>> {
    each(tx, numbers, |number| super::recover(tx, number))
}

fn each<'t>(
    tx: Write<'t, CaseWrite>,
    numbers: &[i64],
    change: impl Fn(i64) -> Result<Audited<'t, Case>>,
) -> Result<Audited<'t, usize>> {
    if numbers.len() > limits::SELECTED_CASES_MAX {
        return Err(Error::invalid(format!(
            "At most {} cases can be changed at once.",
            limits::SELECTED_CASES_MAX
        ))
        .hint("Choose fewer, and do the rest after them."));
    }
    let mut proof = tx.quiet(Quiet::Unchanged, ());
    for number in numbers {
        proof = change(*number)?.map(drop);
    }
    Ok(proof.map(|()| numbers.len()))
}
