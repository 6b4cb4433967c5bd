//! Certificates: had from a directory, from an authority of our own, from files, and renewed by themselves.

mod acme;
mod authority;
mod files;
mod killed;
mod refusals;
mod scan;
