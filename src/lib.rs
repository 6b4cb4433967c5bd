//! Testkeep: test management that keeps its data, as one executable.
//!
//! Modules stand in tier order: each may use those above it and none below.
//! `docs/architecture.md` is the map; `tests/it/tidy.rs` holds the import table to it.

pub mod kernel;

pub mod web;

pub mod guard;

pub mod people;

pub mod library;

pub mod running;

pub mod exchange;

pub mod keeping;

pub mod jobs;
pub mod server;

pub mod app;

pub mod cli;
