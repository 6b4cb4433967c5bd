//! Verdicts: the words for how a case fared, and their order of urgency.

use crate::kernel::words::words;

words! {
    /// How a case or an item fared.
    Status = "status" {
        /// It did not do what was expected.
        Failed = "failed",
        /// The check itself broke.
        Errored = "errored",
        /// It could not be checked.
        Blocked = "blocked",
        /// Nobody has looked yet.
        Untested = "untested",
        /// It was left out on purpose.
        Skipped = "skipped",
        /// It did what was expected.
        Passed = "passed",
    }
}

impl Status {
    /// The place in arrays that count by status.
    pub fn place(self) -> usize {
        self as usize
    }
}
