//! Checking the trail, and what came of it last. When it is checked by itself is `integrity`'s matter.

use super::VERIFIED;
use super::kept::Kept;
use crate::kernel::access::{AuditExport, Gate, Tx, Write};
use crate::kernel::audit::{self, Audited, Verdict};
use crate::kernel::error::Result;
use crate::kernel::instance::Instance;
use crate::kernel::settings::{Setting, anything};
use crate::kernel::time::Timestamp;

/// What the last check found. Kept as a setting, because searching the trail for it would read all of it.
const FOUND: Setting = Setting {
    name: "audit.checked",
    default: "",
    meaning: "When the audit trail was last checked, whether it was whole, and up to which entry.",
    check: anything,
};

/// What the last check found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checked {
    /// When it was.
    pub at: Timestamp,
    /// Whether every entry followed from the one before.
    pub is_whole: bool,
    /// The last entry, or the first bad one.
    pub entry: i64,
}

impl Checked {
    /// The last check, if there was one.
    pub fn last(tx: impl Tx) -> Result<Option<Checked>> {
        Ok(Checked::of_text(&FOUND.get(tx)?))
    }

    fn of_text(text: &str) -> Option<Checked> {
        let mut words = text.split(' ');
        let (at, word, entry) = (words.next()?, words.next()?, words.next()?);
        Some(Checked {
            at: Timestamp(at.parse().ok()?),
            is_whole: word == "whole",
            entry: entry.parse().ok()?,
        })
    }
}

/// Recomputes the chain, compares it with the end that the newest receipt of a backup names, and notes what came of it.
pub async fn verify(instance: &Instance, gate: &Gate<AuditExport>) -> Result<Verdict> {
    let kept = Kept::of(instance)?;
    let checked = gate.read_at_length(move |tx| audit::verify(tx.reading(), kept.end(tx)?.as_ref()));
    let verdict = checked.await?;
    let found = verdict.clone();
    gate.write(move |tx| note(tx, &found)).await?;
    Ok(verdict)
}

fn note<'t>(tx: Write<'t, AuditExport>, verdict: &Verdict) -> Result<Audited<'t, ()>> {
    let (word, entry) = match verdict {
        Verdict::Whole(head) => ("whole", head.seq),
        Verdict::BrokenAt(seq) => ("broken", *seq),
        Verdict::CutShort { should_reach } => ("short", *should_reach),
    };
    FOUND.set(tx, &format!("{} {word} {entry}", tx.now().0))?;
    tx.audited(VERIFIED.alone().count("whole", (word == "whole").into()).count("entry", entry), ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_check_found_is_read_as_it_was_written() {
        let found = Checked { at: Timestamp(12), is_whole: true, entry: 7 };
        assert_eq!(Checked::of_text("12 whole 7"), Some(found));
        assert_eq!(Checked::of_text("12 broken 7"), Some(Checked { is_whole: false, ..found }));
        assert_eq!(Checked::of_text(""), None);
    }
}
