//! `testkeep setup`: claims an instance without a browser.

use super::{output::Output, unlock};
use crate::app::{self, House};
use crate::keeping::keys::kms::Patience;
use crate::kernel::access::Claim;
use crate::kernel::caller::as_caller;
use crate::kernel::durable;
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::options::Options;
use crate::kernel::secret::Secret;
use crate::kernel::time::Clock;
use crate::people::UNNAMED;
use crate::people::setup::{self, ClaimedByOperator};
use crate::people::users::{Email, Name};
use clap::Args;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde::Serialize;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Makes the first owner of an instance that nobody has claimed.
#[derive(Args, Debug)]
#[command(after_help = "In an empty data folder this makes the instance first. It works while the server \
    runs and while it is stopped.\n\n  testkeep setup --email mara@shop.example --name Mara \
    --password-file passphrase.txt --kit-file kit.txt")]
pub struct Setup {
    /// Address of the first owner, with which they sign in.
    #[arg(long)]
    email: String,
    /// Their name.
    #[arg(long)]
    name: String,
    /// File whose first line is their passphrase; asked for at the terminal without it.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// New file to write the recovery kit to; print it, then destroy the file.
    #[arg(long, value_name = "FILE")]
    kit_file: Option<PathBuf>,
}

#[derive(Serialize)]
struct Claimed {
    user: Owner,
    totp: Totp,
    recovery_codes: Vec<String>,
    recovery_kit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kit_file: Option<PathBuf>,
}

#[derive(Serialize)]
struct Owner {
    id: i64,
    email: String,
    name: String,
}

#[derive(Serialize)]
struct Totp {
    secret: String,
    url: String,
}

/// Claims the instance. Errors: `Conflict` if somebody has.
pub async fn run(command: Setup, options: &Options, output: Output) -> Result<()> {
    let Setup { email, name, password_file, kit_file } = command;
    let (email, name) = (Email::new(&email)?, Name::new(&name)?);
    if let Some(file) = kit_file.as_deref().filter(|file| file.symlink_metadata().is_ok()) {
        return Err(taken(file));
    }
    let passphrase = match &password_file {
        Some(file) => first_line(file)?,
        None => unlock::new_passphrase(limits::PASSPHRASE_CHARS_MIN)?,
    };
    let unlock = if app::is_there(options) {
        unlock::existing(options)?
    } else {
        app::unlock(options, Patience::Command)?
    };
    let house = House::open_or_make(options, &unlock, Clock::System)?;
    let claimed = claim(&house, email, name, passphrase, kit_file).await;
    house.close().await;
    output.print(&claimed?, Claimed::text);
    Ok(())
}

async fn claim(
    house: &House,
    email: Email,
    name: Name,
    passphrase: Secret<String>,
    kit_file: Option<PathBuf>,
) -> Result<Claimed> {
    // First the kit and then the claim: an instance that is claimed must have a kit that somebody holds.
    let kit = app::kit(house).await?.map(|kit| kit.print(UNNAMED));
    if let (Some(file), Some(kit)) = (&kit_file, &kit)
        && !as_caller(|| durable::create(file, kit.expose().as_bytes()))??
    {
        return Err(taken(file));
    }
    let uuid = house.instance.keyring()?.uuid().to_owned();
    let gate = house.shell.operator().gate::<Claim>(());
    let made = setup::claim_as_operator(&gate, &uuid, email.clone(), name.clone(), passphrase).await;
    if let (Some(file), Err(_)) = (&kit_file, &made) {
        // A kit of an instance that is still to be claimed: the next try makes another one.
        let _ = as_caller(|| std::fs::remove_file(file))?;
    }
    let ClaimedByOperator { user, totp, recovery_codes } = made?;
    Ok(Claimed {
        user: Owner { id: user.0, email: email.as_str().to_owned(), name: name.as_str().to_owned() },
        // Programs take it as one word; the groups are for people who type.
        totp: Totp { secret: totp.secret.replace(' ', ""), url: totp.url },
        recovery_codes: recovery_codes.iter().map(|code| code.expose().clone()).collect(),
        recovery_kit: kit.map(|kit| kit.expose().clone()),
        kit_file,
    })
}

fn taken(file: &Path) -> Error {
    Error::conflict(format!("{} exists already.", file.display()))
        .hint("Name a new file for the recovery kit. Nothing was changed.")
}

/// The first line of a file: argv is not private.
fn first_line(file: &Path) -> Result<Secret<String>> {
    let unreadable = |cause: std::io::Error| {
        Error::not_found(format!("The passphrase in {} cannot be read: {cause}.", file.display()))
    };
    let bound = limits::PASSPHRASE_CHARS_MAX as u64 * 4 + 2;
    let mut text = zeroize::Zeroizing::new(String::new());
    let opened = File::open(file).map_err(unreadable)?;
    opened.take(bound).read_to_string(&mut text).map_err(unreadable)?;
    Ok(Secret::new(text.lines().next().unwrap_or_default().to_owned()))
}

impl Claimed {
    fn text(&self) -> String {
        let Claimed { user, totp, recovery_codes, .. } = self;
        let picture =
            QrCode::new(&totp.url).map(|code| code.render::<Dense1x2>().build()).unwrap_or_default();
        let kit = match (&self.kit_file, &self.recovery_kit) {
            (Some(file), Some(_)) => format!(
                "The recovery kit is in {}. Print it, keep it away from this machine, destroy the file.",
                file.display()
            ),
            (None, Some(kit)) => format!("Print this recovery kit; it is shown this once.\n\n{kit}"),
            (_, None) => {
                "Backups were made before, so the recovery kit stays the one they were made with.".into()
            }
        };
        format!(
            "{} <{}> owns this instance.\n\nSecond factor, for an authenticator app:\n\n{picture}\n  {}\n\n\
             Recovery codes, each good once instead of a code of the app:\n\n  {}\n\n{kit}\n\n\
             Start it with `testkeep serve`, and sign in.",
            user.name,
            user.email,
            totp.secret,
            recovery_codes.join("\n  "),
        )
    }
}
