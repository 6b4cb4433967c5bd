//! Backup and restore through the doors a user takes, on real files.

pub mod bench;
mod broken;
mod good;
mod pin;
mod receipts;
mod restic;
