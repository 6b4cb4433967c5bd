//! Parses the command line, runs it, turns the result into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    testkeep::cli::main()
}
