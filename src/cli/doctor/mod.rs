//! `testkeep doctor`: is the instance well, and what to do where it is not. Changes nothing.

mod inside;
mod outside;
mod targets;

use super::output::{Output, table};
use super::unlock;
use crate::app::House;
use crate::kernel::error::{Error, Result};
use crate::kernel::options::Options;
use crate::kernel::swap;
use crate::kernel::time::Clock;
use clap::Args;
use serde::Serialize;

/// Checks files, keys, certificate, disk, database, audit trail, evidence and backups.
#[derive(Args, Debug)]
#[command(after_help = "It works while the server runs and while it is stopped, and ends with 0 unless \
    something is bad.")]
pub struct Doctor {
    /// Leave out what reads the whole database.
    #[arg(long)]
    quick: bool,
}

/// How a check came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Bad,
}

/// One check.
#[derive(Debug, Serialize)]
struct Check {
    about: &'static str,
    state: State,
    said: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<String>,
}

impl Check {
    fn ok(about: &'static str, said: impl Into<String>) -> Check {
        Check { about, state: State::Ok, said: said.into(), now: None }
    }

    fn warn(about: &'static str, said: impl Into<String>, now: impl Into<String>) -> Check {
        Check { about, state: State::Warn, said: said.into(), now: Some(now.into()) }
    }

    fn bad(about: &'static str, said: impl Into<String>, now: impl Into<String>) -> Check {
        Check { about, state: State::Bad, said: said.into(), now: Some(now.into()) }
    }

    /// A check that could not even be made.
    fn failed(about: &'static str, reason: &Error) -> Check {
        let now = reason.hint_text().map(str::to_owned);
        Check { about, state: State::Bad, said: reason.sentence().to_owned(), now }
    }
}

#[derive(Serialize)]
struct Said {
    name: &'static str,
    value: String,
    source: String,
}

#[derive(Serialize)]
struct Report {
    good: bool,
    checks: Vec<Check>,
    options: Vec<Said>,
}

/// Makes all checks. Errors: `Conflict` if something is bad.
pub async fn run(command: Doctor, options: &Options, output: Output) -> Result<()> {
    let mut checks = outside::checks(options);
    match opened(options) {
        Ok(house) => {
            inside::checks(&house, options, command.quick, &mut checks).await;
            house.close().await;
        }
        // Said already.
        Err(_) if !options.data.exists() => {}
        Err(reason) => checks.push(Check::failed("instance", &reason)),
    }
    let bad = checks.iter().filter(|check| check.state == State::Bad).count();
    let said = options.values.iter().map(|value| Said {
        name: value.row.name,
        value: value.words.clone(),
        source: value.source.to_string(),
    });
    let report = Report { good: bad == 0, checks, options: said.collect() };
    output.print(&report, Report::text);
    match bad {
        0 => Ok(()),
        1 => Err(Error::conflict("One thing is bad.").hint("What to do stands beside it.")),
        count => {
            Err(Error::conflict(format!("{count} things are bad.")).hint("What to do stands beside them."))
        }
    }
}

/// The instance as it is. To bring it up to date or to finish what was cut off is for the server.
fn opened(options: &Options) -> Result<House> {
    if swap::is_ordered(&options.data) {
        return Err(Error::conflict("Another state is about to take the place of this one.")
            .hint("Start the server: that finishes it."));
    }
    House::look(options, &unlock::existing(options)?, Clock::System)
}

impl Report {
    fn text(&self) -> String {
        let mut lines = Vec::new();
        for check in &self.checks {
            let word = match check.state {
                State::Ok => "ok  ",
                State::Warn => "warn",
                State::Bad => "BAD ",
            };
            lines.push(format!("{word}  {:<12}  {}", check.about, check.said));
            lines.extend(check.now.iter().map(|now| format!("{:20}{now}", "")));
        }
        let rows = self
            .options
            .iter()
            .map(|said| vec![said.name.to_owned(), said.value.clone(), said.source.clone()]);
        format!(
            "{}\n\n{}",
            lines.join("\n"),
            table(&["option", "value", "set by"], &rows.collect::<Vec<_>>())
        )
    }
}
