//! Tests of `people`.

mod kit;
mod pages;
mod sessions;
mod setup;
mod sign_in;
mod tokens;
mod users;
