//! Trouble: failures of networks and servers in words for whoever runs the instance.

use super::line::Line;
use super::retry::Failed;
use crate::kernel::error::Error;
use reqwest::StatusCode;
use std::error::Error as StdError;
use std::io::{self, ErrorKind};

/// What stopped a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The name of the server has no address.
    Name,
    /// Nobody listens there.
    Refused,
    /// There is no way to the server.
    NoRoute,
    /// It took too long to come about.
    Slow,
    /// The certificate or the handshake.
    Tls,
    /// It came about and was lost.
    Cut,
}

/// Finds the cause in what the HTTP client says.
pub fn of_request(line: &Line, failed: reqwest::Error) -> Failed {
    // The address of a signed request is as good as a key for some minutes.
    let failed = failed.without_url();
    let cause = if failed.is_dns() {
        Cause::Name
    } else if let Some(found) = beneath(&failed) {
        found
    } else if failed.is_timeout() {
        Cause::Slow
    } else {
        Cause::Cut
    };
    of_cause(line, cause, whole_story(&failed))
}

/// Everything that lies beneath a failure, for the log: the top alone says nothing.
fn whole_story(failed: &(dyn StdError + 'static)) -> String {
    let (mut story, mut source) = (failed.to_string(), failed.source());
    while let Some(found) = source {
        story = format!("{story}: {found}");
        source = found.source();
    }
    story
}

/// The sentence for a cause. Names that are not found and certificates do not mend themselves in seconds.
pub fn of_cause(line: &Line, cause: Cause, beneath: impl Into<Box<dyn StdError + Send + Sync>>) -> Failed {
    let end = line.end();
    let seconds = line.limits.connect_wait.as_secs_f32();
    let (sentence, hint) = match cause {
        Cause::Name => (
            format!("The name of the {end} was not found."),
            "Look at the spelling of its host, and whether this machine can resolve names.",
        ),
        Cause::Refused => (
            format!("The {end} refused the connection."),
            "See that its server runs, and look at the port in the address.",
        ),
        Cause::NoRoute => (format!("There is no way to the {end}."), line.party.way),
        Cause::Slow => (format!("The {end} did not answer within {seconds} seconds."), line.party.way),
        Cause::Tls => {
            (format!("The certificate of the {end} is not trusted, or it speaks no TLS."), line.party.trust)
        }
        Cause::Cut => (format!("The connection to the {end} was cut."), line.party.way),
    };
    let error = Error::busy(sentence).hint(hint).because(beneath);
    let is_passing = match cause {
        Cause::Tls => false,
        Cause::Name => line.party.waits_for_names,
        _ => true,
    };
    Failed { error, is_passing }
}

/// What an operating system or a TLS library said, somewhere beneath.
fn beneath(failed: &(dyn StdError + 'static)) -> Option<Cause> {
    let mut source = failed.source();
    while let Some(found) = source {
        if is_tls(found) {
            return Some(Cause::Tls);
        }
        if let Some(cause) = found.downcast_ref::<io::Error>().and_then(|io| of_io(io.kind())) {
            return Some(cause);
        }
        source = found.source();
    }
    None
}

/// Whether it comes from TLS, in however many wrappings: `source` of one passes over what it wraps.
fn is_tls(found: &(dyn StdError + 'static)) -> bool {
    let wrapped = found.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    found.is::<rustls::Error>() || wrapped.is_some_and(|inner| is_tls(inner))
}

/// The cause behind a failure of the operating system, if it is about the network.
pub fn of_io(kind: ErrorKind) -> Option<Cause> {
    Some(match kind {
        ErrorKind::ConnectionRefused => Cause::Refused,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => Cause::NoRoute,
        ErrorKind::TimedOut => Cause::Slow,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected
        | ErrorKind::UnexpectedEof => Cause::Cut,
        _ => return None,
    })
}

/// An answer that is no success. `said` is what the server wrote, for the log.
pub fn of_status(line: &Line, verb: &str, name: &str, status: StatusCode, said: &str) -> Failed {
    let place = &line.place;
    let said: String = said.chars().filter(|c| !c.is_control()).take(500).collect();
    let because = format!("it answered {status}: {said}");
    let number = status.as_u16();
    let error = match number {
        401 => Error::unauthenticated(format!("The backup target {place} does not accept the credentials."))
            .hint("Type them in again; keys and passwords expire or are replaced."),
        403 | 405 | 423 => Error::forbidden(format!(
            "The backup target {place} does not let these credentials {verb} `{name}`."
        ))
        .hint("Look at their rights there, and whether the object is locked."),
        404 | 409 | 410 => Error::not_found(format!(
            "The backup target {place} cannot {verb} `{name}`: its folder or bucket is not there."
        ))
        .hint("Look at the path in the address; the folder or bucket itself has to exist."),
        413 | 507 => no_space(place, verb, name),
        300..=399 => Error::conflict(format!("The backup target {place} sends us elsewhere."))
            .hint("Write the final address of the server; redirects are not followed with credentials."),
        _ => {
            Error::busy(format!("The backup target {place} could not {verb} `{name}` and answered {number}."))
                .hint("Look at the log of its server.")
        }
    };
    let is_passing = matches!(number, 408 | 425 | 429 | 500 | 502 | 503 | 504);
    Failed { error: error.because(because), is_passing }
}

/// A full disk or a used-up quota on the other side.
pub fn no_space(place: &str, verb: &str, name: &str) -> Error {
    Error::busy(format!("There is no space left at the backup target {place} to {verb} `{name}`.")).hint(
        "Free some space there or raise the quota; then start the backup again. Nothing half written stays.",
    )
}
