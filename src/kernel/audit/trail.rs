//! Reading the audit trail: newest first, by filter, a page at a time.

use crate::kernel::access::{AuditView, Opened, ProjectAudit, Read, Tx};
use crate::kernel::db::row::{self, FromRow, Row};
use crate::kernel::error::Result;
use crate::kernel::id::{ProjectId, UserId};
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use rusqlite::named_params;

/// What to show of the trail. Empty shows all of it.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Events whose name begins so: `case.` or `case.created`.
    pub event: Option<String>,
    /// What this account did.
    pub user: Option<UserId>,
    /// Not before this moment.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// Entries older than this one: the cursor of the page before.
    pub before: Option<i64>,
    /// How many at most; `limits::AUDIT_PAGE` if left out.
    pub limit: Option<i64>,
}

/// One entry as a reader sees it.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its number in the chain.
    pub seq: i64,
    /// When it happened.
    pub at: Timestamp,
    /// Who, in ids: `user:7 session:3`, `operator`, `job:backup`.
    pub actor: String,
    /// In which project, if in one.
    pub project: Option<ProjectId>,
    /// What: the name of an event.
    pub event: String,
    /// Ids and counts: `case=12 suite=3`.
    pub facts: String,
    /// From where; empty once erased.
    pub address: String,
    /// Id of the request; empty for the command line and jobs.
    pub request: String,
}

impl Line {
    /// The account that acted, if one did.
    pub fn user(&self) -> Option<UserId> {
        let number = self.actor.strip_prefix("user:")?.split(' ').next()?;
        number.parse().ok().map(UserId)
    }
}

/// A page of the whole trail, newest first.
pub fn list(tx: Read<'_, AuditView>, filter: &Filter) -> Result<Vec<Line>> {
    select(tx.opened(), None, filter)
}

/// A page of one project's trail, newest first.
pub fn list_in_project(tx: Read<'_, ProjectAudit>, filter: &Filter) -> Result<Vec<Line>> {
    use crate::kernel::access::InProject;
    select(tx.opened(), Some(tx.project()), filter)
}

fn select(opened: &Opened<'_>, project: Option<ProjectId>, filter: &Filter) -> Result<Vec<Line>> {
    // Two statements, so that the trail of one project is found by its index.
    let place = if project.is_some() { "project_id = :project" } else { ":project IS NULL" };
    row::all(
        opened.conn,
        &format!(
            "SELECT audit.seq, at, actor, project_id, event, facts,
                    coalesce(address, '') AS address, coalesce(request, '') AS request
               FROM audit LEFT JOIN audit_sources ON audit_sources.seq = audit.seq
              WHERE {place}
                AND (:before IS NULL OR audit.seq < :before)
                AND (:event IS NULL OR substr(event, 1, length(:event)) = :event)
                AND (:user IS NULL OR actor = 'user:' || :user OR actor GLOB 'user:' || :user || ' *')
                AND (:since IS NULL OR at >= :since)
                AND (:until IS NULL OR at < :until)
              ORDER BY audit.seq DESC
              LIMIT :limit"
        ),
        named_params! {
            ":project": project, ":before": filter.before, ":event": filter.event, ":user": filter.user,
            ":since": filter.since, ":until": filter.until,
            ":limit": filter.limit.unwrap_or(limits::AUDIT_PAGE),
        },
    )
}

impl FromRow for Line {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Line> {
        Ok(Line {
            seq: row.get("seq")?,
            at: row.get("at")?,
            actor: row.get("actor")?,
            project: row.get("project_id")?,
            event: row.get("event")?,
            facts: row.get("facts")?,
            address: row.get("address")?,
            request: row.get("request")?,
        })
    }
}
