//! Checking the trail, by hand or every night, and what came of it last.

use super::VERIFIED;
use crate::keeping::backups::Desk;
use crate::kernel::access::{AuditExport, Gate, Job, Permission, Tx, Write};
use crate::kernel::audit::{self, Audited, Verdict};
use crate::kernel::declare::{Running, Scheduled, When};
use crate::kernel::error::{Error, Result};
use crate::kernel::settings::{Setting, anything};
use crate::kernel::time::Timestamp;
use std::sync::Arc;

/// What the last check found. Kept as a setting, because searching the trail for it would read all of it.
const FOUND: Setting = Setting {
    name: "audit.checked",
    default: "",
    meaning: "When the audit trail was last checked, whether it was whole, and up to which entry.",
    check: anything,
};

const CHECKER: Job = Job {
    name: "audit-verify",
    meaning: "Checks the audit trail from its first entry.",
    may: &[AuditExport::INFO],
};

/// The check of every night.
pub const VERIFY: Scheduled<Arc<Desk>> =
    Scheduled { job: &CHECKER, when: When::Cron("45 3 * * *"), run: check };

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

/// Recomputes the chain and notes what came of it.
pub(super) async fn verify(gate: &Gate<AuditExport>) -> Result<Verdict> {
    let verdict = gate.read_at_length(|tx| audit::verify(tx.reading(), None)).await?;
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

fn check(desk: Arc<Desk>) -> Running {
    Box::pin(async move {
        let verdict = verify(&desk.instance.door.job(&CHECKER).gate::<AuditExport>(())).await?;
        let words = super::in_words(&verdict);
        match verdict {
            Verdict::Whole(_) => Ok(words),
            Verdict::BrokenAt(_) | Verdict::CutShort { .. } => Err(Error::conflict(words)
                .hint("Keep this data folder as it is and compare it with the newest backup.")),
        }
    })
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
