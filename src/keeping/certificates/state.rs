//! State: what is stored of a certificate that is issued to the instance, and when another one is due.

use super::pair::Pair;
use crate::kernel::random;
use crate::kernel::schedule;
use crate::kernel::time::Timestamp;

/// What is stored of one source.
#[derive(Clone, Debug)]
pub struct State {
    /// The chain in PEM; none before the first was issued.
    pub chain: Option<String>,
    /// Its key, sealed.
    pub key: Option<Vec<u8>>,
    /// Which directory or authority issued it.
    pub origin: String,
    /// What was asked for, one name a line.
    pub names: String,
    /// When it was issued.
    pub issued_at: Option<Timestamp>,
    /// When another one is due.
    pub renew_at: Option<Timestamp>,
    /// When it was last tried.
    pub tried_at: Option<Timestamp>,
    /// How that ended, in words.
    pub message: Option<String>,
    /// Failures in a row.
    pub failures: i64,
    /// Not tried before.
    pub next_at: Timestamp,
    /// When somebody asked for another one.
    pub asked_at: Option<Timestamp>,
}

impl State {
    /// Nothing was issued or tried yet.
    pub(super) fn empty() -> State {
        State {
            chain: None,
            key: None,
            origin: String::new(),
            names: String::new(),
            issued_at: None,
            renew_at: None,
            tried_at: None,
            message: None,
            failures: 0,
            next_at: Timestamp(0),
            asked_at: None,
        }
    }

    /// Whether another one is due now, from this origin and for these names.
    pub(super) fn is_due(&self, now: Timestamp, origin: &str, names: &[String]) -> bool {
        // What a clock that was set back since has noted holds nothing up.
        let is_ahead = |noted: Option<Timestamp>| noted.is_some_and(|at| schedule::known(at, now).is_none());
        let is_wanted = self.asked_at.is_some()
            || self.chain.is_none()
            || self.origin != origin
            || self.names != names.join("\n")
            || self.renew_at.is_none_or(|at| now >= at)
            || is_ahead(self.issued_at);
        is_wanted && (now >= self.next_at || is_ahead(self.tried_at))
    }

    /// When it is next tried, as far as is known.
    pub fn next_try(&self) -> Option<Timestamp> {
        let due = if self.chain.is_some() { self.renew_at } else { None };
        match self.failures {
            0 => due,
            _ => Some(self.next_at.max(due.filter(|_| self.asked_at.is_none()).unwrap_or(self.next_at))),
        }
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failures > 0
    }
}

/// When another one is due: after two thirds of its life, a little earlier by chance, so that not all instances in
/// the world come at the same moment. Never at once, however short its life.
pub(super) fn due(pair: &Pair, now: Timestamp) -> Timestamp {
    let lifetime = pair.lifetime_ms().max(0);
    let chance = i64::from(u16::from_le_bytes(random::bytes()));
    let earlier = lifetime / 20 * chance / i64::from(u16::MAX);
    let at = pair.about.not_before.0 + lifetime / 3 * 2 - earlier;
    Timestamp(at.max(now.0 + (pair.not_after.0 - now.0).max(0) / 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_one_is_due_when_asked_for_when_its_time_has_come_and_not_before_it_may() {
        let names = ["a.example".to_owned()];
        let good = State {
            chain: Some("PEM".into()),
            origin: "https://ca.example".into(),
            names: "a.example".into(),
            renew_at: Some(Timestamp(100)),
            ..State::empty()
        };
        let is_due = |state: &State, now| state.is_due(Timestamp(now), "https://ca.example", &names);
        assert!(is_due(&State::empty(), 0));
        assert!(!is_due(&good, 99) && is_due(&good, 100));
        assert!(is_due(&State { asked_at: Some(Timestamp(1)), ..good.clone() }, 2));
        assert!(!is_due(&State { next_at: Timestamp(500), ..good.clone() }, 400));
        let (year, later) = (Some(Timestamp(365 * 24 * 3_600_000)), Timestamp(365 * 24 * 3_600_001));
        let ahead = State { next_at: later, tried_at: year, ..good.clone() };
        assert!(!is_due(&ahead, 99) && is_due(&ahead, 100), "f20: the clock was a year ahead");
        assert!(is_due(&State { issued_at: year, ..good.clone() }, 99), "f20: it is not good yet");
        assert!(good.is_due(Timestamp(1), "https://other.example", &names));
        assert!(good.is_due(Timestamp(1), "https://ca.example", &["b.example".to_owned()]));
    }
}
