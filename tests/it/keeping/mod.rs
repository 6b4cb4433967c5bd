//! The instance looks after itself.

mod backup;
mod backups;
mod overview;
mod trail;
mod upgrade;
