//! `testkeep key shares`: papers of which so many open the instance.

use crate::app::House;
use crate::cli::output::Output;
use crate::kernel::access::InstanceView;
use crate::kernel::error::Result;
use crate::kernel::keyring::{Share, ShareCount, SharedSecret, Unlock};
use crate::people;
use clap::Args;
use serde::Serialize;

/// How many shares, and how many of them open.
#[derive(Args, Debug)]
#[command(after_help = "Print each share on a paper of its own and give each to another person:\n\n  \
    testkeep key shares --of 5 --need 3 > shares.txt\n\n\
    Who has the file has all of them: take it away once it is printed.")]
pub struct Shares {
    /// Shares to print.
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    of: u8,
    /// So many of them open the instance.
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    need: u8,
}

#[derive(Serialize)]
struct Printed {
    of: u8,
    need: u8,
    set: String,
    shares: Vec<String>,
}

/// Makes a new set; the one before becomes worthless.
pub async fn run(command: Shares, house: &House, output: Output) -> Result<()> {
    let Shares { of, need } = command;
    let (secret, papers) = SharedSecret::split(ShareCount { of, need })?;
    super::change(house, move |keyring| keyring.replace_slot(&Unlock::Shares(secret))).await?;
    let name =
        house.shell.operator().gate::<InstanceView>(()).read(|tx| Ok(people::seen(tx)?.instance)).await?;
    let uuid = house.instance.keyring()?.uuid().to_owned();
    let set = papers.first().map(Share::set_name).unwrap_or_default();
    let shares = papers.iter().map(|share| share.print().expose().clone()).collect();
    output.print(&Printed { of, need, set, shares }, |_| {
        let pages = papers.iter().map(|share| share.page(&name, &uuid, of).expose().clone());
        pages.collect::<Vec<_>>().join("\n\u{c}\n")
    });
    Ok(())
}
