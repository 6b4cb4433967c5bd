//! People: who is who. Accounts, how one signs in, and which roles one holds where.
//!
//! `kernel/access` decides what a role allows and reads the tables; all writes to them are here.
//! Blank lines keep the modules in the order in which they build on each other.

pub mod days;
pub mod links;
pub mod sessions;

pub mod roles;

pub mod login;

pub mod users;

pub mod tokens;

pub mod members;

pub mod account;
pub mod setup;

pub use users::seen;

/// The name of an instance that has none of its own yet; pages leave it out.
pub const UNNAMED: &str = "Testkeep";

use crate::kernel::audit::Event;
use crate::web::routes::Route;

/// Every kind of entry that people cause.
pub fn events() -> Vec<&'static Event> {
    let slices = [
        sessions::EVENTS,
        roles::EVENTS,
        login::EVENTS,
        users::EVENTS,
        tokens::EVENTS,
        members::EVENTS,
        setup::EVENTS,
    ];
    slices.into_iter().flatten().collect()
}

/// Every route of this area.
pub fn routes() -> Vec<Route> {
    let slices = [
        login::routes(),
        setup::routes(),
        account::routes(),
        users::routes(),
        members::routes(),
        tokens::routes(),
    ];
    slices.into_iter().flatten().collect()
}
