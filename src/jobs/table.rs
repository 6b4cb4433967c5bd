//! The table of all jobs: what the slices declare, gathered.

use crate::exchange::uploads::{self, Leftover};
use crate::keeping::backups::{self, Desk};
use crate::keeping::restores::whole;
use crate::keeping::{drills, integrity, keys, retention, storage, upgrade};
use crate::kernel::declare::{Scheduled, When};
use crate::people::sessions;
use crate::running::results::recount;
use std::sync::Arc;

/// All scheduled work. The desk is handed to each: through it a job reaches the instance.
pub const JOBS: &[Scheduled<Arc<Desk>>] = &[
    backups::BACKUP,
    backups::PRUNE,
    backups::LOOK,
    backups::READ,
    drills::DRILL,
    drills::WATCH,
    whole::SWEEP,
    upgrade::SWEEP,
    integrity::CHECK,
    retention::KEEP,
    storage::SAMPLE,
    keys::AGES,
    STAMPS,
    SWEEP,
    RECOUNT,
];

/// People know nothing of the desk, so their job is fitted to it here.
const STAMPS: Scheduled<Arc<Desk>> = Scheduled {
    job: &sessions::KEEPER,
    when: When::Cron("*/5 * * * *"),
    run: |desk| Box::pin(async move { sessions::keep_all(&desk.instance.door).await }),
};

/// What broken uploads left goes when the server starts; this finds what could not go by then.
const SWEEP: Scheduled<Arc<Desk>> = Scheduled {
    job: &uploads::SWEEPER,
    when: When::Cron("35 * * * *"),
    run: |desk| {
        Box::pin(async move {
            let swept = uploads::sweep(&desk.instance.door, Leftover::Stale).await?;
            Ok(format!("{swept} uploads that were cut off are taken away."))
        })
    },
};

/// A run that goes into the trash is counted at once where that is quick; this does the rest.
const RECOUNT: Scheduled<Arc<Desk>> = Scheduled {
    job: &recount::RECOUNTER,
    when: When::Cron("*/10 * * * *"),
    run: |desk| {
        Box::pin(async move {
            let changed = recount::recount_all(&desk.instance.door).await?;
            Ok(format!("{changed} summaries of cases were counted anew."))
        })
    },
};
