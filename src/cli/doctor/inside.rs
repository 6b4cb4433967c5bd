//! What can be seen with the key: the database, the audit trail, evidence, backups.

use super::Check;
use crate::app::House;
use crate::keeping::backups::{self, Backup};
use crate::keeping::certificates::Standing;
use crate::keeping::integrity as integrity_checks;
use crate::keeping::shipping::{self, Switch};
use crate::keeping::trail::Kept;
use crate::keeping::upgrade;
use crate::kernel::access::{AuditView, BackupView, Claim, InstanceView, StorageView};
use crate::kernel::audit::{self, Filter, Verdict};
use crate::kernel::blobs;
use crate::kernel::build;
use crate::kernel::error::Result;
use crate::kernel::integrity;
use crate::kernel::limits;
use crate::kernel::options::Options;
use crate::kernel::time::{Clock, Timestamp};
use crate::people::setup;
use std::collections::HashSet;
use std::sync::Arc;

const HOUR_MS: i64 = 3_600_000;

/// Everything that needs the key. `is_quick` leaves out what reads the whole database.
pub async fn checks(house: &House, options: &Options, is_quick: bool, checks: &mut Vec<Check>) {
    checks.push(Check::ok("instance", "Its key fits, and it opens."));
    let mut add = |about, outcome: Result<Check>| {
        checks.push(outcome.unwrap_or_else(|reason| Check::failed(about, &reason)));
    };
    add("owner", owner(house).await);
    add("schema", schema(house).await);
    add("version", version(house).await);
    if !is_quick {
        add("database", database(house).await);
        add("audit trail", trail(house).await);
    }
    add("clock", clock(house).await);
    add("evidence", evidence(house).await);
    add("checks", known_damage(house).await);
    add("backups", newest_backup(house).await);
    add("point in time", shipped_log(house).await);
    add("renewal", renewal(house, options).await);
    super::targets::checks(house, &mut add).await;
}

/// The certificate that the server takes from the database, if it does.
async fn renewal(house: &House, options: &Options) -> Result<Check> {
    if options.cleartext_behind_proxy {
        return Ok(Check::ok("renewal", "A proxy on this machine does the TLS."));
    }
    let gate = house.shell.operator().gate::<InstanceView>(());
    let (instance, options) = (Arc::clone(&house.instance), options.clone());
    let now = Clock::System.now();
    let standing = gate.read(move |tx| Standing::stored(tx, &options, &instance, now)).await?;
    let Some(standing) = standing else {
        return Ok(Check::ok("renewal", "The first start of the server makes a certificate."));
    };
    let said = standing.message.clone().unwrap_or_default();
    let end = format!("{}; it ends at {}.", standing.title, standing.not_after);
    Ok(match (standing.days_left < 0, standing.is_failing) {
        (true, _) => Check::bad("renewal", format!("{end} {said}"), "See Instance → Certificate."),
        (false, true) => Check::warn(
            "renewal",
            format!("{said} {end}"),
            "See docs/admin/certificates.md; it is tried again.",
        ),
        (false, false) => Check::ok("renewal", end),
    })
}

async fn owner(house: &House) -> Result<Check> {
    let gate = house.shell.operator().gate::<Claim>(());
    let instance = gate.read(|tx| setup::instance(tx)).await?;
    Ok(match instance.and_then(|instance| instance.claimed_at) {
        Some(at) => Check::ok("owner", format!("It was set up at {at}.")),
        None => Check::warn(
            "owner",
            "Nobody has set this instance up yet.",
            "Open the link that `testkeep serve` prints, or run `testkeep setup`.",
        ),
    })
}

async fn schema(house: &House) -> Result<Check> {
    let (found, newest) = house.shell.operator().gate::<InstanceView>(()).read(integrity::schema).await?;
    Ok(Check::ok("schema", format!("number {found}; this program knows up to {newest}")))
}

async fn database(house: &House) -> Result<Check> {
    let gate = house.shell.operator().gate::<InstanceView>(());
    let findings = gate.read_at_length(integrity::check).await?;
    Ok(match findings.first() {
        None => Check::ok("database", "Every page is as it was written."),
        Some(first) => Check::bad(
            "database",
            format!("{} findings; the first: {first}", findings.len()),
            "Keep this folder as it is, and restore the newest backup into another one.",
        ),
    })
}

/// Nobody outside is asked for a newer one: an old one is told by its time here.
async fn version(house: &House) -> Result<Check> {
    let gate = house.shell.operator().gate::<InstanceView>(());
    let since = gate.read(|tx| upgrade::since(tx)).await?;
    let Some(since) = since else {
        return Ok(Check::ok("version", format!("{}; its server has not started here yet.", build::VERSION)));
    };
    let days = (Clock::System.now().0 - since.0) / (24 * HOUR_MS);
    Ok(match days > limits::VERSION_DAYS_MAX {
        true => Check::warn(
            "version",
            format!(
                "{} has been at work here for {days} days; a newer one may mend what is known by now.",
                build::VERSION
            ),
            "See whether there is a newer release, and install it; docs/admin/upgrade.md says how.",
        ),
        false => Check::ok("version", format!("{}, at work here for {days} days.", build::VERSION)),
    })
}

async fn trail(house: &House) -> Result<Check> {
    let gate = house.shell.operator().gate::<AuditView>(());
    let kept = Kept::of(&house.instance)?;
    let verdict = gate.read_at_length(move |tx| audit::verify(tx, kept.end(tx)?.as_ref())).await?;
    let bad = |said: String| {
        let now =
            "Keep this folder as it is, restore the newest backup elsewhere, and compare the two trails.";
        Check::bad("audit trail", said, now)
    };
    Ok(match verdict {
        Verdict::Whole(head) => Check::ok("audit trail", format!("It is whole: {} entries.", head.seq)),
        Verdict::BrokenAt(seq) => bad(format!("It is broken at entry {seq}.")),
        Verdict::CutShort { should_reach } => bad(format!("It once reached entry {should_reach}.")),
    })
}

/// Entries from the future show that the clock was set back.
async fn clock(house: &House) -> Result<Check> {
    let gate = house.shell.operator().gate::<AuditView>(());
    let newest = gate.read(|tx| audit::list(tx, &Filter::default())).await?;
    let (now, last) = (Clock::System.now(), newest.first().map_or(Timestamp(0), |line| line.at));
    Ok(match last.0 > now.0 + HOUR_MS {
        true => Check::warn(
            "clock",
            format!("The newest entry of the audit trail is of {last}, which is yet to come."),
            "See whether the clock was set back; a code of the second factor may be refused until then.",
        ),
        false => Check::ok("clock", "It has gone on since the newest entry of the audit trail."),
    })
}

async fn evidence(house: &House) -> Result<Check> {
    let gate = house.shell.operator().gate::<InstanceView>(());
    let named = gate.read_at_length(integrity::blobs).await?;
    let store = &house.instance.blobs;
    let there: HashSet<_> = store.names()?.into_iter().collect();
    let missing = named.iter().filter(|name| !there.contains(name)).count();
    let mut damaged = 0;
    for name in named.iter().filter(|name| there.contains(name)).take(limits::BLOBS_SAMPLED) {
        damaged += usize::from(store.verify(name)? != blobs::Verdict::Whole);
    }
    let said = format!("{} files: {missing} are missing, {damaged} of the newest are damaged.", named.len());
    Ok(match missing + damaged {
        0 => Check::ok("evidence", format!("All {} files are there.", named.len())),
        _ => Check::bad(
            "evidence",
            said,
            "Run `testkeep check --only files`, then `testkeep repair`: it brings them back from a backup.",
        ),
    })
}

/// What the checks of every night know, and when they were made last.
async fn known_damage(house: &House) -> Result<Check> {
    let gate = house.shell.operator().gate::<StorageView>(());
    let (open, last) = gate.read(|tx| Ok((integrity_checks::open(tx)?, integrity_checks::list(tx)?))).await?;
    Ok(match (open.first(), last.first()) {
        (Some(first), _) => Check::bad(
            "checks",
            format!("{} findings; the first: {}", open.len(), first.sentence),
            "See what can be mended: testkeep repair --dry-run",
        ),
        (None, Some(last)) => Check::ok("checks", format!("The last was made at {}.", last.started_at)),
        (None, None) => Check::ok("checks", "None was made yet; a running server makes them every night."),
    })
}

async fn newest_backup(house: &House) -> Result<Check> {
    let gate = house.shell.operator().gate::<BackupView>(());
    let newest: Option<Backup> = gate.read(|tx| backups::newest_good(tx)).await?;
    let Some(Backup { finished_at: Some(at), target, .. }) = newest else {
        let said = "There is no backup: what this disk loses is lost.";
        return Ok(Check::warn("backups", said, "Make one: testkeep backup --to /another/disk"));
    };
    let age_ms = Clock::System.now().0 - at.0;
    let said = format!("The newest is of {at}, in {target}.");
    Ok(match age_ms > limits::BACKUP_AGE_WARNING_MS {
        true => {
            Check::warn("backups", said, "Make another one, and choose a schedule under Instance → Backups.")
        }
        false => Check::ok("backups", said),
    })
}

async fn shipped_log(house: &House) -> Result<Check> {
    let gate = house.shell.operator().gate::<BackupView>(());
    let switch = gate.read(|tx| Switch::get(tx)).await?;
    if !switch.is_on {
        let said = "The log is not shipped: what is done between two backups is lost with the disk.";
        return Ok(Check::ok("point in time", said));
    }
    let now = "See that the server runs and the target can be reached; Instance → Backups → Point in time says more.";
    Ok(match shipping::waiting(&house.instance.data)? {
        0 => Check::ok(
            "point in time",
            format!("The log is shipped every {} s; nothing waits.", switch.seconds),
        ),
        bytes => {
            Check::warn("point in time", format!("{bytes} bytes of the log wait for their target."), now)
        }
    })
}
