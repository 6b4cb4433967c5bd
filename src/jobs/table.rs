//! The table of all jobs: what the slices declare, gathered.

use crate::keeping::backups::{self, Desk};
use crate::keeping::trail;
use crate::kernel::declare::{Scheduled, When};
use crate::people::sessions;
use std::sync::Arc;

/// All scheduled work. The desk is handed to each: through it a job reaches the instance.
pub const JOBS: &[Scheduled<Arc<Desk>>] = &[backups::BACKUP, backups::PRUNE, trail::VERIFY, STAMPS];

/// People know nothing of the desk, so their job is fitted to it here.
const STAMPS: Scheduled<Arc<Desk>> = Scheduled {
    job: &sessions::KEEPER,
    when: When::Cron("*/5 * * * *"),
    run: |desk| Box::pin(async move { sessions::keep_all(&desk.instance.door).await }),
};
