//! Names for the numbers of entries: the chain holds ids only, so that a person can be erased.

use super::{Entry, events, sql};
use crate::kernel::access::Tx;
use crate::kernel::audit::Line;
use crate::kernel::error::Result;
use std::collections::{BTreeMap, BTreeSet};

/// One thing that an entry is about, or a count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fact {
    /// What it is, such as `case`.
    pub word: String,
    /// Its number, or how many.
    pub number: String,
    /// What people call it, such as `SHOP-C12`; empty if it is gone or only a count.
    pub name: String,
    /// Its page; empty if it has none.
    pub href: String,
}

type Statement<T> = fn(T, &str) -> Result<Vec<sql::Named>>;

/// Gives names to whatever the lines mention, with one statement for each sort of thing.
pub(super) fn named<T: Tx>(tx: T, lines: Vec<Line>) -> Result<Vec<Entry>> {
    let statements: [(&str, Statement<T>); 5] = [
        ("user", sql::people),
        ("project", sql::projects),
        ("suite", sql::suites),
        ("case", sql::cases),
        ("run", sql::runs),
    ];
    let mut names: BTreeMap<(&str, i64), String> = BTreeMap::new();
    for (word, statement) in statements {
        let ids: BTreeSet<i64> = lines.iter().flat_map(|line| mentioned(line, word)).collect();
        if !ids.is_empty() {
            let ids = serde_json::to_string(&ids).expect("numbers are JSON");
            names.extend(statement(tx, &ids)?.into_iter().map(|found| ((word, found.id), found.name)));
        }
    }
    let name = |word: &str, id: i64| {
        let known = statements.iter().find(|(known, _)| *known == word);
        known.and_then(|(word, _)| names.get(&(*word, id)).cloned()).unwrap_or_default()
    };
    Ok(lines.into_iter().map(|line| entry(line, name)).collect())
}

/// Numbers of this sort that a line mentions.
fn mentioned(line: &Line, word: &str) -> Vec<i64> {
    let of_line = match word {
        "user" => line.user().map(|user| user.0),
        "project" => line.project.map(|project| project.0),
        _ => None,
    };
    let facts = pairs(&line.facts).filter(|(known, _)| *known == word);
    of_line.into_iter().chain(facts.filter_map(|(_, number)| number.parse().ok())).collect()
}

fn pairs(facts: &str) -> impl Iterator<Item = (&str, &str)> {
    facts.split(' ').filter_map(|fact| fact.split_once('='))
}

fn entry(line: Line, name: impl Fn(&str, i64) -> String) -> Entry {
    let who = match line.user() {
        Some(user) => Some(name("user", user.0)).filter(|name| !name.is_empty()),
        None => None,
    };
    let who = who.unwrap_or_else(|| match line.actor.split_once(':') {
        Some(("job", job)) => format!("Testkeep, {job}"),
        Some((_, rest)) => format!("Account {}", rest.split(' ').next().unwrap_or_default()),
        None if line.actor == "operator" => "Operator at the machine".to_owned(),
        None => "Somebody not signed in".to_owned(),
    });
    let fact = |(word, number): (&str, &str)| {
        let name = number.parse().map(|id| name(word, id)).unwrap_or_default();
        let href = page(word, &name);
        Fact { word: word.replace('_', " "), number: number.to_owned(), name, href }
    };
    Entry {
        who,
        what: events::meaning(&line.event).trim_end_matches('.'),
        facts: pairs(&line.facts).map(fact).collect(),
        project: line.project.map(|id| name("project", id.0)).unwrap_or_default(),
        line,
    }
}

/// The page of a thing that has one.
fn page(word: &str, name: &str) -> String {
    match word {
        "project" if !name.is_empty() => format!("/p/{name}"),
        "case" => {
            reference(name, "-C").map(|(key, number)| format!("/p/{key}/cases/{number}")).unwrap_or_default()
        }
        "run" => {
            reference(name, "-R").map(|(key, number)| format!("/p/{key}/runs/{number}")).unwrap_or_default()
        }
        _ => String::new(),
    }
}

fn reference<'a>(name: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    name.split_once(mark)
}
