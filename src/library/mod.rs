//! Tier 4: what is to be checked. Knows nothing of runs and results.

pub mod text;
pub mod verdicts;

pub mod projects;

pub mod suites;

pub mod cases;

pub mod evidence;
