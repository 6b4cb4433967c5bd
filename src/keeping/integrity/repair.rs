//! Repair: just what is broken, from what is whole: files from the newest backup that has them, indexes and
//! words from their tables, counts from their rows.
//!
//! A table whose pages are damaged is not mended here: which of its rows are gone cannot be told from what is
//! left, so the whole is restored elsewhere and compared.

use super::{Cause, Kind, REPAIRED, checks, sql};
use crate::keeping::backups::{BroughtBack, Desk};
use crate::kernel::access::{BackupView, Caller, Changes, Gate, StorageKeep, StorageView, Write};
use crate::kernel::audit::Audited;
use crate::kernel::blobs::BlobName;
use crate::kernel::error::Result;
use crate::kernel::id::ProjectId;
use crate::kernel::integrity::{self, Part};
use crate::people::sessions::demand_proof_of_people;
use crate::running::results::recount;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use utoipa::ToSchema;

/// What a repair would do.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Files to be brought back from a backup.
    pub files: Vec<BlobName>,
    /// Indexes to be built anew from their tables.
    pub indexes: Vec<String>,
    /// Whether the words that cases are found by are built anew.
    pub search: bool,
    /// Counts to be taken anew, such as `suite 4`.
    pub sums: Vec<String>,
    /// Projects whose cases are summed up anew.
    pub projects: Vec<ProjectId>,
    /// What cannot be mended alone, such as `table results`.
    pub beyond: Vec<String>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let Plan { files, indexes, search, sums, projects, beyond: _ } = self;
        files.is_empty() && indexes.is_empty() && !search && sums.is_empty() && projects.is_empty()
    }

    /// What would be done, a sentence each.
    pub fn sentences(&self) -> Vec<String> {
        let mut said = Vec::new();
        if !self.files.is_empty() {
            said.push(format!(
                "Bring {} files back from the newest backup that has them whole.",
                self.files.len()
            ));
        }
        said.extend(self.indexes.iter().map(|name| format!("Build the index {name} anew from its table.")));
        if self.search {
            said.push("Build the words that cases are found by anew from the cases.".into());
        }
        if !self.sums.is_empty() {
            said.push(format!("Take {} counts anew from the rows they count.", self.sums.len()));
        }
        if !self.projects.is_empty() {
            said.push(format!("Sum the results of {} projects up anew.", self.projects.len()));
        }
        let beyond = |what: &String| {
            format!("Cannot be mended alone: {what}. Restore the newest backup into another folder.")
        };
        said.extend(self.beyond.iter().map(beyond));
        said
    }
}

/// What a repair did.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Mending {
    /// Files that are whole again.
    pub files: i64,
    /// Files that no backup has whole.
    pub files_lost: i64,
    /// Indexes that were built anew, the words for searching included.
    pub indexes: i64,
    /// Counts and summaries that were taken anew.
    pub sums: i64,
    /// What is still wrong, one sentence each.
    pub left: Vec<String>,
}

/// What would be done now. Reads all tables if a page is known to be damaged.
pub async fn plan(gate: &Gate<StorageView>) -> Result<Plan> {
    gate.read_at_length(|tx| {
        let open = sql::open(tx)?;
        let mut plan = Plan {
            files: sql::damaged(tx)?.into_iter().map(|file| file.name).collect(),
            projects: recount::waiting(tx)?,
            ..Plan::default()
        };
        let of = |kind: Kind| open.iter().filter(move |finding| finding.kind == kind);
        let mut parts: Vec<Part> = Vec::new();
        if of(Kind::Database).any(|finding| finding.object.starts_with("page ")) {
            parts = integrity::broken_parts(tx)?;
        }
        for name in of(Kind::Database).filter_map(|finding| finding.object.strip_prefix("index ")) {
            parts.push(Part { kind: "index".into(), name: name.into(), is_derived: true });
        }
        let mut indexes = BTreeSet::new();
        for part in parts {
            match (part.is_derived, part.name.starts_with("cases_search"), part.kind.as_str()) {
                (true, true, _) => plan.search = true,
                (true, false, "index") => drop(indexes.insert(part.name)),
                _ => plan.beyond.push(format!("{} {}", part.kind, part.name)),
            }
        }
        plan.indexes = indexes.into_iter().collect();
        let others = of(Kind::Database)
            .filter(|finding| !finding.object.starts_with("page ") && !finding.object.starts_with("index "));
        plan.beyond.extend(others.map(|finding| finding.object.clone()));
        for finding in of(Kind::Sums) {
            match finding.object.strip_prefix("case ").and_then(|id| id.parse().ok()) {
                Some(case) => plan.projects.extend(sql::project_of_case(tx, case)?),
                None => plan.sums.push(finding.object.clone()),
            }
        }
        plan.projects.sort_unstable();
        plan.projects.dedup();
        plan.beyond.extend(of(Kind::Trail).map(|finding| format!("the audit trail at {}", finding.object)));
        plan.beyond.extend(of(Kind::Keys).map(|_| "the key ring".to_owned()));
        Ok(plan)
    })
    .await
}

/// Mends what can be mended and checks it again.
pub async fn repair(desk: &Arc<Desk>, caller: &Caller<Changes>, cause: Cause) -> Result<Mending> {
    let gate = caller.gate::<StorageKeep>(());
    gate.read(|tx| demand_proof_of_people(tx)).await?;
    let plan = plan(&caller.gate::<StorageView>(())).await?;
    let mut done = Mending::default();
    for name in &plan.indexes {
        match integrity::rebuild_index(&gate, name.clone()).await {
            Ok(()) => done.indexes += 1,
            Err(reason) => done.left.push(reason.sentence().to_owned()),
        }
    }
    if plan.search {
        integrity::rebuild_search(&gate).await?;
        done.indexes += 1;
    }
    let sums = plan.sums.clone();
    done.sums = gate.write(move |tx| take_sums(tx, &sums)).await?;
    for project in &plan.projects {
        done.sums += recount::recount(&gate, *project).await?;
    }
    let brought = desk.bring_back(&caller.gate::<BackupView>(()), plan.files.clone()).await?;
    (done.files, done.files_lost) = (brought.whole.len() as i64, brought.lost.len() as i64);
    again(desk, caller, cause, &plan, &brought).await?;
    let own = done.clone();
    gate.write(move |tx| note(tx, &own)).await?;
    let open = gate.read(|tx| sql::open(tx)).await?;
    done.left.extend(open.into_iter().map(|finding| finding.sentence));
    Ok(done)
}

/// Looks again at what was mended: only what is found whole is over.
async fn again(
    desk: &Arc<Desk>,
    caller: &Caller<Changes>,
    cause: Cause,
    plan: &Plan,
    brought: &BroughtBack,
) -> Result<()> {
    let gate = caller.gate::<StorageKeep>(());
    if plan.search || !plan.indexes.is_empty() {
        checks::check(&desk.instance, caller, Kind::Database, cause).await?;
    }
    if !plan.sums.is_empty() || !plan.projects.is_empty() {
        checks::check(&desk.instance, caller, Kind::Sums, cause).await?;
    }
    for (name, _) in &brought.whole {
        checks::look_at(&desk.instance, &gate, name.clone()).await?;
    }
    Ok(())
}

fn note<'t>(tx: Write<'t, StorageKeep>, done: &Mending) -> Result<Audited<'t, ()>> {
    let entry = REPAIRED.alone().count("files", done.files).count("lost", done.files_lost);
    tx.audited(entry.count("indexes", done.indexes).count("sums", done.sums), ())
}

/// Takes counts anew, each from its rows; answers how many.
fn take_sums<'t>(tx: Write<'t, StorageKeep>, objects: &[String]) -> Result<Audited<'t, i64>> {
    let mut taken = 0;
    for object in objects {
        let Some((word, id)) = object.split_once(' ') else { continue };
        let Ok(id) = id.parse::<i64>() else { continue };
        match word {
            "suite" => sql::count_suite(tx, id)?,
            "project" => sql::count_project(tx, id)?,
            "run" => sql::count_run(tx, id)?,
            _ => continue,
        }
        taken += 1;
    }
    Ok(tx.quiet(crate::kernel::audit::Quiet::Unchanged, taken))
}
