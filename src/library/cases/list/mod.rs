//! Lists of cases: in the order of the tree, by words, by what needs a look. Paged by key, so that the
//! last page costs as much as the first.

mod sql;

use self::sql::Counts;
use super::{Kind, Priority};
use crate::kernel::access::{ProjectView, Read};
use crate::kernel::error::Result;
use crate::kernel::id::{CaseId, SuiteId};
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use crate::kernel::words::words;
use crate::library::projects;
use crate::library::suites::{Node, Tree};
use crate::library::verdicts::Status;

/// One line of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Number in the instance.
    pub id: CaseId,
    /// Number in the project.
    pub number: i64,
    /// Where it stands.
    pub suite: SuiteId,
    /// Its place in the suite.
    pub position: i64,
    /// What it is called.
    pub title: String,
    /// Its form.
    pub kind: Kind,
    /// How much it matters.
    pub priority: Priority,
    /// What code reports it under.
    pub automation_key: Option<String>,
    /// Number of its newest revision.
    pub revision: i64,
    /// The latest verdict; none if it never ran.
    pub status: Option<Status>,
    /// When it was given.
    pub at: Option<Timestamp>,
}

/// A piece of a list, and where the next one begins.
#[derive(Clone, Debug)]
pub struct Page<C> {
    /// The lines.
    pub lines: Vec<Line>,
    /// Hand it in as `after` to go on; none at the end.
    pub next: Option<C>,
}

words! {
    /// Short lists that say what needs a look.
    Look = "list of cases" {
        /// Latest result failed or errored.
        Failing = "failing",
        /// Passed and failed take turns.
        Flaky = "flaky",
        /// No result yet.
        NeverRun = "never-run",
        /// In the trash.
        Trash = "trash",
    }
}

/// Where a list in the order of the tree goes on: after this case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The suite.
    pub suite: SuiteId,
    /// The place in it.
    pub position: i64,
    /// The case, should two share a place.
    pub case: CaseId,
}

impl Place {
    /// The place as it stands in an address.
    pub fn text(&self) -> String {
        format!("{}.{}.{}", self.suite.0, self.position, self.case.0)
    }

    /// The place out of an address.
    pub fn of_text(text: &str) -> Option<Place> {
        let mut parts = text.split('.').map(|part| part.parse::<i64>().ok());
        let place =
            Place { suite: SuiteId(parts.next()??), position: parts.next()??, case: CaseId(parts.next()??) };
        parts.next().is_none().then_some(place)
    }
}

/// Active cases of a suite and those below it, or of the whole project, in the order of the tree.
pub fn in_tree(
    tx: Read<'_, ProjectView>,
    tree: &Tree,
    suite: Option<SuiteId>,
    after: Option<Place>,
    limit: i64,
) -> Result<Page<Place>> {
    let branch = suite.map_or(tree.nodes(), |suite| tree.branch(suite));
    let start = after.and_then(|after| branch.iter().position(|node| node.suite.id == after.suite));
    let mut lines: Vec<Line> = Vec::new();
    for node in branch.iter().skip(start.unwrap_or(0)).filter(|node| node.suite.cases > 0) {
        let id = node.suite.id;
        let from =
            after.filter(|after| after.suite == id).map_or((i64::MIN, CaseId(0)), |a| (a.position, a.case));
        let wanted = limit + 1 - i64::try_from(lines.len()).unwrap_or(limit);
        lines.extend(sql::of_suite(tx, id, from, wanted)?);
        if lines.len() as i64 > limit {
            break;
        }
    }
    Ok(page(lines, limit, |last| Place { suite: last.suite, position: last.position, case: last.id }))
}

/// Active cases by number, those with all the words if any are given. Words match the beginnings of
/// words in titles and automation keys; a reference such as `SHOP-C12` matches that case.
pub fn by_words(tx: Read<'_, ProjectView>, words: &str, after: Option<i64>, limit: i64) -> Result<Page<i64>> {
    let lines = match asked(&projects::key(tx)?, words) {
        Asked::Everything => sql::all(tx, after.unwrap_or(0), limit + 1)?,
        Asked::Nothing => Vec::new(),
        Asked::Number(number) => sql::one(tx, number)?.into_iter().filter(|_| after.is_none()).collect(),
        Asked::Words(query) => sql::matching(tx, &query, after.unwrap_or(0), limit + 1)?,
    };
    Ok(page(lines, limit, |last| last.number))
}

/// The same within a suite and those below it. A reference finds its case wherever it stands.
pub fn by_words_in(
    tx: Read<'_, ProjectView>,
    branch: &[Node],
    words: &str,
    after: Option<i64>,
    limit: i64,
) -> Result<Page<i64>> {
    let Asked::Words(query) = asked(&projects::key(tx)?, words) else {
        return by_words(tx, words, after, limit);
    };
    let suites: Vec<String> = branch.iter().map(|node| node.suite.id.0.to_string()).collect();
    let suites = format!("[{}]", suites.join(","));
    let lines = sql::matching_in(tx, &suites, &query, after.unwrap_or(0), limit + 1)?;
    Ok(page(lines, limit, |last| last.number))
}

/// A short list of what needs a look, by number.
pub fn to_look_at(
    tx: Read<'_, ProjectView>,
    look: Look,
    after: Option<i64>,
    limit: i64,
) -> Result<Page<i64>> {
    let (after, count) = (after.unwrap_or(0), limit + 1);
    let lines = match look {
        Look::Failing => sql::failing(tx, after, count)?,
        Look::Flaky => sql::flaky(tx, after, count)?,
        Look::NeverRun => sql::never_run(tx, after, count)?,
        Look::Trash => sql::trash(tx, after, count)?,
    };
    Ok(page(lines, limit, |last| last.number))
}

/// How many cases each short list holds, without the trash.
pub fn counts(tx: Read<'_, ProjectView>) -> Result<[(Look, i64); 3]> {
    let Counts { failing, flaky, never_run } = sql::counts(tx)?;
    Ok([(Look::Failing, failing), (Look::Flaky, flaky), (Look::NeverRun, never_run)])
}

fn page<C>(mut lines: Vec<Line>, limit: i64, cursor: impl Fn(&Line) -> C) -> Page<C> {
    let limit = usize::try_from(limit).unwrap_or(0);
    let is_more = lines.len() > limit;
    lines.truncate(limit);
    let next = lines.last().filter(|_| is_more).map(cursor);
    Page { lines, next }
}

#[derive(PartialEq, Eq, Debug)]
enum Asked {
    Everything,
    Nothing,
    Number(i64),
    Words(String),
}

/// What a search means. Each word is quoted, so no letter of it can be taken for syntax.
fn asked(project_key: &str, words: &str) -> Asked {
    let words = words.trim();
    if words.is_empty() {
        return Asked::Everything;
    }
    let is_reference = words.contains(['C', 'c']);
    if let Some(number) = super::number_of(project_key, words).filter(|_| is_reference) {
        return Asked::Number(number);
    }
    search(words).map_or(Asked::Nothing, Asked::Words)
}

/// Words as the index of words takes them, each quoted; none if nothing in them can be found.
pub fn search(words: &str) -> Option<String> {
    let searchable = words.split(|c: char| c.is_whitespace() || c.is_control());
    let searchable = searchable.filter(|word| word.contains(char::is_alphanumeric));
    let quoted = searchable.take(limits::SEARCH_WORDS_MAX).map(|word| {
        let short: String = word.chars().take(100).collect();
        format!("\"{}\"*", short.replace('"', "\"\""))
    });
    let query = quoted.collect::<Vec<_>>().join(" ");
    (!query.is_empty()).then_some(query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tester_types_is_never_syntax() {
        let words = |text: &str| Asked::Words(text.to_owned());
        assert_eq!(asked("SHOP", " "), Asked::Everything);
        assert_eq!(asked("SHOP", "-- \" *"), Asked::Nothing);
        assert_eq!(asked("SHOP", "SHOP-C12"), Asked::Number(12));
        assert_eq!(asked("SHOP", "12"), words("\"12\"*"));
        assert_eq!(asked("SHOP", "pay card"), words("\"pay\"* \"card\"*"));
        assert_eq!(
            asked("SHOP", "a\" OR title:b NEAR(c)"),
            words("\"a\"\"\"* \"OR\"* \"title:b\"* \"NEAR(c)\"*")
        );
    }

    #[test]
    fn a_place_survives_an_address() {
        let place = Place { suite: SuiteId(3), position: 12, case: CaseId(7) };
        assert_eq!(Place::of_text(&place.text()), Some(place));
        for text in ["", "1.2", "1.2.3.4", "a.b.c"] {
            assert_eq!(Place::of_text(text), None, "{text}");
        }
    }
}
