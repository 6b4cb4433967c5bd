//! Targets: the places that backups go to, how to get in, when, and how long they stay there.
//!
//! A target holds no connection and makes no backup: `backups` does, at its desk. Secrets lie sealed in the
//! database and are never shown again; the address holds none.

mod blackout;
mod command;
mod draft;
mod plan;
mod reach;
mod region;
mod sql;

pub use blackout::Blackouts;
pub use command::shell_word;
pub use draft::{Draft, Typed};
pub use reach::{Goal, Secrets};
pub use region::{REGIONS, Regions, set_regions};

use crate::keeping::alarms::{self, Alarm};
use crate::keeping::backup::Keep;
use crate::keeping::backup::storage::{HostKey, Place};
use crate::kernel::access::{BackupRun, Tx, Write};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::TargetId;
use crate::kernel::instance::{Instance, Resealed};
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use crate::people::sessions::demand_proof_of_people;

const ADDED: Event = Event::new("target.added", "A target of backups was added.");
const CHANGED: Event = Event::new("target.changed", "A target of backups was changed.");
const OPENED: Event = Event::new("target.access_set", "The secrets of a target of backups were entered.");
const TRUSTED: Event =
    Event::new("target.host_trusted", "The host key of a target of backups was confirmed.");
const TESTED: Event = Event::new("target.tested", "A target of backups was tested.");
const ENABLED: Event = Event::new("target.enabled", "A target of backups was switched on.");
const DISABLED: Event = Event::new("target.disabled", "A target of backups was switched off.");
const REMOVED: Event =
    Event::new("target.removed", "A target of backups was removed; the data there stayed.");
const REGIONS_SET: Event =
    Event::new("target.regions_set", "The regions that backups may go to were changed.");

/// What happens to targets.
pub const EVENTS: &[Event] =
    &[ADDED, CHANGED, OPENED, TRUSTED, TESTED, ENABLED, DISABLED, REMOVED, REGIONS_SET];

/// A place that backups go to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its number.
    pub id: TargetId,
    /// What people call it.
    pub name: String,
    /// Its address, as a place is written.
    pub address: String,
    /// When its secrets were entered.
    pub access_at: Option<Timestamp>,
    /// The host key of an SFTP server, as somebody has confirmed it.
    pub host_key: Option<String>,
    /// A country or region.
    pub region: String,
    /// Where it is, in the owner's words.
    pub label: String,
    /// Whether backups go there.
    pub is_enabled: bool,
    /// Cron expression of five fields; empty for by hand only.
    pub schedule: String,
    /// IANA time zone; empty for that of the server.
    pub zone: String,
    /// When no backup may begin.
    pub blackouts: Blackouts,
    /// How many stay.
    pub keep: Keep,
    /// The most it is sent, in bytes a second.
    pub bytes_per_second: Option<i64>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When anything about it was last changed.
    pub changed_at: Timestamp,
    /// Since when its schedule counts.
    pub planned_at: Timestamp,
    /// When the schedule last began a backup.
    pub tried_at: Option<Timestamp>,
    /// How often the schedule failed since then.
    pub tries: i64,
    /// When it is tried again.
    pub retry_at: Option<Timestamp>,
    /// When it was last tested.
    pub tested_at: Option<Timestamp>,
    /// What that test found.
    pub tested: Option<String>,
    /// What the target itself protects.
    pub protection: Option<String>,
}

/// All targets, in the order in which they were added.
pub fn list(tx: impl Tx) -> Result<Vec<Target>> {
    sql::all(tx)
}

/// The target of this number.
pub fn get(tx: impl Tx, id: TargetId) -> Result<Target> {
    found(tx, id)
}

/// The target of this name, or of this number.
pub fn named(tx: impl Tx, name: &str) -> Result<Target> {
    let by_number = || name.parse().ok().map(TargetId);
    let target = match sql::named(tx, name)? {
        None => by_number().map_or(Ok(None), |id| sql::of(tx, id))?,
        found => found,
    };
    target.ok_or_else(|| {
        Error::not_found(format!("There is no target “{name}”."))
            .hint("`testkeep target list` shows them all.")
    })
}

/// The number of a target in a form or an address; none if the field is empty.
pub fn number(typed: &str) -> Result<Option<TargetId>> {
    match typed.trim() {
        "" => Ok(None),
        text => text.parse().map(|id| Some(TargetId(id))).map_err(|_| {
            Error::not_found(format!("There is no target {text}.")).hint("Choose one from the list.")
        }),
    }
}

fn found(tx: impl Tx, id: TargetId) -> Result<Target> {
    sql::of(tx, id)?.ok_or_else(|| Error::not_found(format!("There is no target {}.", id.0)))
}

/// Adds a target, with its secrets if it needs any.
pub fn add<'t>(
    tx: Write<'t, BackupRun>,
    instance: &Instance,
    draft: &Draft,
    secrets: Option<&Secrets>,
) -> Result<Audited<'t, TargetId>> {
    Regions::get(tx)?.check(&draft.region)?;
    let known = sql::all(tx)?;
    if known.len() >= limits::TARGETS_MAX {
        return Err(Error::too_large(format!("An instance has at most {} targets.", limits::TARGETS_MAX)));
    }
    refuse_twice(&known, None, draft)?;
    let id = sql::insert(tx, draft)?;
    if let Some(secrets) = secrets {
        sql::set_access(tx, id, &secrets.sealed(instance, id)?)?;
    }
    tx.audited(ADDED.of(id), id)
}

/// Changes a target. With another address it is another place: what was found out about the old one goes, and
/// with another server the secrets go too, which that server was never meant to see.
///
/// Errors: `Forbidden` for another address, unless the person proved lately who they are.
pub fn change<'t>(tx: Write<'t, BackupRun>, id: TargetId, draft: &Draft) -> Result<Audited<'t, ()>> {
    let old = found(tx, id)?;
    Regions::get(tx)?.check(&draft.region)?;
    refuse_twice(&sql::all(tx)?, Some(id), draft)?;
    sql::change(tx, id, draft)?;
    if old.address != draft.address {
        demand_proof_of_people(tx)?;
        sql::forget_findings(tx, id)?;
        if server(&old.address)? != server(&draft.address)? {
            sql::forget_access(tx, id)?;
        }
    }
    if old.name != draft.name {
        clear_alarms(tx, &old.name)?;
    }
    tx.audited(CHANGED.of(id), ())
}

fn server(address: &str) -> Result<String> {
    Ok(address.parse::<Place>()?.server())
}

fn refuse_twice(known: &[Target], own: Option<TargetId>, draft: &Draft) -> Result<()> {
    let mut others = known.iter().filter(|target| Some(target.id) != own);
    if others.clone().any(|target| target.name.to_lowercase() == draft.name.to_lowercase()) {
        return Err(Error::conflict(format!("Another target is called “{}”.", draft.name))
            .hint("Give it a name of its own."));
    }
    if let Some(other) = others.find(|target| target.address == draft.address) {
        return Err(Error::conflict(format!("“{}” goes to this address already.", other.name))
            .hint("Two targets never share a repository; change that one."));
    }
    Ok(())
}

/// Puts new secrets in the place of the old ones.
pub fn set_secrets<'t>(
    tx: Write<'t, BackupRun>,
    instance: &Instance,
    id: TargetId,
    secrets: &Secrets,
) -> Result<Audited<'t, ()>> {
    found(tx, id)?;
    sql::set_access(tx, id, &secrets.sealed(instance, id)?)?;
    tx.audited(OPENED.of(id), ())
}

/// Notes that somebody has compared the host key of a server.
pub fn trust<'t>(tx: Write<'t, BackupRun>, id: TargetId, key: &str) -> Result<Audited<'t, ()>> {
    found(tx, id)?;
    sql::set_host_key(tx, id, &HostKey::parse(key)?.line)?;
    tx.audited(TRUSTED.of(id), ())
}

/// Notes what a test found, and whether the target could be reached.
pub fn note_tested<'t>(
    tx: Write<'t, BackupRun>,
    id: TargetId,
    outcome: &Result<(String, Option<String>)>,
) -> Result<Audited<'t, ()>> {
    let target = found(tx, id)?;
    match outcome {
        Ok((said, protection)) => {
            sql::set_tested(tx, id, said, protection.as_deref())?;
            alarms::clear(tx, Alarm::TargetUnreachable, &target.name)?;
        }
        Err(reason) => sql::set_tested(tx, id, reason.sentence(), None)?,
    }
    tx.audited(TESTED.of(id).count("good", i64::from(outcome.is_ok())), ())
}

/// Lets backups go there again.
pub fn enable(tx: Write<'_, BackupRun>, id: TargetId) -> Result<Audited<'_, ()>> {
    let target = found(tx, id)?;
    Regions::get(tx)?.check(&target.region)?;
    sql::set_enabled(tx, id, true)?;
    tx.audited(ENABLED.of(id), ())
}

/// Lets no backup go there; what is there stays.
pub fn disable(tx: Write<'_, BackupRun>, id: TargetId) -> Result<Audited<'_, ()>> {
    let target = found(tx, id)?;
    sql::set_enabled(tx, id, false)?;
    clear_alarms(tx, &target.name)?;
    tx.audited(DISABLED.of(id), ())
}

/// Forgets a target and its secrets. The data there is not touched: whoever has the kit can restore from it.
///
/// Errors: `Forbidden` unless the person proved lately who they are.
pub fn remove(tx: Write<'_, BackupRun>, id: TargetId) -> Result<Audited<'_, ()>> {
    demand_proof_of_people(tx)?;
    let target = found(tx, id)?;
    sql::remove(tx, id)?;
    clear_alarms(tx, &target.name)?;
    tx.audited(REMOVED.of(id), ())
}

/// Ends all alarms about a target: it is gone, or called something else.
fn clear_alarms(tx: Write<'_, BackupRun>, name: &str) -> Result<()> {
    const OF_TARGETS: [Alarm; 7] = [
        Alarm::BackupFailed,
        Alarm::BackupMissed,
        Alarm::RetentionStuck,
        Alarm::TargetUnreachable,
        Alarm::RegionForbidden,
        Alarm::DrillFailed,
        Alarm::DrillMissed,
    ];
    OF_TARGETS.into_iter().try_for_each(|alarm| alarms::clear(tx, alarm, name))
}

/// Notes that the schedule begins a backup. The caller writes the entry.
pub fn note_tried(tx: Write<'_, BackupRun>, id: TargetId) -> Result<()> {
    sql::set_tried(tx, id)
}

/// Notes that a backup failed; one by schedule is tried again later. The caller writes the entry.
pub fn note_failed(tx: Write<'_, BackupRun>, id: TargetId, is_scheduled: bool, said: &str) -> Result<()> {
    let Some(target) = sql::of(tx, id)? else { return Ok(()) };
    if is_scheduled {
        sql::set_failed(tx, id, target.retry_after_failure(tx.now()))?;
    }
    alarms::raise(tx, Alarm::BackupFailed, &target.name, said)
}

/// Notes that a backup is there and was read back. The caller writes the entry.
pub fn note_good(tx: Write<'_, BackupRun>, id: TargetId) -> Result<()> {
    let Some(target) = sql::of(tx, id)? else { return Ok(()) };
    sql::set_good(tx, id)?;
    let over = [Alarm::BackupFailed, Alarm::BackupMissed, Alarm::TargetUnreachable, Alarm::TakenOver];
    over.into_iter().try_for_each(|alarm| alarms::clear(tx, alarm, &target.name))
}

/// Keeps the master key of the repository of a target, sealed: opening by password costs a second and 128 MiB.
pub fn keep_master(tx: Write<'_, BackupRun>, instance: &Instance, id: TargetId, master: &[u8]) -> Result<()> {
    sql::set_master(tx, id, &reach::seal_master(instance, id, master)?)
}

/// Seals the secrets of targets under the key of the vault that is in use. The caller writes the entry.
pub fn reseal(tx: Write<'_, BackupRun>, instance: &Instance, tally: &mut Resealed) -> Result<()> {
    for (id, sql::Sealed { access, master }) in sql::all_sealed(tx)? {
        let again = |about: String, sealed: Option<Vec<u8>>, tally: &mut Resealed| match sealed {
            Some(sealed) => instance.reseal(&about, &sealed, tally),
            None => Ok(None),
        };
        let access = again(reach::about_access(id), access, tally)?;
        let master = again(reach::about_master(id), master, tally)?;
        if access.is_some() || master.is_some() {
            sql::reseal(tx, id, access.as_deref(), master.as_deref())?;
        }
    }
    Ok(())
}

#[cfg(test)]
impl Target {
    /// One for tests of what it works out.
    pub(super) fn sample() -> Target {
        Target {
            id: TargetId(1),
            name: "Sample".into(),
            address: "/mnt/keep".into(),
            access_at: None,
            host_key: None,
            region: String::new(),
            label: String::new(),
            is_enabled: true,
            schedule: String::new(),
            zone: String::new(),
            blackouts: Blackouts::default(),
            keep: Keep { last: 1, daily: 0, weekly: 0, monthly: 0 },
            bytes_per_second: None,
            created_at: Timestamp(0),
            changed_at: Timestamp(0),
            planned_at: Timestamp(0),
            tried_at: None,
            tries: 0,
            retry_at: None,
            tested_at: None,
            tested: None,
            protection: None,
        }
    }
}
