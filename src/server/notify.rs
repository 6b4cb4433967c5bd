//! Word to the service manager: ready, alive, stopping. Without one, nothing is said.

use super::status;
use crate::kernel::access::Door;
use sd_notify::NotifyState;
use std::time::Duration;
use tracing::{debug, warn};

/// The service manager that started us, if any did.
#[derive(Debug)]
pub struct Manager;

impl Manager {
    /// We answer from now on.
    pub fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    /// The start may take so much longer than the manager thinks.
    pub fn may_take(&self, longer: Duration) {
        tell(&[NotifyState::ExtendTimeoutUsec(u32::try_from(longer.as_micros()).unwrap_or(u32::MAX))]);
    }

    /// We finish what is under way and leave.
    pub fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    /// We finish what is under way and begin anew in the same process; `ready` ends it.
    pub fn restarting(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    /// Says for ever that we are alive, as long as the database reads and commits. Ends at once when no service
    /// manager wants to know.
    pub async fn keep_alive(door: Door) {
        let Some(patience) = sd_notify::watchdog_enabled() else { return };
        let mut ticks = tokio::time::interval(patience / 3);
        loop {
            ticks.tick().await;
            match status::is_alive(&door).await {
                Ok(()) => tell(&[NotifyState::Watchdog]),
                Err(reason) => warn!(?reason, "the database gave no sign of life"),
            }
        }
    }
}

fn tell(news: &[NotifyState<'_>]) {
    if let Err(reason) = sd_notify::notify(news) {
        debug!(%reason, "the service manager did not listen");
    }
}
