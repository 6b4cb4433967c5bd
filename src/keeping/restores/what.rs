//! What is to come back: a project, a case or a run, by the reference that people know.

use crate::kernel::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is to come back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum What {
    /// A whole project, by its key.
    Project(String),
    /// A case, by the key of its project and its number.
    Case(String, i64),
    /// A run, by the key of its project and its number.
    Run(String, i64),
}

/// What becomes of things that are still there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They stay as they are; only what is missing comes back.
    Missing,
    /// They are made as they were; what they say now stays as a revision.
    Replace,
}

impl Mode {
    /// The word in the table and in forms.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Missing => "missing",
            Mode::Replace => "replace",
        }
    }

    /// The mode of a word; anything else is the careful one.
    pub fn of_word(word: &str) -> Mode {
        if word == Mode::Replace.word() { Mode::Replace } else { Mode::Missing }
    }
}

impl What {
    /// Reads a reference: `SHOP`, `SHOP-C12` or `SHOP-R3`.
    pub fn parse(text: &str) -> Result<What> {
        let text = text.trim().to_ascii_uppercase();
        let (key, rest) = text.split_once('-').map_or((&*text, None), |(key, rest)| (key, Some(rest)));
        let is_key = (2..=10).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let number = |rest: &str| rest.parse().ok().filter(|number: &i64| *number > 0);
        let what = match rest {
            None => Some(What::Project(key.to_owned())),
            Some(rest) => match (rest.strip_prefix('C'), rest.strip_prefix('R')) {
                (Some(digits), _) => number(digits).map(|number| What::Case(key.to_owned(), number)),
                (_, Some(digits)) => number(digits).map(|number| What::Run(key.to_owned(), number)),
                _ => None,
            },
        };
        what.filter(|_| is_key).ok_or_else(|| {
            Error::invalid(format!("“{text}” names no project, no case and no run."))
                .hint("Write SHOP for a project, SHOP-C12 for a case, SHOP-R3 for a run.")
        })
    }

    /// Key of the project.
    pub fn key(&self) -> &str {
        match self {
            What::Project(key) | What::Case(key, _) | What::Run(key, _) => key,
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Project(key) => f.write_str(key),
            What::Case(key, number) => write!(f, "{key}-C{number}"),
            What::Run(key, number) => write!(f, "{key}-R{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_one_thing() {
        for text in ["SHOP", "SHOP-C12", "SHOP-R3"] {
            assert_eq!(What::parse(&text.to_lowercase()).unwrap().to_string(), text);
        }
        for text in ["", "S", "SHOP-", "SHOP-12", "SHOP-C", "SHOP-C0", "SHOP-X1", "SH OP", "SHOP-C-1"] {
            assert!(What::parse(text).is_err(), "{text}");
        }
    }
}
