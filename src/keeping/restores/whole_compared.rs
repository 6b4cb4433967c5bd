//! What may take the place of the present: a backup, or a moment behind one, and what would be lost with it.

use super::moment;
use super::whole_sql as sql;
use crate::keeping::backups::{self, Chosen, Desk};
use crate::keeping::shipping::Reach;
use crate::keeping::shipping::moment::{field, parse, told, zone};
use crate::keeping::targets::{self, Goal};
use crate::kernel::access::{Gate, RestoreView};
use crate::kernel::error::Result;
use crate::kernel::records;
use crate::kernel::time::Timestamp;
use crate::web::forms::Problems;
use serde::Deserialize;
use std::sync::Arc;

/// Tables whose rows people know by name, and when a row was made.
const SHOWN: [(&str, &str, &str); 7] = [
    ("projects", "created_at", "Projects"),
    ("cases", "created_at", "Cases"),
    ("revisions", "created_at", "Revisions of cases"),
    ("runs", "created_at", "Runs"),
    ("results", "at", "Results"),
    ("evidence", "created_at", "Files"),
    ("users", "created_at", "People"),
];
/// Milliseconds of the second that a field cannot tell apart.
const SECOND_MS: i64 = 1_000;

/// What the address says.
#[derive(Deserialize, Clone, Default)]
pub(super) struct Asked {
    /// Number of a target; empty for that with the newest backup that was read back.
    #[serde(default)]
    pub target: String,
    /// Number of a backup; the newest that was read back without it.
    pub backup: Option<u64>,
    /// `backup` for its state, or `moment`.
    #[serde(default)]
    pub until: String,
    /// The moment as it was typed.
    #[serde(default)]
    pub moment: String,
}

impl Asked {
    /// Whether somebody has chosen anything.
    pub fn is_any(&self) -> bool {
        self.backup.is_some() || !self.target.is_empty()
    }

    fn is_moment(&self) -> bool {
        self.until == "moment"
    }
}

/// Moments that can be had, in words.
pub(super) struct Had {
    pub from: String,
    pub to: String,
}

/// A kind of thing: how many there are now, and how many then or since then.
pub(super) struct Line {
    pub word: &'static str,
    pub now: i64,
    pub then: i64,
}

/// What is to take the place of the present.
pub(super) enum State {
    /// A backup as it was made.
    Backup { bytes: u64, testkeep: String },
    /// A moment: in words, exactly, and the backup that it begins with.
    Moment { told: String, exact: String, base: u64 },
}

/// The present beside it.
pub(super) struct Compared {
    pub state: State,
    pub lines: Vec<Line>,
    /// Entries of the audit trail that were written since.
    pub entries_since: i64,
}

/// What can be chosen at a target, and what is.
pub(super) struct Choice {
    /// Number of the target; empty for a place that is none.
    pub target: String,
    /// What people call it.
    pub target_name: String,
    /// The backup.
    pub number: u64,
    pub made_at: Timestamp,
    pub is_moment: bool,
    /// What stands in the field.
    pub field: String,
    /// Moments without a gap; empty where no log leads to any.
    pub had: Vec<Had>,
    /// What is missing there.
    pub troubles: Vec<String>,
    /// Name of the zone that the field is in.
    pub zone: String,
    /// What was chosen, unless that cannot be.
    pub compared: Option<Compared>,
}

impl Choice {
    /// The address of the page with this choice, encoded, because it goes into an address in its turn.
    pub fn address(&self, page: &str) -> String {
        let (target, number) = (&self.target, self.number);
        match self.exact() {
            "" => format!("{page}?target={target}%26backup={number}"),
            exact => {
                let exact = exact.replace(':', "%3A");
                format!("{page}?target={target}%26backup={number}%26until=moment%26moment={exact}")
            }
        }
    }

    /// The moment that was chosen, as it is sent; empty for a backup as it was made.
    pub fn exact(&self) -> &str {
        match self.compared.as_ref().map(|compared| &compared.state) {
            Some(State::Moment { exact, .. }) => exact,
            _ => "",
        }
    }
}

/// What can be chosen, and what would be lost with what is.
pub(super) async fn choice(
    gate: &Gate<RestoreView>,
    desk: &Desk,
    asked: &Asked,
    problems: &mut Problems,
) -> Result<Choice> {
    let (instance, target, number) =
        (Arc::clone(&desk.instance), targets::number(&asked.target)?, asked.backup);
    let from = gate.read(move |tx| backups::chosen(tx, &instance, target, number)).await?;
    let from = Chosen { goal: from.goal.brief(), ..from };
    let (_, reach) = moment::reach(desk, &from.goal).await?;
    let (receipt, manifest) = desk.manifest(&from).await?;
    let made: Option<jiff::Timestamp> = manifest.made_at.parse().ok();
    let compared = if asked.is_moment() && asked.moment.is_empty() {
        None
    } else if asked.is_moment() {
        match chosen(&reach, &asked.moment) {
            Ok((at, base)) => Some(since(gate, at, base).await?),
            Err(said) => {
                problems.add("moment", said);
                None
            }
        }
    } else {
        let rows = manifest.rows;
        let (lines, last) = then(gate, move |table| rows.get(table).copied().unwrap_or(0)).await?;
        let state = State::Backup { bytes: receipt.bytes, testkeep: manifest.testkeep };
        Some(Compared { state, lines, entries_since: (last - manifest.audit.seq).max(0) })
    };
    let typed = match &compared {
        Some(Compared { state: State::Moment { exact, .. }, .. }) => parse(exact).map(field),
        _ => None,
    };
    Ok(Choice {
        target: from.goal.id.map(|id| id.0.to_string()).unwrap_or_default(),
        target_name: from.goal.name,
        number: receipt.number,
        made_at: Timestamp(made.map_or(0, jiff::Timestamp::as_millisecond)),
        is_moment: asked.is_moment(),
        field: match typed {
            Some(typed) => typed,
            None if asked.moment.is_empty() => reach.newest().map(field).unwrap_or_default(),
            None => asked.moment.clone(),
        },
        had: reach.spans.iter().map(|span| Had { from: told(span.from), to: told(span.to) }).collect(),
        troubles: reach.troubles,
        zone: zone(),
        compared,
    })
}

/// The backup to begin with and the moment to go on to; none where the moment cannot be had any more.
pub(super) async fn state(
    desk: &Desk,
    goal: &Goal,
    backup: u64,
    typed: &str,
) -> Result<Option<(u64, Option<Timestamp>)>> {
    if typed.is_empty() {
        return Ok(Some((backup, None)));
    }
    let (_, reach) = moment::reach(desk, &goal.clone().brief()).await?;
    Ok(chosen(&reach, typed).ok().map(|(at, base)| (base, Some(at))))
}

/// The moment that was typed and the backup it begins with, or what to say about it. The second of the newest
/// moment stands for that moment: nobody means to leave out what came in the last second.
fn chosen(reach: &Reach, typed: &str) -> Result<(Timestamp, u64), String> {
    let at = parse(typed).ok_or_else(|| "Write date and time, such as 2026-11-22T10:15:00.".to_owned())?;
    let newest = reach.newest().filter(|newest| newest.0 / SECOND_MS * SECOND_MS == at.0);
    let at = newest.unwrap_or(at);
    if let Some(base) = reach.base(at) {
        return Ok((at, base));
    }
    let spans: Vec<String> =
        reach.spans.iter().map(|span| format!("{} to {}", told(span.from), told(span.to))).collect();
    Err(match spans.as_slice() {
        [] => "No log leads to any moment here. Choose the state of a backup.".into(),
        spans => {
            let gap = reach.troubles.join(" ");
            format!("{} cannot be had here. {gap} Choose one from {}.", told(at), spans.join(" or from "))
        }
    })
}

async fn then(gate: &Gate<RestoreView>, then: impl Fn(&'static str) -> i64) -> Result<(Vec<Line>, i64)> {
    let names: Vec<String> = SHOWN.iter().map(|(table, ..)| (*table).to_owned()).collect();
    let (now, last) =
        gate.read_at_length(move |tx| Ok((records::counts(tx, &names)?, sql::last_entry(tx)?))).await?;
    let count = |table| now.iter().find(|(name, _)| name == table).map_or(0, |(_, count)| *count);
    let lines = SHOWN.iter().map(|(table, _, word)| Line { word, now: count(*table), then: then(table) });
    Ok((lines.collect(), last))
}

/// What was made after a moment: it would be lost. What was deleted since nobody can tell before it is back.
async fn since(gate: &Gate<RestoreView>, at: Timestamp, base: u64) -> Result<Compared> {
    let (made, entries_since) = gate
        .read_at_length(move |tx| {
            let made = SHOWN.iter().map(|(table, column, _)| sql::made_since(tx, table, column, at));
            Ok((made.collect::<Result<Vec<i64>>>()?, sql::made_since(tx, "audit", "at", at)?))
        })
        .await?;
    let (mut lines, _) = then(gate, |_| 0).await?;
    lines.iter_mut().zip(made).for_each(|(line, made)| line.then = made);
    let state = State::Moment { told: told(at), exact: at.to_string(), base };
    Ok(Compared { state, lines, entries_since })
}
