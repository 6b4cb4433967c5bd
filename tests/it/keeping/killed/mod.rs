//! `kill -9` at random moments of whatever changes the whole instance: afterwards it is the old state or the new
//! one, never something between.
//!
//! Each run of the tests kills a few times. `docs/architecture.md` says how to kill 200 times and see the figures.

mod backup;
mod keys;
mod restore;
mod upgrade;

use rustix::process::{Pid, Signal, kill_process_group};
use std::hash::{BuildHasher as _, RandomState};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often a test kills: as `TESTKEEP_KILLS` says, or `few` times.
pub fn kills(few: u32) -> u32 {
    std::env::var("TESTKEEP_KILLS").map_or(few, |count| count.parse().unwrap())
}

/// From so many kills on a test must have met both states: else it strikes where nothing happens.
const MANY: u32 = 100;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Old,
    New,
}

/// A piece of work that is killed again and again, and what was found afterwards.
struct Kills {
    what: &'static str,
    /// How long it takes when nobody kills it.
    whole: Duration,
    rounds: std::ops::Range<u32>,
    /// Killed before they had ended by themselves.
    cut: u32,
    old: u32,
    new: u32,
    slowest: Duration,
}

impl Kills {
    /// Does the work once to learn how long it takes, until what matters of it is over.
    fn of(what: &'static str, few: u32, work: impl FnOnce()) -> Kills {
        let began = Instant::now();
        work();
        let (whole, rounds) = (began.elapsed(), 0..kills(few));
        Kills { what, whole, rounds, cut: 0, old: 0, new: 0, slowest: Duration::ZERO }
    }

    /// The number of the next round, if there is one.
    fn next(&mut self) -> Option<u32> {
        self.rounds.next()
    }

    /// A random moment of the work, a little of it after its usual end.
    fn moment(&self) -> Duration {
        let random = RandomState::new().hash_one(0) >> 11;
        self.whole.mul_f64(1.05 * random as f64 / (1_u64 << 53) as f64)
    }

    /// Starts a command, kills it and all that it started at a random moment, and answers which.
    fn strike(&mut self, command: &mut Command) -> Duration {
        let moment = self.moment();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn().unwrap();
        std::thread::sleep(moment);
        kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
        self.cut += u32::from(child.wait().unwrap().code().is_none());
        moment
    }

    /// What a round found, and how long the first command afterwards took to bring it in order.
    fn found(&mut self, state: State, took: Duration) {
        match state {
            State::Old => self.old += 1,
            State::New => self.new += 1,
        }
        self.slowest = self.slowest.max(took);
    }

    /// Says what was found.
    fn end(self) {
        let Kills { what, whole, cut, old, new, slowest, .. } = self;
        println!(
            "{what}: {} rounds, {cut} killed at work of {whole:.1?}; {old} times old, {new} times new; whole again \
             within {slowest:.1?}",
            old + new
        );
        assert!(old + new < MANY || old > 0 && new > 0, "{what} was never met in both states");
    }
}
