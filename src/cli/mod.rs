//! The command line: one thin file per command. Each opens the instance, calls the operation that the
//! pages call too, and prints the answer; none has rules of its own.

mod access;
mod audit;
mod backup;
mod bring;
mod ca;
mod certificate;
mod client;
mod demo;
mod doctor;
mod drill;
mod flags;
mod health;
mod integrity;
mod key;
mod log;
mod maintenance;
mod output;
mod papers;
mod progress;
mod project;
mod restored;
mod retention;
mod runbook;
mod serve;
mod setup;
mod standby;
mod target;
mod token;
mod unlock;
mod upgrade;
mod upload;
mod user;

use crate::app::House;
use crate::kernel::error::Result;
use crate::kernel::options::Options;
use crate::server::sandbox;
use clap::{Parser, Subcommand};
use flags::Flags;
use output::Output;
use std::process::ExitCode;

/// Test management that keeps its data: one executable, everything encrypted, nothing sent anywhere.
#[derive(Parser, Debug)]
#[command(
    name = "testkeep",
    version,
    max_term_width = 100,
    after_help = "The first steps:\n\n  testkeep serve                     \
        answers at https://127.0.0.1:8443 and prints a link to set it up\n  \
        testkeep demo                      fills a project to look around in\n  \
        testkeep backup --to /mnt/keep     goes on another disk, read back and signed\n\n\
        COMMAND --help shows more, with examples."
)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    /// Print the answer as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Start the instance; makes a new one in an empty data folder.
    Serve(serve::Serve),
    /// Claim an instance without a browser: make its first owner and its recovery kit.
    Setup(setup::Setup),
    /// Back everything up, read it back and sign it, while the instance goes on working.
    Backup(backup::Backup),
    /// Read the newest backup back and check all receipts.
    Verify(backup::Verify),
    /// Bring the newest backup back beside the instance, prove it, and keep a signed record.
    Drill(drill::Drill),
    /// Bring an instance back from its backups, or a part of it into the one that is there.
    Restore(backup::Restore),
    /// Print what to do after a disaster, with the values of this instance.
    Runbook,
    /// Targets: where backups go, when, and how long they stay there.
    #[command(subcommand)]
    Target(target::Target),
    /// Ship what is committed between two backups.
    Log(log::Log),
    /// A second machine that follows this one and can take over.
    #[command(subcommand)]
    Standby(standby::Standby),
    /// Projects.
    #[command(subcommand)]
    Project(project::Project),
    /// People of the instance.
    #[command(subcommand)]
    User(user::User),
    /// Service tokens, for pipelines.
    #[command(subcommand)]
    Token(token::Token),
    /// Send report files to an instance, over HTTPS.
    Upload(upload::Upload),
    /// Print one hash over all user data: equal for equal data.
    Digest,
    /// The audit trail.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// The keys of the instance: what opens it.
    Key(key::Key),
    /// The certificate with which the instance answers.
    #[command(subcommand)]
    Certificate(certificate::Certificate),
    /// The authority of the instance: its root, and certificates of clients.
    #[command(subcommand)]
    Ca(ca::Ca),
    /// Check files, keys, database, disk and backups, and say what to do.
    Doctor(doctor::Doctor),
    /// Read everything that is stored and say what is damaged.
    Check(integrity::Check),
    /// Mend what is damaged, from backups and from what is whole.
    Repair(integrity::Repair),
    /// How long each class of data stays, and what goes now.
    #[command(subcommand)]
    Retention(retention::Retention),
    /// Legal holds: what may not be deleted.
    #[command(subcommand)]
    Hold(retention::Holding),
    /// Fill a project with a shop that never was, to look around in.
    Demo(demo::Demo),
    /// Ask a running instance whether it is ready; for containers.
    Health(health::Health),
    /// Close the instance to its people for a while, or open it again.
    #[command(subcommand)]
    Maintenance(maintenance::Maintenance),
    /// Let another version of the program take over, after it has shown on a copy that it can.
    Upgrade(upgrade::Upgrade),
    /// Print which version this is, and what it was built of.
    Version,
    /// Print the list of all parts of this program, as CycloneDX in JSON.
    Sbom,
    /// Write the manual pages of all commands into a folder.
    Man(papers::Man),
    /// Print the completions of a shell.
    Completions(papers::Completions),
    #[command(name = crate::keeping::backup::child::CHILD, hide = true)]
    RestoreChild,
    #[command(name = upgrade::TRIAL, hide = true)]
    UpgradeTrial(upgrade::Trial),
}

/// Reads the command line and runs it. Exit codes are those of `kernel::error::KINDS`, 0 for success and
/// 2 for a command line that cannot be understood.
pub fn main() -> ExitCode {
    sandbox::keep_memory_private();
    let cli = Cli::parse();
    let output = if cli.json { Output::Json } else { Output::Text };
    match run(cli, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.fail(&error);
            ExitCode::from(error.kind().appearance().exit_code)
        }
    }
}

fn run(cli: Cli, output: Output) -> Result<()> {
    if matches!(cli.command, Command::RestoreChild) {
        return crate::keeping::backup::child::child(std::io::stdin().lock());
    }
    if papers::print(&cli.command, output)? {
        return Ok(());
    }
    // Outgoing connections take their ciphers from here; nobody has chosen others before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = cli.flags.options()?;
    if let Command::Serve(serve) = &cli.command {
        return serve::run(serve, &options);
    }
    actix_web::rt::System::new().block_on(async move {
        match cli.command {
            Command::Upload(upload) => upload::run(upload, output).await,
            Command::Health(health) => health::run(health, &options, output).await,
            Command::Setup(setup) => setup::run(setup, &options, output).await,
            Command::Doctor(doctor) => doctor::run(doctor, &options, output).await,
            Command::Key(key) => key::run(key, &options, output).await,
            Command::Verify(verify) => backup::verify(verify, &options, output).await,
            Command::Upgrade(upgrade) => upgrade::run(upgrade, &options, output).await,
            Command::UpgradeTrial(trial) => upgrade::trial(trial, options).await,
            Command::Standby(standby) => standby::run(standby, options, output).await,
            Command::Restore(restore) => backup::restore(restore, &options, output).await,
            command => {
                let house = unlock::house(&options)?;
                let outcome = inside(command, &house, &options, output).await;
                house.close().await;
                outcome
            }
        }
    })
}

/// Commands that work on an instance that is there.
async fn inside(command: Command, house: &House, options: &Options, output: Output) -> Result<()> {
    match command {
        Command::Backup(backup) => backup::back_up(backup, house, output).await,
        Command::Drill(drill) => drill::run(drill, house, output).await,
        Command::Runbook => runbook::run(house, options, output).await,
        Command::Target(target) => target::run(target, house, output).await,
        Command::Log(log) => log::run(log, house, output).await,
        Command::Project(project) => project::run(project, house, output).await,
        Command::User(user) => user::run(user, house, options, output).await,
        Command::Token(token) => token::run(token, house, output).await,
        Command::Certificate(command) => certificate::run(command, house, options, output).await,
        Command::Ca(ca) => ca::run(ca, house, options, output).await,
        Command::Demo(demo) => demo::run(demo, house, output).await,
        Command::Maintenance(maintenance) => maintenance::run(maintenance, house, output).await,
        Command::Check(check) => integrity::check(check, house, output).await,
        Command::Repair(repair) => integrity::repair(repair, house, output).await,
        Command::Retention(retention) => retention::run(retention, house, output).await,
        Command::Hold(hold) => retention::hold(hold, house, output).await,
        Command::Digest => audit::digest(house, output).await,
        Command::Audit(audit) => audit::run(audit, house, output).await,
        _ => unreachable!("the others do not open an instance"),
    }
}
