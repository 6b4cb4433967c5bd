//! Watches whether somebody closes or opens the instance by a command: another process, and so another memory.

use crate::keeping::maintenance;
use crate::kernel::access::{Door, InstanceView, Job, Permission};
use crate::kernel::closure::Closure;
use crate::kernel::error::Result;
use crate::kernel::limits;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// Looks whether the instance is closed; may do nothing else.
const WATCH: Job =
    Job { name: "maintenance", meaning: "Looks whether the instance is closed.", may: &[InstanceView::INFO] };

/// Takes the state over before anybody is let in, then looks again and again.
pub async fn watch(door: Door, closure: Arc<Closure>) -> Result<JoinHandle<()>> {
    let look = move || door.job(&WATCH).gate::<InstanceView>(());
    closure.set(look().read(|tx| maintenance::now(tx)).await?);
    Ok(tokio::spawn(async move {
        let mut ticks = interval(limits::MAINTENANCE_LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // A read that fails says nothing about it; what was known holds.
            if let Ok(closed) = look().read(|tx| maintenance::now(tx)).await {
                closure.set(closed);
            }
        }
    }))
}
