//! The whole instance as it was at a moment between two backups: which moments there are, and one of them beside
//! the instance, out of the last backup before it and the log behind that.

use crate::keeping::backup::scratch::Task;
use crate::keeping::backup::{Receipt, Scratch};
use crate::keeping::backups::Desk;
use crate::keeping::shipping::Reach;
use crate::keeping::shipping::replay::{self, Replayed, Shortfall, Until};
use crate::keeping::targets::Goal;
use crate::kernel::access::InstanceView;
use crate::kernel::blobs::BlobName;
use crate::kernel::durable;
use crate::kernel::error::{Error, Result};
use crate::kernel::integrity;
use crate::kernel::layout;
use crate::kernel::time::Timestamp;
use std::path::Path;
use std::sync::Arc;

const ANOTHER: &str = "Nothing was changed. Choose an earlier moment, or a backup as it was made.";

/// The backups that can be brought back from a target, oldest first, and the moments that their logs lead to.
pub(super) async fn reach(desk: &Desk, goal: &Goal) -> Result<(Vec<Receipt>, Reach)> {
    let key = desk.instance.keyring()?.log();
    desk.look_at(goal, move |storage, receipts| Ok((receipts.to_vec(), Reach::of(storage, &key, receipts)?)))
        .await
}

/// Brings a backup back beside the instance, with everything that was committed by the moment.
///
/// Errors: whatever is missing in between; a part of the way is never taken for the whole.
pub(super) async fn followed(
    desk: &Desk,
    goal: &Goal,
    receipt: Receipt,
    at: Timestamp,
    task: &Arc<Task>,
) -> Result<Arc<Scratch>> {
    let place = receipt.log.clone().ok_or_else(|| {
        Error::not_found(format!("Backup {} is not followed by a log.", receipt.number)).hint(ANOTHER)
    })?;
    let watched = Arc::clone(task);
    let (scratch, replayed) = desk
        .scratch_followed(goal, receipt, task, move |storage, keyring, data| {
            watched.stage("Following the log", 0);
            let step = |read: u32, of: u32| {
                watched.stage("Following the log", of.into());
                watched.advance(read.into());
                watched.brake.go_on()
            };
            let until = (Until::At(at), Shortfall::Refused);
            replay::replay_by_steps(storage, &keyring.log(), &place, until, data, &step)
                .map_err(|reason| if watched.brake.is_pulled() { reason } else { reason.hint(ANOTHER) })
        })
        .await?;
    task.stage("Fetching files of evidence", 0);
    files(desk, goal, &scratch, replayed).await?;
    Ok(scratch)
}

/// Files of evidence that came after the backup: from the target, or else those that the instance still has. What
/// comes of them is found when they are proven.
async fn files(desk: &Desk, goal: &Goal, scratch: &Arc<Scratch>, replayed: Replayed) -> Result<()> {
    let gate = scratch.shell.operator().gate::<InstanceView>(());
    let names = gate.read_at_length(integrity::blobs).await?;
    let (data, own) = (scratch.data().to_owned(), desk.instance.data.clone());
    desk.look_at(goal, move |storage, _| {
        let lacked = replay::fetch_blobs(storage, &replayed, &names, &data)?;
        lacked.iter().try_for_each(|name| copy(&own, &data, name))
    })
    .await
}

fn copy(from: &Path, to: &Path, name: &BlobName) -> Result<()> {
    let text = name.to_string();
    let of = |data: &Path| layout::blobs(data).join(&text[..2]).join(&text);
    let (from, to) = (of(from), of(to));
    if to.exists() || !from.exists() {
        return Ok(());
    }
    durable::create_folder(to.parent().unwrap_or(&to))?;
    durable::replace(&to, &std::fs::read(&from).map_err(|cause| durable::trouble("read", &from, cause))?)
}
