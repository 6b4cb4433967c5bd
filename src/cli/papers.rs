//! `testkeep version`, `sbom`, `man` and `completions`: what the program can say of itself. None of them needs an
//! instance, and all come from the tables and types that the program itself goes by.

use super::{Cli, Command, output::Output, output::say};
use crate::kernel::build::{self, Build};
use crate::kernel::durable::{self, trouble};
use crate::kernel::error::{KINDS, Result};
use crate::kernel::options::ROWS;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::roff::{Roff, bold, italic, roman};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The manual pages.
#[derive(Args, Debug)]
#[command(after_help = "  testkeep man /usr/local/share/man/man1")]
pub struct Man {
    /// Folder to write to; made if it is missing.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// The completions.
#[derive(Args, Debug)]
#[command(after_help = "  testkeep completions bash > /etc/bash_completion.d/testkeep")]
pub struct Completions {
    /// The shell.
    #[arg(value_parser = clap::value_parser!(Shell))]
    shell: Shell,
}

/// Answers the commands that need no instance; `false` if this is another one.
pub(super) fn print(command: &Command, output: Output) -> Result<bool> {
    match command {
        Command::Version => output.print(&Build::of_this_program()?, text),
        Command::Sbom => say(&build::parts()),
        Command::Man(man) => write_manual(&man.folder)?,
        Command::Completions(completions) => {
            let mut script = Vec::new();
            clap_complete::generate(completions.shell, &mut Cli::command(), "testkeep", &mut script);
            say(String::from_utf8_lossy(&script).trim_end());
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn text(build: &Build) -> String {
    format!(
        "testkeep {}\ncommit     {}\ncompiler   {}\ntarget     {}\nSQLCipher  {}\nSQLite     {}\ncrypto     {}",
        build.version,
        build.commit.unwrap_or("not said"),
        build.rustc,
        build.target,
        build.sqlcipher,
        build.sqlite,
        build.crypto,
    )
}

/// One page for the program, and one for each command and each command below it.
fn write_manual(folder: &Path) -> Result<()> {
    durable::create_folder(folder)?;
    // What the short help leaves out belongs into a manual.
    let mut whole = Cli::command().disable_help_subcommand(true).mut_args(|arg| arg.hide_short_help(false));
    whole.build();
    let page = clap_mangen::Man::new(whole.clone()).manual("Testkeep").source(source());
    put(folder, "testkeep.1", |file| {
        page.render_title(file)?;
        page.render_name_section(file)?;
        page.render_synopsis_section(file)?;
        page.render_description_section(file)?;
        page.render_options_section(file)?;
        page.render_subcommands_section(file)?;
        examples(&whole).to_writer(file)?;
        rest().to_writer(file)
    })?;
    whole
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .try_for_each(|command| below(folder, command))
}

/// Options of the instance stand in the first page, and need not be read again in thirty others.
fn below(folder: &Path, command: &clap::Command) -> Result<()> {
    let is_shared = |name: &str| ROWS.iter().any(|row| row.name == name);
    let bare = command.clone().mut_args(|arg| match is_shared(arg.get_id().as_str()) {
        true => arg.hide(true),
        false => arg,
    });
    let page = clap_mangen::Man::new(bare).manual("Testkeep").source(source());
    put(folder, &page.get_filename(), |file| {
        page.render_title(file)?;
        page.render_name_section(file)?;
        page.render_synopsis_section(file)?;
        page.render_description_section(file)?;
        page.render_options_section(file)?;
        if command.has_subcommands() {
            page.render_subcommands_section(file)?;
        }
        examples(command).to_writer(file)?;
        see_also(&[("testkeep", 1)]).to_writer(file)
    })?;
    command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .try_for_each(|command| below(folder, command))
}

fn source() -> String {
    format!("testkeep {}", build::VERSION)
}

fn put(folder: &Path, name: &str, page: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<()> {
    let path = folder.join(name);
    let written = File::create(&path).and_then(|mut file| page(&mut file).and_then(|()| file.flush()));
    written.map_err(|cause| trouble("write", &path, cause))
}

/// What stands below the help, in the lines in which it was written.
fn examples(command: &clap::Command) -> Roff {
    let mut page = Roff::new();
    let Some(help) = command.get_after_long_help().or_else(|| command.get_after_help()) else { return page };
    page.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in help.to_string().lines().map(str::trim_end) {
        match line.is_empty() {
            true => page.control("sp", []),
            false => page.text([roman(line)]),
        };
    }
    page.control("fi", []);
    page
}

fn see_also(pages: &[(&str, u8)]) -> Roff {
    let mut page = Roff::new();
    page.control("SH", ["SEE ALSO"]);
    for (at, (name, section)) in pages.iter().enumerate() {
        let end = if at + 1 == pages.len() { "" } else { "," };
        page.text([bold(*name), roman(format!("({section}){end}"))]);
    }
    page
}

/// What the types of the command line do not know: the environment, files, exit codes.
fn rest() -> Roff {
    let mut page = Roff::new();
    page.control("SH", ["ENVIRONMENT"]);
    for row in ROWS {
        page.control("TP", []).text([bold(row.env)]);
        page.text([
            roman(format!("{} The same as ", row.text)),
            bold(format!("--{}", row.name.replace('_', "-"))),
            roman("."),
        ]);
    }
    page.control("SH", ["FILES"]);
    for (path, meaning) in FILES {
        page.control("TP", []).text([italic(*path)]).text([roman(*meaning)]);
    }
    page.control("SH", ["EXIT STATUS"]);
    page.control("TP", []).text([bold("0")]).text([roman("Done.")]);
    page.control("TP", []).text([bold("2")]).text([roman("The command line cannot be understood.")]);
    for row in &KINDS {
        page.control("TP", []).text([bold(row.exit_code.to_string())]).text([roman(row.code)]);
    }
    page.extend([see_also(&[("testkeep-serve", 1), ("testkeep-doctor", 1), ("testkeepctl", 8)])]);
    page
}

/// Where a packaged instance has its things.
const FILES: &[(&str, &str)] = &[
    ("/etc/testkeep/testkeep.toml", "Options of the packaged service; every one is explained in it."),
    (
        "/etc/testkeep/testkeep.key",
        "The key that opens the packaged instance. Keep a copy away from the machine.",
    ),
    ("/var/lib/testkeep", "Everything the packaged instance keeps, encrypted."),
    ("testkeep.toml in the data folder", "Options of an instance that is started by hand."),
];
