//! Tier 1: kit for talking HTTP. No feature, no listener.

pub mod cookies;
pub mod entrance;
pub mod respond;
pub mod routes;
