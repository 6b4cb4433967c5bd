//! Account: what everybody sees and changes about themselves. Operations are those of `users`, `login`,
//! `sessions` and `tokens`; here are only the pages.

mod factor;
mod profile;
mod tokens;

use crate::kernel::access::{AccountView, Read};
use crate::kernel::error::Result;
use crate::kernel::limits;
use crate::people::users;
use crate::web::layout::{At, Frame};
use crate::web::routes::Route;
use crate::web::visit::Visit;

/// The routes of one's own account.
pub fn routes() -> Vec<Route> {
    [profile::routes(), factor::routes(), tokens::routes()].into_iter().flatten().collect()
}

/// The frame of a page about oneself.
fn frame(tx: Read<'_, AccountView>, visit: Visit) -> Result<Frame> {
    Ok(Frame::instance(tx, visit, users::seen(tx)?).at(At::Account))
}

/// Minutes for which a confirmation counts, for the words on the page.
const FRESH_MINUTES: i64 = limits::SESSION_FRESH_MS / 60_000;
