//! Fetch: single files out of the backups, the newest first, for repairing just what is broken.
//!
//! What comes was signed with its backup; whether it is what is wanted is for the taker to say: a file that
//! was damaged already when the backup was made lies damaged in it as well.

use super::engine::Engine;
use super::manifest::{Entry, sha256};
use super::verify::{dumped, read_back, snapshot_of};
use super::{caught, reported};
use crate::kernel::error::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Takes a file, given its path, the number of the backup and the bytes; answers whether it was the right one.
pub type Taker<'a> = dyn FnMut(&str, u64, &[u8]) -> Result<bool> + Send + 'a;

impl Engine {
    /// Offers files of the backups to the taker until each was taken or no backup is left; answers the paths
    /// that none had. A path is that in a manifest, such as `blobs/3f/3f…`.
    pub fn fetch(&self, wanted: BTreeSet<String>, take: &mut Taker<'_>) -> Result<BTreeSet<String>> {
        let _turn = self.turn()?;
        let chain = self.chain()?;
        caught(move || {
            let repo = self.open_ours(&Arc::default())?.to_indexed().map_err(reported)?;
            let mut wanted = wanted;
            let mut refused: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for receipt in chain.receipts.iter().rev() {
                if wanted.is_empty() {
                    break;
                }
                // One that is gone from the target or damaged there: an older one may serve.
                let Ok(manifest) = read_back(&repo, receipt) else { continue };
                let snapshot = snapshot_of(&repo, receipt)?;
                let is_new = |entry: &&Entry| {
                    wanted.contains(&entry.path)
                        && !refused.get(&entry.path).is_some_and(|known| known.contains(&entry.sha256))
                };
                let offered: Vec<Entry> = manifest.blobs.iter().filter(is_new).cloned().collect();
                for entry in offered {
                    let Ok(bytes) = dumped(&repo, &snapshot, &entry.path) else { continue };
                    if sha256(&bytes) == entry.sha256 && take(&entry.path, receipt.number, &bytes)? {
                        wanted.remove(&entry.path);
                    } else {
                        refused.entry(entry.path).or_default().insert(entry.sha256);
                    }
                }
            }
            Ok(wanted)
        })
    }
}
