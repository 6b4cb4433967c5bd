//! `testkeep target`: where backups go, from the machine itself. Secrets come from files, never from arguments.

use super::access::{Access, place_of};
use super::output::{Output, table};
use crate::app::House;
use crate::keeping::backup::Keep;
use crate::keeping::backups::{Desk, Standing};
use crate::keeping::targets::{self, Goal, Target as Record, Typed};
use crate::kernel::access::{BackupRun, BackupView, Gate, Tx};
use crate::kernel::error::Result;
use crate::kernel::id::TargetId;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::sync::Arc;

/// What to do with targets.
#[derive(Subcommand, Debug)]
pub enum Target {
    /// Show all targets and how they stand.
    List,
    /// Add a target.
    Add(Box<Add>),
    /// Show one target, with its next five backups.
    Show {
        /// Its name or number.
        name: String,
    },
    /// Change a target: what is not named stays.
    Change(Box<Change>),
    /// Write, list, read and delete an object there, and say what the target protects.
    Test {
        /// Its name or number.
        name: String,
    },
    /// Forget a target and its secrets; the backups there are not touched.
    Remove {
        /// Its name or number.
        name: String,
    },
}

/// A target to add.
#[derive(Args, Debug)]
#[command(after_help = "Addresses:\n  /mnt/keep\n  sftp://backup@host[:port]/path\n  \
    s3://bucket/prefix?endpoint=https://host&region=name\n  webdav+https://host/path\n  rest+https://host/path\n\n\
    Secrets are JSON in a file, on standard input, or in the environment, with any of user, password, private_key, \
    passphrase, authority:\n  \
    testkeep target add --name Vault --address s3://keep?region=eu-central-1 --access-file secrets.json")]
pub struct Add {
    /// What people call it.
    #[arg(long)]
    name: String,
    /// Its address; holds no secret.
    #[arg(long)]
    address: String,
    #[command(flatten)]
    plan: Planned,
}

/// What to change about a target.
#[derive(Args, Debug)]
pub struct Change {
    /// Its name or number.
    target: String,
    /// Another name.
    #[arg(long)]
    name: Option<String>,
    /// Another address: another place, to be tested again.
    #[arg(long)]
    address: Option<String>,
    #[command(flatten)]
    plan: Planned,
    /// Let backups go there again.
    #[arg(long, conflicts_with = "off")]
    on: bool,
    /// Let no backup go there; what is there stays.
    #[arg(long)]
    off: bool,
}

/// What can be said about any target.
#[derive(Args, Debug)]
struct Planned {
    /// Code of the country or region where it stands, such as NL or EU.
    #[arg(long)]
    region: Option<String>,
    /// Where it stands, in words.
    #[arg(long)]
    label: Option<String>,
    /// Cron expression of five fields, such as "30 2 * * *"; empty for by hand only.
    #[arg(long)]
    schedule: Option<String>,
    /// Time zone of the schedule, such as Europe/Berlin; empty for that of the server.
    #[arg(long)]
    zone: Option<String>,
    /// A window in which no backup begins, such as "Mon-Fri 08:00-18:00"; may be said several times.
    #[arg(long, value_name = "WINDOW")]
    blackout: Vec<String>,
    /// How many stay: newest, days, weeks, months, such as 3,14,8,12.
    #[arg(long, value_name = "L,D,W,M", value_parser = keep)]
    keep: Option<Keep>,
    /// The most it is sent, in KiB a second; 0 for no cap.
    #[arg(long, value_name = "KIB")]
    rate: Option<u32>,
    #[command(flatten)]
    access: Access,
}

/// Four numbers, apart from each other by commas.
fn keep(text: &str) -> Result<Keep, String> {
    let numbers: Vec<u32> = text.split(',').filter_map(|word| word.trim().parse().ok()).collect();
    match numbers[..] {
        [last, daily, weekly, monthly] => Ok(Keep { last, daily, weekly, monthly }),
        _ => Err("write four numbers: newest, days, weeks, months, such as 3,14,8,12".into()),
    }
}

#[derive(Serialize)]
struct Shown {
    id: i64,
    name: String,
    address: String,
    region: String,
    label: String,
    enabled: bool,
    state: &'static str,
    sentence: String,
    schedule: String,
    zone: String,
    blackouts: Vec<String>,
    keep: Keep,
    rate_kib: i64,
    host_key: Option<String>,
    secrets_set_at: Option<String>,
    good_at: Option<String>,
    next_at: Option<String>,
    upcoming: Vec<String>,
    tested: Option<String>,
    protection: Vec<String>,
}

#[derive(Serialize)]
struct Tested {
    said: String,
    write_rate: u64,
    read_rate: u64,
    protection: Vec<String>,
}

/// Runs one of the commands.
pub async fn run(command: Target, house: &House, output: Output) -> Result<()> {
    let gate = house.shell.operator().gate::<BackupRun>(());
    let instance = Arc::clone(&house.instance);
    match command {
        Target::List => {
            let look = house.shell.operator().gate::<BackupView>(());
            let all = look.read(|tx| {
                Standing::all(tx)?.into_iter().map(|at| Shown::of(at, tx)).collect::<Result<Vec<_>>>()
            });
            output.print(&all.await?, |all| list(all));
            Ok(())
        }
        Target::Add(add) => {
            let typed = add.plan.onto(Typed { name: add.name, address: add.address, ..Typed::default() });
            let draft = typed.draft(&instance)?;
            let secrets = add.plan.access.secrets(typed.address.parse().as_ref().map_err(Clone::clone))?;
            let id = gate.write(move |tx| targets::add(tx, &instance, &draft, secrets.as_ref())).await?;
            if let Some(key) = add.plan.access.host_key().map(str::to_owned) {
                gate.write(move |tx| targets::trust(tx, id, &key)).await?;
            }
            show(id, house, output).await
        }
        Target::Show { name } => show(found(&gate, name).await?.id, house, output).await,
        Target::Change(change) => self::change(*change, house, &gate, output).await,
        Target::Test { name } => {
            let id = found(&gate, name).await?.id;
            let found = Desk::new(instance).test(&gate, id).await?;
            let tested = Tested {
                said: found.sentence(),
                write_rate: found.write_rate,
                read_rate: found.read_rate,
                protection: found.protection,
            };
            output.print(&tested, |tested| format!("{}\n{}", tested.said, tested.protection.join("\n")));
            Ok(())
        }
        Target::Remove { name } => {
            let target = found(&gate, name).await?;
            gate.write(move |tx| targets::remove(tx, target.id)).await?;
            let said =
                format!("“{}” is forgotten. The backups in {} are not touched.", target.name, target.address);
            output.print(&serde_json::json!({ "removed": target.id.0 }), |_| said);
            Ok(())
        }
    }
}

async fn found(gate: &Gate<BackupRun>, name: String) -> Result<Record> {
    gate.read(move |tx| targets::named(tx, &name)).await
}

async fn change(command: Change, house: &House, gate: &Gate<BackupRun>, output: Output) -> Result<()> {
    let Change { target, name, address, plan, on, off } = command;
    let (record, instance) = (found(gate, target).await?, Arc::clone(&house.instance));
    let id = record.id;
    let mut typed = plan.onto(Typed::of(&record));
    typed.name = name.unwrap_or(typed.name);
    typed.address = address.unwrap_or(typed.address);
    let draft = typed.draft(&instance)?;
    let secrets = plan.access.secrets(typed.address.parse().as_ref().map_err(Clone::clone))?;
    let host_key = plan.access.host_key().map(str::to_owned);
    let changed = gate.write(move |tx| {
        let mut changed = targets::change(tx, id, &draft)?;
        if let Some(key) = &host_key {
            changed = targets::trust(tx, id, key)?;
        }
        if let Some(secrets) = &secrets {
            changed = targets::set_secrets(tx, &instance, id, secrets)?;
        }
        if on {
            changed = targets::enable(tx, id)?;
        }
        if off {
            changed = targets::disable(tx, id)?;
        }
        Ok(changed)
    });
    changed.await?;
    show(id, house, output).await
}

async fn show(id: TargetId, house: &House, output: Output) -> Result<()> {
    let look = house.shell.operator().gate::<BackupView>(());
    let shown = look.read(move |tx| Shown::of(Standing::one(tx, id)?, tx)).await?;
    output.print(&shown, Shown::text);
    Ok(())
}

/// Where `--to`, `--from` and `--target` lead: an address, a folder relative to where we are, or a target of the
/// instance by its name or address.
pub(super) async fn goal_of(
    asked: &str,
    access: &Access,
    house: &House,
    gate: &Gate<BackupRun>,
) -> Result<Goal> {
    let (asked, instance, place) = (asked.to_owned(), Arc::clone(&house.instance), place_of(asked));
    let secrets = access.all(place.as_ref().map_err(Clone::clone))?;
    gate.read(move |tx| Goal::named(tx, &instance, &asked, place, Some(&secrets))).await
}

impl Planned {
    fn onto(&self, typed: Typed) -> Typed {
        let or = |new: &Option<String>, old: String| new.clone().unwrap_or(old);
        let blackouts = if self.blackout.is_empty() { typed.blackouts } else { self.blackout.join("\n") };
        Typed {
            region: or(&self.region, typed.region),
            label: or(&self.label, typed.label),
            schedule: or(&self.schedule, typed.schedule),
            zone: or(&self.zone, typed.zone),
            blackouts,
            keep: self.keep.unwrap_or(typed.keep),
            rate_kib: self.rate.unwrap_or(typed.rate_kib),
            ..typed
        }
    }
}

impl Shown {
    fn of(standing: Standing, tx: impl Tx) -> Result<Shown> {
        let Standing { target, good, next_at, health, .. } = standing;
        let zone = target.zone();
        Ok(Shown {
            id: target.id.0,
            upcoming: target.upcoming(tx.now())?.into_iter().map(|at| zone.written(at)).collect(),
            blackouts: target.blackouts.text().lines().map(str::to_owned).collect(),
            protection: target.protection.iter().flat_map(|words| words.lines()).map(str::to_owned).collect(),
            name: target.name,
            address: target.address,
            region: target.region,
            label: target.label,
            enabled: target.is_enabled,
            state: health.word,
            sentence: health.sentence,
            schedule: target.schedule,
            zone: target.zone,
            keep: target.keep,
            rate_kib: target.bytes_per_second.unwrap_or(0) / 1024,
            host_key: target.host_key,
            secrets_set_at: target.access_at.map(|at| at.to_string()),
            good_at: good.map(|backup| backup.started_at.to_string()),
            next_at: next_at.map(|at| zone.written(at)),
            tested: target.tested,
        })
    }

    fn text(&self) -> String {
        let Keep { last, daily, weekly, monthly } = self.keep;
        let none = || "none".to_owned();
        let rows = [
            ("name", self.name.clone()),
            ("number", self.id.to_string()),
            ("address", self.address.clone()),
            ("stands in", format!("{} {}", self.region, self.label).trim().to_owned()),
            ("state", format!("{}: {}", self.state, self.sentence)),
            ("last good", self.good_at.clone().unwrap_or_else(none)),
            ("schedule", format!("{} {}", self.schedule, self.zone).trim().to_owned()),
            ("not during", self.blackouts.join("; ")),
            ("next", self.upcoming.join("; ")),
            ("stay", format!("newest {last}, {daily} days, {weekly} weeks, {monthly} months")),
            ("secrets", self.secrets_set_at.as_ref().map_or_else(none, |at| format!("set on {at}"))),
            ("host key", self.host_key.clone().unwrap_or_else(none)),
            ("tested", self.tested.clone().unwrap_or_else(none)),
            ("protects", self.protection.join(" ")),
        ];
        let lines = rows.iter().filter(|(_, value)| !value.is_empty());
        lines.map(|(word, value)| format!("{word:<11} {value}")).collect::<Vec<_>>().join("\n")
    }
}

fn list(all: &[Shown]) -> String {
    if all.is_empty() {
        return "No target is set up. Add one: testkeep target add --help".into();
    }
    let row = |shown: &Shown| {
        vec![
            shown.id.to_string(),
            shown.name.clone(),
            shown.address.clone(),
            shown.region.clone(),
            shown.state.to_owned(),
            shown.good_at.clone().unwrap_or_else(|| "never".into()),
            shown.next_at.clone().unwrap_or_else(|| "by hand".into()),
        ]
    };
    let head = ["number", "name", "address", "region", "state", "last good", "next"];
    table(&head, &all.iter().map(row).collect::<Vec<_>>())
}
