//! Locks: which passwords open a repository, and the keyring that lies beside it for whoever comes with paper.
//!
//! The password comes from the recovery kit. After an exchange of the kit a repository first learns the new one
//! and then forgets the old one; its inner key stays, so what is there need not be written anew. The keyring
//! beside it opens with paper alone, and leads to the password where the paper is shares.

use super::engine::{Engine, open};
use super::reported;
use super::storage::Storage;
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::limits;
use crate::kernel::secret::Secret;
use bytes::Bytes;
use rustic_core::{Credentials, KeyOptions, OpenStatus, Repository};
use std::sync::Arc;
use tracing::info;

/// Where keyrings lie, each under a number of its own: a place that only appends takes the next one too.
const KEYRINGS: &str = "keyrings";

/// What paper opened before, and what it opens beside the repository.
#[derive(Default)]
pub struct Papers {
    /// Passwords of recovery kits of before, the newest first.
    pub passwords_before: Vec<Secret<String>>,
    /// The keyring that is to lie there.
    pub keyring: Option<Bytes>,
}

/// What of the time before an exchange is left at a target.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Leftover {
    /// Passwords of kits of before that open the repository, which the target lets nobody take away.
    pub passwords: usize,
    /// Keyrings of before, which it lets nobody take away.
    pub keyrings: usize,
}

impl Leftover {
    /// Whether nothing is.
    pub fn is_none(&self) -> bool {
        *self == Leftover::default()
    }
}

impl Engine {
    /// Makes the repository open with the kit of now, and with those of before no more as far as the target lets
    /// us take that away.
    ///
    /// Errors: `NotFound` where there is no repository yet. Whatever happens, one of the passwords opens it.
    pub fn exchange_locks(&self) -> Result<Leftover> {
        let _turn = self.turn()?;
        let repo = self.open_ours(&Arc::default())?;
        self.settle(&repo)
    }

    /// The same for whoever has the turn and an open repository. Costs next to nothing when nothing has changed.
    pub(super) fn settle(&self, repo: &Repository<OpenStatus>) -> Result<Leftover> {
        let Some(ours) = &self.papers.keyring else { return Ok(Leftover::default()) };
        let storage = self.target.storage();
        let known = names(storage.list(KEYRINGS)?);
        let is_there = match known.last() {
            Some((_, name)) => storage.get(name)? == ours,
            None => false,
        };
        let keys = storage.list("keys")?.len();
        let mut left = Leftover::default();
        if keys > 1 || (!is_there && !self.papers.passwords_before.is_empty()) {
            let repo = self.open_with_the_newest(repo)?;
            self.put_keyring(ours, &known, is_there)?;
            left.passwords = self.forget_passwords(&repo)?;
        } else {
            self.put_keyring(ours, &known, is_there)?;
        }
        let older = if is_there { &known[..known.len() - 1] } else { &known[..] };
        for (_, name) in older {
            left.keyrings += usize::from(!is_gone(storage.delete(name))?);
        }
        Ok(left)
    }

    /// Opened by the password of now, which the repository learns if it does not know it.
    fn open_with_the_newest(&self, repo: &Repository<OpenStatus>) -> Result<Repository<OpenStatus>> {
        if let Some(known) = self.opened_by(&self.password)? {
            return Ok(known);
        }
        repo.add_key(self.password.expose(), &KeyOptions::default()).map_err(reported)?;
        info!(target = self.target.storage().location(), "the backup repository opens with the new kit");
        self.opened_by(&self.password)?.ok_or_else(|| {
            Error::internal(
                "the backup repository does not open with the password that it has just been given",
            )
        })
    }

    /// Takes away what passwords of before open; answers how many stayed, because the target wants it so.
    fn forget_passwords(&self, repo: &Repository<OpenStatus>) -> Result<usize> {
        let mut stayed = 0;
        for password in &self.papers.passwords_before {
            for _ in 0..limits::REPOSITORY_KEYS_MAX {
                let Some(id) = self.opened_by(password)?.and_then(|old| *old.key_id()) else { break };
                if !is_gone(repo.delete_key(&id).map_err(reported))? {
                    stayed += 1;
                    break;
                }
            }
        }
        Ok(stayed)
    }

    /// The repository, if this password opens it.
    fn opened_by(&self, password: &Secret<String>) -> Result<Option<Repository<OpenStatus>>> {
        match open(&self.backends(&Arc::default()), &Credentials::password(password.expose())) {
            Err(cause) if cause.is_incorrect_password() => Ok(None),
            opened => opened.map(Some).map_err(reported),
        }
    }

    fn put_keyring(&self, ours: &Bytes, known: &[(u64, String)], is_there: bool) -> Result<()> {
        if is_there {
            return Ok(());
        }
        let number = known.last().map_or(1, |(number, _)| number + 1);
        self.target.storage().put(&format!("{KEYRINGS}/{number:08}.json"), std::slice::from_ref(ours))
    }
}

/// The keyrings that lie beside a repository, the newest first. Whoever can write there may have laid them down.
pub fn keyrings_beside(storage: &dyn Storage) -> Result<Vec<Vec<u8>>> {
    let names = names(storage.list(KEYRINGS)?).into_iter().rev().take(limits::KEYRINGS_TRIED);
    names.map(|(_, name)| storage.get(&name).map(|bytes| bytes.to_vec())).collect()
}

/// Numbers and names of keyrings, the oldest first.
fn names(listed: Vec<(String, u64)>) -> Vec<(u64, String)> {
    let numbered = |(name, _): (String, u64)| {
        let number = name.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()?;
        Some((number, name))
    };
    let mut names: Vec<(u64, String)> = listed.into_iter().filter_map(numbered).collect();
    names.sort_unstable();
    names
}

/// Whether something was taken away; not where the target lets nobody do that.
fn is_gone(deleted: Result<()>) -> Result<bool> {
    match deleted {
        Ok(()) => Ok(true),
        Err(reason) if reason.kind() == Kind::NotFound => Ok(true),
        Err(reason) if reason.kind() == Kind::Forbidden => Ok(false),
        Err(reason) => Err(reason),
    }
}
