//! The table of all jobs: what the slices declare, gathered.

use crate::keeping::backups::{self, Desk};
use crate::kernel::declare::Scheduled;
use std::sync::Arc;

/// All scheduled work. The desk is handed to each: through it a job reaches the instance.
pub const JOBS: &[Scheduled<Arc<Desk>>] = &[backups::BACKUP, backups::PRUNE];
