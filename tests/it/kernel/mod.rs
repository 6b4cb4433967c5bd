//! Tests of `kernel`.

mod audit;
mod blobs;
mod door;
mod durability;
mod formats;
pub mod house;
mod keyring;
mod log;
mod open;
mod refused;
mod writer;
