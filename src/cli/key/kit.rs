//! `testkeep key renew-kit`: another recovery kit in the place of the one before.

use super::rotate;
use crate::app::House;
use crate::cli::output::{Output, say};
use crate::cli::unlock;
use crate::keeping::backups::Desk;
use crate::keeping::keys::{self, Along, Keeper, Reached};
use crate::kernel::access::{InstanceKeep, InstanceView};
use crate::kernel::caller::as_caller;
use crate::kernel::durable;
use crate::kernel::error::{Error, Result};
use crate::kernel::keyring::{Purpose, RecoveryKit, RecoverySecret, Unlock};
use crate::kernel::options::Options;
use crate::kernel::time::Clock;
use crate::people;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the new kit goes, and what changes with it.
#[derive(Args, Debug)]
#[command(
    after_help = "The old kit then opens neither the instance nor new backups; copies that somebody took before \
    open with it for ever. Backup targets learn the new one as soon as each can be reached.\n\n  \
    testkeep key renew-kit\n  \
    testkeep key renew-kit --kit-to kit.txt"
)]
pub struct RenewKit {
    /// New file for the kit, to print it and to destroy it. Without it the kit is shown, and asked for once.
    #[arg(long, value_name = "FILE")]
    kit_to: Option<PathBuf>,
    /// Leave all keys but the master key as they are: the paper was lost, and nobody else has it.
    #[arg(long)]
    keep_keys: bool,
}

#[derive(Serialize)]
struct Renewed {
    mark: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kit_file: Option<PathBuf>,
    all_keys: bool,
    #[serde(skip)]
    is_alone: bool,
    targets: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    target: String,
    reached: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Somebody holds the new kit before it is in force.
pub async fn run(command: RenewKit, options: &Options, unlock: &Unlock, output: Output) -> Result<()> {
    let (held, house) = rotate::opened(options, unlock)?;
    let renewed = renewed(command, &house, held.is_some()).await;
    house.close().await;
    output.print(&renewed?, Renewed::text);
    Ok(())
}

async fn renewed(command: RenewKit, house: &House, is_alone: bool) -> Result<Renewed> {
    let naming = house.shell.operator().gate::<InstanceView>(());
    let name = naming.read(|tx| Ok(people::seen(tx)?.instance)).await?;
    let kit = house.instance.keyring()?.new_kit(Clock::System.now());
    hand_over(command.kit_to.as_deref(), &kit, &name)?;
    let along = if command.keep_keys { Along::Master } else { Along::All };
    let (gate, instance) = (house.shell.operator().gate::<InstanceKeep>(()), Arc::clone(&house.instance));
    let secret = kit.secret.clone();
    if let Err(reason) = gate.write(move |tx| keys::exchange_kit(tx, &instance, &secret, along)).await {
        if let Some(file) = &command.kit_to {
            // A kit that never came into force.
            let _ = std::fs::remove_file(file);
        }
        return Err(reason);
    }
    if is_alone {
        // Nobody else does what follows.
        Keeper::new(Arc::new(Desk::new(Arc::clone(&house.instance)))).finish().await?;
    }
    let generation = house.instance.keyring()?.generation(Purpose::BackupPassword);
    let line = |target: Reached| Line {
        target: target.name,
        reached: target.generation >= generation,
        note: target.note,
    };
    let targets = gate.read(|tx| keys::reached(tx)).await?.into_iter().map(line).collect();
    let (mark, all_keys) = (kit.secret.fingerprint(), along == Along::All);
    Ok(Renewed { mark, kit_file: command.kit_to, all_keys, is_alone, targets })
}

/// Puts the kit into a file, or shows it and has it typed back.
fn hand_over(file: Option<&Path>, kit: &RecoveryKit, name: &str) -> Result<()> {
    let page = kit.print(name);
    let Some(file) = file else {
        say(page.expose());
        let typed = unlock::prompt("Type its secret back to put it in force: ")?;
        return match RecoverySecret::parse(typed.expose())? == kit.secret {
            true => Ok(()),
            false => Err(Error::invalid("That was another kit, so nothing was changed.")),
        };
    };
    match as_caller(|| durable::create(file, page.expose().as_bytes()))?? {
        true => Ok(()),
        false => Err(Error::conflict(format!("{} exists already.", file.display()))
            .hint("Name a new file for the recovery kit. Nothing was changed.")),
    }
}

impl Renewed {
    fn text(&self) -> String {
        let mut text = format!("The recovery kit with the mark {} is in force.", self.mark);
        if let Some(file) = &self.kit_file {
            text.push_str(&format!(
                "\nIt is in {}. Print it, keep it away from this machine, destroy the file.",
                file.display()
            ));
        }
        match (self.all_keys, self.is_alone) {
            (true, true) => text.push_str("\nAll other keys were exchanged along with it."),
            (true, false) => text.push_str("\nThe server that runs exchanges all other keys along with it."),
            (false, _) => {}
        }
        for Line { target, reached, note } in &self.targets {
            let state =
                if *reached { "opens with the new kit" } else { "still opens with the kit of before" };
            let note = note.as_ref().map(|note| format!(" {note}")).unwrap_or_default();
            text.push_str(&format!("\n{target}: {state}.{note}"));
        }
        text.push_str(
            "\nFolders that are no target of the instance (`backup --to`) learn it with their next backup.",
        );
        text
    }
}
