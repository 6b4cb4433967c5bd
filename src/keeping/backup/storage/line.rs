//! Line: the bridge from a blocking call to the network: attempts, silence, pace and the stop button.
//!
//! A storage is called on threads that may block, some inside a runtime and some not. So the network lives
//! on a small runtime of its own, and the caller waits at a channel, which is allowed everywhere.

use super::access::Limits;
use super::pace::Pace;
use super::retry::{Failed, Tried, pause};
use crate::keeping::backup::reader::Ledger;
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use std::future::Future;
use std::pin::pin;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::warn;

/// How one target is talked to. All its calls share the pace.
#[derive(Debug)]
pub struct Line {
    /// Patience and cap.
    pub limits: Limits,
    /// The address, for sentences.
    pub place: String,
    pub(super) party: &'static Party,
    pace: Pace,
}

/// Who is at the other end, for sentences.
#[derive(Debug)]
pub struct Party {
    /// What it is.
    pub what: &'static str,
    /// What to do when the way there is broken.
    pub way: &'static str,
    /// What to do when its certificate is not trusted.
    pub trust: &'static str,
    /// Whether a name that is not found may be there soon, as while a machine starts.
    pub waits_for_names: bool,
}

/// What backups go to.
const BACKUP_TARGET: Party = Party {
    what: "backup target",
    way: "Look at the network on the way there. What has been stored stays; the next run goes on from it.",
    trust: "If an authority of your own signed it, give that authority's certificate with the credentials.",
    waits_for_names: false,
};

/// One attempt as it goes on. Each byte that moves is a beat.
#[derive(Clone)]
pub struct Beat {
    line: Arc<Line>,
    last: Arc<Mutex<Instant>>,
    /// Counted from 1.
    pub attempt: u32,
}

impl Line {
    /// A line to this backup target.
    pub fn new(limits: Limits, place: String) -> Arc<Line> {
        Line::to(&BACKUP_TARGET, limits, place)
    }

    /// A line to somebody else.
    pub fn to(party: &'static Party, limits: Limits, place: String) -> Arc<Line> {
        Arc::new(Line { pace: Pace::new(limits.bytes_per_second), limits, place, party })
    }

    /// The other end in a sentence: what it is, and where.
    pub fn end(&self) -> String {
        format!("{} {}", self.party.what, self.place)
    }

    /// Makes attempts until one succeeds, one fails for good, or there were enough. Blocks.
    pub fn call<T, F>(
        self: &Arc<Line>,
        ledger: &Ledger,
        attempt: impl Fn(Beat) -> F + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Tried<T>> + Send,
    {
        ledger.go_on()?;
        let (tell, told) = sync_channel(1);
        let line = Arc::clone(self);
        let work = runtime()?.spawn(async move {
            let done = timeout(limits::TARGET_CALL_MAX, line.attempts(attempt)).await;
            let too_slow = |_| Err(line.silent("did not finish within two hours"));
            // Nobody listens any more if the caller was stopped.
            let _ = tell.send(done.unwrap_or_else(too_slow));
        });
        loop {
            match told.recv_timeout(limits::TARGET_STOP_LOOK_EVERY) {
                Ok(done) => return done,
                Err(RecvTimeoutError::Timeout) => ledger.go_on().inspect_err(|_| work.abort())?,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::internal("an attempt at a backup target ended without an answer"));
                }
            }
        }
    }

    /// The same within a runtime that is there.
    pub async fn attempts<T, F: Future<Output = Tried<T>>>(
        self: &Arc<Line>,
        attempt: impl Fn(Beat) -> F,
    ) -> Result<T> {
        let (mut number, began) = (1, Instant::now());
        loop {
            let last = Arc::new(Mutex::new(Instant::now()));
            let beat = Beat { line: Arc::clone(self), last, attempt: number };
            match self.watched(&beat, attempt(beat.clone())).await {
                Ok(done) => return Ok(done),
                Err(failed)
                    if failed.is_passing
                        && number < self.limits.tries_max
                        && began.elapsed() < self.limits.tries_for =>
                {
                    let reason = failed.error.sentence();
                    warn!(attempt = number, "{reason} Trying again.");
                    sleep(pause(self.limits.retry_pause, number)).await;
                    number += 1;
                }
                Err(failed) => return Err(failed.error),
            }
        }
    }

    /// Gives up on an attempt in which nothing moves.
    async fn watched<T>(&self, beat: &Beat, attempt: impl Future<Output = Tried<T>>) -> Tried<T> {
        let mut attempt = pin!(attempt);
        loop {
            let last = *beat.last.lock().expect("nobody panics while holding it");
            let limit = last + self.limits.silence_max;
            tokio::select! {
                done = &mut attempt => return done,
                () = sleep_until(limit) => {}
            }
            if *beat.last.lock().expect("nobody panics while holding it") == last {
                let seconds = self.limits.silence_max.as_secs_f32();
                return Err(Failed::passing(self.silent(&format!("was silent for {seconds} seconds"))));
            }
        }
    }

    fn silent(&self, what: &str) -> Error {
        Error::busy(format!("The {} {what}.", self.end())).hint(self.party.way)
    }
}

impl Beat {
    /// Something moved.
    pub fn now(&self) {
        *self.last.lock().expect("nobody panics while holding it") = Instant::now();
    }

    /// Work that has a bound of its own, such as connecting, and is silent meanwhile.
    pub async fn through<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = sleep(self.line.limits.silence_max / 2) => self.now(),
            }
        }
    }

    /// Waits until so many bytes may go. Waiting for the cap is no silence.
    pub async fn pass(&self, bytes: usize) {
        self.now();
        let due = Instant::now() + self.line.pace.wait_for(bytes, Instant::now());
        while Instant::now() < due {
            sleep_until(due.min(Instant::now() + self.line.limits.silence_max / 2)).await;
            self.now();
        }
    }
}

/// Two threads for all targets of this process; they start with the first call.
fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    let start = || Builder::new_multi_thread().worker_threads(2).thread_name("targets").enable_all().build();
    RUNTIME.get_or_init(start).as_ref().map_err(|cause| {
        Error::busy("The threads for backup targets could not be started.")
            .hint("Look at the number of processes and at the memory that this program may use.")
            .because(cause.to_string())
    })
}
