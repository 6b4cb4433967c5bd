//! Upgrade: what a newer program needs to know of the database before it lets go of the older one.

pub use super::db::aside::{copies, forget_before, put_back};
pub use super::db::migrate::{NEWEST as SCHEMA, is_newer};
