//! Backup targets of every kind, against real servers on loopback.

mod conformance;
mod places;
mod servers;
