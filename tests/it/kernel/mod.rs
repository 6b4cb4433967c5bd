//! Tests of `kernel`.

mod keyring;
