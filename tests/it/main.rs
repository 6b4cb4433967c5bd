//! One integration binary; the modules mirror `src`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops, and says where")]

mod cli;
mod derived;
mod door;
mod durability;
mod exchange;
mod jobs;
mod keeping;
mod kernel;
mod library;
mod people;
mod running;
mod server;
mod support;
mod tidy;
mod web;
