//! Rotation: new generations of keys. Earlier ones stay, marked retired, so that what they sealed and
//! the backups of their time still open.
//!
//! The key of the database is special, because keyring and database cannot change in one step. First
//! the new key is noted as pending, then the database is moved to it, then the note is settled: at
//! every moment the keyring holds the one key that opens the file. Whoever opens an instance finds out
//! which one that is.

use super::file::{MasterMark, State};
use super::purpose::Purpose;
use super::slots;
use super::{Keyring, SlotKind, random};
use crate::kernel::access::DatabaseKey;
use crate::kernel::error::{Error, Result};
use crate::kernel::secret::Secret;
use crate::kernel::time::Timestamp;

/// One key, as people may know it.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is for; none for the master key.
    pub purpose: Option<Purpose>,
    /// 1, 2, 3 …
    pub generation: u32,
    /// Whether it is in use.
    pub state: State,
    /// When it was made.
    pub made_at: Timestamp,
    /// Since when it only opens what is old.
    pub retired_at: Option<Timestamp>,
}

/// One way to open the instance, as people may know it.
#[derive(Clone, Debug)]
pub struct Way {
    /// What it takes.
    pub kind: SlotKind,
    /// When its secret was set, if that is known.
    pub made_at: Option<Timestamp>,
    /// Eight hex digits that tell which file or paper belongs here.
    pub fingerprint: Option<String>,
    /// For shares: how many there are and how many open.
    pub shares: Option<super::ShareCount>,
    /// For a key service: the name of the key there.
    pub kms_key: Option<String>,
    /// Whether the master key can change while its secret is not there.
    pub takes_new_master: bool,
}

impl Keyring {
    /// All keys, the master key first.
    pub fn lines(&self) -> Vec<Line> {
        let MasterMark { generation, made_at } = self.master.mark;
        let made_at = Timestamp(made_at);
        let master = Line { purpose: None, generation, state: State::Current, made_at, retired_at: None };
        let mut lines = vec![master];
        for purpose in Purpose::ALL {
            let mut of: Vec<_> = self.keys.iter().filter(|key| key.purpose == purpose).collect();
            of.sort_by_key(|key| u32::MAX - key.generation);
            lines.extend(of.into_iter().map(|key| Line {
                purpose: Some(purpose),
                generation: key.generation,
                state: key.state,
                made_at: key.made_at,
                retired_at: key.retired_at,
            }));
        }
        lines
    }

    /// The ways to open the instance.
    pub fn ways(&self) -> Vec<Way> {
        let way = |slot: &super::Slot| Way {
            kind: slot.kind,
            made_at: slot.made_at.map(Timestamp),
            fingerprint: slot.fingerprint.clone(),
            shares: slot.shares,
            kms_key: slot.kms.as_ref().map(|note| note.key.clone()),
            takes_new_master: slot.recipient.is_some(),
        };
        self.slots.iter().map(way).collect()
    }

    /// The generation of a purpose that is in use; 0 if there is none.
    pub fn generation(&self, purpose: Purpose) -> u32 {
        self.current(purpose).map_or(0, |key| key.generation)
    }

    /// The generation of the master key.
    pub fn master_generation(&self) -> u32 {
        self.master.mark.generation
    }

    /// The generation that the next exchange leads to; none stands for the master key.
    pub fn next_generation(&self, purpose: Option<Purpose>) -> u32 {
        let Some(purpose) = purpose else { return self.master_generation() + 1 };
        let known = self.keys.iter().filter(|key| key.purpose == purpose).map(|key| key.generation);
        known.max().unwrap_or_default() + 1
    }

    /// Makes the next generation of a key and retires the one before. Call `save`.
    ///
    /// Not for the database, whose file must change too, nor for the names of files, which lie in every row
    /// and every backup, nor for what comes from the recovery kit.
    pub fn renew(&mut self, purpose: Purpose, now: Timestamp) -> Result<()> {
        use Purpose::{BackupSigning, Blobs, Chain, Tokens, Vault};
        if !matches!(purpose, Blobs | Tokens | Chain | Vault | BackupSigning) {
            return Err(Error::internal(format!("the key for {} has no renewal", purpose.word())));
        }
        self.put(purpose, Secret::new(random::bytes::<32>()).expose(), now);
        Ok(())
    }

    /// Exchanges the master key and wraps it for every way to open the instance. Call `save`.
    ///
    /// Errors: `Conflict` while a slot of format 1 has not seen its secret since.
    pub fn renew_master(&mut self, now: Timestamp) -> Result<()> {
        if let Some(slot) = self.slots.iter().find(|slot| slot.recipient.is_none()) {
            let kind = slot.kind;
            return Err(Error::conflict(format!(
                "The master key cannot change yet: {} was set by an older Testkeep.",
                kind.spoken()
            ))
            .hint(match kind {
                SlotKind::Recovery => {
                    "Show the kit once, with: testkeep key upgrade --kit-file kit.txt. The paper stays good."
                }
                _ => "Open the instance with it once: testkeep key upgrade, with its own option.",
            }));
        }
        let mark = MasterMark { generation: self.master.mark.generation + 1, made_at: now.0 };
        self.master.key = Secret::new(random::bytes());
        self.master.mark = mark;
        for slot in &mut self.slots {
            let wrapped = slots::wrap(slot, &self.master, &self.uuid);
            slot.master = wrapped.ok_or_else(|| super::file::damaged("a public key in it is none"))?;
        }
        Ok(())
    }

    /// Notes the next key of the database before the file moves to it; the same one again if that was
    /// begun before. Call `save`.
    pub fn prepare_database(&mut self, now: Timestamp) -> DatabaseKey {
        let is_pending =
            |key: &&super::DataKey| key.purpose == Purpose::Database && key.state == State::Pending;
        if self.pending_database().is_none() {
            let newest = self.keys.iter().filter(|key| key.purpose == Purpose::Database);
            let generation = newest.map(|key| key.generation).max().unwrap_or_default() + 1;
            self.keys.push(super::DataKey {
                purpose: Purpose::Database,
                generation,
                state: State::Pending,
                made_at: now,
                retired_at: None,
                bytes: Secret::new(random::bytes::<32>().to_vec()),
            });
        }
        let pending = self.keys.iter().find(is_pending).expect("it was put if it was missing");
        DatabaseKey(*pending.plain().expose())
    }

    /// Notes which generation opens the database; answers whether that is news. Call `save` then.
    pub fn settle_database(&mut self, generation: u32, now: Timestamp) -> bool {
        if self.generation(Purpose::Database) == generation {
            return false;
        }
        for key in self.keys.iter_mut().filter(|key| key.purpose == Purpose::Database) {
            if key.generation == generation {
                (key.state, key.retired_at) = (State::Current, None);
            } else if key.state == State::Current {
                (key.state, key.retired_at) = (State::Retired, Some(now));
            }
        }
        true
    }

    /// The generation that a change of the database's key leads to, while one is under way.
    pub fn pending_database(&self) -> Option<u32> {
        let mut keys = self.keys.iter();
        let pending = keys.find(|key| key.purpose == Purpose::Database && key.state == State::Pending);
        pending.map(|key| key.generation)
    }
}
