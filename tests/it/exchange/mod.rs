//! What comes in from other tools, and goes out to them.

mod demo;
mod junit;
mod uploads;
