//! The kit for talking HTTP, on a server with a few pages of its own.

// Templates name these by their path from the root of the crate they are compiled in.
pub use testkeep::web::{assets, layout};

mod demo;
mod errors;
mod forms;
mod pages;
