//! How a command comes by the key: a file, a descriptor, a credential of systemd, or a prompt. Never argv.

use super::output::note;
use crate::app::{self, House};
use crate::keeping::keys::kms::Patience;
use crate::kernel::caller::as_caller;
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::keyring::{Paper, RecoverySecret, SharedSecret, SlotKind, Unlock, slots_of};
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::options::Options;
use crate::kernel::secret::Secret;
use crate::kernel::time::Clock;
use std::fs::File;
use std::io::{IsTerminal, Read as _};
use std::path::Path;

/// Opens the instance in the data folder; never makes one.
pub fn house(options: &Options) -> Result<House> {
    House::open(options, &existing(options)?, Clock::System)
}

/// What opens an instance that is there: what was asked for, or else what its keyring knows of.
pub fn existing(options: &Options) -> Result<Unlock> {
    existing_with(options, Patience::Command)
}

/// The same with more patience for a key service.
pub fn existing_with(options: &Options, patience: Patience) -> Result<Unlock> {
    if !layout::keyring(&options.data).exists() {
        app::finish_swap(options)?;
    }
    let unlock = app::unlock(options, patience)?;
    let Unlock::KeyFile(path) = &unlock else { return Ok(unlock) };
    let is_asked_for = options.key_file.is_some();
    let slots = slots_of(&options.data)?;
    if !is_asked_for && !path.exists() && slots.contains(&SlotKind::Passphrase) {
        return Ok(Unlock::Passphrase(prompt("Passphrase of this instance: ")?));
    }
    Ok(unlock)
}

/// Asks for a secret at the terminal.
pub fn prompt(question: &str) -> Result<Secret<String>> {
    if !std::io::stdin().is_terminal() {
        return Err(Error::unauthenticated("A secret is needed, and nobody is at the terminal.").hint(
            "Name a key file with --key-file, a passphrase with --passphrase-fd, or a kit with --kit-file.",
        ));
    }
    rpassword::prompt_password(question).map(Secret::new).map_err(Error::internal)
}

/// Asks twice for a new passphrase of at least so many characters.
pub fn new_passphrase(chars_min: usize) -> Result<Secret<String>> {
    let first = prompt("New passphrase: ")?;
    let second = prompt("Once more: ")?;
    if first != second {
        return Err(Error::invalid("The two passphrases differ; nothing was changed."));
    }
    if first.expose().chars().count() < chars_min {
        return Err(Error::invalid(format!("This passphrase needs at least {chars_min} characters."))
            .hint("Five or six words that you did not find in a book are a good one."));
    }
    Ok(first)
}

/// The secret of a recovery kit, out of the printed page or bare.
pub fn kit_in(file: &Path) -> Result<RecoverySecret> {
    let unreadable = |cause: std::io::Error| {
        Error::not_found(format!("The recovery kit {} cannot be read: {cause}.", file.display()))
    };
    let mut text = zeroize::Zeroizing::new(String::new());
    let opened = as_caller(|| File::open(file))?.map_err(unreadable)?;
    opened.take(limits::KIT_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    RecoverySecret::parse(&text)
}

/// What enough shares give, out of their printed pages or one on each line. `-` is standard input, and at a
/// terminal each is asked for.
pub fn shares_in(file: &Path) -> Result<SharedSecret> {
    let unreadable = |cause: std::io::Error| {
        Error::not_found(format!("The file of shares {} cannot be read: {cause}.", file.display()))
    };
    let mut text = zeroize::Zeroizing::new(String::new());
    if file == Path::new("-") {
        if std::io::stdin().is_terminal() {
            return typed_shares();
        }
        std::io::stdin().take(limits::KIT_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    } else {
        let opened = as_caller(|| File::open(file))?.map_err(unreadable)?;
        opened.take(limits::KIT_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    }
    SharedSecret::parse(&text)
}

/// Asks for one share after the other until they are enough; one that is typed wrong is asked for again.
fn typed_shares() -> Result<SharedSecret> {
    let mut typed = zeroize::Zeroizing::new(String::new());
    let mut number = 1;
    loop {
        let line = prompt(&format!("Share {number}: "))?;
        if line.expose().trim().is_empty() {
            return Err(Error::unauthenticated("Too few shares were typed."));
        }
        let with = zeroize::Zeroizing::new(format!("{}{}\n", *typed, line.expose()));
        match SharedSecret::parse(&with) {
            Ok(secret) => return Ok(secret),
            Err(reason) if reason.kind() == Kind::Unauthenticated => {
                typed = with;
                number += 1;
            }
            Err(reason) => note(&format!("{} Type it once more.", reason.sentence())),
        }
    }
}

/// What somebody has on paper, if a file of either kind was named.
pub fn paper_in(kit: Option<&Path>, shares: Option<&Path>) -> Result<Option<Paper>> {
    match (kit, shares) {
        (Some(file), _) => kit_in(file).map(|secret| Some(Paper::Kit(secret))),
        (None, Some(file)) => shares_in(file).map(|secret| Some(Paper::Shares(secret))),
        (None, None) => Ok(None),
    }
}

/// The secret of a recovery kit, as somebody types it.
pub fn typed_kit() -> Result<Paper> {
    RecoverySecret::parse(prompt("Secret of the recovery kit: ")?.expose()).map(Paper::Kit)
}
