//! Keys as the owner changes them: the ways in which the instance opens, and the exchange of every key.
//! The keyring itself is the kernel's.
//!
//! An exchange is ordered in the database and done by the keeper, in whatever process holds the folder.
//! So page, API and command order the same thing, and one that was cut off goes on at the next start.

mod age;
mod api;
mod keeper;
mod kit;
mod kit_pages;
pub mod kms;
mod pages;
mod sql;

pub use age::{AGES, DAYS_MAX};
pub use api::Api;
pub use keeper::Keeper;
pub use kit::{Along, Reached, exchange as exchange_kit};
pub use pages::routes;

use super::backups;
use crate::kernel::access::{Claim, Gate, InstanceKeep, Tx, Write};
use crate::kernel::audit::{self, Audited, Event, Quiet};
use crate::kernel::error::{Error, Result};
use crate::kernel::instance::Instance;
use crate::kernel::keyring::{Keyring, Purpose, RecoveryKit, Share, ShareCount, SharedSecret, Unlock};
use crate::kernel::time::Timestamp;
use crate::people::sessions;
use crate::people::setup;

const CHANGED: Event = Event::new("keys.changed", "The ways in which the instance opens were changed.");
const KIT_RENEWED: Event =
    Event::new("keys.kit_renewed", "The recovery kit that nobody had seen was exchanged for another one.");
const ORDERED: Event = Event::new("keys.ordered", "An exchange of keys was ordered.");
const AGE_SET: Event = Event::new("keys.age_set", "The age that keys may reach was set.");
const STOPPED: Event = Event::new("keys.exchange_failed", "An exchange of a key was given up.");

macro_rules! kinds {
    ($($(#[doc = $meaning:literal])+ $name:ident = $word:literal, $title:literal, $purpose:expr, $event:expr;)*) => {
        /// A key that can be exchanged.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Kind { $($(#[doc = $meaning])+ $name),* }

        impl Kind {
            /// All of them, in the order in which they are exchanged.
            pub const ALL: &[Kind] = &[$(Kind::$name),*];

            /// The word in the table, in the API and on the command line.
            pub fn word(self) -> &'static str {
                match self { $(Kind::$name => $word),* }
            }

            /// The words on a page.
            pub fn title(self) -> &'static str {
                match self { $(Kind::$name => $title),* }
            }

            /// The data key that it exchanges; none for the master key.
            pub fn purpose(self) -> Option<Purpose> {
                match self { $(Kind::$name => $purpose),* }
            }

            /// The entry of its exchange.
            fn event(self) -> &'static Event {
                match self { $(Kind::$name => {
                    const DONE: Event = $event;
                    &DONE
                }),* }
            }
        }

        /// Events of this slice.
        pub const EVENTS: &[Event] = &[
            CHANGED, KIT_RENEWED, kit::EXCHANGED, kit::FOLLOWED, kit::MISSED, ORDERED, AGE_SET, STOPPED, audit::CHAIN_CLOSED, audit::CHAIN_OPENED,
            $($event),*
        ];
    };
}

kinds! {
    /// Wraps all others.
    Master = "master", "Master key", None, Event::new("keys.master_exchanged", "The master key was exchanged.");
    /// Encrypts the database.
    Database = "database", "Database", Some(Purpose::Database), Event::new("keys.database_exchanged", "The key of the database was exchanged.");
    /// Digests tokens and cookies.
    Tokens = "tokens", "Digests of tokens", Some(Purpose::Tokens), Event::new("keys.tokens_exchanged", "The key of the digests of tokens was exchanged.");
    /// Binds the audit trail.
    Chain = "chain", "Audit trail", Some(Purpose::Chain), Event::new("keys.chain_exchanged", "The key of the audit trail was exchanged.");
    /// Encrypts secrets in the database.
    Vault = "vault", "Vault", Some(Purpose::Vault), Event::new("keys.vault_exchanged", "The key of the vault was exchanged.");
    /// Signs receipts of backups.
    Signing = "signing", "Signatures of backups", Some(Purpose::BackupSigning), Event::new("keys.signing_exchanged", "The key that signs receipts of backups was exchanged.");
    /// Encrypts attached files.
    Blobs = "blobs", "Attached files", Some(Purpose::Blobs), Event::new("keys.blobs_exchanged", "The key of attached files was exchanged.");
}

impl Kind {
    /// The kind of this word.
    pub fn of_word(word: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.word() == word)
    }

    /// The generation of its key that is in use.
    pub fn generation(self, keyring: &Keyring) -> u32 {
        self.purpose().map_or_else(|| keyring.master_generation(), |purpose| keyring.generation(purpose))
    }
}

/// An exchange that was ordered, and how far it is.
#[derive(Clone, Debug)]
pub struct Change {
    /// Number in the order of orders.
    pub id: i64,
    /// Of which key; none for one that only a newer program knows.
    pub kind: Option<Kind>,
    /// `waiting`, `running`, `done` or `failed`.
    pub state: String,
    /// The generation it leads to, once it has begun.
    pub generation: Option<u32>,
    /// When it was ordered.
    pub ordered_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Files done.
    pub done: i64,
    /// Files in all; 0 where nothing is counted.
    pub total: i64,
    /// Why it waits or failed.
    pub message: Option<String>,
}

impl Change {
    /// Whether it is neither done nor given up.
    pub fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "waiting" | "running")
    }
}

/// Orders the exchange of these keys; one that is under way already is not ordered twice.
///
/// Errors: `Forbidden` for somebody who did not prove lately who they are.
pub fn order<'t>(tx: Write<'t, InstanceKeep>, kinds: &[Kind]) -> Result<Audited<'t, ()>> {
    sessions::demand_proof_of_people(tx)?;
    if kinds.is_empty() {
        return Err(Error::invalid("No key was named.").hint("Choose at least one."));
    }
    for kind in kinds {
        sql::insert(tx, kind.word())?;
    }
    tx.audited(ORDERED.alone().count("keys", i64::try_from(kinds.len()).unwrap_or_default()), ())
}

/// Another set of shares in the place of the one before.
///
/// Errors: `Forbidden` for somebody who did not prove lately who they are.
fn new_shares<'t>(
    tx: Write<'t, InstanceKeep>,
    instance: &Instance,
    count: ShareCount,
) -> Result<Audited<'t, Vec<Share>>> {
    sessions::demand_proof(tx)?;
    let (secret, papers) = SharedSecret::split(count)?;
    instance.change_keyring(|keyring| keyring.replace_slot(&Unlock::Shares(secret)))?;
    tx.audited(CHANGED.alone().count("shares", i64::from(count.of)), papers)
}

/// Sets the age after which a key raises an alarm.
fn set_days<'t>(tx: Write<'t, InstanceKeep>, days: &str) -> Result<Audited<'t, ()>> {
    DAYS_MAX.set(tx, days)?;
    tx.audited(AGE_SET.alone(), ())
}

/// The exchanges that were ordered last, the newest first.
pub fn changes(tx: impl Tx) -> Result<Vec<Change>> {
    sql::newest(tx)
}

/// How far each target has come with the recovery kit in force.
pub fn reached(tx: impl Tx) -> Result<Vec<Reached>> {
    sql::reached(tx)
}

/// Changes the keyring, stores it, and leaves an entry.
pub async fn change(
    gate: &Gate<InstanceKeep>,
    instance: &Instance,
    with: impl FnOnce(&mut Keyring) -> Result<()>,
) -> Result<()> {
    gate.admit().await?;
    instance.change_keyring(with)?;
    gate.write(|tx| tx.audited(CHANGED.alone(), ())).await
}

/// Another recovery kit for an instance that nobody has claimed. None once a backup was made, because a
/// repository keeps the password it was made with.
///
/// The key ring is stored in the writer's transaction: nobody claims the instance meanwhile.
pub fn renew_kit<'t>(tx: Write<'t, Claim>, instance: &Instance) -> Result<Audited<'t, Option<RecoveryKit>>> {
    if setup::instance(tx)?.is_some_and(|instance| instance.claimed_at.is_some()) {
        return Err(Error::conflict("This instance has been set up already.")
            .hint("Its recovery kit was shown then, and nobody can show it again."));
    }
    if backups::is_any(tx)? {
        return Ok(tx.quiet(Quiet::Nothing, None));
    }
    let kit = instance.change_keyring(|keyring| keyring.renew_kit(tx.now()))?;
    tx.audited(KIT_RENEWED.alone(), Some(kit))
}
