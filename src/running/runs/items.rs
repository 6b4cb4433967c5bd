//! Items of a run: failures first, by words, and the next untested one.
//!
//! A page is put together status by status, so nothing is sorted and a run of a million items shows its
//! first page as fast as a run of ten.

use super::Run;
use crate::kernel::access::{InProject, ProjectView, Read};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{CaseId, ItemId, ResultId, RunId, SuiteId, UserId};
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::library::cases::Kind;
use crate::library::cases::list::search;
use crate::library::verdicts::Status;

/// A case revision inside a run, with its latest verdict.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// Its number.
    pub id: ItemId,
    /// The case.
    pub case: CaseId,
    /// Number of the case in the project.
    pub number: i64,
    /// What the case is called.
    pub title: String,
    /// Form of the case.
    pub kind: Kind,
    /// The revision that is executed.
    pub revision: i64,
    /// Who is to do it.
    pub assignee: Option<(UserId, String)>,
    /// The latest verdict.
    pub status: Status,
    /// Results so far.
    pub attempts: i64,
    /// How long the latest took.
    pub elapsed_ms: Option<i64>,
    /// The latest result.
    pub result: Option<ResultId>,
    /// The beginning of its message.
    pub message: Option<String>,
}

/// Which items to show.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those with one of these verdicts; all if there is none.
    pub statuses: Vec<Status>,
    /// Those whose case has all these words.
    pub words: Option<String>,
    /// Those of this person.
    pub assignee: Option<UserId>,
    /// Those whose case stands directly in this suite.
    pub suite: Option<SuiteId>,
    /// Those whose latest message begins with this line.
    pub message: Option<String>,
}

/// Where a list of items goes on: after this one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its verdict.
    pub status: Status,
    /// The item.
    pub item: ItemId,
}

impl Place {
    /// The place as it stands in an address.
    pub fn text(&self) -> String {
        format!("{}.{}", self.status.word(), self.item.0)
    }

    /// The place out of an address.
    pub fn of_text(text: &str) -> Option<Place> {
        let (status, item) = text.split_once('.')?;
        Some(Place { status: Status::of_word(status).ok()?, item: ItemId(item.parse().ok()?) })
    }
}

/// Items of a run, failures first, each verdict in the order of the run.
pub fn list(
    tx: Read<'_, ProjectView>,
    run: &Run,
    filter: &Filter,
    after: Option<Place>,
    limit: i64,
) -> Result<(Vec<Item>, Option<Place>)> {
    let query = match filter.words.as_deref().map(str::trim).filter(|words| !words.is_empty()) {
        Some(words) => match search(words) {
            Some(query) => Some(query),
            None => return Ok((Vec::new(), None)),
        },
        None => None,
    };
    let wanted = usize::try_from(limit).unwrap_or(0);
    let mut items = Vec::new();
    for status in Status::ALL.iter().copied() {
        let is_asked = filter.statuses.is_empty() || filter.statuses.contains(&status);
        let is_past = after.is_some_and(|after| status < after.status);
        if !is_asked || run.counts.of(status) == 0 || is_past || items.len() > wanted {
            continue;
        }
        let from = after.filter(|after| after.status == status).map_or(ItemId(0), |after| after.item);
        let rest = limit + 1 - i64::try_from(items.len()).unwrap_or(limit);
        let walk = Walk { run: run.id, status, after: from, limit: rest };
        items.extend(of_status(tx, walk, filter, query.as_deref())?);
    }
    let is_more = items.len() > wanted;
    items.truncate(wanted);
    let next = items.last().filter(|_| is_more).map(|last| Place { status: last.status, item: last.id });
    Ok((items, next))
}

/// One item of a run.
pub fn one(tx: impl InProject, run: &Run, id: ItemId) -> Result<Item> {
    by_id(tx, run.id, id)?
        .ok_or_else(|| Error::not_found(format!("There is no item {} in run R{}.", id.0, run.number)))
}

/// The item of a case in a run.
pub fn of_case(tx: impl InProject, run: &Run, number: i64) -> Result<Option<Item>> {
    by_case(tx, run.id, number)
}

/// The untested item after this one in the order of the run; from the start again after the last. With an
/// assignee, the next of theirs.
pub fn next_untested(
    tx: impl InProject,
    run: RunId,
    after: ItemId,
    assignee: Option<UserId>,
) -> Result<Option<ItemId>> {
    let next = match untested_after(tx, run, after, assignee)? {
        Some(next) => Some(next),
        None => untested_after(tx, run, ItemId(0), assignee)?,
    };
    Ok(next.filter(|next| *next != after))
}

/// Items around one of them, in the order of the run: up to `each` before it, itself, up to `each` after.
pub fn around(tx: Read<'_, ProjectView>, run: RunId, id: ItemId, each: i64) -> Result<Vec<Item>> {
    let mut before = backwards(tx, run, id, each)?;
    before.reverse();
    before.extend(forwards(tx, run, id, each + 1)?);
    Ok(before)
}

/// All statements below name the same columns.
macro_rules! items {
    ($tail:expr) => {
        concat!(
            "SELECT items.id, items.case_id, cases.number, cases.title, cases.kind, items.revision,
                    items.assignee_id, users.name, items.status, items.attempts, items.elapsed_ms,
                    items.result_id, substr(results.message, 1, 400) ",
            $tail
        )
    };
}
macro_rules! joined {
    ($items:literal, $tail:literal) => {
        items!(concat!(
            "FROM ",
            $items,
            " CROSS JOIN cases ON cases.id = items.case_id
             LEFT JOIN users ON users.id = items.assignee_id
             LEFT JOIN results ON results.id = items.result_id ",
            $tail
        ))
    };
}

/// A piece of the items of one verdict.
struct Walk {
    run: RunId,
    status: Status,
    after: ItemId,
    limit: i64,
}

fn of_status(tx: impl InProject, walk: Walk, filter: &Filter, query: Option<&str>) -> Result<Vec<Item>> {
    match query {
        None => tx.rows(
            joined!(
                "items",
                "WHERE items.run_id = :run AND items.status = :status AND items.id > :after
                   AND cases.project_id = :project AND (:assignee IS NULL OR items.assignee_id = :assignee)
                   AND (:suite IS NULL OR cases.suite_id = :suite)
                   AND (:message IS NULL OR coalesce(substr(results.message, 1,
                           min(200, instr(results.message || char(10), char(10)) - 1)), '') = :message)
                 ORDER BY items.id LIMIT :limit"
            ),
            named_params! {
                ":project": tx.project(), ":run": walk.run, ":status": walk.status, ":after": walk.after,
                ":assignee": filter.assignee, ":suite": filter.suite, ":message": filter.message,
                ":limit": walk.limit,
            },
        ),
        Some(query) => tx.rows(
            joined!(
                "items",
                "WHERE items.run_id = :run AND items.status = :status AND items.id > :after
                   AND cases.project_id = :project AND (:assignee IS NULL OR items.assignee_id = :assignee)
                   AND (:suite IS NULL OR cases.suite_id = :suite)
                   AND (:message IS NULL OR coalesce(substr(results.message, 1,
                           min(200, instr(results.message || char(10), char(10)) - 1)), '') = :message)
                   AND items.case_id IN (SELECT rowid FROM cases_search WHERE cases_search MATCH :query)
                 ORDER BY items.id LIMIT :limit"
            ),
            named_params! {
                ":project": tx.project(), ":run": walk.run, ":status": walk.status, ":after": walk.after,
                ":assignee": filter.assignee, ":suite": filter.suite, ":message": filter.message,
                ":query": query, ":limit": walk.limit,
            },
        ),
    }
}

fn by_id(tx: impl InProject, run: RunId, id: ItemId) -> Result<Option<Item>> {
    tx.row(
        joined!("items", "WHERE items.id = :id AND items.run_id = :run AND cases.project_id = :project"),
        named_params! { ":project": tx.project(), ":run": run, ":id": id },
    )
}

fn by_case(tx: impl InProject, run: RunId, number: i64) -> Result<Option<Item>> {
    tx.row(
        items!(
            "FROM cases CROSS JOIN items ON items.run_id = :run AND items.case_id = cases.id
             LEFT JOIN users ON users.id = items.assignee_id
             LEFT JOIN results ON results.id = items.result_id
             WHERE cases.project_id = :project AND cases.number = :number"
        ),
        named_params! { ":project": tx.project(), ":run": run, ":number": number },
    )
}

fn untested_after(
    tx: impl InProject,
    run: RunId,
    after: ItemId,
    assignee: Option<UserId>,
) -> Result<Option<ItemId>> {
    let found: Option<Id> = match assignee {
        None => tx.row(
            "SELECT id FROM items WHERE run_id = :run AND status = 'untested' AND id > :after
              ORDER BY id LIMIT 1",
            named_params! { ":run": run, ":after": after },
        )?,
        Some(assignee) => tx.row(
            "SELECT id FROM items
              WHERE run_id = :run AND assignee_id = :assignee AND status = 'untested' AND id > :after
              ORDER BY id LIMIT 1",
            named_params! { ":run": run, ":assignee": assignee, ":after": after },
        )?,
    };
    Ok(found.map(|Id(id)| id))
}

/// The order of the run over all verdicts is merged from the index by verdict: six short walks.
macro_rules! walk {
    ($past:literal, $order:literal) => {
        concat!(
            walk!("failed", $past, $order),
            " UNION ALL ",
            walk!("errored", $past, $order),
            " UNION ALL ",
            walk!("blocked", $past, $order),
            " UNION ALL ",
            walk!("untested", $past, $order),
            " UNION ALL ",
            walk!("skipped", $past, $order),
            " UNION ALL ",
            walk!("passed", $past, $order),
            " ORDER BY id ",
            $order,
            " LIMIT :limit"
        )
    };
    ($status:literal, $past:literal, $order:literal) => {
        concat!(
            "SELECT id FROM (SELECT id FROM items WHERE run_id = :run AND status = '",
            $status,
            "' AND id ",
            $past,
            " :from ORDER BY id ",
            $order,
            " LIMIT :limit)"
        )
    };
}

fn forwards(tx: impl InProject, run: RunId, from: ItemId, limit: i64) -> Result<Vec<Item>> {
    let ids: Vec<Id> =
        tx.rows(walk!(">=", "ASC"), named_params! { ":run": run, ":from": from, ":limit": limit })?;
    each(tx, run, &ids)
}

fn backwards(tx: impl InProject, run: RunId, from: ItemId, limit: i64) -> Result<Vec<Item>> {
    let ids: Vec<Id> =
        tx.rows(walk!("<", "DESC"), named_params! { ":run": run, ":from": from, ":limit": limit })?;
    each(tx, run, &ids)
}

fn each(tx: impl InProject, run: RunId, ids: &[Id]) -> Result<Vec<Item>> {
    let found = ids.iter().map(|Id(id)| by_id(tx, run, *id)).collect::<Result<Vec<_>>>()?;
    Ok(found.into_iter().flatten().collect())
}

struct Id(ItemId);

impl FromRow for Id {
    fn from_row(row: &Row<'_>) -> sql::Result<Id> {
        Ok(Id(row.get(0)?))
    }
}

impl FromRow for Item {
    fn from_row(row: &Row<'_>) -> sql::Result<Item> {
        let assignee: Option<UserId> = row.get(6)?;
        let name: Option<String> = row.get(7)?;
        Ok(Item {
            id: row.get(0)?,
            case: row.get(1)?,
            number: row.get(2)?,
            title: row.get(3)?,
            kind: row.get(4)?,
            revision: row.get(5)?,
            assignee: assignee.zip(name),
            status: row.get(8)?,
            attempts: row.get(9)?,
            elapsed_ms: row.get(10)?,
            result: row.get(11)?,
            message: row.get(12)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_an_address() {
        let place = Place { status: Status::Failed, item: ItemId(7) };
        assert_eq!(Place::of_text(&place.text()), Some(place));
        for text in ["", "failed", "failed.x", "good.1"] {
            assert_eq!(Place::of_text(text), None, "{text}");
        }
    }
}
