//! When checks are made: every night, after the program was not stopped in good order, and when somebody's
//! read met damage.

use super::{Cause, Kind, checks, sql};
use crate::keeping::backups::Desk;
use crate::kernel::access::{AuditExport, BackupView, Job, Permission, StorageKeep, StorageView, Tx, Write};
use crate::kernel::alarms::{self, Alarm};
use crate::kernel::audit::{Audited, Quiet};
use crate::kernel::declare::{Running, Scheduled, When};
use crate::kernel::distress::Damage;
use crate::kernel::error::{Error, Result};
use crate::kernel::integrity;
use crate::kernel::settings::Setting;
use crate::kernel::stopped;
use crate::running::results::recount;
use std::sync::Arc;

/// Who checks and mends by itself.
pub(super) const CHECKER: Job = Job {
    name: "integrity",
    meaning: "Checks database, files of evidence, audit trail, keys and counts.",
    may: &[StorageKeep::INFO, AuditExport::INFO, BackupView::INFO],
};

/// Within how many nights each file is read.
pub const NIGHTS: Setting = Setting {
    name: "integrity.nights",
    default: "7",
    meaning: "Within how many nights each file of evidence is read to its end, 1 to 28.",
    check: |text| match text.parse::<i64>() {
        Ok(1..=28) => Ok(()),
        _ => {
            Err(Error::invalid("Each file is read within 1 to 28 nights.").hint("Write a number, such as 7."))
        }
    },
};

/// The checks of every night.
pub const CHECK: Scheduled<Arc<Desk>> =
    Scheduled { job: &CHECKER, when: When::Cron("15 3 * * *"), run: nightly };

/// Within how many nights each file is read.
pub(super) fn nights(tx: impl Tx) -> Result<i64> {
    Ok(NIGHTS.get(tx)?.parse().unwrap_or(7))
}

fn nightly(desk: Arc<Desk>) -> Running {
    Box::pin(async move {
        let caller = desk.instance.door.job(&CHECKER);
        let wrong = checks::check_all(&desk.instance, &caller, Cause::Schedule).await?;
        if wrong == 0 {
            return Ok("Database, files, trail, keys and counts are as they should be.".into());
        }
        let first = caller.gate::<StorageKeep>(()).read(|tx| first_sentence(tx.reading())).await?;
        Err(Error::conflict(format!("{wrong} findings; the first: {first}")).hint("See Storage, Checks."))
    })
}

/// What to tell first of all that is wrong.
fn first_sentence(tx: crate::kernel::access::Read<'_, StorageView>) -> Result<String> {
    let open = sql::open(tx)?;
    let Some(first) = open.first() else { return Ok(String::new()) };
    let files = sql::damaged_files(tx)?;
    Ok(match (first.kind, files.first()) {
        (Kind::Files, Some(file)) => file.sentence(),
        _ => first.sentence.clone(),
    })
}

/// What is looked at before the server answers: the first page of each table, in milliseconds. After a stop
/// that was not in good order the whole database is checked in the background.
pub async fn at_start(desk: Arc<Desk>) -> Result<()> {
    let gate = desk.instance.door.job(&CHECKER).gate::<StorageKeep>(());
    gate.write(give_up).await?;
    integrity::complete(&gate).await?;
    let seen = gate.read(integrity::glance).await;
    let was_clean = stopped::take(&desk.instance.data);
    let is_new = gate.read(|tx| Ok(!sql::is_any(tx)?)).await.unwrap_or(false);
    if seen.is_err() || !was_clean && !is_new {
        let own = Arc::clone(&desk);
        desk.go_on(async move { check_now(&own, Cause::Start).await });
    }
    let waiting = gate.read(|tx| recount::waiting(tx.reading::<StorageView>())).await.unwrap_or_default();
    desk.clone().go_on(async move {
        for project in waiting {
            if let Err(reason) = recount::recount(&gate, project).await {
                tracing::error!(?reason, "summaries could not be counted anew");
            }
        }
    });
    Ok(())
}

/// What was being checked when the program ended is not being checked any more.
fn give_up(tx: Write<'_, StorageKeep>) -> Result<Audited<'_, ()>> {
    Kind::ALL.iter().try_for_each(|kind| sql::fail_abandoned(tx, *kind))?;
    Ok(tx.quiet(Quiet::JobHeartbeat, ()))
}

/// Waits for word of damage and looks into it, for as long as the instance is open.
pub async fn watch(desk: Arc<Desk>) {
    let (instance, own) = (Arc::clone(&desk.instance), Arc::clone(&desk));
    let pages = async move {
        loop {
            desk.instance.door.distress().taken().await;
            check_now(&desk, Cause::Damage).await;
        }
    };
    let files = async move {
        loop {
            for damage in instance.blobs.distress().taken().await {
                let Damage::Blob(name) = damage else { continue };
                let gate = own.instance.door.job(&CHECKER).gate::<StorageKeep>(());
                if let Err(reason) = checks::look_at(&instance, &gate, name).await {
                    tracing::error!(?reason, "a damaged file could not be noted");
                }
            }
        }
    };
    tokio::join!(pages, files);
}

/// Raises the alarm first: the check that says where the damage is takes as long as reading everything.
async fn check_now(desk: &Arc<Desk>, cause: Cause) {
    let caller = desk.instance.door.job(&CHECKER);
    let gate = caller.gate::<StorageKeep>(());
    let is_lately = gate.read(|tx| sql::began_after(tx, Kind::Database, checks::lately(tx.now()))).await;
    if cause == Cause::Damage {
        if let Err(reason) = gate.write(met_damage).await {
            tracing::error!(?reason, "the alarm about damage could not be stored");
        }
        if is_lately.unwrap_or(false) {
            return;
        }
    }
    match checks::check(&desk.instance, &caller, Kind::Database, cause).await {
        Err(reason) if !checks::is_under_way(&reason) => {
            tracing::error!(?reason, "the database could not be checked")
        }
        _ => {}
    }
}

fn met_damage(tx: Write<'_, StorageKeep>) -> Result<Audited<'_, ()>> {
    if sql::count_open(tx, Kind::Database)? == 0 {
        let said = "A page that somebody asked for could not be read from the database. It is being checked which part is damaged.";
        alarms::raise(tx, Alarm::Corruption, Kind::Database.word(), said)?;
    }
    Ok(tx.quiet(Quiet::JobHeartbeat, ()))
}
