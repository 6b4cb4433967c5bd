//! Tests of `kernel`.

mod audit;
mod door;
mod durability;
pub mod house;
mod keyring;
mod open;
mod refused;
mod writer;
