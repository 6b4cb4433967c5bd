//! `testkeep serve`: starts the instance and answers until it is asked to stop.

mod again;

use super::{output::say, unlock};
use crate::app::{self, Running};
use crate::keeping::keys::kms::Patience;
use crate::kernel::durable;
use crate::kernel::error::{Error, Result};
use crate::kernel::keyring::{Unlock, make_key_file};
use crate::kernel::limits;
use crate::kernel::options::Options;
use crate::kernel::restart::Ended;
use crate::kernel::time::Clock;
use crate::server::listen::StopOrder;
use crate::server::sandbox::Calls;
use crate::server::{Manager, log, sandbox};
use again::Program;
use clap::Args;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;

/// Starts the instance; makes a new one in an empty data folder.
#[derive(Args, Debug)]
#[command(
    after_help = "It answers until SIGTERM or Ctrl-C, finishes what has begun, and ends with 0. At SIGHUP it \
    begins anew, with the program that lies at its place then.\n\n  \
    testkeep serve --data /var/lib/testkeep --listen 0.0.0.0:8443"
)]
pub struct Serve {
    /// Open the instance with the shares in this file, one on each line; `-` reads them from standard input, where
    /// each is asked for at a terminal.
    #[arg(long, alias = "shares", value_name = "FILE")]
    shares_file: Option<PathBuf>,
}

/// Answers until SIGTERM or SIGINT; begins anew at SIGHUP.
///
/// All work is done by a thread and those that come from it, which cannot leave the sandbox. The first thread only
/// waits, and is the one that can put another program in the place of this one.
pub fn run(command: &Serve, options: &Options) -> Result<()> {
    log::start(&options.log)?;
    // Before anything else: an upgrade may put another file in its place while this one runs.
    let program = Program::at_its_place()?;
    let is_new = !app::is_there(options);
    if options.kms.is_some() {
        Manager.may_take(Patience::Start.longest());
    }
    let unlock = match &command.shares_file {
        Some(file) => Unlock::Shares(unlock::shares_in(file)?),
        None if is_new => app::unlock(options, Patience::Start)?,
        None => unlock::existing_with(options, Patience::Start)?,
    };
    if is_new {
        // Its folder is closed to the server.
        durable::create_folder(&options.data)?;
        make_key_file(&options.data, &unlock)?;
    }
    let calls = sandbox::filter_calls(options);
    let unlock = Arc::new(unlock);
    match serve_in_a_thread(options, &unlock, calls, is_new)? {
        Ended::Stopped => Ok(()),
        Ended::ToRestart => Err(program.begin_anew(&unlock)),
    }
}

/// Serves until it is asked to end, then waits a little for what it leaves behind: a call to a target may not be
/// answered for minutes, and everything that has to be finished is by then.
fn serve_in_a_thread(options: &Options, unlock: &Arc<Unlock>, calls: Calls, is_new: bool) -> Result<Ended> {
    let (tell, told) = mpsc::channel();
    let (own, unlock) = (options.clone(), Arc::clone(unlock));
    let serving = thread::spawn(move || {
        sandbox::enter(&own, calls)?;
        let system = actix_web::rt::System::new();
        let _ = tell.send(system.block_on(answer(own, &unlock, is_new)));
        Ok(())
    });
    let ended = told.recv();
    // The thread lets go of its end with everything else.
    let _ = told.recv_timeout(limits::STOP_LEFTOVERS_WAIT);
    match ended {
        Ok(ended) => ended,
        Err(_) => {
            let refused = serving.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            refused.and_then(|()| Err(Error::internal("the server ended without a word")))
        }
    }
}

async fn answer(options: Options, unlock: &Unlock, is_new: bool) -> Result<Ended> {
    let order = StopOrder::hear()?;
    let running = app::start(options, unlock, Clock::System).await?;
    greet(&running, is_new.then_some(unlock));
    Ok(running.until(order).await)
}

/// What a person at the terminal needs to go on: on stdout, apart from the log.
fn greet(running: &Running, made_with: Option<&Unlock>) {
    if let Some(Unlock::KeyFile(path)) = made_with {
        say(&format!(
            "This instance is new. Everything in it is encrypted under the key in\n  {}\n\
             Whoever has that file and the data folder can read everything; without it nobody can.\n\
             Keep a copy away from this machine. The set-up shows a recovery kit to write down as well.\n",
            path.display()
        ));
    }
    say(&format!("Testkeep answers at {}", running.url()));
    if let Some(fingerprint) = running.fingerprint() {
        say(&format!("Certificate SHA-256 {fingerprint}"));
    }
    if let Some(code) = &running.setup_code {
        say(&format!(
            "\nNobody has set this instance up yet. Open this link; it works once, for a day:\n  {}/setup?code={}",
            running.url(),
            code.expose()
        ));
    }
    say("\nStop it with Ctrl-C.");
}
