//! `testkeep log`: whether what is committed between two backups is shipped. A running server follows within
//! seconds; how far it is stands on its page and in its metrics.

use super::output::Output;
use crate::app::House;
use crate::keeping::shipping::{self, Switch};
use crate::kernel::access::BackupRun;
use crate::kernel::error::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;

/// Ship what is committed between two backups, so that a restore can go to any moment.
#[derive(Args, Debug)]
#[command(after_help = "It goes to every target that is not left out on the page “Point in time”.\n\n  \
    testkeep log on --seconds 5\n  testkeep log")]
pub struct Log {
    /// Switch it; without this, show whether it is on.
    #[arg(value_enum)]
    to: Option<Position>,
    /// Seconds between two shipments, 1 to 3600.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<i64>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
enum Position {
    On,
    Off,
}

#[derive(Serialize)]
struct State {
    on: bool,
    seconds: i64,
    /// Bytes of sealed segments that are not at every target yet.
    waiting_bytes: u64,
}

/// Switches or shows.
pub async fn run(log: Log, house: &House, output: Output) -> Result<()> {
    let gate = house.shell.operator().gate::<BackupRun>(());
    let kept = gate.read(|tx| Switch::get(tx)).await?;
    let is_on = log.to.map_or(kept.is_on, |to| to == Position::On);
    let switch = Switch { is_on, seconds: log.seconds.unwrap_or(kept.seconds) };
    if switch != kept {
        switch.check()?;
        gate.write(move |tx| switch.set(tx)).await?;
    }
    let waiting_bytes = shipping::waiting(&house.instance.data)?;
    let state = State { on: switch.is_on, seconds: switch.seconds, waiting_bytes };
    output.print(&state, |state| match state.on {
        true => format!(
            "The log is shipped every {} s; {} bytes of it wait for their targets.",
            state.seconds, state.waiting_bytes
        ),
        false => "The log is not shipped: what is done between two backups is lost with the disk.".into(),
    });
    Ok(())
}
