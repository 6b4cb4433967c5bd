//! Tests of `people`.

mod kit;
mod sessions;
mod setup;
mod sign_in;
mod tokens;
mod users;
