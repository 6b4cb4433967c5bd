//! `testkeep key rotate`: orders the exchange of keys, and does it where no server runs.

use crate::app::{self, House};
use crate::cli::output::Output;
use crate::cli::progress;
use crate::keeping::backups::Desk;
use crate::keeping::keys::{self, Change, Keeper, Kind};
use crate::kernel::access::InstanceKeep;
use crate::kernel::caller;
use crate::kernel::error::{Error, Result};
use crate::kernel::hold::{self, Held};
use crate::kernel::keyring::Unlock;
use crate::kernel::limits;
use crate::kernel::options::Options;
use crate::kernel::time::Clock;
use clap::Args;
use serde::Serialize;
use std::sync::Arc;
use tokio::time::sleep;

/// Which keys to exchange.
#[derive(Args, Debug)]
#[command(
    after_help = "A server that runs does the work and goes on answering; else this command does it.\n\
    What was cut off goes on when this command or the server is started again.\n\n  \
    testkeep key rotate\n  \
    testkeep key rotate --only database --only master"
)]
pub struct Rotate {
    /// Only this key: master, database, tokens, chain, vault, signing or blobs. May be said several times.
    #[arg(long, value_name = "KEY", value_parser = kind)]
    only: Vec<Kind>,
}

#[derive(Serialize)]
struct Rotated {
    keys: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    key: &'static str,
    state: String,
    generation: Option<u32>,
    message: Option<String>,
}

fn kind(word: &str) -> Result<Kind, String> {
    let words: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
    Kind::of_word(word).ok_or_else(|| format!("the keys are {}", words.join(", ")))
}

/// Orders, and waits until all is done.
pub async fn run(rotate: Rotate, options: &Options, unlock: &Unlock, output: Output) -> Result<()> {
    let kinds = if rotate.only.is_empty() { Kind::ALL.to_vec() } else { rotate.only };
    let (held, house) = opened(options, unlock)?;
    let ordered = kinds.clone();
    let gate = house.shell.operator().gate::<InstanceKeep>(());
    let outcome = gate.write(move |tx| keys::order(tx, &ordered)).await;
    let outcome = match (outcome, &held) {
        (Ok(()), Some(_)) => Keeper::new(Arc::new(Desk::new(Arc::clone(&house.instance)))).finish().await,
        (outcome, _) => outcome,
    };
    house.close().await;
    outcome?;
    let changes = settled(&kinds, options, unlock, output).await?;
    drop(held);
    let failed = changes.iter().find(|change| change.state == "failed").cloned();
    let lines = changes.into_iter().filter_map(|change| {
        let key = change.kind?.word();
        Some(Line { key, state: change.state, generation: change.generation, message: change.message })
    });
    output.print(&Rotated { keys: lines.collect() }, Rotated::text);
    match failed {
        None => Ok(()),
        Some(change) => {
            Err(Error::conflict(change.message.unwrap_or_else(|| "A key was not exchanged.".into()))
                .hint("The others were. Look at the page of keys, then order it once more."))
        }
    }
}

/// Opens the instance, with the right to do a server's work where none runs.
pub(super) fn opened(options: &Options, unlock: &Unlock) -> Result<(Option<Held>, House)> {
    caller::act_as_owner_of(&options.data)?;
    // Asked before the instance opens: a server that starts in between does the work instead.
    let held = match hold::holder(&options.data) {
        Some(_) => None,
        None if app::is_there(options) => hold::hold(&options.data).ok(),
        None => None,
    };
    let house = match &held {
        Some(held) => House::serve(options, unlock, Clock::System, held)?,
        None => House::open(options, unlock, Clock::System)?,
    };
    Ok((held, house))
}

/// The newest exchange of each kind, once none of them is under way. The instance is opened for each look:
/// the server may move the database to another key at any moment.
async fn settled(kinds: &[Kind], options: &Options, unlock: &Unlock, output: Output) -> Result<Vec<Change>> {
    let bar = progress::things(0, output);
    loop {
        let house = House::open(options, unlock, Clock::System)?;
        let gate = house.shell.operator().gate::<InstanceKeep>(());
        let all = gate.read(|tx| keys::changes(tx)).await;
        house.close().await;
        let newest =
            |kind: &Kind| all.as_ref().ok()?.iter().find(|change| change.kind == Some(*kind)).cloned();
        let found: Vec<Change> = kinds.iter().filter_map(newest).collect();
        if all.is_ok() && found.iter().all(|change| !change.is_open()) {
            bar.finish_and_clear();
            return Ok(found);
        }
        let count = |of: fn(&Change) -> i64| {
            u64::try_from(found.iter().filter(|change| change.is_open()).map(of).sum::<i64>())
                .unwrap_or_default()
        };
        bar.set_length(count(|change| change.total));
        bar.set_position(count(|change| change.done));
        sleep(limits::KEYS_LOOK_EVERY).await;
    }
}

impl Rotated {
    fn text(&self) -> String {
        let line = |line: &Line| {
            let generation = line.generation.map(|number| format!(" {number}")).unwrap_or_default();
            let message = line.message.as_ref().map(|said| format!(": {said}")).unwrap_or_default();
            format!("{:<10} {}{generation}{message}", line.key, line.state)
        };
        self.keys.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}
