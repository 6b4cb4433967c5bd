//! Protection: what keeps backups from whoever can make them, as far as a target tells. Words for people.

use super::Storage;
use crate::kernel::error::{Kind, Result};

/// What a target says of itself. The default knows nothing, which is what most kinds say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Protection {
    /// Objects are locked for a time when they are stored.
    pub lock: Option<Lock>,
    /// Whether the store keeps what is overwritten or deleted as an older version.
    pub keeps_versions: Option<bool>,
    /// Whether this credential may delete; known only after [`probe`].
    pub may_delete: Option<bool>,
}

/// A lock that the store puts on each new object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// `COMPLIANCE`: nobody lifts it. `GOVERNANCE`: whoever has a special permission does.
    pub mode: String,
    /// Days; 0 if the lock has no default time.
    pub days: u32,
}

/// Left behind at most once, by a target that refuses to delete.
const PROBE: &str = "testkeep-probe";

impl Protection {
    /// What to show, honest in both directions.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        match &self.lock {
            Some(lock) if lock.days > 0 => {
                let who =
                    if lock.mode == "COMPLIANCE" { "nobody" } else { "only whoever may bypass governance" };
                let days = lock.days;
                words.push(format!(
                    "The store locks each object for {days} days; {who} can delete it earlier."
                ));
            }
            Some(_) => words.push(
                "The store can lock objects, but locks none by itself: it has no default retention.".into(),
            ),
            None => {}
        }
        match self.keeps_versions {
            Some(true) => words.push(
                "The store keeps older versions of what is deleted or overwritten, until its own rules or \
                 whoever may delete versions removes them."
                    .into(),
            ),
            Some(false) => words.push("The store keeps no older versions: what is deleted is gone.".into()),
            None => {}
        }
        words.push(match self.may_delete {
            Some(true) => {
                "These credentials may delete: whoever gets hold of them can destroy the backups here.".into()
            }
            Some(false) => {
                "These credentials may not delete: backups stay even if this machine is taken over. Old ones \
                 have to be pruned from elsewhere."
                    .into()
            }
            None => "Whether these credentials may delete was not tried.".to_owned(),
        });
        words.push(
            "Whoever holds these credentials and the repository password can read the backups; the password \
             lies in the key ring of this instance and in the recovery kit."
                .into(),
        );
        words
    }
}

/// The same, and whether the credential may delete: stores a tiny object and tries to remove it.
pub fn probe(storage: &dyn Storage) -> Result<Protection> {
    let told = storage.protection()?;
    storage.put(PROBE, &["May this be deleted?".into()])?;
    let may_delete = match storage.delete(PROBE) {
        Ok(()) => true,
        Err(refused) if refused.kind() == Kind::Forbidden => false,
        Err(other) => return Err(other),
    };
    Ok(Protection { may_delete: Some(may_delete), ..told })
}
