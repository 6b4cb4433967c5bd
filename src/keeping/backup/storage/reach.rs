//! Reach: everything it takes to get at a place: where it is, what opens it, and how patient to be.

use super::access::{Access, Limits};
use super::place::Place;
use super::sftp::{HostKey, learn};
use crate::keeping::backup::target::Target;
use crate::kernel::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A place that can be opened. Serialising writes the secrets out: only over a pipe to a child of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// Where it is.
    pub place: Place,
    /// What opens it.
    pub access: Access,
    /// How fast and how patient.
    pub limits: Limits,
}

impl Reach {
    /// A folder of this machine, by its whole path.
    pub fn folder(folder: &Path) -> Result<Reach> {
        Ok(Reach { place: Place::folder(folder)?, access: Access::Open, limits: Limits::default() })
    }

    /// The key that an SFTP server shows, while nobody has confirmed one. Nothing secret is sent for it.
    pub fn unconfirmed_key(&self) -> Result<Option<HostKey>> {
        match &self.access {
            Access::Ssh(access) if access.host_key.is_empty() => learn(&self.place, self.limits).map(Some),
            _ => Ok(None),
        }
    }

    /// Errors: `Conflict` with the key that an SFTP server shows, while nobody has confirmed it.
    pub fn refuse_unconfirmed(&self) -> Result<()> {
        let Some(key) = self.unconfirmed_key()? else { return Ok(()) };
        Err(Error::conflict(format!("The server shows the key {} ({}).", key.fingerprint, key.line)).hint(
            "Compare it with what the owner of the server says, then confirm it, on the page of the target or \
             with --host-key: nothing secret was sent.",
        ))
    }

    /// The storage there. Touches nothing yet.
    pub fn open(&self) -> Result<Target> {
        self.place.open(&self.access, self.limits)
    }
}
