//! Tier 7: the instance looks after itself.

pub mod backup;
pub mod backups;
pub mod keys;
pub mod recovery;
