//! Flags for boot options: made from the table of options, so that none is forgotten.

use crate::kernel::error::Result;
use crate::kernel::options::{Options, ROWS};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

/// Boot options given on the command line, as pairs of name and words.
#[derive(Clone, Debug, Default)]
pub struct Flags(Vec<(String, String)>);

/// Shown in every short help; the others in the long one.
const COMMON: &[&str] = &["data", "listen", "key_file"];

impl Flags {
    /// Boot options from all layers, these flags on top.
    pub fn options(&self) -> Result<Options> {
        Options::load(&self.0, std::env::vars())
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        ROWS.iter().fold(command, |command, row| {
            let default =
                if row.default.is_empty() { String::new() } else { format!(" [default: {}]", row.default) };
            command.arg(
                Arg::new(row.name)
                    .long(row.name.replace('_', "-"))
                    .value_name(row.takes.to_uppercase().replace(' ', "-"))
                    .help(format!("{}{default} [env: {}]", row.text, row.env))
                    .help_heading("Options of the instance")
                    .hide_short_help(!COMMON.contains(&row.name))
                    .global(true),
            )
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Flags::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Flags, clap::Error> {
        let given = |row: &crate::kernel::options::Row| {
            let words = matches.get_one::<String>(row.name)?;
            Some((row.name.to_owned(), words.clone()))
        };
        Ok(Flags(ROWS.iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Flags::from_arg_matches(matches)?;
        Ok(())
    }
}
