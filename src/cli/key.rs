//! `testkeep key`: the ways in which the instance opens.

use super::output::Output;
use super::unlock;
use crate::app::House;
use crate::keeping::keys;
use crate::kernel::access::InstanceKeep;
use crate::kernel::error::Result;
use crate::kernel::keyring::{Keyring, SlotKind, Unlock};
use crate::kernel::limits;
use clap::{Subcommand, ValueEnum};
use serde::Serialize;
use std::path::PathBuf;

/// What to do with the keys.
#[derive(Subcommand, Debug)]
pub enum Key {
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
pub async fn run(command: Key, house: &House, output: Output) -> Result<()> {
    match command {
        Key::Status => {}
        Key::SetFile { path } => {
            change(house, move |keyring| keyring.add_slot(&Unlock::KeyFile(path))).await?
        }
        Key::SetPassphrase => {
            let passphrase = unlock::new_passphrase(limits::UNLOCK_PASSPHRASE_CHARS_MIN)?;
            change(house, move |keyring| keyring.replace_slot(&Unlock::Passphrase(passphrase))).await?;
        }
        Key::Remove { way } => {
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
