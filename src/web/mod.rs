//! Tier 1: kit for talking HTTP. No feature, no listener.

pub mod address;
pub mod cookies;
pub mod entrance;
pub mod routes;

pub mod compress;

pub mod assets;
pub mod figures;
pub mod tally;

pub mod csrf;
pub mod filters;
pub mod forms;
pub mod layout;
pub mod upload;
pub mod visit;

pub mod dialect;
pub mod headers;
pub mod respond;
