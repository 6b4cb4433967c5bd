//! Tests of `kernel`.

mod audit;
mod door;
mod durability;
mod house;
mod keyring;
mod open;
mod refused;
mod writer;
