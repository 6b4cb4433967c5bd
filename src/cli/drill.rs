//! `testkeep drill`: the newest backup brought back beside the instance and proven.

use super::access::Access;
use super::output::Output;
use super::progress;
use super::target::goal_of;
use crate::app::House;
use crate::keeping::backups::{Cause, Desk};
use crate::keeping::drills::{self, Evidence};
use crate::keeping::targets::Goal;
use crate::kernel::access::{BackupRun, Gate};
use crate::kernel::error::Result;
use clap::Args;
use std::sync::Arc;
use std::time::Duration;

/// Time between two looks at how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Brings the newest backup back beside the instance, proves it, wipes it, and keeps a signed record.
#[derive(Args, Debug)]
#[command(after_help = "Nothing in the instance changes. It needs room for a whole backup.\n\n  \
    testkeep drill\n  testkeep drill --target \"Off the box\" --json")]
pub struct Drill {
    /// Name or address of a target of the instance, a folder, or another address; the target whose turn it is
    /// without it.
    #[arg(long, value_name = "NAME|DIR|ADDRESS")]
    target: Option<String>,
    #[command(flatten)]
    access: Access,
}

/// Holds a drill.
pub async fn run(command: Drill, house: &House, output: Output) -> Result<()> {
    let gate = house.shell.operator().gate::<BackupRun>(());
    let instance = Arc::clone(&house.instance);
    let goal = match command.target {
        Some(target) => goal_of(&target, &command.access, house, &gate).await?,
        None => gate.read(move |tx| drills::in_turn(tx, &instance)).await?,
    };
    let desk = Desk::new(Arc::clone(&house.instance));
    let proof = watched(&desk, &gate, &goal, output).await;
    desk.bench.clear();
    output.print(&proof?, text);
    Ok(())
}

async fn watched(desk: &Desk, gate: &Gate<BackupRun>, goal: &Goal, output: Output) -> Result<Evidence> {
    let (holding, bar) = (drills::run(desk, gate, Cause::Command, goal), progress::bytes(0, output));
    tokio::pin!(holding);
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let proof = loop {
        tokio::select! {
            proof = &mut holding => break proof,
            _ = looks.tick() => {
                if let Some(at) = desk.bench.progress() {
                    bar.set_length(at.total);
                    bar.set_position(at.done);
                }
            }
            _ = tokio::signal::ctrl_c() => { desk.bench.stop(); }
        }
    };
    bar.finish_and_clear();
    proof
}

fn text(proof: &Evidence) -> String {
    let seconds = |ms: i64| format!("{}.{} s", ms / 1_000, ms % 1_000 / 100);
    let mut text = format!(
        "Backup {} of {} came back and was proven in {}; its data were {} old.",
        proof.receipt,
        proof.made_at,
        seconds(proof.rto_ms),
        seconds(proof.rpo_ms)
    );
    proof.checks.iter().for_each(|check| text.push_str(&format!("\n{}: {}", check.name, check.said)));
    text
}
