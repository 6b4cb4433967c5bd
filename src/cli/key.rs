//! `testkeep key`: the ways in which the instance opens.

use super::output::Output;
use super::unlock;
use crate::app::House;
use crate::keeping::keys;
use crate::kernel::access::InstanceKeep;
use crate::kernel::error::Result;
use crate::kernel::keyring::{self, Keyring, SlotKind, Unlock};
use crate::kernel::limits;
use crate::kernel::options::Options;
use crate::kernel::time::Clock;
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use std::path::PathBuf;

/// The keys, and how this command itself opens the instance.
#[derive(Args, Debug)]
#[command(after_help = "When the everyday key is lost, the recovery kit sets another one:\n\n  \
    testkeep key set-file /var/lib/testkeep.key --kit-file kit.txt")]
pub struct Key {
    /// Open the instance with the recovery kit in this file.
    #[arg(long, value_name = "FILE", global = true)]
    kit_file: Option<PathBuf>,
    #[command(subcommand)]
    change: Change,
}

/// What to do with the keys.
#[derive(Subcommand, Debug)]
enum Change {
    /// Show the ways in which the instance opens.
    Status,
    /// Set the key file: another one takes the place of the one before. It is made if it does not exist.
    SetFile {
        /// Where the file lies: outside the data folder, on another disk if there is one.
        path: PathBuf,
    },
    /// Set the passphrase, asked for at the terminal; takes the place of the one before.
    SetPassphrase,
    /// Take a way to open the instance away.
    Remove {
        /// Which one.
        way: Way,
    },
}

/// A way that can be taken away; the recovery kit stays.
#[derive(Clone, Copy, ValueEnum, Debug)]
pub enum Way {
    /// The key file.
    KeyFile,
    /// The passphrase.
    Passphrase,
    /// The credential of the service manager.
    Credential,
}

#[derive(Serialize)]
struct Status {
    instance: String,
    ways: Vec<&'static str>,
}

/// Changes `keyring.json`; the data itself stays encrypted under the same keys.
pub async fn run(command: Key, options: &Options, output: Output) -> Result<()> {
    let house = match &command.kit_file {
        Some(file) => House::open(options, &Unlock::Kit(unlock::kit_in(file)?), Clock::System)?,
        None => unlock::house(options)?,
    };
    let outcome = inside(command.change, &house, output).await;
    house.close().await;
    outcome
}

async fn inside(command: Change, house: &House, output: Output) -> Result<()> {
    match command {
        Change::Status => {}
        Change::SetFile { path } => {
            keyring::refuse_inside(&house.instance.data, &path)?;
            change(house, move |keyring| keyring.replace_slot(&Unlock::KeyFile(path))).await?
        }
        Change::SetPassphrase => {
            let passphrase = unlock::new_passphrase(limits::UNLOCK_PASSPHRASE_CHARS_MIN)?;
            change(house, move |keyring| keyring.replace_slot(&Unlock::Passphrase(passphrase))).await?;
        }
        Change::Remove { way } => {
            let kind = match way {
                Way::KeyFile => SlotKind::KeyFile,
                Way::Passphrase => SlotKind::Passphrase,
                Way::Credential => SlotKind::Credential,
            };
            change(house, move |keyring| keyring.remove_slot(kind)).await?;
        }
    }
    let keyring = house.instance.keyring()?;
    let ways = keyring.slots().map(SlotKind::spoken).collect();
    output.print(&Status { instance: keyring.uuid().to_owned(), ways }, |status| {
        format!("Instance {}\nOpens with {}.", status.instance, status.ways.join(", "))
    });
    Ok(())
}

async fn change(house: &House, with: impl FnOnce(&mut Keyring) -> Result<()>) -> Result<()> {
    let gate = house.shell.operator().gate::<InstanceKeep>(());
    keys::change(&gate, &house.instance, with).await
}
