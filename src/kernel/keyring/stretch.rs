//! Stretching: makes guessing a passphrase expensive.

use super::file::{self, PassphraseCost};
use crate::kernel::error::Result;
use crate::kernel::limits;
use crate::kernel::random;
use crate::kernel::sealing::Key;
use crate::kernel::secret::Secret;
use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::HEXLOWER;

/// The key that a passphrase makes at this cost.
pub(super) fn stretch(passphrase: &Secret<String>, cost: &PassphraseCost) -> Result<Key> {
    let (memory, passes, lanes) = (cost.memory_kib, cost.passes, cost.lanes);
    let bounds = limits::UNLOCK_MEMORY_KIB_MAX;
    // A file that asks for all memory of the machine was not written by us.
    if memory > bounds || passes > limits::UNLOCK_PASSES_MAX || lanes > limits::UNLOCK_LANES_MAX {
        return Err(file::damaged("the cost of its passphrase is out of bounds"));
    }
    let params = Params::new(memory, passes, lanes, Some(32));
    let params = params.map_err(|_| file::damaged("the cost of its passphrase is out of bounds"))?;
    let salt = file::hex(&cost.salt)?;
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose().as_bytes(), &salt, &mut key)
        .map_err(|_| file::damaged("the salt of its passphrase"))?;
    Ok(Secret::new(key))
}

impl PassphraseCost {
    /// The cost of a passphrase that is set now.
    pub(super) fn fresh() -> PassphraseCost {
        PassphraseCost {
            memory_kib: limits::UNLOCK_MEMORY_KIB,
            passes: limits::UNLOCK_PASSES,
            lanes: limits::UNLOCK_LANES,
            salt: HEXLOWER.encode(&random::bytes::<16>()),
        }
    }
}
