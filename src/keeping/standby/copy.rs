//! Copy: begun with the newest backup that was read back, grown by its log. It blocks.
//!
//! The database of the copy is never opened: opening it would write into it, and pages of the log are only right on
//! top of exactly what they were written upon. Whoever wants to look opens a copy of the copy; see `proof`.

use super::follow::Order;
use super::state::{Copy, GoodBackup};
use crate::keeping::backup::manifest::Manifest;
use crate::keeping::backup::storage::{Folder, Storage};
use crate::keeping::backup::{Receipt, receipt, restore};
use crate::keeping::recovery;
use crate::keeping::shipping::follow::{self, Lead, Listed};
use crate::keeping::shipping::segment::Head;
use crate::kernel::blobs::{Blobs, Verdict};
use crate::kernel::durable::{self, trouble};
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::keyring::{Keyring, LogKey, Paper};
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::random;
use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use std::fs;
use std::path::{Path, PathBuf};
use tracing::{info, warn};

/// How the names of folders of copies begin. Nothing else is ever wiped.
const PREFIX: &str = "base-";

/// A copy in its folder, with the keys that open it.
pub(super) struct Growing<'a> {
    pub folder: &'a Path,
    pub copy: &'a mut Copy,
    pub paper: &'a Paper,
}

/// Begins a copy with the newest backup at the target. It lies whole in its folder and counts for nothing yet.
pub(super) fn begin(program: &Path, folder: &Path, order: &Order) -> Result<(Copy, Manifest)> {
    let (found, brought) = recovery::found(&order.reach, &order.paper)?;
    // A receipt is signed after the backup was read back.
    let receipt = found.newest()?.clone();
    recovery::vouched(&found, &receipt, &brought)?;
    let name = format!("{PREFIX}{}-{}", receipt.number, HEXLOWER.encode(&random::bytes::<4>()));
    let place = folder.join(&name);
    durable::create_folder(&place)?;
    info!(backup = receipt.number, "bringing backup {} here", receipt.number);
    let manifest = restore::restore(program, &found.job, &receipt, &place.join("data"))?;
    // A kit that is younger than the backup opens it by the keyring that lies beside the repository.
    let keyring_file = layout::keyring(&place.join("data"));
    let json = fs::read(&keyring_file).map_err(|cause| trouble("read", &keyring_file, cause))?;
    let json = match Keyring::open_bytes(&json, &order.paper.unlock()) {
        Ok(_) => json,
        Err(_) => {
            brought.keyring(&json)?.save(&place.join("data"))?;
            fs::read(&keyring_file).map_err(|cause| trouble("read", &keyring_file, cause))?
        }
    };
    let copy = Copy {
        folder: name,
        anchor: manifest.audit.clone(),
        rows: manifest.rows.clone(),
        stream: None,
        next: 1,
        place: receipt.log.clone(),
        reached: moment_of(&receipt, &manifest),
        segments: 0,
        files: 0,
        proof: None,
        receipt,
    };
    durable::replace(&copy.first_keyring(folder), &json)?;
    durable::create_folder(&copy.inbox(folder).join("tmp"))?;
    durable::sync_folder(folder)?;
    Ok((copy, manifest))
}

/// The moment that a backup holds everything up to.
fn moment_of(receipt: &Receipt, manifest: &Manifest) -> i64 {
    let pinned = manifest.made_at.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond);
    receipt.log.as_ref().map_or(pinned.unwrap_or_default(), |place| place.at)
}

/// Wipes what was begun and counts for nothing.
pub(super) fn sweep(folder: &Path, kept: Option<&Copy>) -> Result<()> {
    let listed = fs::read_dir(folder).map_err(|cause| trouble("list", folder, cause))?;
    for entry in listed {
        let entry = entry.map_err(|cause| trouble("list", folder, cause))?;
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        if name.starts_with(PREFIX) && kept.is_none_or(|copy| copy.folder != name) {
            fs::remove_dir_all(entry.path()).map_err(|cause| trouble("wipe", &entry.path(), cause))?;
        }
    }
    Ok(())
}

/// The newest backup that the target has a receipt of this instance for.
pub(super) fn newest_backup(
    storage: &dyn Storage,
    keyring: &Keyring,
    known: Option<&GoodBackup>,
) -> Result<Option<GoodBackup>> {
    let listed = storage.list("receipts")?;
    let numbered = |(name, _): &(String, u64)| {
        let number: u64 = name.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()?;
        Some((number, name.clone()))
    };
    let Some((number, name)) = listed.iter().filter_map(numbered).max() else { return Ok(None) };
    if let Some(known) = known.filter(|known| known.number == number) {
        return Ok(Some(known.clone()));
    }
    let first = keyring.backup_signing();
    let seeds = std::iter::once(first).chain(keyring.backup_signing_successors());
    let keys: Vec<_> = seeds.map(|seed| SigningKey::from_bytes(seed.expose()).verifying_key()).collect();
    let receipt = receipt::signed(&storage.get(&name)?, &keys)?;
    Ok(Some(GoodBackup { number, finished_at: receipt.finished_at, has_log: receipt.log.is_some() }))
}

impl Growing<'_> {
    fn inbox(&self) -> (PathBuf, Folder) {
        let path = self.copy.inbox(self.folder);
        let folder = Folder::new(&path);
        (path, folder)
    }

    /// The keyring of the copy as it is now.
    ///
    /// Errors: `Unauthenticated` where the kit was exchanged since: then the new one is needed.
    pub fn keyring(&self) -> Result<Keyring> {
        let path = layout::keyring(&self.copy.data(self.folder));
        let now = fs::read(&path).map_err(|cause| trouble("read", &path, cause))?;
        Keyring::open_bytes(&now, &self.paper.unlock()).or_else(|reason| {
            // Keys that were exchanged under the same master key open with what was known before.
            self.first()?.as_of(&now).map_err(|_| {
                Error::unauthenticated(
                    "The recovery kit of the instance was exchanged; this standby has the old one.",
                )
                .hint("Hand it the new one: testkeep standby follow --kit-file kit.txt.")
                .because(reason)
            })
        })
    }

    fn first(&self) -> Result<Keyring> {
        let path = self.copy.first_keyring(self.folder);
        let json = fs::read(&path).map_err(|cause| trouble("read", &path, cause))?;
        Keyring::open_bytes(&json, &self.paper.unlock())
    }

    /// The key of the log never changes, so what came with the backup knows it.
    pub fn log_key(&self) -> Result<LogKey> {
        self.first().or_else(|_| self.keyring()).map(|keyring| keyring.log())
    }

    /// Writes what lies here already into the copy: a process that was killed may have begun with it.
    pub fn settle(&mut self) -> Result<()> {
        let (_, inbox) = self.inbox();
        inbox.sweep()?;
        let Some(stream) = self.copy.stream.clone() else { return Ok(()) };
        let key = self.log_key()?;
        match follow::head(&inbox, &key, &stream) {
            Ok((head, _)) => self.write(&inbox, &key, &head),
            // It was killed before the first was whole.
            Err(reason) if reason.kind() == Kind::NotFound => Ok(()),
            Err(reason) => Err(reason),
        }
    }

    /// Looks for what is new at the target and brings all of it into the copy.
    ///
    /// Errors: `NotFound` where no log follows the copy any more, `Invalid` where it is not whole.
    pub fn catch_up(&mut self, target: &dyn Storage) -> Result<Head> {
        let Some(place) = self.copy.place.clone() else {
            return Err(Error::not_found("The backup that this copy began with is not followed by a log.")
                .hint("Ship the log: on the instance, under Backups → Point in time, or with `testkeep log on`."));
        };
        if self.copy.stream.is_none() {
            let lead = follow::behind(target, &place)?;
            let Lead { stream, next } = lead
                .ok_or_else(|| Error::not_found("There is no log at the target that follows this copy."))?;
            (self.copy.stream, self.copy.next) = (Some(stream), next);
        }
        let stream = self.copy.stream.clone().unwrap_or_default();
        let (key, (_, inbox)) = (self.log_key()?, self.inbox());
        let (head, object) = follow::head(target, &key, &stream)?;
        if head.at < self.copy.reached && head.segments < self.copy.next.saturating_sub(1) {
            return Err(Error::invalid(
                "The log at the target ends before what was fetched from there: it was set back.",
            )
            .hint("Find out who wrote there. The copy stays as it is, and `promote --as-it-is` takes it."));
        }
        while self.copy.next <= head.segments {
            let to = head.segments.min(self.copy.next.saturating_add(limits::STANDBY_BATCH - 1));
            let lead = Lead { stream: stream.clone(), next: self.copy.next };
            follow::fetch(target, &lead, to, &inbox, &head)?;
            follow::put_head(&inbox, &stream, object.clone())?;
            self.write(&inbox, &key, &head)?;
        }
        self.copy.reached = self.copy.reached.max(head.at);
        Ok(head)
    }

    /// Writes what lies here into the copy.
    fn write(&mut self, inbox: &Folder, key: &LogKey, head: &Head) -> Result<()> {
        let (Some(place), Some(stream)) = (self.copy.place.clone(), self.copy.stream.clone()) else {
            return Ok(());
        };
        let data = self.copy.data(self.folder);
        let Some((applied, trouble)) = follow::apply(inbox, key, &stream, head, &place, &data)? else {
            return Ok(());
        };
        let new = (u64::from(applied.last) + 1).saturating_sub(self.copy.next.into());
        self.copy.segments += new;
        self.copy.next = self.copy.next.max(applied.last + 1);
        self.copy.reached = self.copy.reached.max(applied.place.at);
        self.copy.place = Some(applied.place.clone());
        if applied.last == head.segments {
            self.copy.reached = self.copy.reached.max(head.at);
        }
        self.note()?;
        if let Some(reason) = trouble {
            follow::forget(inbox, &stream, applied.last)?;
            return Err(reason);
        }
        follow::clear(inbox, &stream, &applied)
    }

    /// Stores how far the copy is, if it is the one that counts.
    fn note(&self) -> Result<()> {
        let Some(mut state) = super::State::load(self.folder)? else { return Ok(()) };
        if state.copy.as_ref().is_some_and(|known| known.folder == self.copy.folder) {
            state.copy = Some(self.copy.clone());
            state.save(self.folder)?;
        }
        Ok(())
    }

    /// Brings files of evidence here that came with the log; answers how many were new.
    pub fn fetch_files(&mut self, target: &dyn Storage, listed: &Listed) -> Result<u64> {
        let Some(stream) = self.copy.stream.clone() else { return Ok(0) };
        let data = self.copy.data(self.folder);
        let blobs = Blobs::open(&layout::blobs(&data), self.keyring()?.blobs())?;
        let mut new = 0;
        for (name, number) in listed.files(&stream) {
            let text = name.to_string();
            let path = layout::blobs(&data).join(&text[..2]).join(&text);
            if path.exists() {
                continue;
            }
            durable::create_folder(path.parent().unwrap_or(&data))?;
            durable::replace(&path, &follow::file(target, &stream, &name, number)?)?;
            match blobs.verify(&name)? {
                Verdict::Whole => new += 1,
                found => {
                    warn!(?found, file = text, "a file of evidence at the target is damaged");
                    fs::remove_file(&path).map_err(|cause| trouble("remove", &path, cause))?;
                }
            }
        }
        self.copy.files += new;
        Ok(new)
    }
}
