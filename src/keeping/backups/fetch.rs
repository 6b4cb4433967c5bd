//! Single files brought back from the backups, in the place of what is damaged here.

use super::desk::{Desk, Turn, engine};
use super::work::blocking;
use crate::keeping::backup::turn::{self, take_turn};
use crate::keeping::targets::{self, Goal, Target};
use crate::kernel::access::{BackupView, Gate};
use crate::kernel::blobs::{BlobName, Verdict};
use crate::kernel::durable::trouble;
use crate::kernel::error::{Kind, Result};
use crate::kernel::layout;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What was tried for damaged files.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BroughtBack {
    /// Files that are whole again, with the number of the backup they came from.
    pub whole: Vec<(BlobName, u64)>,
    /// Files that no backup has whole, at no target that could be read.
    pub lost: Vec<BlobName>,
}

/// Keeps every job on backups out as long as it lives.
pub struct Pause {
    _own: Turn,
    _others: Vec<turn::Turn>,
}

impl Desk {
    /// Brings files of evidence back from the newest backup that has them whole, one target after the other.
    pub async fn bring_back(
        self: &Arc<Self>,
        gate: &Gate<BackupView>,
        names: Vec<BlobName>,
    ) -> Result<BroughtBack> {
        let own = Arc::clone(&self.instance);
        let goals = gate.read(move |tx| {
            // One whose secrets are missing has nothing to give; another may.
            let goal = |target: &Target| {
                Goal::even_if_off(tx, &own, target)
                    .inspect_err(|reason| tracing::warn!(?reason, "a target of backups cannot be opened"))
                    .ok()
            };
            Ok(targets::list(tx)?.iter().filter_map(goal).collect::<Vec<_>>())
        });
        let (goals, instance) = (goals.await?, Arc::clone(&self.instance));
        blocking(move || {
            let mut whole = Vec::new();
            let mut left: BTreeSet<String> = names.iter().map(path).collect();
            for goal in goals {
                if left.is_empty() {
                    break;
                }
                let mut take = |path: &str, receipt: u64, bytes: &[u8]| {
                    let name = path.rsplit('/').next().unwrap_or_default().parse::<BlobName>();
                    let Ok(name) = name else { return Ok(false) };
                    let is_whole = instance.blobs.put_back(&name, bytes)? == Verdict::Whole;
                    if is_whole {
                        whole.push((name, receipt));
                    }
                    Ok(is_whole)
                };
                let fetched =
                    engine(&instance, &goal).and_then(|engine| engine.fetch(left.clone(), &mut take));
                match fetched {
                    Ok(rest) => left = rest,
                    // What is not there or cannot be reached now has nothing to give; another may.
                    Err(reason) => tracing::warn!(?reason, "a target of backups could not be read"),
                }
            }
            for (name, _) in &whole {
                left.remove(&path(name));
            }
            let lost = names.into_iter().filter(|name| left.contains(&path(name))).collect();
            Ok(BroughtBack { whole, lost })
        })
        .await
    }

    /// Keeps every job on backups out as long as the answer lives; none if one is at work now.
    pub fn quiet(&self) -> Result<Option<Pause>> {
        let own = match self.pause() {
            Err(reason) if reason.kind() == Kind::Conflict => return Ok(None),
            paused => paused?,
        };
        let home = layout::receipts(&self.instance.data);
        let mut others = Vec::new();
        if let Ok(folders) = std::fs::read_dir(&home) {
            for folder in folders {
                let folder = folder.map_err(|cause| trouble("list", &home, cause))?.path();
                if !folder.is_dir() {
                    continue;
                }
                match take_turn(&folder)? {
                    Some(turn) => others.push(turn),
                    None => return Ok(None),
                }
            }
        }
        Ok(Some(Pause { _own: own, _others: others }))
    }
}

/// Where a blob lies in a backup.
fn path(name: &BlobName) -> String {
    let name = name.to_string();
    format!("blobs/{}/{name}", &name[..2])
}
