//! Tier 8: sockets, certificates, the way of a request, and how to ask whether all is well.
//!
//! Knows no feature; the routes of the slices are gathered in `table`.

mod admin;
mod host;
mod kept;
pub mod listen;
pub mod log;
mod notify;
pub mod openapi;
mod pace;
pub mod plain;
pub mod sandbox;
pub mod stack;
pub mod status;
pub mod table;
pub mod tls;

pub use notify::Manager;
