//! Parses the command line, runs it, turns the result into an exit code.

use std::process::ExitCode;
use testkeep::keeping::backup::restore;

fn main() -> ExitCode {
    let verb = std::env::args().nth(1);
    let done = match verb.as_deref() {
        Some(restore::CHILD) => restore::child(std::io::stdin().lock()),
        _ => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::from(error.kind().appearance().exit_code)
        }
    }
}
