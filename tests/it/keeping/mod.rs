//! The instance looks after itself.

mod backup;
mod backups;
mod breaks;
mod certificates;
mod drills;
mod integrity;
mod keys;
mod killed;
mod kit;
mod kms;
mod maintenance;
mod moments;
mod operator;
mod overview;
mod places;
pub mod restores;
mod retention;
mod shipping;
mod standby;
mod storages;
mod targets;
mod trail;
mod upgrade;
mod weekly;
mod whole;
