//! The log: JSON lines on standard error, or plain ones when a person watches.
//!
//! One line per request, written by `stack`. Secrets cannot get in: their types do not print.

use crate::kernel::error::{Error, Result};
use std::io::{IsTerminal, stderr};
use tracing::error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// Crates that would log heads of requests when asked for everything, or say at every start that they started.
const TALKATIVE: [&str; 9] = [
    "actix_http=info",
    "actix_server=warn",
    "actix_web=info",
    "h2=info",
    "hyper=info",
    "reqwest=info",
    "rustic_core=warn",
    "rustls=info",
    "tokio_cron_scheduler=warn",
];

/// Starts the log with the filter of the options; done once, before anything is logged.
pub fn start(filter: &str) -> Result<()> {
    let understood = EnvFilter::try_new(filter).map_err(|reason| {
        Error::invalid(format!("The option `log` takes a filter, and `{filter}` is none: {reason}."))
            .hint("Such as `info`, or `info,testkeep::jobs=debug`.")
    })?;
    let filter = TALKATIVE
        .iter()
        .fold(understood, |filter, bound| filter.add_directive(bound.parse().expect("these are directives")));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let started = match stderr().is_terminal() {
        true => lines.with_target(false).compact().finish().try_init(),
        false => lines.json().flatten_event(true).with_current_span(false).finish().try_init(),
    };
    started.map_err(Error::internal)?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let words = panic.payload_as_str().unwrap_or("no words");
        error!(place, "a thread panicked: {words}");
    }));
    Ok(())
}
