//! People: who is who. Accounts, how one signs in, and which roles one holds where.
//!
//! `kernel/access` decides what a role allows and reads the tables; all writes to them are here.
//! Blank lines keep the modules in the order in which they build on each other.

pub mod links;
pub mod sessions;

pub mod roles;

pub mod login;

pub mod users;

pub mod members;
pub mod tokens;

pub mod setup;

pub use users::seen;

use crate::kernel::audit::Event;

/// Every kind of entry that people cause.
pub const EVENTS: [&[Event]; 7] = [
    sessions::EVENTS,
    roles::EVENTS,
    login::EVENTS,
    users::EVENTS,
    members::EVENTS,
    tokens::EVENTS,
    setup::EVENTS,
];
