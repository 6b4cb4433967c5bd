//! `testkeep health`: asks a running instance whether it is ready, so that a container needs no other program.

use super::output::Output;
use crate::kernel::error::{Error, Result};
use crate::kernel::options::Options;
use clap::Args;
use serde_json::json;
use std::time::Duration;

/// How long the answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// Asks `/readyz` at the address the instance listens on.
#[derive(Args, Debug)]
pub struct Health {}

/// Succeeds if the instance on this machine is ready.
pub async fn run(_: Health, options: &Options, output: Output) -> Result<()> {
    ask(options).await?;
    output.print(&json!({ "ready": true }), |_| "ready".to_owned());
    Ok(())
}

/// Whether an instance with these options answers that it is ready.
///
/// Errors: `Busy` with what it answered.
pub(super) async fn ask(options: &Options) -> Result<()> {
    let address = options.listen.first().ok_or_else(|| Error::invalid("No address to listen at is set."))?;
    let scheme = if options.cleartext_behind_proxy { "http" } else { "https" };
    let url = format!("{scheme}://{address}/readyz");
    // The certificate is our own, and nothing secret is sent: whether it answers is all that is asked.
    let client =
        reqwest::Client::builder().tls_danger_accept_invalid_certs(true).timeout(ANSWER_MAX).no_proxy();
    let answer = client.build().map_err(Error::internal)?.get(&url).send().await;
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => {
            Err(Error::busy(format!("The instance at {address} is not ready: {}.", answer.status())))
        }
        Err(cause) => Err(Error::busy(format!("No instance answers at {address}.")).because(cause)),
    }
}
