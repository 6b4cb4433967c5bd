//! Backup targets of every kind, against real servers on loopback.

mod conformance;
mod engine;
mod faults;
mod full;
mod places;
pub mod proxy;
mod refusals;
pub mod servers;
