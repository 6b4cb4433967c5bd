//! Sweeping: what an upload left that was cut off is taken away, a few rows at a time.
//!
//! Nobody has seen any of it. Cases that it had made stay, as cases that never ran: the next try finds them.

use super::{SWEPT, sql};
use crate::kernel::access::{Door, Job, Permission as _, Tx as _, UploadSweep, Write};
use crate::kernel::audit::{Audited, Quiet};
use crate::kernel::error::Result;
use crate::kernel::id::UploadId;
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use crate::running::{results, runs};

/// Takes away what uploads left that were cut off; may do nothing else.
pub const SWEEPER: Job = Job {
    name: "uploads.sweep",
    meaning: "Takes away what report uploads left that were cut off.",
    may: &[UploadSweep::INFO],
};

/// Which unfinished uploads are to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leftover {
    /// All there are: when the server starts, none is under way.
    All,
    /// Those that nobody can still be sending.
    Stale,
    /// This one.
    One(UploadId),
}

/// Takes unfinished uploads away; answers how many.
pub async fn sweep(door: &Door, which: Leftover) -> Result<i64> {
    let gate = door.job(&SWEEPER).gate::<UploadSweep>(());
    let mut swept = 0;
    // Most of the time there is nothing, and a look disturbs no writer.
    while gate.read(move |tx| sql::first_unfinished(tx, which, before(tx.now()))).await?.is_some() {
        swept += gate.write(move |tx| step(tx, which)).await?;
    }
    Ok(swept)
}

fn before(now: Timestamp) -> Timestamp {
    Timestamp(now.0 - limits::UPLOAD_STALE_MS)
}

/// One transaction of sweeping; answers how many uploads are gone with it.
fn step(tx: Write<'_, UploadSweep>, which: Leftover) -> Result<Audited<'_, i64>> {
    let Some((upload, run)) = sql::first_unfinished(tx, which, before(tx.now()))? else {
        return Ok(tx.quiet(Quiet::Nothing, 0));
    };
    let mut rows = 0;
    if let Some(run) = run {
        rows += results::discard(tx, run, limits::UPLOAD_SWEEP_ROWS)?;
        if rows < limits::UPLOAD_SWEEP_ROWS {
            rows += runs::discard_items(tx, run, limits::UPLOAD_SWEEP_ROWS - rows)?;
        }
    }
    let is_last = rows < limits::UPLOAD_SWEEP_ROWS;
    if is_last {
        sql::delete_unfinished(tx, upload)?;
        run.map_or(Ok(()), |run| runs::discard(tx, run))?;
    }
    tx.audited(SWEPT.of(upload).count("rows", rows), i64::from(is_last))
}
