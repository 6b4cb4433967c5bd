//! The real program on temporary folders: what people and scripts at a terminal rely on.

mod accounts;
mod admin;
mod codes;
mod papers;
mod sandbox;
mod secrecy;
mod stop;
pub mod story;
mod upgrade;
