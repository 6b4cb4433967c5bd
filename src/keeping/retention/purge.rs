//! Purging: what is due goes in small steps, so that pages stay fast, and each deletion ends in its
//! certificate. One that was cut off is carried on by the next.

use super::sql::{self, Deletion};
use super::{Class, Due, PURGED, Subjects, certificate, clear};
use crate::keeping::backups::Desk;
use crate::kernel::access::{Gate, Job, Permission, StorageKeep, Tx, Write};
use crate::kernel::audit::{Audited, Quiet};
use crate::kernel::declare::{Running, Scheduled, When};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::DeletionId;
use crate::kernel::instance::Instance;
use crate::kernel::limits::PURGE_ROWS;
use crate::running::results::recount;
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

pub(super) const KEEPER: Job = Job {
    name: "retention",
    meaning: "Deletes what is past its retention, clears files that nothing names, returns space.",
    may: &[StorageKeep::INFO],
};

/// What one run of retention did.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Purged {
    /// Deletions, each with its certificate.
    pub deletions: i64,
    /// Files cleared that nothing named.
    pub files: i64,
    /// Pages of the database that were returned to the disk.
    pub pages: i64,
}

impl std::fmt::Display for Purged {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Purged { deletions, files, pages } = self;
        write!(
            out,
            "{deletions} deletions, {files} unused files cleared, {pages} pages returned to the disk."
        )
    }
}

/// The purge of every night.
pub const KEEP: Scheduled<Arc<Desk>> =
    Scheduled { job: &KEEPER, when: When::Cron("45 4 * * *"), run: nightly };

fn nightly(desk: Arc<Desk>) -> Running {
    Box::pin(async move {
        let gate = desk.instance.door.job(&KEEPER).gate::<StorageKeep>(());
        Ok(run(&desk, &gate).await?.to_string())
    })
}

/// Deletes what is due, clears files that nothing names, and returns the space.
pub async fn run(desk: &Arc<Desk>, gate: &Gate<StorageKeep>) -> Result<Purged> {
    let deletions = purge(desk, gate).await?;
    let files = clear::clear(desk, gate).await?;
    Ok(Purged { deletions, files, pages: clear::return_space(gate).await? })
}

/// Deletes what is due by the rules now; answers how many deletions that made, each with its certificate.
async fn purge(desk: &Arc<Desk>, gate: &Gate<StorageKeep>) -> Result<i64> {
    let mut done = 0;
    for deletion in gate.read(|tx| sql::unfinished(tx)).await? {
        carry_out(&desk.instance, gate, deletion.id).await?;
        done += 1;
    }
    for due in gate.read_at_length(|tx| super::due(tx)).await? {
        let id = gate.write(move |tx| begin(tx, &due)).await?;
        carry_out(&desk.instance, gate, id).await?;
        done += 1;
    }
    if done > 0 {
        recount::recount_all(&desk.instance.door).await?;
    }
    Ok(done)
}

fn begin<'t>(tx: Write<'t, StorageKeep>, due: &Due) -> Result<Audited<'t, DeletionId>> {
    let place = due.rule.project.as_ref().map_or("instance".to_owned(), |(_, key)| format!("project {key}"));
    let rule = format!("{} after {} days ({place})", due.rule.class, due.rule.days);
    let id = sql::insert(tx, due, &rule, &tx.actor().to_string())?;
    Ok(tx.quiet(Quiet::JobHeartbeat, id))
}

async fn carry_out(instance: &Arc<Instance>, gate: &Gate<StorageKeep>, id: DeletionId) -> Result<()> {
    while gate.write(move |tx| step(tx, id)).await? {}
    let own = Arc::clone(instance);
    gate.write(move |tx| certify(tx, &own, id)).await
}

fn certify<'t>(tx: Write<'t, StorageKeep>, instance: &Instance, id: DeletionId) -> Result<Audited<'t, ()>> {
    let deletion = found(tx, id)?;
    let signed = certificate::sign(instance, &deletion, tx.now().0)?;
    sql::finish(tx, id, &serde_json::to_string(&signed).map_err(Error::internal)?)?;
    let rows = deletion.counts.values().sum();
    tx.audited(PURGED.of(id).count("rows", rows).count("bytes", deletion.bytes), ())
}

fn found(tx: impl Tx, id: DeletionId) -> Result<Deletion> {
    sql::deletion(tx, id)?.ok_or_else(|| Error::internal("a deletion under way is missing"))
}

/// One transaction of a deletion; answers whether there is more. What is held by now, or lies in the trash no
/// more, is left out: between two of them a night may pass, if the program was cut off.
fn step(tx: Write<'_, StorageKeep>, id: DeletionId) -> Result<Audited<'_, bool>> {
    let mut deletion = found(tx, id)?;
    let before = deletion.subjects.clone();
    let gone = match deletion.class {
        Class::Uploads | Class::Addresses | Class::SignIns | Class::Records => simple(tx, &mut deletion)?,
        Class::Evidence => {
            let (now, rest) = split(&deletion.subjects.evidence);
            deletion.subjects.evidence = rest;
            let now = sql::free(tx, deletion.class, sql::FREE_EVIDENCE, &now)?;
            files_step(tx, &mut deletion, &now)?
        }
        Class::Trash | Class::Runs => thing(tx, &mut deletion)?,
    };
    sql::advance(tx, &deletion)?;
    let is_more = gone > 0 || deletion.subjects != before;
    Ok(tx.quiet(Quiet::JobHeartbeat, is_more))
}

fn split(ids: &[i64]) -> (Vec<i64>, Vec<i64>) {
    let at = ids.len().min(PURGE_ROWS as usize);
    (ids[..at].to_vec(), ids[at..].to_vec())
}

impl Deletion {
    /// Counts what went and takes its ids into the digest.
    fn goes(&mut self, kind: &str, ids: &[i64]) {
        if ids.is_empty() {
            return;
        }
        *self.counts.entry(kind.to_owned()).or_default() += ids.len() as i64;
        let mut hash = Sha256::new();
        hash.update(self.digest.as_bytes());
        for id in ids {
            hash.update(format!("{kind} {id}\n"));
        }
        self.digest = HEXLOWER.encode(&hash.finalize());
    }
}

/// Rows that go by their age alone.
fn simple(tx: Write<'_, StorageKeep>, deletion: &mut Deletion) -> Result<i64> {
    let before = deletion.subjects.before.unwrap_or(0);
    for table in sql::tables(deletion.class) {
        let sql::Simple { name, id, expired } = table;
        let expired = expired.replace(":before", ":of");
        let list = format!("SELECT {id} FROM {name} WHERE {expired} ORDER BY {id} LIMIT :limit");
        let ids = sql::list(tx, &list, before, PURGE_ROWS)?;
        if !ids.is_empty() {
            sql::over(
                tx,
                &format!("DELETE FROM {name} WHERE {id} IN (SELECT value FROM json_each(:ids))"),
                &ids,
            )?;
            deletion.goes(name, &ids);
            return Ok(ids.len() as i64);
        }
    }
    Ok(0)
}

/// A step of what lies deeper: runs, then cases, then projects.
fn thing(tx: Write<'_, StorageKeep>, deletion: &mut Deletion) -> Result<i64> {
    let Subjects { runs, cases, projects, .. } = deletion.subjects.clone();
    if let Some(run) = runs.first() {
        let is_free = !sql::free(tx, deletion.class, sql::FREE_RUNS, &[*run])?.is_empty();
        let gone = if is_free { run_step(tx, deletion, *run)? } else { 0 };
        if gone == 0 {
            deletion.subjects.runs.remove(0);
        }
        return Ok(gone);
    }
    if !cases.is_empty() {
        let (now, rest) = split(&cases);
        deletion.subjects.cases = rest;
        let now = sql::free(tx, deletion.class, sql::FREE_CASES, &now)?;
        return cases_step(tx, deletion, &now);
    }
    let Some(project) = projects.first() else { return Ok(0) };
    let is_free = !sql::free(tx, deletion.class, sql::FREE_PROJECTS, &[*project])?.is_empty();
    let gone = if is_free { project_step(tx, deletion, *project)? } else { 0 };
    if gone == 0 {
        deletion.subjects.projects.remove(0);
    }
    Ok(gone)
}

/// Hides a run first, then takes away its files, results, items and at last itself.
fn run_step(tx: Write<'_, StorageKeep>, deletion: &mut Deletion, run: i64) -> Result<i64> {
    sql::over(
        tx,
        "UPDATE runs SET kept_state = coalesce(kept_state, state), state = 'receiving',
                trashed_at = coalesce(trashed_at, closed_at, created_at)
          WHERE id IN (SELECT value FROM json_each(:ids))",
        &[run],
    )?;
    let files = "SELECT evidence.id FROM results JOIN evidence ON result_id = results.id WHERE run_id = :of LIMIT :limit";
    let files = sql::list(tx, files, run, PURGE_ROWS)?;
    if !files.is_empty() {
        return files_step(tx, deletion, &files);
    }
    for (table, kind) in [("results", "results"), ("items", "items"), ("uploads", "uploads")] {
        let list = format!("SELECT id FROM {table} WHERE run_id = :of ORDER BY id LIMIT :limit");
        let ids = sql::list(tx, &list, run, PURGE_ROWS)?;
        if !ids.is_empty() {
            sql::over(
                tx,
                &format!("DELETE FROM {table} WHERE id IN (SELECT value FROM json_each(:ids))"),
                &ids,
            )?;
            deletion.goes(kind, &ids);
            return Ok(ids.len() as i64);
        }
    }
    sql::over(
        tx,
        "UPDATE projects SET recount_due = recount_due + 1
          WHERE id IN (SELECT project_id FROM runs WHERE id IN (SELECT value FROM json_each(:ids)))",
        &[run],
    )?;
    sql::over(
        tx,
        "DELETE FROM holds WHERE lifted_at IS NOT NULL AND run_id IN (SELECT value FROM json_each(:ids))",
        &[run],
    )?;
    let gone = sql::over(tx, "DELETE FROM runs WHERE id IN (SELECT value FROM json_each(:ids))", &[run])?;
    if gone > 0 {
        deletion.goes("runs", &[run]);
    }
    Ok(0)
}

fn cases_step(tx: Write<'_, StorageKeep>, deletion: &mut Deletion, cases: &[i64]) -> Result<i64> {
    for case in cases {
        let files =
            sql::list(tx, "SELECT id FROM evidence WHERE case_id = :of LIMIT :limit", *case, i64::MAX)?;
        files_step(tx, deletion, &files)?;
    }
    for sql in [
        "INSERT INTO cases_search (cases_search, rowid, title, automation_key)
         SELECT 'delete', id, title, automation_key FROM cases WHERE id IN (SELECT value FROM json_each(:ids))",
        "DELETE FROM case_summaries WHERE case_id IN (SELECT value FROM json_each(:ids))",
        "DELETE FROM revisions WHERE case_id IN (SELECT value FROM json_each(:ids))",
        "DELETE FROM cases WHERE id IN (SELECT value FROM json_each(:ids))",
    ] {
        sql::over(tx, sql, cases)?;
    }
    deletion.goes("cases", cases);
    Ok(cases.len() as i64)
}

/// Runs, cases, files, then what names the project, and at last itself.
fn project_step(tx: Write<'_, StorageKeep>, deletion: &mut Deletion, project: i64) -> Result<i64> {
    if let Some(run) =
        sql::list(tx, "SELECT id FROM runs WHERE project_id = :of ORDER BY id LIMIT :limit", project, 1)?
            .first()
    {
        // The run itself goes in a step that takes no rows of its own, so it is counted here.
        return Ok(run_step(tx, deletion, *run)?.max(1));
    }
    let cases = "SELECT id FROM cases WHERE project_id = :of ORDER BY id LIMIT :limit";
    let cases = sql::list(tx, cases, project, PURGE_ROWS)?;
    if !cases.is_empty() {
        return cases_step(tx, deletion, &cases);
    }
    let files = "SELECT id FROM evidence WHERE project_id = :of ORDER BY id LIMIT :limit";
    let files = sql::list(tx, files, project, PURGE_ROWS)?;
    if !files.is_empty() {
        return files_step(tx, deletion, &files);
    }
    // Those below first: a suite names the one it stands in.
    let suites = "SELECT id FROM suites WHERE project_id = :of AND NOT EXISTS (SELECT 1 FROM suites AS below WHERE below.parent_id = suites.id) LIMIT :limit";
    let suites = sql::list(tx, suites, project, PURGE_ROWS)?;
    if !suites.is_empty() {
        sql::over(tx, "DELETE FROM suites WHERE id IN (SELECT value FROM json_each(:ids))", &suites)?;
        deletion.goes("suites", &suites);
        return Ok(suites.len() as i64);
    }
    for table in ["uploads", "tokens", "grants", "retention", "holds"] {
        sql::over(
            tx,
            &format!("DELETE FROM {table} WHERE project_id IN (SELECT value FROM json_each(:ids))"),
            &[project],
        )?;
    }
    if sql::over(tx, "DELETE FROM projects WHERE id IN (SELECT value FROM json_each(:ids))", &[project])? > 0
    {
        deletion.goes("projects", &[project]);
    }
    Ok(0)
}

fn files_step(tx: Write<'_, StorageKeep>, deletion: &mut Deletion, files: &[i64]) -> Result<i64> {
    deletion.bytes += sql::bytes(tx, files)?;
    deletion.goes("evidence", &evidence(tx, files)?);
    Ok(files.len() as i64)
}

/// Takes files away from where they are attached; their bytes go when nothing names them any more.
pub(super) fn evidence(tx: Write<'_, StorageKeep>, ids: &[i64]) -> Result<Vec<i64>> {
    sql::over(
        tx,
        "UPDATE projects
            SET evidence_bytes = evidence_bytes - (SELECT coalesce(sum(bytes), 0)
                                                     FROM evidence JOIN blobs ON blobs.id = blob_id
                                                    WHERE project_id = projects.id
                                                      AND evidence.id IN (SELECT value FROM json_each(:ids)))
          WHERE id IN (SELECT project_id FROM evidence WHERE id IN (SELECT value FROM json_each(:ids)))",
        ids,
    )?;
    sql::over(tx, "DELETE FROM evidence WHERE id IN (SELECT value FROM json_each(:ids))", ids)?;
    Ok(ids.to_vec())
}
