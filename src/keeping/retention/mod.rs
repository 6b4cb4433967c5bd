//! Retention: how long each class of data stays, what may not go, what went, and the proof of it.
//!
//! Nothing is deleted that a legal hold covers. What goes leaves a signed certificate; what it was is not in it.

mod api;
mod certificate;
mod clear;
mod holds;
mod holds_api;
mod pages;
mod purge;
mod sql;

pub use api::Api;
pub use certificate::{Certificate, verify};
pub use holds::{Hold, hold, in_force, lift};
pub use holds_api::Api as HoldsApi;
pub use purge::{KEEP, Purged, run};
pub use sql::Deletion;

use crate::kernel::access::{StorageKeep, Tx, Write};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::ProjectId;
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use crate::kernel::words::words;
use crate::people::sessions::demand_proof_of_people;
use crate::web::routes::Route;

const PLANNED: Event = Event::new("retention.planned", "How long a class of data stays was changed.");
const PURGED: Event = Event::new("retention.purged", "Data past its retention was deleted for good.");
const CLEARED: Event = Event::new("retention.cleared", "Files of evidence that nothing named were deleted.");
/// Events of this slice.
pub const EVENTS: &[Event] = &[PLANNED, PURGED, CLEARED, holds::HELD, holds::LIFTED];

/// Routes of the pages and of the API.
pub fn routes() -> Vec<Route> {
    [pages::routes(), api::routes(), holds_api::routes()].into_iter().flatten().collect()
}

words! {
    /// What a rule of retention is about.
    Class = "class of data" {
        /// What was deleted by people and can be taken out again.
        Trash = "trash",
        /// Closed runs with all their results and files.
        Runs = "runs",
        /// Files of results; the results stay.
        Evidence = "evidence",
        /// Records of report uploads whose runs are gone.
        Uploads = "uploads",
        /// Network addresses beside the audit trail; the trail stays whole.
        Addresses = "addresses",
        /// Ended sessions and counts of failed sign-ins.
        SignIns = "sign_ins",
        /// Records of checks and samples of sizes.
        Records = "records",
    }
}

impl Class {
    /// The words on a page.
    pub fn title(self) -> &'static str {
        match self {
            Class::Trash => "Trash",
            Class::Runs => "Closed runs and their results",
            Class::Evidence => "Files of results",
            Class::Uploads => "Records of uploads",
            Class::Addresses => "Addresses in the audit trail",
            Class::SignIns => "Ended sessions, failed sign-ins",
            Class::Records => "Records of checks and sizes",
        }
    }

    /// Days until somebody says otherwise; 0 is for ever.
    pub fn default_days(self) -> i64 {
        match self {
            Class::Trash => 30,
            Class::Runs | Class::Evidence | Class::Uploads => 0,
            Class::Addresses => 365,
            Class::SignIns => 90,
            Class::Records => 730,
        }
    }

    /// Whether a project may have a rule of its own.
    pub fn is_of_projects(self) -> bool {
        matches!(self, Class::Trash | Class::Runs | Class::Evidence)
    }
}

/// How long a class stays, in the instance or in one project.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What it is about.
    pub class: Class,
    /// The project it is for; none for all others.
    pub project: Option<(ProjectId, String)>,
    /// Days; 0 is for ever.
    pub days: i64,
}

/// What would go now by a rule.
#[derive(Clone, Debug)]
pub struct Due {
    /// The rule.
    pub rule: Rule,
    /// The ids of what would go, by kind.
    pub subjects: Subjects,
    /// How many rows carry it.
    pub rows: i64,
    /// Bytes of files among it.
    pub bytes: i64,
    /// Since when the oldest is due, and the newest.
    pub range: Option<(Timestamp, Timestamp)>,
}

/// Ids of what goes, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Subjects {
    /// Runs.
    pub runs: Vec<i64>,
    /// Cases.
    pub cases: Vec<i64>,
    /// Projects.
    pub projects: Vec<i64>,
    /// Files.
    pub evidence: Vec<i64>,
    /// The moment before which simple rows go.
    pub before: Option<i64>,
}

impl Subjects {
    /// What they are, counted in words: `2 runs, 1 case`; empty for simple rows.
    pub fn words(&self) -> String {
        let kinds = [
            (self.projects.len(), "project", "projects"),
            (self.runs.len(), "run", "runs"),
            (self.cases.len(), "case", "cases"),
            (self.evidence.len(), "file", "files"),
        ];
        let named = kinds.iter().filter(|(count, ..)| *count > 0);
        let words =
            named.map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }));
        words.collect::<Vec<_>>().join(", ")
    }
}

/// The rules in force: one a class, then those of projects.
pub fn rules(tx: impl Tx) -> Result<Vec<Rule>> {
    let stored = sql::rules(tx)?;
    let mut rules: Vec<Rule> = Class::ALL
        .iter()
        .map(|class| {
            let own = stored.iter().find(|rule| rule.class == *class && rule.project.is_none());
            let days = own.map_or(class.default_days(), |rule| rule.days);
            Rule { class: *class, project: None, days }
        })
        .collect();
    rules.extend(stored.into_iter().filter(|rule| rule.project.is_some()));
    Ok(rules)
}

/// Changes how long a class stays; `None` for the days takes the rule of a project away.
pub fn set_rule<'t>(
    tx: Write<'t, StorageKeep>,
    class: Class,
    key: Option<&str>,
    days: Option<i64>,
) -> Result<Audited<'t, ()>> {
    demand_proof_of_people(tx)?;
    if days.is_some_and(|days| !(0..=limits::RETENTION_DAYS_MAX).contains(&days)) {
        return Err(
            Error::invalid("This is no number of days.").hint("Write 0 for ever, or a number of days.")
        );
    }
    let project = match key {
        None => None,
        Some(_) if !class.is_of_projects() => {
            return Err(Error::invalid("This class of data belongs to the instance, not to a project."));
        }
        Some(key) => Some(sql::project(tx, key)?.ok_or_else(|| {
            Error::not_found(format!("There is no project {key}.")).hint("Write its key, such as SHOP.")
        })?),
    };
    sql::set_rule(tx, class, project, days)?;
    let entry = PLANNED.alone().count("project", project.map_or(0, |project| project.0));
    tx.audited(entry.count("days", days.unwrap_or(-1)), ())
}

/// What would go now, rule by rule; nothing is changed.
pub fn due(tx: impl Tx) -> Result<Vec<Due>> {
    let rules = rules(tx)?;
    let mut found = Vec::new();
    for rule in rules.iter().filter(|rule| rule.days > 0) {
        let others: Vec<i64> = match rule.project {
            Some(_) => Vec::new(),
            None => {
                let own = rules.iter().filter(|other| other.class == rule.class);
                own.filter_map(|other| other.project.as_ref().map(|(id, _)| id.0)).collect()
            }
        };
        let due = sql::due(tx, rule, &others)?;
        if due.rows > 0 {
            found.push(due);
        }
    }
    Ok(found)
}

/// What was deleted, the newest first.
pub fn deletions(tx: impl Tx) -> Result<Vec<Deletion>> {
    sql::deletions(tx)
}
