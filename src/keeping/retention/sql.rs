//! Statements of rules and of what they let go.

use super::{Class, Due, Rule, Subjects};
use crate::kernel::access::{StorageKeep, Tx, Write};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{DeletionId, ProjectId};
use crate::kernel::limits;
use crate::kernel::sql::{self, FromRow, Row, named_params};
use crate::kernel::time::Timestamp;
use std::collections::{BTreeMap, HashSet};

const DAY_MS: i64 = 24 * 3_600_000;

/// Something that was deleted for good, or is being deleted.
#[derive(Clone, Debug)]
pub struct Deletion {
    /// Its number, which is that of its certificate.
    pub id: DeletionId,
    /// Class of data.
    pub class: Class,
    /// The rule, in words.
    pub rule: String,
    /// Who approved it.
    pub approved_by: String,
    /// Whether it is done.
    pub is_done: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Rows that went, by kind.
    pub counts: BTreeMap<String, i64>,
    /// Bytes of files that went so far.
    pub bytes: i64,
    /// When the oldest of it was made or put away.
    pub first_at: Option<Timestamp>,
    /// The same of the newest.
    pub last_at: Option<Timestamp>,
    /// Over the ids.
    pub digest: String,
    /// The certificate, once it is done: JSON.
    pub certificate: Option<String>,
    pub(super) subjects: Subjects,
}

pub(super) fn project(tx: impl Tx, key: &str) -> Result<Option<ProjectId>> {
    let found: Option<One> =
        tx.row("SELECT id FROM projects WHERE key = :key", named_params! { ":key": key })?;
    Ok(found.map(|One(id)| ProjectId(id)))
}

pub(super) fn rules(tx: impl Tx) -> Result<Vec<Rule>> {
    tx.rows(
        "SELECT class, project_id, key, days FROM retention LEFT JOIN projects ON projects.id = project_id
          WHERE project_id = 0 OR key IS NOT NULL
          ORDER BY class, key",
        [],
    )
}

pub(super) fn set_rule(
    tx: Write<'_, StorageKeep>,
    class: Class,
    project: Option<ProjectId>,
    days: Option<i64>,
) -> Result<()> {
    let project = project.map_or(0, |project| project.0);
    match days {
        Some(days) => tx.run(
            "INSERT INTO retention (class, project_id, days, changed_at) VALUES (:class, :project, :days, :now)
                 ON CONFLICT (class, project_id) DO UPDATE SET days = excluded.days, changed_at = excluded.changed_at",
            named_params! { ":class": class, ":project": project, ":days": days, ":now": tx.now() },
        )?,
        None => tx.run(
            "DELETE FROM retention WHERE class = :class AND project_id = :project",
            named_params! { ":class": class, ":project": project },
        )?,
    };
    Ok(())
}

/// What would go by a rule; `others` are projects with a rule of their own.
pub(super) fn due(tx: impl Tx, rule: &Rule, others: &[i64]) -> Result<Due> {
    let before = Timestamp(tx.now().0 - rule.days * DAY_MS);
    let project = rule.project.as_ref().map(|(id, _)| *id);
    let others = serde_json::to_string(others).map_err(Error::internal)?;
    let mut due = Due { rule: rule.clone(), subjects: Subjects::default(), rows: 0, bytes: 0, range: None };
    let of = |sql: &str| -> Result<Vec<Expired>> {
        tx.rows(sql, named_params! { ":before": before, ":project": project, ":others": others })
    };
    match rule.class {
        Class::Runs => {
            let runs = of(EXPIRED_RUNS)?;
            due.take(&runs);
            due.subjects.runs = ids(&runs);
        }
        Class::Evidence => {
            let files = of(EXPIRED_EVIDENCE)?;
            due.take(&files);
            due.subjects.evidence = ids(&files);
        }
        Class::Trash => {
            let (runs, cases) = (of(TRASHED_RUNS)?, of(TRASHED_CASES)?);
            due.take(&runs);
            due.take(&cases);
            (due.subjects.runs, due.subjects.cases) = (ids(&runs), ids(&cases));
            if rule.project.is_none() {
                let projects: Vec<Expired> = of(TRASHED_PROJECTS)?;
                due.take(&projects);
                due.subjects.projects = ids(&projects);
            }
        }
        Class::Uploads | Class::Addresses | Class::SignIns | Class::Records => {
            let mut count = 0;
            for table in tables(rule.class) {
                let sql = format!("SELECT count(*) FROM {} WHERE {}", table.name, table.expired);
                let One(rows) = tx.only(&sql, named_params! { ":before": before })?;
                count += rows;
            }
            due.rows = count;
            due.subjects.before = Some(before.0);
        }
    }
    Ok(due)
}

const EXPIRED_RUNS: &str = "SELECT runs.id, closed_at AS at,
        (SELECT coalesce(sum(bytes), 0) FROM results JOIN evidence ON result_id = results.id JOIN blobs ON blobs.id = blob_id
          WHERE run_id = runs.id) AS bytes,
        1 + (SELECT count(*) FROM results WHERE run_id = runs.id) AS rows
   FROM runs
  WHERE runs.state = 'closed' AND closed_at < :before AND (:project IS NULL OR project_id = :project)
    AND project_id NOT IN (SELECT value FROM json_each(:others))
    AND NOT EXISTS (SELECT 1 FROM holds WHERE lifted_at IS NULL AND holds.project_id = runs.project_id
                       AND (run_id IS NULL OR run_id = runs.id))
  ORDER BY runs.id";
const TRASHED_RUNS: &str = "SELECT runs.id, trashed_at AS at,
        (SELECT coalesce(sum(bytes), 0) FROM results JOIN evidence ON result_id = results.id JOIN blobs ON blobs.id = blob_id
          WHERE run_id = runs.id) AS bytes,
        1 + (SELECT count(*) FROM results WHERE run_id = runs.id) AS rows
   FROM runs
  WHERE trashed_at < :before AND (:project IS NULL OR project_id = :project)
    AND project_id NOT IN (SELECT value FROM json_each(:others))
    AND NOT EXISTS (SELECT 1 FROM holds WHERE lifted_at IS NULL AND holds.project_id = runs.project_id
                       AND (run_id IS NULL OR run_id = runs.id))
  ORDER BY runs.id";
/// A case that a run holds stays as long as the run: a result without its case says nothing.
const TRASHED_CASES: &str = "SELECT cases.id, coalesce(trashed_at, updated_at) AS at,
        (SELECT coalesce(sum(bytes), 0) FROM evidence JOIN blobs ON blobs.id = blob_id WHERE case_id = cases.id) AS bytes,
        1 AS rows
   FROM cases
  WHERE state = 'trashed' AND coalesce(trashed_at, updated_at) < :before
    AND (:project IS NULL OR project_id = :project)
    AND project_id NOT IN (SELECT value FROM json_each(:others))
    AND NOT EXISTS (SELECT 1 FROM holds WHERE lifted_at IS NULL AND holds.project_id = cases.project_id AND run_id IS NULL)
    AND NOT EXISTS (SELECT 1 FROM runs CROSS JOIN items ON items.run_id = runs.id AND items.case_id = cases.id
                     WHERE runs.project_id = cases.project_id)
  ORDER BY cases.id";
const TRASHED_PROJECTS: &str = "SELECT id, trashed_at AS at, evidence_bytes AS bytes,
        1 + last_case + (SELECT count(*) FROM runs WHERE project_id = projects.id) AS rows
   FROM projects
  WHERE trashed_at < :before AND :project IS NULL AND :others IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM holds WHERE lifted_at IS NULL AND holds.project_id = projects.id)
  ORDER BY id";
const EXPIRED_EVIDENCE: &str = "SELECT evidence.id, evidence.created_at AS at, bytes, 1 AS rows
   FROM evidence JOIN blobs ON blobs.id = blob_id JOIN results ON results.id = result_id JOIN runs ON runs.id = run_id
  WHERE evidence.created_at < :before AND runs.state = 'closed'
    AND (:project IS NULL OR evidence.project_id = :project)
    AND evidence.project_id NOT IN (SELECT value FROM json_each(:others))
    AND NOT EXISTS (SELECT 1 FROM holds WHERE lifted_at IS NULL AND holds.project_id = evidence.project_id
                       AND (holds.run_id IS NULL OR holds.run_id = runs.id))
  ORDER BY evidence.id";

pub(super) const FREE_RUNS: &str = "SELECT id FROM runs
  WHERE id IN (SELECT value FROM json_each(:ids)) AND (trashed_at IS NOT NULL OR :class <> 'trash')
    AND NOT EXISTS (SELECT 1 FROM holds WHERE lifted_at IS NULL AND holds.project_id = runs.project_id
                       AND (run_id IS NULL OR run_id = runs.id))";
pub(super) const FREE_CASES: &str = "SELECT id FROM cases
  WHERE id IN (SELECT value FROM json_each(:ids)) AND (state = 'trashed' OR :class <> 'trash')
    AND NOT EXISTS (SELECT 1 FROM holds WHERE lifted_at IS NULL AND holds.project_id = cases.project_id AND run_id IS NULL)
    AND NOT EXISTS (SELECT 1 FROM runs CROSS JOIN items ON items.run_id = runs.id AND items.case_id = cases.id
                     WHERE runs.project_id = cases.project_id)";
pub(super) const FREE_PROJECTS: &str = "SELECT id FROM projects
  WHERE id IN (SELECT value FROM json_each(:ids)) AND (trashed_at IS NOT NULL OR :class <> 'trash')
    AND NOT EXISTS (SELECT 1 FROM holds WHERE lifted_at IS NULL AND holds.project_id = projects.id)";
pub(super) const FREE_EVIDENCE: &str = "SELECT evidence.id
   FROM evidence JOIN results ON results.id = result_id JOIN runs ON runs.id = run_id
  WHERE evidence.id IN (SELECT value FROM json_each(:ids)) AND :class IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM holds WHERE lifted_at IS NULL AND holds.project_id = evidence.project_id
                       AND (holds.run_id IS NULL OR holds.run_id = runs.id))";

/// Those of these that may still go: a hold may have come over them since they were due, or somebody may have
/// taken them out of the trash. `sql` is one of the statements above.
pub(super) fn free(tx: impl Tx, class: Class, sql: &str, ids: &[i64]) -> Result<Vec<i64>> {
    let asked = serde_json::to_string(ids).map_err(Error::internal)?;
    let rows: Vec<One> = tx.rows(sql, named_params! { ":class": class, ":ids": asked })?;
    let free: HashSet<i64> = rows.into_iter().map(|One(id)| id).collect();
    Ok(ids.iter().copied().filter(|id| free.contains(id)).collect())
}

/// Bytes of the files of these ids.
pub(super) fn bytes(tx: impl Tx, ids: &[i64]) -> Result<i64> {
    let ids = serde_json::to_string(ids).map_err(Error::internal)?;
    let One(bytes) = tx.only(
        "SELECT coalesce(sum(bytes), 0) FROM evidence JOIN blobs ON blobs.id = blob_id
          WHERE evidence.id IN (SELECT value FROM json_each(:ids))",
        named_params! { ":ids": ids },
    )?;
    Ok(bytes)
}

/// A table whose rows go by their age alone.
pub(super) struct Simple {
    pub name: &'static str,
    /// What numbers a row.
    pub id: &'static str,
    /// Which rows are past `:before`.
    pub expired: &'static str,
}

/// The tables of a class whose rows go by their age alone.
pub(super) fn tables(class: Class) -> &'static [Simple] {
    match class {
        Class::Uploads => &[Simple {
            name: "uploads",
            id: "id",
            expired: "created_at < :before AND state = 'done' AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = run_id)",
        }],
        Class::Addresses => &[Simple {
            name: "audit_sources",
            id: "seq",
            expired: "seq <= (SELECT coalesce(max(seq), 0) FROM audit WHERE at < :before)",
        }],
        Class::SignIns => &[
            Simple { name: "sessions", id: "id", expired: "expires_at < :before" },
            Simple { name: "sign_in_failures", id: "last_at", expired: "last_at < :before" },
        ],
        Class::Records => &[
            Simple { name: "checks", id: "id", expired: "started_at < :before AND state <> 'running'" },
            Simple { name: "findings", id: "id", expired: "mended_at < :before" },
            Simple { name: "sizes", id: "at", expired: "at < :before" },
        ],
        Class::Trash | Class::Runs | Class::Evidence => &[],
    }
}

pub(super) fn insert(
    tx: Write<'_, StorageKeep>,
    due: &Due,
    rule: &str,
    approved: &str,
) -> Result<DeletionId> {
    let One(id) = tx.only(
        "INSERT INTO deletions (class, rule, approved_by, state, started_at, subjects, first_at, last_at)
         VALUES (:class, :rule, :approved, 'running', :now, :subjects, :first, :last)
         RETURNING id",
        named_params! {
            ":class": due.rule.class, ":rule": rule, ":approved": approved, ":now": tx.now(),
            ":subjects": serde_json::to_string(&due.subjects).map_err(Error::internal)?,
            ":first": due.range.map(|(first, _)| first), ":last": due.range.map(|(_, last)| last),
        },
    )?;
    Ok(DeletionId(id))
}

const COLUMNS: &str =
    "id, class, rule, approved_by, state, started_at, finished_at, subjects, counts, bytes, first_at,
    last_at, digest, certificate";

pub(super) fn deletions(tx: impl Tx) -> Result<Vec<Deletion>> {
    tx.rows(
        &format!("SELECT {COLUMNS} FROM deletions ORDER BY id DESC LIMIT :limit"),
        named_params! { ":limit": limits::FINDINGS_SHOWN },
    )
}

pub(super) fn deletion(tx: impl Tx, id: DeletionId) -> Result<Option<Deletion>> {
    tx.row(&format!("SELECT {COLUMNS} FROM deletions WHERE id = :id"), named_params! { ":id": id })
}

pub(super) fn unfinished(tx: impl Tx) -> Result<Vec<Deletion>> {
    tx.rows(&format!("SELECT {COLUMNS} FROM deletions WHERE state = 'running' ORDER BY id"), [])
}

/// Keeps how far a deletion is.
pub(super) fn advance(tx: Write<'_, StorageKeep>, deletion: &Deletion) -> Result<()> {
    tx.run(
        "UPDATE deletions SET subjects = :subjects, counts = :counts, bytes = :bytes, digest = :digest WHERE id = :id",
        named_params! {
            ":id": deletion.id, ":bytes": deletion.bytes, ":digest": deletion.digest,
            ":subjects": serde_json::to_string(&deletion.subjects).map_err(Error::internal)?,
            ":counts": serde_json::to_string(&deletion.counts).map_err(Error::internal)?,
        },
    )
    .map(drop)
}

pub(super) fn finish(tx: Write<'_, StorageKeep>, id: DeletionId, certificate: &str) -> Result<()> {
    tx.run(
        "UPDATE deletions SET state = 'done', finished_at = :now, certificate = :certificate WHERE id = :id",
        named_params! { ":id": id, ":now": tx.now(), ":certificate": certificate },
    )
    .map(drop)
}

/// Ids that a statement names.
pub(super) fn list(tx: impl Tx, sql: &str, of: i64, limit: i64) -> Result<Vec<i64>> {
    let rows: Vec<One> = tx.rows(sql, named_params! { ":of": of, ":limit": limit })?;
    Ok(rows.into_iter().map(|One(id)| id).collect())
}

/// Runs a statement over ids.
pub(super) fn over(tx: Write<'_, StorageKeep>, sql: &str, ids: &[i64]) -> Result<i64> {
    let ids = serde_json::to_string(ids).map_err(Error::internal)?;
    Ok(tx.run(sql, named_params! { ":ids": ids })? as i64)
}

fn ids(rows: &[Expired]) -> Vec<i64> {
    rows.iter().map(|row| row.id).collect()
}

impl Due {
    fn take(&mut self, rows: &[Expired]) {
        for row in rows {
            self.rows += row.rows;
            self.bytes += row.bytes;
            let (first, last) = self.range.unwrap_or((row.at, row.at));
            self.range = Some((first.min(row.at), last.max(row.at)));
        }
    }
}

struct Expired {
    id: i64,
    at: Timestamp,
    bytes: i64,
    rows: i64,
}

struct One(i64);

impl FromRow for One {
    fn from_row(row: &Row<'_>) -> sql::Result<One> {
        Ok(One(row.get(0)?))
    }
}

impl FromRow for Expired {
    fn from_row(row: &Row<'_>) -> sql::Result<Expired> {
        Ok(Expired {
            id: row.get("id")?,
            at: row.get("at")?,
            bytes: row.get("bytes")?,
            rows: row.get("rows")?,
        })
    }
}

impl FromRow for Rule {
    fn from_row(row: &Row<'_>) -> sql::Result<Rule> {
        let (project, key): (i64, Option<String>) = (row.get("project_id")?, row.get("key")?);
        let project = key.map(|key| (ProjectId(project), key));
        Ok(Rule { class: row.get("class")?, project, days: row.get("days")? })
    }
}

impl FromRow for Deletion {
    fn from_row(row: &Row<'_>) -> sql::Result<Deletion> {
        let (subjects, counts): (String, String) = (row.get("subjects")?, row.get("counts")?);
        Ok(Deletion {
            id: row.get("id")?,
            class: row.get("class")?,
            rule: row.get("rule")?,
            approved_by: row.get("approved_by")?,
            is_done: row.get::<_, String>("state")? == "done",
            started_at: row.get("started_at")?,
            finished_at: row.get("finished_at")?,
            subjects: serde_json::from_str(&subjects).map_err(|e| sql::unreadable("subjects", e))?,
            counts: serde_json::from_str(&counts).map_err(|e| sql::unreadable("counts", e))?,
            bytes: row.get("bytes")?,
            first_at: row.get("first_at")?,
            last_at: row.get("last_at")?,
            digest: row.get("digest")?,
            certificate: row.get("certificate")?,
        })
    }
}
