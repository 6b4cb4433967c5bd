//! Mark: whose repository lies at a target.

use super::Say;
use super::receipt::Identity;
use super::target::Target;
use crate::kernel::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Its file, beside the repository, so that nobody takes it for that of another instance.
pub(super) const NAME: &str = "testkeep.json";

/// Whose repository it is. In the clear: an id and a public key.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub version: u32,
    pub instance: String,
    pub public_key: String,
}

impl Mark {
    pub(super) fn of(identity: &Identity) -> Mark {
        let public_key = data_encoding::HEXLOWER.encode(identity.signing.verifying_key().as_bytes());
        Mark { version: 1, instance: identity.instance.clone(), public_key }
    }

    pub(super) fn read(target: &Target) -> Result<Option<Mark>> {
        if target.storage().stat(NAME)?.is_none() {
            return Ok(None);
        }
        let mark = serde_json::from_slice(&target.storage().get(NAME)?);
        mark.map(Some).say(|| Error::invalid(format!("`{NAME}` in the backup target cannot be read.")))
    }

    pub(super) fn write(&self, target: &Target) -> Result<()> {
        let mark = serde_json::to_vec_pretty(self).map_err(Error::internal)?;
        target.storage().put(NAME, &[mark.into()])
    }
}
