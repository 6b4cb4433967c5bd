//! `testkeep standby`: a second machine that follows the instance, and takes over when somebody says so.

use super::access::{Access, place_of};
use super::output::Output;
use super::restored::until;
use super::unlock;
use crate::app;
use crate::keeping::keys::kms::Patience;
use crate::keeping::shipping::replay::Until;
use crate::keeping::standby::{self, Follower, Order, Pace, Promoted, Status, Terms};
use crate::keeping::targets::{self, Goal};
use crate::kernel::access::BackupRun;
use crate::kernel::error::{Error, Result};
use crate::kernel::keyring::Unlock;
use crate::kernel::options::Options;
use crate::kernel::time::{Clock, Timestamp};
use crate::server::log;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

/// What is done with a standby.
#[derive(Subcommand, Debug)]
pub enum Standby {
    /// Follow an instance from a target of its backups, for ever.
    Follow(Follow),
    /// Say how far the copy is, and fail unless it could take over within its bound.
    Status(Show),
    /// Take over: make the copy the instance.
    Promote(Promote),
    /// Go on with this machine although another one took over.
    Reclaim(Reclaim),
}

/// Where the standby is.
#[derive(Args, Debug)]
pub struct Home {
    /// Folder of the standby, later the data folder; that of --data without it.
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

/// What is on paper.
#[derive(Args, Debug)]
pub struct OnPaper {
    /// File with the recovery kit, or with its secret only; kept, sealed, from then on.
    #[arg(long, visible_alias = "kit", value_name = "FILE")]
    kit_file: Option<PathBuf>,
    /// File with enough shares, one on each line, in place of the kit; `-` for standard input or the terminal.
    #[arg(long, alias = "shares", value_name = "FILE", conflicts_with = "kit_file")]
    shares_file: Option<PathBuf>,
}

/// Follows an instance: fetches the newest backup that was read back, then its log as it comes.
#[derive(Args, Debug)]
#[command(
    after_help = "The first time it needs the target, what opens it, and the recovery kit; these are kept, sealed \
    under the everyday key beside the folder, so that afterwards nothing needs to be said. It may be killed at \
    any moment.\n\n  \
    testkeep standby follow --from /mnt/keep --into /var/lib/testkeep --kit-file kit.txt\n  \
    testkeep standby follow --from \"s3://keep/shop?region=eu-west-1\" --access-file - --kit-file kit.txt --once\n  \
    testkeep standby follow --into /var/lib/testkeep"
)]
pub struct Follow {
    /// Folder or address of the backups; as before without it.
    #[arg(long, value_name = "DIR|ADDRESS")]
    from: Option<String>,
    #[command(flatten)]
    home: Home,
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    paper: OnPaper,
    /// Seconds between two looks at the log; 5 unless somebody said otherwise.
    #[arg(long, value_name = "SECONDS")]
    every: Option<i64>,
    /// Seconds that the copy may be behind, 120 unless somebody said otherwise: a quiet instance speaks once a
    /// minute.
    #[arg(long, value_name = "SECONDS")]
    max_lag: Option<i64>,
    /// Fetch what there is, prove it, and end.
    #[arg(long)]
    once: bool,
    /// File for metrics in the format of Prometheus, written after each look.
    #[arg(long, value_name = "FILE")]
    metrics_file: Option<PathBuf>,
}

/// Says how far the copy is. It needs no key.
#[derive(Args, Debug)]
#[command(after_help = "It ends with 0 if the copy is proven and within its bound, with 75 if it is not.")]
pub struct Show {
    #[command(flatten)]
    home: Home,
    /// Another bound than the one that `follow` was told.
    #[arg(long, value_name = "SECONDS")]
    max_lag: Option<i64>,
}

/// Takes over: fetches the last of the log, proves the copy, leaves a mark at the target, ends all sessions and
/// links, and makes the folder a data folder.
#[derive(Args, Debug)]
#[command(
    after_help = "Stop the old machine first if it can be reached. Once it sees the mark it ships nothing and backs \
    nothing up there any more, but its people can still write to it. A process that follows is ended by this \
    command.\n\n  testkeep standby promote --into /var/lib/testkeep\n  testkeep serve --data /var/lib/testkeep"
)]
pub struct Promote {
    #[command(flatten)]
    home: Home,
    #[command(flatten)]
    paper: OnPaper,
    /// Take over with what is here, though the target does not answer or takes no mark.
    #[arg(long)]
    as_it_is: bool,
    /// When the old machine stopped, such as 2026-11-22T10:15:00Z: then the loss is told exactly.
    #[arg(long, value_name = "TIME", value_parser = until)]
    down_since: Option<Until>,
}

/// Goes on with the instance here although another machine took over, which is left behind from then on.
#[derive(Args, Debug)]
#[command(after_help = "Stop the other machine first: what was stored there since is nowhere else.")]
pub struct Reclaim {
    /// Name or number of a target; all that are on without it.
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
}

/// Carries the command out.
pub async fn run(command: Standby, mut options: Options, output: Output) -> Result<()> {
    match command {
        Standby::Follow(follow) => {
            let unlock = settle(&mut options, follow.home.into.as_ref())?;
            self::follow(follow, &options, &unlock, output).await
        }
        Standby::Status(show) => {
            settle(&mut options, show.home.into.as_ref())?;
            let status = Status::of(&options.data, show.max_lag, Clock::System.now())?;
            output.print(&status, Status::text);
            status.refuse_unready()
        }
        Standby::Promote(command) => {
            let unlock = settle(&mut options, command.home.into.as_ref())?;
            promote(command, &options, &unlock, output).await
        }
        Standby::Reclaim(command) => reclaim(command, &options, output).await,
    }
}

/// The folder of the standby is the data folder of the options from here on; its everyday key lies where theirs does.
fn settle(options: &mut Options, into: Option<&PathBuf>) -> Result<Unlock> {
    if let Some(into) = into {
        options.data = std::path::absolute(into).map_err(Error::internal)?;
    }
    app::unlock(options, Patience::Command)
}

async fn follow(command: Follow, options: &Options, unlock: &Unlock, output: Output) -> Result<()> {
    let Follow { from, access, paper, every, max_lag, once, metrics_file, .. } = command;
    let with = |kept: Option<&Order>| -> Result<Order> {
        let reach = match (&from, kept) {
            (Some(from), _) => access.reach(place_of(from)?)?,
            (None, Some(kept)) if access.is_said() => access.reach(kept.reach.place.clone())?,
            (None, Some(kept)) => kept.reach.clone(),
            (None, None) => {
                return Err(Error::invalid("This standby does not know yet whom to follow.")
                    .hint("Name the place of the backups: --from /mnt/keep, or an address."));
            }
        };
        let brought = unlock::paper_in(paper.kit_file.as_deref(), paper.shares_file.as_deref())?;
        let paper = match (brought, kept) {
            (Some(paper), _) => paper,
            (None, Some(kept)) => kept.paper.clone(),
            (None, None) => unlock::typed_kit()?,
        };
        Ok(Order { reach, paper })
    };
    let pace = Pace { every_seconds: every, lag_seconds_max: max_lag, metrics: metrics_file };
    let program = std::env::current_exe().map_err(Error::internal)?;
    if !once {
        log::start(&options.log)?;
    }
    let mut follower = Follower::open(&program, &options.data, unlock, &pace, Clock::System, with)?;
    if !once {
        return follower.keep_on().await;
    }
    let status = follower.once().await?;
    output.print(&status, Status::text);
    Ok(())
}

async fn promote(command: Promote, options: &Options, unlock: &Unlock, output: Output) -> Result<()> {
    let Promote { paper, as_it_is, down_since, .. } = command;
    let terms = Terms {
        is_as_it_is: as_it_is,
        down_since: match down_since {
            Some(Until::At(at)) => Some(at),
            _ => None,
        },
        paper: unlock::paper_in(paper.kit_file.as_deref(), paper.shares_file.as_deref())?,
    };
    let promoted = standby::promote(&options.data, unlock, terms, Clock::System).await?;
    let key_file = match unlock {
        Unlock::KeyFile(path) => Some(path.clone()),
        _ => None,
    };
    output.print(&Told { promoted, key_file }, Told::text);
    Ok(())
}

async fn reclaim(command: Reclaim, options: &Options, output: Output) -> Result<()> {
    let house = unlock::house(options)?;
    let reclaimed = async {
        let gate = house.shell.operator().gate::<BackupRun>(());
        let (instance, name) = (Arc::clone(&house.instance), command.target);
        let goals = gate.read(move |tx| {
            let asked = match &name {
                Some(name) => vec![targets::named(tx, name)?],
                None => targets::list(tx)?.into_iter().filter(|target| target.is_enabled).collect(),
            };
            asked.iter().map(|target| Goal::of(tx, &instance, target)).collect::<Result<Vec<_>>>()
        });
        let mut all = Vec::new();
        for goal in goals.await? {
            let marks = standby::reclaim(&house.instance, &gate, &goal).await?;
            let target = goal.name;
            all.extend(marks.into_iter().map(|mark| Reclaimed {
                target: target.clone(),
                machine: mark.machine,
                at: Timestamp(mark.at).to_string(),
            }));
        }
        Ok::<_, Error>(all)
    };
    let reclaimed = reclaimed.await;
    house.close().await;
    output.print(&reclaimed?, |all| match &all[..] {
        [] => "No machine has taken this instance over there.".to_owned(),
        all => all.iter().map(Reclaimed::text).collect::<Vec<_>>().join("\n"),
    });
    Ok(())
}

#[derive(Serialize)]
struct Reclaimed {
    target: String,
    machine: String,
    at: String,
}

impl Reclaimed {
    fn text(&self) -> String {
        let Reclaimed { target, machine, at } = self;
        format!("{target}: this machine goes on; {machine}, which took over at {at}, is left behind.")
    }
}

#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    promoted: Promoted,
    key_file: Option<PathBuf>,
}

impl Told {
    fn text(&self) -> String {
        let Promoted { into, reached, lost_seconds_max, backup, segments, seconds, .. } = &self.promoted;
        let mut text = format!(
            "{} is the instance from now on, with everything up to {reached}: backup {backup} and {segments} segments \
             of its log. At most {lost_seconds_max:.1} s are lost. It took {seconds:.1} s.",
            into.display()
        );
        match &self.promoted.mark {
            Some(_) => {
                text.push_str("\nThe target has the mark that stops the old machine from going on there.")
            }
            None => text.push_str(
                "\nThe target has no mark: see that the old machine is off, and stays so until it knows.",
            ),
        }
        if self.promoted.was_alive {
            text.push_str("\nThe old machine still shipped its log meanwhile: it is alive. Stop it now.");
        }
        let missing = self.promoted.files_missing.len();
        if missing > 0 {
            text.push_str(&format!(
                "\n{missing} attached files did not come along: testkeep check names them."
            ));
        }
        self.promoted.warnings.iter().for_each(|warning| text.push_str(&format!("\nNote: {warning}")));
        if let Some(key) = &self.key_file {
            text.push_str(&format!(
                "\n\nIts everyday key is {}; keep a copy away from this machine.",
                key.display()
            ));
        }
        text.push_str(&format!(
            "\nStart it with\n  testkeep serve --data {}\nand let the name of the service point here.",
            into.display()
        ));
        text
    }
}
