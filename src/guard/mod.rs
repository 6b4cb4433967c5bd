//! Tier 2: who may knock at all, before any login.

pub mod client;
pub mod throttle;
