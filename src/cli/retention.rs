//! `testkeep retention` and `testkeep hold`: how long data stays, what goes now, and what may not go.

use super::output::Output;
use crate::app::House;
use crate::keeping::backups::Desk;
use crate::keeping::retention::{self, Class, Due, Hold, Rule};
use crate::kernel::access::{StorageKeep, StorageView};
use crate::kernel::error::Result;
use crate::kernel::id::HoldId;
use clap::Subcommand;
use serde_json::{Value, json};
use std::sync::Arc;

/// How long each class of data stays.
#[derive(Subcommand, Debug)]
pub enum Retention {
    /// Show the rules, and what would be deleted by them now.
    List,
    /// Change how long a class of data stays; nothing is deleted before the next run.
    Set {
        /// trash, runs, evidence, uploads, addresses, sign_ins or records.
        class: String,
        /// Days; 0 is for ever. Without it the rule is taken away.
        #[arg(long)]
        days: Option<i64>,
        /// Key of the project that it is for; all that have no rule of their own without it.
        #[arg(long, value_name = "KEY")]
        project: Option<String>,
    },
    /// Delete what is due now, as the job of every night does; each deletion leaves a signed certificate.
    Run,
}

/// Legal holds: what may not be deleted.
#[derive(Subcommand, Debug)]
pub enum Holding {
    /// Show the holds in force.
    List,
    /// Set a hold on a project or one of its runs.
    Set {
        /// Key of the project.
        project: String,
        /// Number of one run; the whole project without it.
        #[arg(long)]
        run: Option<i64>,
        /// Who asked for it, and when.
        #[arg(long)]
        reason: String,
    },
    /// Lift a hold: the rules of retention apply again.
    Lift {
        /// Its number.
        hold: i64,
    },
}

/// Shows or changes the rules, or deletes by them.
pub async fn run(command: Retention, house: &House, output: Output) -> Result<()> {
    let keep = house.shell.operator().gate::<StorageKeep>(());
    match command {
        Retention::List => {}
        Retention::Set { class, days, project } => {
            let class = Class::of_word(&class)?;
            let project = project.map(|key| key.to_ascii_uppercase());
            keep.write(move |tx| retention::set_rule(tx, class, project.as_deref(), days)).await?;
        }
        Retention::Run => {
            let desk = Arc::new(Desk::new(Arc::clone(&house.instance)));
            let done = retention::run(&desk, &keep).await?;
            output.print(&done, ToString::to_string);
            return Ok(());
        }
    }
    let view = house.shell.operator().gate::<StorageView>(());
    let (rules, due) = view.read_at_length(|tx| Ok((retention::rules(tx)?, retention::due(tx)?))).await?;
    let answer = json!({
        "rules": rules.iter().map(rule).collect::<Vec<_>>(),
        "due": due.iter().map(wire).collect::<Vec<_>>(),
    });
    output.print(&answer, |_| text(&rules, &due));
    Ok(())
}

fn rule(rule: &Rule) -> Value {
    let project = rule.project.as_ref().map(|(_, key)| key);
    json!({ "class": rule.class.word(), "project": project, "days": rule.days })
}

fn wire(due: &Due) -> Value {
    let mut wire = rule(&due.rule);
    wire["rows"] = due.rows.into();
    wire["bytes"] = due.bytes.into();
    wire
}

fn text(rules: &[Rule], due: &[Due]) -> String {
    let place = |rule: &Rule| rule.project.as_ref().map_or(String::new(), |(_, key)| format!(" of {key}"));
    let mut lines: Vec<String> = rules
        .iter()
        .map(|rule| {
            let days = match rule.days {
                0 => "for ever".to_owned(),
                days => format!("{days} days"),
            };
            format!("{:<10} {}{}: {days}", rule.class.word(), rule.class.title(), place(rule))
        })
        .collect();
    if due.is_empty() {
        lines.push("Nothing is due.".into());
    }
    lines.extend(
        due.iter().map(|due| {
            format!("Due now: {}{}, {} rows.", due.rule.class.title(), place(&due.rule), due.rows)
        }),
    );
    lines.join("\n")
}

/// Shows, sets or lifts holds.
pub async fn hold(command: Holding, house: &House, output: Output) -> Result<()> {
    let keep = house.shell.operator().gate::<StorageKeep>(());
    match command {
        Holding::List => {}
        Holding::Set { project, run, reason } => {
            let key = project.to_ascii_uppercase();
            keep.write(move |tx| retention::hold(tx, &key, run, &reason)).await.map(drop)?;
        }
        Holding::Lift { hold } => keep.write(move |tx| retention::lift(tx, HoldId(hold))).await?,
    }
    let view = house.shell.operator().gate::<StorageView>(());
    let holds = view.read(|tx| retention::in_force(tx)).await?;
    let shown: Vec<Value> = holds
        .iter()
        .map(|hold| json!({ "id": hold.id.0, "project": hold.key, "run": hold.run, "reason": hold.reason }))
        .collect();
    output.print(&json!({ "holds": shown }), |_| match holds.is_empty() {
        true => "Nothing is held.".to_owned(),
        false => holds.iter().map(line).collect::<Vec<_>>().join("\n"),
    });
    Ok(())
}

fn line(hold: &Hold) -> String {
    let what = hold.run.map_or(hold.key.clone(), |run| format!("{}-R{run}", hold.key));
    format!("{}  {what} since {}: {}", hold.id.0, hold.created_at, hold.reason)
}
