//! The recovery kit: exchanged for another one, and made known to every backup target.
//!
//! Somebody holds the new kit before anything changes: it is typed back, or lies in a file. Then the keyring changes
//! in one step. Targets follow by themselves, as soon as each can be reached; until one has, its backups open with
//! the kit of before.

use super::{Kind, age, sql};
use crate::keeping::alarms::{self, Alarm};
use crate::keeping::backup::Leftover;
use crate::kernel::access::{InstanceKeep, Tx, Write};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::error::{Error, Kind as Failure, Result};
use crate::kernel::id::TargetId;
use crate::kernel::instance::Instance;
use crate::kernel::keyring::{RecoveryKit, RecoverySecret};
use crate::kernel::limits;
use crate::kernel::secret::Secret;
use crate::kernel::time::Timestamp;
use crate::people::sessions;
use data_encoding::HEXLOWER;

/// The kit was exchanged.
pub(super) const EXCHANGED: Event =
    Event::new("keys.kit_exchanged", "The recovery kit was exchanged for another one.");
/// A target has learnt it.
pub(super) const FOLLOWED: Event =
    Event::new("keys.kit_followed", "A backup target opens with the new recovery kit.");
/// A target has not.
pub(super) const MISSED: Event =
    Event::new("keys.kit_missed", "A backup target could not be given the new recovery kit.");

/// What the vault calls a kit that somebody is to type back.
const ABOUT: &str = "offered recovery kit";

/// How far a target has come.
#[derive(Clone, Debug)]
pub struct Reached {
    /// Its number.
    pub id: TargetId,
    /// What people call it.
    pub name: String,
    /// The exchange up to which it has come.
    pub generation: u32,
    /// When it was last tried.
    pub tried_at: Option<Timestamp>,
    /// What is left of before, or why it was not reached.
    pub note: Option<String>,
}

/// A kit that was shown and is to be typed back, sealed so that a form can carry it.
pub(super) fn offer(instance: &Instance, kit: &RecoveryKit) -> Result<String> {
    let text = Secret::new(format!("{} {}", kit.created_at.0, kit.secret.print().expose()));
    Ok(HEXLOWER.encode(&instance.seal(ABOUT, text.expose().as_bytes())?))
}

/// The kit of an offer.
///
/// Errors: `Conflict` for one that is too old.
pub(super) fn offered(instance: &Instance, offer: &str, now: Timestamp) -> Result<RecoveryKit> {
    let gone = || {
        Error::conflict("The kit that was shown is not waiting any more, so nothing was changed.")
            .hint("Have another one shown.")
    };
    let sealed = HEXLOWER.decode(offer.as_bytes()).map_err(|_| gone())?;
    let plain = instance.unseal(ABOUT, &sealed).map_err(|_| gone())?;
    let text = std::str::from_utf8(plain.expose()).map_err(|_| gone())?;
    let (made_at, secret) = text.split_once(' ').ok_or_else(gone)?;
    let created_at = Timestamp(made_at.parse().map_err(|_| gone())?);
    if now.0 - created_at.0 > limits::KIT_OFFER_MS {
        return Err(gone());
    }
    let uuid = instance.keyring()?.uuid().to_owned();
    Ok(RecoveryKit { secret: RecoverySecret::parse(secret)?, uuid, created_at })
}

/// Which keys change with the kit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Along {
    /// The master key alone: the paper was lost, and nobody else has it.
    Master,
    /// All: somebody may have seen the old kit, and a copy of the folder or of a backup.
    All,
}

/// Puts this kit in the place of the one before. Targets follow.
///
/// Errors: `Forbidden` for somebody who did not prove lately who they are.
pub fn exchange<'t>(
    tx: Write<'t, InstanceKeep>,
    instance: &Instance,
    kit: &RecoverySecret,
    along: Along,
) -> Result<Audited<'t, ()>> {
    sessions::demand_proof(tx)?;
    instance.change_keyring(|keyring| keyring.exchange_kit(kit, age::now()))?;
    if along == Along::All {
        for kind in Kind::ALL.iter().filter(|kind| **kind != Kind::Master) {
            sql::insert(tx, kind.word())?;
        }
    }
    tx.audited(EXCHANGED.alone().count("all_keys", i64::from(along == Along::All)), ())
}

/// The targets that have not come as far as this exchange, and are due; none before there was one.
pub(super) fn behind(tx: impl Tx, generation: u32) -> Result<Vec<Reached>> {
    let now = tx.now();
    let is_due = |target: &Reached| {
        let waits = target.tried_at.is_some_and(|at| now.0 - at.0 < limits::KIT_RETRY_MS && at.0 <= now.0);
        generation > 1 && target.generation < generation && !(waits && target.note.is_some())
    };
    Ok(sql::reached(tx)?.into_iter().filter(is_due).collect())
}

/// Notes what became of one target.
pub(super) fn note<'t>(
    tx: Write<'t, InstanceKeep>,
    target: &Reached,
    generation: u32,
    reached: &Result<Option<Leftover>>,
) -> Result<Audited<'t, ()>> {
    let subject = format!("kit at {}", target.name);
    match reached {
        Ok(left) => {
            let left = left.clone().unwrap_or_default();
            let said = (!left.is_none()).then(|| sentence(&left));
            sql::note_reached(tx, target.id, generation, said.as_deref())?;
            alarms::clear(tx, Alarm::KeyChangeStuck, &subject)?;
            tx.audited(FOLLOWED.of(target.id).count("left", i64::from(said.is_some())), ())
        }
        Err(reason) => {
            let hint = reason.hint_text().unwrap_or_default();
            let said = format!("{} {hint}", reason.sentence()).trim().to_owned();
            sql::note_missed(tx, target.id, &said)?;
            // One that is busy with a backup is no news.
            if reason.kind() != Failure::Busy || target.note.is_some() {
                alarms::raise(tx, Alarm::KeyChangeStuck, &subject, &said)?;
            }
            tx.audited(MISSED.of(target.id), ())
        }
    }
}

/// What is left of before, in words.
fn sentence(left: &Leftover) -> String {
    match left.passwords {
        0 => "An older keyring lies there that nobody may take away; an older kit opens it, and no new backup with it.".to_owned(),
        _ => "The target lets nobody take things away, so the old kit still opens the repository there: sizes and names of files in all backups, and what is in those from before the exchange.".to_owned(),
    }
}
