//! What opens a place of backups: from a file, standard input, the environment or the terminal. Never from arguments.
//!
//! The same for a target that is added and for a place that is read on a machine without an instance.

use super::unlock;
use crate::keeping::backup::storage::{HostKey, Limits, Place, Reach};
use crate::keeping::targets::Secrets;
use crate::kernel::caller::as_caller;
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use clap::Args;
use std::fs::File;
use std::io::{IsTerminal as _, Read, Write as _, stderr, stdin};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Begins the names of variables that hold one secret each.
const PREFIX: &str = "TESTKEEP_ACCESS_";

/// What opens an address.
#[derive(Args, Debug, Default)]
pub struct Access {
    /// File with the secrets of the address, as JSON; `-` for standard input.
    ///
    /// JSON with any of user, password, private_key, passphrase, authority, host_key. Without a file they are taken
    /// from the environment, one variable each: TESTKEEP_ACCESS_USER, TESTKEEP_ACCESS_PASSWORD,
    /// TESTKEEP_ACCESS_PRIVATE_KEY, TESTKEEP_ACCESS_PASSPHRASE, TESTKEEP_ACCESS_AUTHORITY, TESTKEEP_ACCESS_HOST_KEY.
    #[arg(long, value_name = "FILE")]
    access_file: Option<PathBuf>,
    /// Ask for its secrets at the terminal.
    #[arg(long, conflicts_with = "access_file")]
    ask: bool,
    /// The host key of an SFTP server, compared with what its owner says: `ssh-ed25519 AAAA…`.
    #[arg(long, value_name = "KEY")]
    host_key: Option<String>,
}

impl Access {
    /// Whether anything was said on the command line.
    pub fn is_said(&self) -> bool {
        self.access_file.is_some() || self.ask || self.host_key.is_some()
    }

    /// The confirmed key of an SFTP server, if one was named.
    pub fn host_key(&self) -> Option<&str> {
        self.host_key.as_deref()
    }

    /// The secrets that were handed over; none if nothing was.
    pub fn secrets(&self, place: Result<&Place>) -> Result<Option<Secrets>> {
        match &self.access_file {
            Some(file) => in_file(file).map(Some),
            None if self.ask => asked(place?).map(Some),
            None => in_environment(),
        }
    }

    /// The same with the confirmed host key among them: for a place that is no target of the instance.
    pub fn all(&self, place: Result<&Place>) -> Result<Secrets> {
        let mut secrets = self.secrets(place)?.unwrap_or_default();
        if let Some(key) = &self.host_key {
            secrets.host_key = HostKey::parse(key)?.line;
        }
        Ok(secrets)
    }

    /// How to get at a place that no instance knows. Asks for what is missing if somebody is at the terminal.
    pub fn reach(&self, place: Place) -> Result<Reach> {
        let (mut secrets, is_anybody_there) = (self.all(Ok(&place))?, stdin().is_terminal());
        if is_anybody_there && secrets.open_nothing() && place.as_folder().is_none() {
            let mut typed = asked(&place)?;
            typed.host_key.clone_from(&secrets.host_key);
            typed.authority.clone_from(&secrets.authority);
            secrets = typed;
        }
        let reach = |secrets: &Secrets| {
            let access = secrets.access(&place, None)?;
            Ok::<_, Error>(Reach { place: place.clone(), access, limits: Limits::default() })
        };
        let found = reach(&secrets)?;
        if is_anybody_there && let Some(key) = found.unconfirmed_key()? {
            confirm(&key)?;
            secrets.host_key = key.line;
            return reach(&secrets);
        }
        found.refuse_unconfirmed()?;
        Ok(found)
    }
}

/// An address, or a folder as a shell would read it.
pub fn place_of(asked: &str) -> Result<Place> {
    if asked.contains("://") {
        return asked.parse();
    }
    Place::folder(&std::path::absolute(asked).map_err(Error::internal)?)
}

fn in_file(file: &Path) -> Result<Secrets> {
    let unreadable = |cause: std::io::Error| {
        Error::not_found(format!("The secrets in {} cannot be read: {cause}.", file.display()))
    };
    let mut text = Zeroizing::new(String::new());
    let bound = limits::TARGET_SECRET_BYTES_MAX as u64;
    let read = match file == Path::new("-") {
        true => stdin().lock().take(bound).read_to_string(&mut text),
        false => as_caller(|| File::open(file))?.and_then(|file| file.take(bound).read_to_string(&mut text)),
    };
    read.map_err(unreadable)?;
    Secrets::parse(&text)
}

fn in_environment() -> Result<Option<Secrets>> {
    let mut secrets = Secrets::default();
    let fields = [
        ("USER", &mut secrets.user),
        ("PASSWORD", &mut secrets.password),
        ("PRIVATE_KEY", &mut secrets.private_key),
        ("PASSPHRASE", &mut secrets.passphrase),
        ("AUTHORITY", &mut secrets.authority),
        ("HOST_KEY", &mut secrets.host_key),
    ];
    for (name, field) in fields {
        let name = format!("{PREFIX}{name}");
        match std::env::var(&name) {
            Ok(value) => *field = value,
            Err(std::env::VarError::NotPresent) => {}
            Err(_) => return Err(Error::invalid(format!("{name} is not UTF-8."))),
        }
    }
    Ok((!secrets.is_empty()).then_some(secrets))
}

/// Asks for what the kind of place needs.
fn asked(place: &Place) -> Result<Secrets> {
    let ask = |question: &str| unlock::prompt(question).map(|typed| typed.expose().clone());
    let mut secrets = Secrets::default();
    match place {
        Place::Folder(_) => {}
        Place::S3(_) => {
            secrets.user = ask("Access key: ")?;
            secrets.password = ask("Secret key: ")?;
        }
        Place::WebDav(_) | Place::Rest(_) => {
            secrets.user = ask("User, empty for none: ")?;
            secrets.password = ask("Password: ")?;
        }
        Place::Sftp(_) => {
            secrets.password = ask("Password, empty for a key: ")?;
            if secrets.password.is_empty() {
                let file = PathBuf::from(ask("File with the private key: ")?);
                secrets.private_key = as_caller(|| std::fs::read_to_string(&file))?.map_err(|cause| {
                    Error::not_found(format!("The key {} cannot be read: {cause}.", file.display()))
                })?;
                secrets.passphrase = ask("Passphrase of the key, empty for none: ")?;
            }
        }
    }
    Ok(secrets)
}

/// Somebody at the terminal compares the key of the server.
fn confirm(key: &HostKey) -> Result<()> {
    let question = format!(
        "The server shows the key {}.\nIs that what its owner says, or what the runbook has? Type yes: ",
        key.fingerprint
    );
    let mut typed = String::new();
    let read = stderr()
        .write_all(question.as_bytes())
        .and_then(|()| stderr().flush())
        .and_then(|()| stdin().read_line(&mut typed));
    read.map_err(Error::internal)?;
    if typed.trim() == "yes" {
        return Ok(());
    }
    Err(Error::conflict("The key of the server was not confirmed; nothing secret was sent."))
}
