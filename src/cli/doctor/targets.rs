//! The targets of backups: each is reached, and what it says is held against its plan.

use super::Check;
use crate::app::House;
use crate::keeping::backup::storage::Place;
use crate::keeping::backups::{Copies, Desk, Standing};
use crate::keeping::standby;
use crate::keeping::targets::{Goal, Target};
use crate::kernel::access::{BackupRun, BackupView, Gate};
use crate::kernel::error::Result;
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use std::path::Path;
use std::sync::Arc;

/// A check for each target, and one for all together.
pub(super) async fn checks(house: &House, add: &mut impl FnMut(&'static str, Result<Check>)) {
    let look = house.shell.operator().gate::<BackupView>(());
    let standings = match look.read(|tx| Standing::all(tx)).await {
        Ok(standings) => standings,
        Err(reason) => return add("backups", Err(reason)),
    };
    let copies = Copies::count(&standings, &house.instance.data);
    add("copies", Ok(rule(&copies)));
    if !standings.iter().any(|standing| standing.target.is_enabled) {
        let said = "No target is set up, so none are made by schedule.";
        let now = "Add one under Instance → Backups, or with `testkeep target add`.";
        return add("backups", Ok(Check::warn("backups", said, now)));
    }
    let desk = Desk::new(Arc::clone(&house.instance));
    let gate = house.shell.operator().gate::<BackupRun>(());
    for standing in standings.into_iter().filter(|standing| standing.target.is_enabled) {
        let reached = desk.reach(&gate, standing.target.id).await;
        let is_reached = reached.is_ok();
        add("backups", Ok(check(&standing, reached)));
        if is_reached {
            add("standby", standby(house, &gate, &standing.target).await);
        }
    }
}

/// Whether another machine has taken over, as the target says, and how one follows.
async fn standby(house: &House, gate: &Gate<BackupRun>, target: &Target) -> Result<Check> {
    let (instance, asked) = (Arc::clone(&house.instance), target.clone());
    let goal = gate.read(move |tx| Goal::even_if_off(tx, &instance, &asked)).await?;
    let name = &target.name;
    if let Some(mark) = standby::unknown(&house.instance, &goal)?.last() {
        let (machine, at) = (&mark.machine, Timestamp(mark.at));
        return Ok(Check::bad(
            "standby",
            format!(
                "{name}: the machine {machine} took this instance over at {at}; nothing goes there any more."
            ),
            "Stop this machine, or the other one and then: testkeep standby reclaim",
        ));
    }
    let follow = target.following(&house.instance.data);
    Ok(Check::ok("standby", format!("{name}: no other machine took over. To have one follow: {follow}")))
}

/// The rule of 3-2-1.
fn rule(copies: &Copies) -> Check {
    let said = copies.sentence();
    match copies.is_enough() {
        true => Check::ok("copies", format!("3-2-1 is kept: {said}")),
        false => Check::warn(
            "copies",
            format!("3-2-1 is not kept: {said}"),
            "Have three copies with the instance, on two disks or servers, one on another machine.",
        ),
    }
}

fn check(standing: &Standing, reached: Result<()>) -> Check {
    let Standing { target, health, good, .. } = standing;
    let name = &target.name;
    if let Err(reason) = reached {
        let now = reason.hint_text().unwrap_or("See that it is mounted or its server runs.").to_owned();
        return Check::bad("backups", format!("{name}: {}", reason.sentence()), now);
    }
    let newest =
        good.as_ref().map_or("no good backup yet".into(), |good| format!("last good {}", good.started_at));
    let protects = match &target.protection {
        Some(words) => words.lines().next().unwrap_or_default().to_owned(),
        None => "What it protects is not known: test it.".to_owned(),
    };
    let said = format!("{name}: it can be reached; {newest}. {protects}");
    let now = "Look at Instance → Backups.";
    match (health.tone, free(&target.address)) {
        ("failed", _) => Check::bad("backups", format!("{said} {}", health.sentence), now),
        (_, Some(free)) if free < limits::DISK_FREE_BYTES_MIN => {
            let left = bytesize::ByteSize(free);
            Check::warn("backups", format!("{said} Only {left} are free there."), "Make room on its disk.")
        }
        ("blocked", _) => Check::warn("backups", format!("{said} {}", health.sentence), now),
        _ => Check::ok("backups", said),
    }
}

/// The room that is left, where the system knows it.
fn free(address: &str) -> Option<u64> {
    let place: Place = address.parse().ok()?;
    let disk = place.as_folder().and_then(|folder: &Path| rustix::fs::statvfs(folder).ok())?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
