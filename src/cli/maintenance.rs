//! `testkeep maintenance`: closes the instance to its people for a while, and opens it again.

use super::output::Output;
use crate::app::House;
use crate::keeping::maintenance;
use crate::kernel::access::{InstanceKeep, InstanceView};
use crate::kernel::error::Result;
use clap::Subcommand;
use serde_json::json;

/// Whether people are let in.
#[derive(Subcommand, Debug)]
pub enum Maintenance {
    /// Turn people and pipelines away with a word about why and how long.
    On {
        /// For how many minutes people are told that it will take; it opens only when you open it.
        #[arg(long, default_value_t = 30)]
        minutes: i64,
        /// What they are told, on one line.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Let them in again.
    Off,
    /// Say how it is.
    Status,
}

/// A running server hears of it within a second or two.
pub async fn run(command: Maintenance, house: &House, output: Output) -> Result<()> {
    let keep = house.shell.operator().gate::<InstanceKeep>(());
    match command {
        Maintenance::On { minutes, reason } => {
            keep.write(move |tx| maintenance::close(tx, minutes, &reason)).await.map(drop)?;
        }
        Maintenance::Off => keep.write(maintenance::open).await?,
        Maintenance::Status => {}
    }
    let now = house.shell.operator().gate::<InstanceView>(()).read(|tx| maintenance::now(tx)).await?;
    let until = now.as_ref().map(|closed| closed.until);
    let answer = json!({ "closed": now.is_some(), "until": until.map(|until| until.0), "reason": now.map(|closed| closed.reason) });
    output.print(&answer, |_| match until {
        Some(until) => format!("The instance is closed; people are told that it opens again at {until}."),
        None => "The instance is open.".to_owned(),
    });
    Ok(())
}
