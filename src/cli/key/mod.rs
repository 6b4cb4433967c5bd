//! `testkeep key`: the ways in which the instance opens, and the exchange of its keys.

mod kit;
mod rotate;
mod shares;

use super::output::Output;
use super::unlock;
use crate::app::House;
use crate::keeping::keys;
use crate::keeping::keys::kms::{KeyService, Patience};
use crate::kernel::access::InstanceKeep;
use crate::kernel::error::{Error, Result};
use crate::kernel::keyring::{self, Keyring, Purpose, SlotKind, Unlock};
use crate::kernel::limits;
use crate::kernel::options::Options;
use crate::kernel::time::Clock;
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use std::path::PathBuf;

/// The keys, and how this command itself opens the instance.
#[derive(Args, Debug)]
#[command(
    after_help = "When the everyday key is lost, the recovery kit or enough shares set another one:\n\n  \
    testkeep key set-file /var/lib/testkeep.key --kit-file kit.txt\n  \
    testkeep key set-file /var/lib/testkeep.key --shares-file shares.txt"
)]
pub struct Key {
    /// Open the instance with the recovery kit in this file.
    #[arg(long, value_name = "FILE", global = true)]
    kit_file: Option<PathBuf>,
    /// Open the instance with the shares in this file, one on each line; `-` reads them from standard input, where
    /// each is asked for at a terminal.
    #[arg(long, alias = "shares", value_name = "FILE", global = true, conflicts_with = "kit_file")]
    shares_file: Option<PathBuf>,
    #[command(subcommand)]
    change: Change,
}

/// What to do with the keys.
#[derive(Subcommand, Debug)]
enum Change {
    /// Show the ways in which the instance opens, and every key with its age.
    Status,
    /// Exchange keys for new ones, while the instance works.
    Rotate(rotate::Rotate),
    /// Print shares of which so many open the instance. Shares of before become worthless.
    Shares(shares::Shares),
    /// Exchange the recovery kit. The one before opens neither the instance nor new backups any more.
    RenewKit(kit::RenewKit),
    /// Bring the slot that opens the instance now to the newest format. Once with each secret, after an upgrade.
    Upgrade,
    /// Set the key file: another one takes the place of the one before. It is made if it does not exist.
    SetFile {
        /// Where the file lies: outside the data folder, on another disk if there is one.
        path: PathBuf,
    },
    /// Set the passphrase, asked for at the terminal; takes the place of the one before.
    SetPassphrase,
    /// Bind the instance to the key service of the options, or bind it anew; takes the place of the one before.
    ///
    /// `kms_address` and the options after it name the service. It encrypts a secret of its own, and is asked to
    /// decrypt it once, before anything changes.
    SetKms,
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
    /// The shares: all papers become worthless.
    Shares,
    /// The key service.
    Kms,
}

/// The keyring as people may know it.
#[derive(Serialize)]
struct Status {
    instance: String,
    ways: Vec<WayLine>,
    keys: Vec<KeyLine>,
}

#[derive(Serialize)]
struct WayLine {
    kind: &'static str,
    #[serde(skip)]
    spoken: &'static str,
    made_at: Option<i64>,
    fingerprint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key: Option<String>,
    takes_new_master: bool,
}

#[derive(Serialize)]
struct KeyLine {
    purpose: &'static str,
    meaning: &'static str,
    generation: u32,
    state: &'static str,
    made_at: i64,
    retired_at: Option<i64>,
    age_days: i64,
}

/// Changes `keyring.json`; the data itself stays encrypted under the same keys, unless they are exchanged.
pub async fn run(command: Key, options: &Options, output: Output) -> Result<()> {
    let unlock = match (&command.kit_file, &command.shares_file) {
        (Some(file), _) => Unlock::Kit(unlock::kit_in(file)?),
        (None, Some(file)) => Unlock::Shares(unlock::shares_in(file)?),
        (None, None) => unlock::existing(options)?,
    };
    let change = match command.change {
        Change::Rotate(rotate) => return rotate::run(rotate, options, &unlock, output).await,
        Change::RenewKit(renew) => return kit::run(renew, options, &unlock, output).await,
        change => change,
    };
    let house = House::open(options, &unlock, Clock::System)?;
    let outcome = inside(change, options, &house, output).await;
    house.close().await;
    outcome
}

async fn inside(command: Change, options: &Options, house: &House, output: Output) -> Result<()> {
    match command {
        Change::Status | Change::Rotate(_) | Change::RenewKit(_) => {}
        Change::Upgrade => change(house, |_| Ok(())).await?,
        Change::Shares(shares) => return shares::run(shares, house, output).await,
        Change::SetFile { path } => {
            keyring::refuse_inside(&house.instance.data, &path)?;
            change(house, move |keyring| keyring.replace_slot(&Unlock::KeyFile(path))).await?
        }
        Change::SetPassphrase => {
            let passphrase = unlock::new_passphrase(limits::UNLOCK_PASSPHRASE_CHARS_MIN)?;
            change(house, move |keyring| keyring.replace_slot(&Unlock::Passphrase(passphrase))).await?;
        }
        Change::SetKms => {
            let (secret, note) = key_service(options)?.make_secret()?;
            change(house, move |keyring| keyring.replace_slot(&Unlock::Kms(secret, note))).await?;
        }
        Change::Remove { way } => {
            let kind = way.kind();
            change(house, move |keyring| keyring.remove_slot(kind)).await?;
        }
    }
    let status = Status::of(&*house.instance.keyring()?);
    output.print(&status, Status::text);
    Ok(())
}

fn key_service(options: &Options) -> Result<KeyService> {
    let kms = options.kms.as_ref().ok_or_else(|| {
        Error::invalid("No key service was named.").hint(
            "Set `kms_address` and `kms_token_file`, in the file of options or as --kms-address and so on.",
        )
    })?;
    KeyService::new(kms, options.credentials.as_deref(), Patience::Command)
}

async fn change(house: &House, with: impl FnOnce(&mut Keyring) -> Result<()>) -> Result<()> {
    let gate = house.shell.operator().gate::<InstanceKeep>(());
    keys::change(&gate, &house.instance, with).await
}

impl Way {
    fn kind(self) -> SlotKind {
        match self {
            Way::KeyFile => SlotKind::KeyFile,
            Way::Passphrase => SlotKind::Passphrase,
            Way::Credential => SlotKind::Credential,
            Way::Shares => SlotKind::Shares,
            Way::Kms => SlotKind::Kms,
        }
    }
}

impl Status {
    fn of(keyring: &Keyring) -> Status {
        const DAY_MS: i64 = 24 * 3_600_000;
        let now = Clock::System.now();
        let ways = keyring.ways().into_iter().map(|way| WayLine {
            kind: way.kind.word(),
            spoken: way.kind.spoken(),
            made_at: way.made_at.map(|at| at.0),
            fingerprint: way.fingerprint,
            kms_key: way.kms_key,
            takes_new_master: way.takes_new_master,
        });
        let lines = keyring.lines().into_iter().map(|line| KeyLine {
            purpose: line.purpose.map_or("master", Purpose::word),
            meaning: line.purpose.map_or("wraps all others", Purpose::meaning),
            generation: line.generation,
            state: line.state.word(),
            made_at: line.made_at.0,
            retired_at: line.retired_at.map(|at| at.0),
            age_days: (now.0 - line.made_at.0) / DAY_MS,
        });
        Status { instance: keyring.uuid().to_owned(), ways: ways.collect(), keys: lines.collect() }
    }

    fn text(&self) -> String {
        let ways: Vec<&str> = self.ways.iter().map(|way| way.spoken).collect();
        let mut text = format!("Instance {}\nOpens with {}.\n", self.instance, ways.join(", "));
        for way in self.ways.iter().filter(|way| !way.takes_new_master) {
            let spoken = way.spoken;
            text.push_str(&format!("Note: {spoken} was set by an older Testkeep. Use it once with `testkeep key upgrade`, so that the master key can change.\n"));
        }
        for line in &self.keys {
            let KeyLine { purpose, meaning, generation, state, age_days, .. } = line;
            text.push_str(&format!(
                "\n{purpose:<16} {generation:>3}  {state:<8} {age_days:>5} days  {meaning}"
            ));
        }
        text
    }
}
