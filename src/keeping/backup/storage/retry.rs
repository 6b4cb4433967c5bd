//! Retry: what may be tried again, and how long to wait before. All calls of a storage may be repeated: an
//! object is put whole under a name of its own, and deleting twice is deleting.

use crate::kernel::error::Error;
use crate::kernel::limits::TARGET_RETRY_PAUSE_MAX;
use std::time::Duration;

/// What one attempt answers.
pub type Tried<T> = std::result::Result<T, Failed>;

/// A failed attempt, and whether another one makes sense.
#[derive(Debug)]
pub struct Failed {
    /// What to say if it counts.
    pub error: Error,
    /// Whether the cause may pass by itself.
    pub is_passing: bool,
}

impl Failed {
    /// The cause may pass by itself: a cut line, an overloaded server.
    pub fn passing(error: Error) -> Failed {
        Failed { error, is_passing: true }
    }
}

/// Without a word of its own a failure stays.
impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed { error, is_passing: false }
    }
}

/// The pause after the attempt of this number, counted from 1: twice as long each time, and between half
/// and all of that by chance, so that several writers do not come back at once.
pub fn pause(first: Duration, attempt: u32) -> Duration {
    let longest = first.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(TARGET_RETRY_PAUSE_MAX);
    // Without chance it is the whole pause, which is no harm.
    let chance = getrandom::u32().map_or(1.0, |number| f64::from(number) / f64::from(u32::MAX));
    longest.mul_f64(0.5 + chance / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound() {
        let first = Duration::from_millis(500);
        for (attempt, longest) in [(1, 500), (2, 1_000), (3, 2_000), (9, 10_000), (u32::MAX, 10_000)] {
            let found = pause(first, attempt).as_millis();
            assert!((longest / 2..=longest).contains(&found), "{attempt}: {found} ms");
        }
    }
}
