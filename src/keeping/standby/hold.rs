//! Hold: one process works on a standby at a time, by the lock that a server of the folder would take, and whoever
//! takes over ends the one that follows.

use crate::kernel::error::Result;
use crate::kernel::hold::{self, Held};
use crate::kernel::layout;
use crate::kernel::limits;
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::time::Instant;
use tokio::time::sleep;

/// Whether a folder holds a standby.
pub fn is_standby(folder: &Path) -> bool {
    layout::standby(folder).exists()
}

/// The process that works on it now.
pub(super) fn holder(folder: &Path) -> Option<u32> {
    hold::holder(folder)
}

/// Takes the folder for whoever takes over, after the process that follows there was asked to end. It may be killed
/// at any moment, so it may be asked to end at any.
pub(super) async fn take_over(folder: &Path) -> Result<Held> {
    let asked_at = Instant::now();
    loop {
        let refused = match hold::hold(folder) {
            Err(reason) => reason,
            held => return held,
        };
        let holder = holder(folder).and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if asked_at.elapsed() > limits::STANDBY_LETS_GO_WITHIN {
            return Err(refused);
        }
        if let Some(pid) = holder {
            let _ = kill_process(pid, Signal::TERM);
        }
        sleep(limits::STANDBY_LOOK_EVERY).await;
    }
}
