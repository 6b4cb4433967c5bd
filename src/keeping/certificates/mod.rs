//! Certificates: which one is served, where it comes from, and how it is renewed without anybody thinking of it.
//!
//! Four sources: files that somebody else puts there, a directory (ACME), the authority of the instance, and one
//! that the instance signs itself. Sockets are not here; `server` takes from here what a handshake needs.

mod acme;
mod api;
pub mod authority;
mod challenges;
mod clients;
mod keeper;
pub mod names;
mod pages;
mod pair;
mod sql;
mod standing;
mod state;
mod tls;
mod wire;
mod x509;

pub use api::Api;
pub use challenges::{ACME_TLS, Challenges};
pub use clients::Clients;
pub use keeper::Keeper;
pub use pages::Kept;
pub use pair::Pair;
pub use standing::{Standing, answer, ask, source};
pub use tls::{Served, Tls, on_disk};

use crate::kernel::access::{InstanceKeep, Write};
use crate::kernel::audit::Event;
use crate::kernel::error::Result;
use crate::kernel::instance::{Instance, Resealed};
use crate::web::routes::Route;

const ISSUED: Event =
    Event::new("certificate.issued", "A certificate was issued to the instance and is served.");
const FAILED: Event =
    Event::new("certificate.failed", "A certificate could not be renewed; the old one stays.");
const ASKED: Event = Event::new("certificate.asked", "Somebody asked for another certificate now.");
const CHECKED: Event =
    Event::new("certificate.checked", "Somebody had the files of the certificate read now.");
const ACCOUNT_MADE: Event = Event::new(
    "certificate.account_made",
    "An account was opened at the directory that issues certificates.",
);
const ACCOUNT_GONE: Event =
    Event::new("certificate.account_gone", "The directory knew its account no more, so it was forgotten.");
const AUTHORITY_MADE: Event = Event::new("authority.made", "The instance made an authority of its own.");
const AUTHORITY_REPLACED: Event =
    Event::new("authority.replaced", "Another authority took the place of the one before.");
const CLIENT_ISSUED: Event = Event::new("client_certificate.issued", "A client certificate was issued.");
const CLIENT_REVOKED: Event =
    Event::new("client_certificate.revoked", "A client certificate was taken out of service.");

/// Events of this slice.
pub const EVENTS: &[Event] = &[
    ISSUED,
    FAILED,
    ASKED,
    CHECKED,
    ACCOUNT_MADE,
    ACCOUNT_GONE,
    AUTHORITY_MADE,
    AUTHORITY_REPLACED,
    CLIENT_ISSUED,
    CLIENT_REVOKED,
];

/// Routes of the page and of the API.
pub fn routes() -> Vec<Route> {
    pages::routes().into_iter().chain(api::routes()).collect()
}

/// Seals keys and accounts under the key of the vault that is in use. The caller writes the entry.
pub fn reseal(tx: Write<'_, InstanceKeep>, instance: &Instance, tally: &mut Resealed) -> Result<()> {
    for kept in sql::all_sealed(tx)? {
        let about = match kept.kind.as_str() {
            "certificate" => keeper::KEY_ABOUT,
            "account" => keeper::ACCOUNT_ABOUT,
            _ => authority::ABOUT,
        };
        if let Some(sealed) = instance.reseal(about, &kept.sealed, tally)? {
            sql::reseal(tx, &kept, &sealed)?;
        }
    }
    Ok(())
}

/// Where a certificate comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// Files that somebody else puts there.
    Files,
    /// A directory that speaks ACME.
    Acme,
    /// The authority of the instance.
    Authority,
    /// Signed by itself.
    Own,
}

impl Source {
    /// The first of these that there is; the last is always there.
    fn of(has_files: bool, has_directory: bool, has_authority: bool) -> Source {
        match (has_files, has_directory, has_authority) {
            (true, ..) => Source::Files,
            (_, true, _) => Source::Acme,
            (.., true) => Source::Authority,
            _ => Source::Own,
        }
    }

    /// The word in the table, in the log and in the API.
    pub fn word(self) -> &'static str {
        match self {
            Source::Files => "files",
            Source::Acme => "acme",
            Source::Authority => "authority",
            Source::Own => "own",
        }
    }

    /// The words on the page.
    pub fn title(self) -> &'static str {
        match self {
            Source::Files => "From files",
            Source::Acme => "From a directory (ACME)",
            Source::Authority => "Own authority",
            Source::Own => "Signed by itself",
        }
    }
}
