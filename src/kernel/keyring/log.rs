//! The key of the shipped log. It comes from the seed that signs backups, so the recovery kit opens it and
//! nothing new has to be kept.

use super::Keyring;
use crate::kernel::sealing::{self, Key};
use data_encoding::HEXLOWER;

/// Seals and opens pieces of the shipped log.
#[derive(Clone)]
pub struct LogKey(Key);

impl Keyring {
    /// The key of the shipped log.
    pub fn log(&self) -> LogKey {
        LogKey(sealing::derive(self.backup_signing().expose(), "testkeep log v1"))
    }
}

impl LogKey {
    /// The nonce, the sealed bytes and their tag. `about` is bound to them and must be given again.
    pub fn seal(&self, about: &str, plain: &[u8]) -> Vec<u8> {
        sealing::seal(&self.0, about, plain)
    }

    /// What was sealed; `None` if the key is another one or a bit was changed.
    pub fn unseal(&self, about: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        sealing::unseal(&self.0, about, sealed).map(|plain| plain.expose().clone())
    }

    /// A few digits by which the key is known again, and nothing else.
    pub fn sum(&self) -> String {
        HEXLOWER.encode(&sealing::derive(self.0.expose(), "testkeep log key sum").expose()[..8])
    }
}
