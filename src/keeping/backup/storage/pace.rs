//! Pace: a bandwidth cap for all calls of one target together, as a token bucket.

use crate::kernel::limits::TARGET_CHUNK_BYTES;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// When the next bytes may go. Cheap if there is no cap.
#[derive(Debug)]
pub struct Pace {
    bytes_per_second: Option<u64>,
    /// The moment at which everything that was let through so far is paid for.
    paid_at: Mutex<Option<Instant>>,
}

impl Pace {
    /// A cap, or none.
    pub fn new(bytes_per_second: Option<u64>) -> Pace {
        Pace { bytes_per_second, paid_at: Mutex::new(None) }
    }

    /// Takes a place in the queue for some bytes, and answers how long to wait before they go. Nobody
    /// saves up more than one chunk while idle.
    pub fn wait_for(&self, bytes: usize, now: Instant) -> Duration {
        let Some(rate) = self.bytes_per_second else { return Duration::ZERO };
        let time = |bytes: usize| Duration::from_secs_f64(bytes as f64 / rate as f64);
        let mut paid_at = self.paid_at.lock().expect("nobody panics while holding it");
        let begins = paid_at.unwrap_or(now).max(now);
        *paid_at = Some(begins + time(bytes));
        (begins - now).saturating_sub(time(TARGET_CHUNK_BYTES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_spreads_bytes_over_time_and_idle_time_is_not_saved_up() {
        let (pace, start) = (Pace::new(Some(64 << 10)), Instant::now());
        let waits: Vec<u64> = (0..4).map(|_| pace.wait_for(64 << 10, start).as_secs()).collect();
        assert_eq!(waits, [0, 0, 1, 2]);
        let later = start + Duration::from_secs(3_600);
        let waits: Vec<u64> = (0..3).map(|_| pace.wait_for(64 << 10, later).as_secs()).collect();
        assert_eq!(waits, [0, 0, 1]);
        assert_eq!(Pace::new(None).wait_for(usize::MAX, start), Duration::ZERO);
    }
}
