//! One integration binary; the modules mirror `src`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops, and says where")]

mod derived;
mod exchange;
mod keeping;
mod kernel;
mod people;
mod server;
mod support;
mod library;
mod running;
mod tidy;
mod web;
