//! `testkeep upgrade`: another version takes over. Signature, trial on a copy, backup, exchange, proof, and the
//! way back by itself where a step fails.

mod record;
mod steps;
mod trial;

pub use trial::{TRIAL, Trial, trial};

use super::output::{Output, say};
use super::unlock;
use crate::app::House;
use crate::keeping::upgrade::{Outcome, Place};
use crate::kernel::build;
use crate::kernel::caller;
use crate::kernel::error::{Error, Result};
use crate::kernel::hold;
use crate::kernel::keyring::Unlock;
use crate::kernel::options::Options;
use crate::kernel::time::Clock;
use crate::kernel::upgrade;
use clap::Args;
use record::Record;
use serde::Serialize;
use std::path::{Path, PathBuf};
use steps::Candidate;

/// Lets another version of the program take over.
#[derive(Args, Debug)]
#[command(
    after_help = "The file is the new program; its signature lies beside it with `.minisig` at its end. A server \
    that runs begins anew by itself, in the same process. Where a step fails, the program and the data are as \
    before.\n\n  testkeep upgrade /media/usb/testkeep-0.2.0\n  testkeep upgrade --roll-back --yes"
)]
pub struct Upgrade {
    /// The new program.
    #[arg(value_name = "FILE", required_unless_present_any = ["roll_back", "list"])]
    file: Option<PathBuf>,
    /// Its signature; FILE.minisig without it.
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// The program to exchange; this one without it.
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// Check the signature and try the new program on a copy of the data; exchange nothing.
    #[arg(long, conflicts_with = "roll_back")]
    check: bool,
    /// Go back to the program and the schema from before the last upgrade. The server must be stopped.
    #[arg(long, conflicts_with = "file")]
    roll_back: bool,
    /// List the upgrades that the instance has had, the newest first.
    #[arg(long, conflicts_with_all = ["file", "check", "roll_back"])]
    list: bool,
    /// Go back although everything that was stored since the upgrade is left behind.
    #[arg(long, requires = "roll_back")]
    yes: bool,
    /// Open the instance with the shares in this file, one on each line; `-` reads them from standard input, where
    /// each is asked for at a terminal.
    #[arg(long, alias = "shares", value_name = "FILE")]
    shares_file: Option<PathBuf>,
}

/// What opens the instance, found once: whoever typed it does so once, and a descriptor is read once.
struct Opener<'a> {
    options: &'a Options,
    unlock: Unlock,
}

impl<'a> Opener<'a> {
    fn of(options: &'a Options, shares: Option<&Path>) -> Result<Opener<'a>> {
        let unlock = match shares {
            Some(file) => Unlock::Shares(unlock::shares_in(file)?),
            None => unlock::existing(options)?,
        };
        Ok(Opener { options, unlock })
    }

    fn house(&self) -> Result<House> {
        House::open(self.options, &self.unlock, Clock::System)
    }
}

#[derive(Serialize)]
struct Report {
    from: String,
    to: String,
    schema: i64,
    steps: Vec<String>,
    exchanged: bool,
    previous: Option<PathBuf>,
}

/// What is told of each step: at once to a person, at the end to a program.
struct Told {
    output: Output,
    lines: Vec<String>,
}

impl Told {
    fn of(output: Output) -> Told {
        Told { output, lines: Vec::new() }
    }

    fn step(&mut self, line: impl Into<String>) {
        let line = line.into();
        if self.output == Output::Text {
            say(&format!("ok  {line}"));
        }
        self.lines.push(line);
    }
}

/// Exchanges the program, or goes back.
pub async fn run(command: Upgrade, options: &Options, output: Output) -> Result<()> {
    let opener = &Opener::of(options, command.shares_file.as_deref())?;
    caller::act_as_owner_of(&options.data)?;
    if command.list {
        return record::list(opener, output).await;
    }
    let own = std::env::current_exe().map_err(Error::internal)?;
    let place = Place::of(command.program.as_deref().unwrap_or(&own))?;
    let Some(file) = &command.file else {
        return roll_back(&place, opener, command.yes, output).await;
    };
    let signature = command.signature.clone().unwrap_or_else(|| {
        let mut name = file.as_os_str().to_owned();
        name.push(".minisig");
        name.into()
    });
    // What does not open cannot be tried, and nothing has been touched yet.
    opener.house()?.close().await;
    let mut told = Told::of(output);
    place.stage(file)?;
    let outcome = exchange(&place, &signature, opener, command.check, &mut told).await;
    place.discard()?;
    let candidate = outcome?;
    let report = Report {
        from: build::VERSION.to_owned(),
        to: candidate.version,
        schema: candidate.schema,
        steps: told.lines,
        exchanged: !command.check,
        previous: (!command.check).then(|| place.previous()),
    };
    output.print(&report, Report::text);
    Ok(())
}

async fn exchange(
    place: &Place,
    signature: &Path,
    opener: &Opener<'_>,
    is_check: bool,
    told: &mut Told,
) -> Result<Candidate> {
    let options = opener.options;
    let examined = steps::examine(place, signature, options, told);
    if let (Err(reason), false) = (&examined, is_check) {
        Record::of_refused(opener, reason).await;
    }
    let candidate = examined?;
    let server = hold::holder(&options.data);
    if is_check {
        steps::try_on_a_copy(place, &candidate, opener, told).await?;
        return Ok(candidate);
    }
    let record = Record::begin(opener, Some(candidate.version.clone()), candidate.schema).await?;
    let ready = async {
        steps::try_on_a_copy(place, &candidate, opener, told).await?;
        steps::back_up(opener, told).await?;
        place.exchange()
    };
    if let Err(reason) = ready.await {
        record.end(opener, Outcome::Failed, &reason).await;
        return Err(reason);
    }
    let before = upgrade::SCHEMA;
    told.step(format!("{} is version {} now.", place.program.display(), candidate.version));
    match steps::take_over(place, &candidate.version, server, opener, told).await {
        // The new program has noted it, at its start.
        Ok(()) => Ok(candidate),
        Err(reason) => {
            steps::undo(place, before, server, opener).await?;
            record.end(opener, Outcome::RolledBack, &reason).await;
            Err(Error::conflict(format!(
                "Version {} did not work out: {}",
                candidate.version,
                reason.sentence()
            ))
            .hint(match server {
                None => "The program and the data are as before.",
                Some(_) => {
                    "The program and the data are as before. If the server does not answer, start it again."
                }
            })
            .because(reason))
        }
    }
}

async fn roll_back(place: &Place, opener: &Opener<'_>, is_sure: bool, output: Output) -> Result<()> {
    let options = opener.options;
    let before = steps::ask_version(&place.previous())?;
    if before.schema < upgrade::SCHEMA && !is_sure {
        return Err(Error::conflict(format!(
            "Version {} needs the copy of the database that was taken before the upgrade.",
            before.version
        ))
        .hint("What was stored since then would be left behind, in a folder before-upgrade-… of the data folder. Say --yes if that is what you want."));
    }
    if before.schema >= upgrade::SCHEMA {
        record::went_back(opener).await;
    }
    let held = hold::hold(&options.data)?;
    if before.schema < upgrade::SCHEMA {
        upgrade::put_back(&options.data, before.schema)?;
    }
    place.put_back()?;
    drop(held);
    let report = Report {
        from: build::VERSION.to_owned(),
        to: before.version,
        schema: before.schema,
        steps: vec!["The program and the database from before the upgrade are back.".to_owned()],
        exchanged: true,
        previous: None,
    };
    output.print(&report, Report::text);
    Ok(())
}

impl Report {
    fn text(&self) -> String {
        match (self.exchanged, &self.previous) {
            (false, _) => {
                format!("Version {} would take over from {}; nothing was exchanged.", self.to, self.from)
            }
            (true, None) => format!("Went back from {} to {}.", self.from, self.to),
            (true, Some(previous)) => format!(
                "Version {} took over from {}. The old program is {}; `testkeep upgrade --roll-back` goes back to it.",
                self.to,
                self.from,
                previous.display()
            ),
        }
    }
}
