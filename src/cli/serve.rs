//! `testkeep serve`: starts the instance and answers until it is asked to stop.

use super::unlock;
use crate::app::{self, Running};
use crate::kernel::error::Result;
use crate::kernel::keyring::Unlock;
use crate::kernel::options::Options;
use crate::kernel::time::Clock;
use crate::server::log;
use clap::Args;

/// Starts the instance; makes a new one in an empty data folder.
#[derive(Args, Debug)]
pub struct Serve {}

/// Answers until SIGTERM or SIGINT.
pub async fn run(_: Serve, options: Options) -> Result<()> {
    log::start(&options.log)?;
    let is_new = !app::is_there(&options);
    let unlock = if is_new { app::unlock(&options)? } else { unlock::existing(&options)? };
    let running = app::start(options, &unlock, Clock::System).await?;
    greet(&running, is_new.then_some(&unlock));
    running.until_asked_to_stop().await
}

/// What a person at the terminal needs to go on: on stdout, apart from the log.
fn greet(running: &Running, made_with: Option<&Unlock>) {
    if let Some(Unlock::KeyFile(path)) = made_with {
        println!("This instance is new. Everything in it is encrypted under the key in");
        println!("  {}", path.display());
        println!("Whoever has that file and the data folder can read everything; without it nobody can.");
        println!(
            "Keep a copy away from this machine. The set-up shows a recovery kit to write down as well."
        );
        println!();
    }
    println!("Testkeep answers at {}", running.url());
    if let Some(fingerprint) = running.fingerprint() {
        println!("Certificate SHA-256 {fingerprint}");
    }
    if let Some(code) = &running.setup_code {
        println!();
        println!("Nobody has set this instance up yet. Open this link; it works once, for a day:");
        println!("  {}/setup?code={}", running.url(), code.expose());
    }
}
