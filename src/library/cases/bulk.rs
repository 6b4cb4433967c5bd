//! Cases by the thousand: what a report names is found by its key, and what is missing is made.
//!
//! One statement a row, kept prepared, and one entry in the audit trail for all, written by whoever
//! holds the batch.

use super::draft::automation_key;
use crate::kernel::access::{CaseWrite, InProject, Permission, Project, Tx, Write};
use crate::kernel::error::Result;
use crate::kernel::id::{CaseId, ProjectId, SuiteId, UserId};
use crate::kernel::sql::{self, FromRow, Prepared, Row, named_params, params};
use crate::kernel::time::Timestamp;
use crate::library::suites::{self, Paths};
use crate::library::text::Title;
use std::collections::HashMap;

/// A case as a batch needs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known {
    /// Number in the instance.
    pub id: CaseId,
    /// Number in the project.
    pub number: i64,
    /// Its newest revision.
    pub revision: i64,
    /// Whether it ever had a result.
    pub has_result: bool,
}

/// Finds cases one after the other.
pub struct Finder<'t> {
    project: ProjectId,
    by_key: Prepared<'t>,
    by_number: Prepared<'t>,
}

impl<'t> Finder<'t> {
    /// A finder for the project of the transaction.
    pub fn new<P: Permission<Scope = Project>>(tx: Write<'t, P>) -> Result<Finder<'t>> {
        Ok(Finder {
            project: tx.project(),
            by_key: tx.prepare(
                "SELECT id, number, revision, has_result
                   FROM cases
                  WHERE project_id = ?1 AND automation_key = ?2",
            )?,
            by_number: tx.prepare(
                "SELECT id, number, revision, has_result FROM cases WHERE project_id = ?1 AND number = ?2",
            )?,
        })
    }

    /// The case that code reports under this key.
    pub fn by_key(&mut self, key: &str) -> Result<Option<Known>> {
        self.by_key.row(params![self.project, key])
    }

    /// The case of this number in the project.
    pub fn by_number(&mut self, number: i64) -> Result<Option<Known>> {
        self.by_number.row(params![self.project, number])
    }
}

/// Which of these keys belong to a case, in their order.
pub fn by_automation_keys(tx: impl InProject, keys: &[&str]) -> Result<Vec<Option<Known>>> {
    let one = |key: &&str| {
        tx.row(
            "SELECT id, number, revision, has_result
               FROM cases
              WHERE project_id = :project AND automation_key = :key",
            named_params! { ":project": tx.project(), ":key": key },
        )
    };
    keys.iter().map(one).collect()
}

/// Makes automated cases one after the other. `finish` must follow, or numbers would be given twice.
#[must_use = "finish it, or the counts of the project are wrong"]
pub struct Maker<'t> {
    tx: Write<'t, CaseWrite>,
    project: ProjectId,
    author: Option<UserId>,
    now: Timestamp,
    next: i64,
    made: i64,
    first: Option<CaseId>,
    by_suite: HashMap<SuiteId, i64>,
    insert: Prepared<'t>,
    insert_revision: Prepared<'t>,
}

impl<'t> Maker<'t> {
    /// A maker for the project of the transaction.
    pub fn new(tx: Write<'t, CaseWrite>) -> Result<Maker<'t>> {
        let Last(last) = tx.only(
            "SELECT last_case FROM projects WHERE id = :project",
            named_params! { ":project": tx.project() },
        )?;
        Ok(Maker {
            tx,
            project: tx.project(),
            author: tx.actor().user(),
            now: tx.now(),
            next: last + 1,
            made: 0,
            first: None,
            by_suite: HashMap::new(),
            insert: tx.prepare(
                "INSERT INTO cases (project_id, number, suite_id, position, title, kind, automation_key,
                                    revision, has_result, created_at, updated_at)
                 VALUES (?1, ?2, ?3, ?2, ?4, 'automated', ?5, 1, 1, ?6, ?6)",
            )?,
            insert_revision: tx.prepare(
                "INSERT INTO revisions (case_id, number, title, priority, author_id, created_at)
                 VALUES (?1, 1, ?2, 'normal', ?3, ?4)",
            )?,
        })
    }

    /// Makes a case that is about to get its first result. Nobody may have the key yet.
    pub fn make(&mut self, paths: &mut Paths, suite: &[Title], title: &Title, key: &str) -> Result<Known> {
        let key = automation_key(key)?;
        let suite = paths.find_or_create(self.tx, suite)?;
        let number = self.next;
        let id = self.insert.insert(params![self.project, number, suite, title, key, self.now])?;
        self.insert_revision.run(params![id, title, self.author, self.now])?;
        self.next += 1;
        self.made += 1;
        *self.by_suite.entry(suite).or_default() += 1;
        self.first.get_or_insert(CaseId(id));
        Ok(Known { id: CaseId(id), number, revision: 1, has_result: true })
    }

    /// Stores the counts and lets the cases be found by their words; answers how many were made.
    pub fn finish(self) -> Result<i64> {
        // All at once: the index of words is written out after each statement that touches it.
        self.tx.run(
            "INSERT INTO cases_search (rowid, title, automation_key)
             SELECT id, title, automation_key FROM cases WHERE id >= :first AND project_id = :project",
            named_params! { ":first": self.first.unwrap_or(CaseId(i64::MAX)), ":project": self.project },
        )?;
        self.tx.run(
            "UPDATE projects SET last_case = :last WHERE id = :project",
            named_params! { ":last": self.next - 1, ":project": self.project },
        )?;
        for (suite, count) in self.by_suite {
            suites::count_cases(self.tx, suite, count)?;
        }
        Ok(self.made)
    }
}

struct Last(i64);

impl FromRow for Last {
    fn from_row(row: &Row<'_>) -> sql::Result<Last> {
        Ok(Last(row.get("last_case")?))
    }
}

impl FromRow for Known {
    fn from_row(row: &Row<'_>) -> sql::Result<Known> {
        Ok(Known { id: row.get(0)?, number: row.get(1)?, revision: row.get(2)?, has_result: row.get(3)? })
    }
}
