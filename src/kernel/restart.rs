//! Restart: the wish of a part that the program stops in order and begins anew in the same process.
//!
//! The wish only; the composition root stops what runs, and the command `serve` begins anew.

use tokio::sync::Notify;

/// How the server came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// Somebody asked it to stop.
    Stopped,
    /// It is to begin anew, with the program that lies at its place now.
    ToRestart,
}

/// Handed to whoever may wish for a restart.
#[derive(Debug, Default)]
pub struct Restart(Notify);

impl Restart {
    /// Wishes for it; what has begun is finished first. One wish is enough, and a second changes nothing.
    pub fn wish(&self) {
        self.0.notify_one();
    }

    /// Waits for a wish.
    pub async fn wished(&self) {
        self.0.notified().await;
    }
}
