//! Tier 5: what was checked.

pub mod runs;

pub mod results;
