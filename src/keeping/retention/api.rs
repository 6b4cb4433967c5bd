//! Retention over JSON: the rules, what is due by them, and what went.

use super::{Certificate, Class, Deletion, Due, Purged, Rule, purge, sql};
use crate::keeping::backups::Desk;
use crate::kernel::access::{Gate, StorageKeep, StorageView, Tx};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::DeletionId;
use crate::people::sessions::demand_proof_of_people;
use crate::web::respond::{Json, Path};
use crate::web::routes::{Route, get, post, put};
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{OpenApi, ToSchema};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/retention", index),
        // Before the one with a class in its place: the first that fits answers.
        post("/api/v1/retention/run", run),
        put("/api/v1/retention/{class}", set),
        get("/api/v1/certificates/{certificate}", certificate),
    ]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(index, set, run, certificate))]
pub struct Api;

/// The rules in force, what would be deleted by them now, and what was deleted.
#[utoipa::path(get, path = "/api/v1/retention", tag = "storage", responses((status = 200, body = RetentionWire)))]
async fn index(gate: Gate<StorageView>) -> Result<Json<RetentionWire>> {
    Ok(Json(gate.read_at_length(|tx| RetentionWire::read(tx)).await?))
}

/// Changes how long a class of data stays; answers what is due then. Nothing is deleted before the next run.
#[utoipa::path(put, path = "/api/v1/retention/{class}", tag = "storage", request_body = RuleChangeWire,
    params(("class" = String, Path, description = "`trash`, `runs`, `evidence`, `uploads`, `addresses`, `sign_ins` or `records`")),
    responses((status = 200, body = RetentionWire), (status = 422, description = "The days do not fit.")))]
async fn set(
    gate: Gate<StorageKeep>,
    Path(class): Path<String>,
    Json(change): Json<RuleChangeWire>,
) -> Result<Json<RetentionWire>> {
    let class = Class::of_word(&class)?;
    let (project, days) = (change.project, change.days);
    gate.write(move |tx| super::set_rule(tx, class, project.as_deref(), days)).await?;
    Ok(Json(gate.read_at_length(|tx| RetentionWire::read(tx)).await?))
}

/// Deletes what is due by the rules now, as the nightly job does. Each deletion leaves a signed certificate.
#[utoipa::path(post, path = "/api/v1/retention/run", tag = "storage", responses((status = 200, body = PurgedWire)))]
async fn run(gate: Gate<StorageKeep>, desk: Data<Desk>) -> Result<Json<PurgedWire>> {
    gate.read(|tx| demand_proof_of_people(tx)).await?;
    let Purged { deletions, files, pages } = purge::run(&desk.into_inner(), &gate).await?;
    Ok(Json(PurgedWire { deletions, files, pages }))
}

/// A certificate of deletion as it was signed.
#[utoipa::path(get, path = "/api/v1/certificates/{certificate}", tag = "storage",
    params(("certificate" = i64, Path, description = "Its number")),
    responses((status = 200, description = "Statement, signature and public key.")))]
async fn certificate(gate: Gate<StorageView>, Path(id): Path<i64>) -> Result<Json<Certificate>> {
    let found = gate.read(move |tx| sql::deletion(tx, DeletionId(id))).await?;
    let text = found.and_then(|deletion| deletion.certificate);
    let text = text.ok_or_else(|| Error::not_found(format!("There is no certificate {id}.")))?;
    serde_json::from_str(&text).map(Json).map_err(Error::internal)
}

#[derive(Serialize, ToSchema)]
#[schema(as = Retention)]
struct RetentionWire {
    rules: Vec<RuleWire>,
    due: Vec<DueWire>,
    deletions: Vec<DeletionWire>,
}

impl RetentionWire {
    fn read(tx: impl Tx) -> Result<RetentionWire> {
        Ok(RetentionWire {
            rules: super::rules(tx)?.into_iter().map(RuleWire::from).collect(),
            due: super::due(tx)?.into_iter().map(DueWire::from).collect(),
            deletions: super::deletions(tx)?.into_iter().map(DeletionWire::from).collect(),
        })
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RetentionRuleChange)]
struct RuleChangeWire {
    /// 0 is for ever; null takes the rule of a project away, and gives the instance its default again.
    #[schema(example = 90)]
    days: Option<i64>,
    /// Key of the project that it is for; without it for all that have no rule of their own.
    #[serde(default)]
    #[schema(example = "SHOP")]
    project: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RetentionRun)]
struct PurgedWire {
    /// Deletions, each with its certificate.
    deletions: i64,
    /// Files cleared that nothing named.
    files: i64,
    /// Pages of the database that were returned to the disk.
    pages: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RetentionRule)]
struct RuleWire {
    /// `trash`, `runs`, `evidence`, `uploads`, `addresses`, `sign_ins` or `records`.
    class: &'static str,
    /// Key of a project with a rule of its own.
    project: Option<String>,
    /// 0 is for ever.
    days: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RetentionDue)]
struct DueWire {
    class: &'static str,
    project: Option<String>,
    runs: usize,
    cases: usize,
    projects: usize,
    rows: i64,
    bytes: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Deletion)]
struct DeletionWire {
    /// Number of its certificate.
    id: i64,
    class: &'static str,
    rule: String,
    approved_by: String,
    done: bool,
    counts: BTreeMap<String, i64>,
    bytes: i64,
}

impl From<Rule> for RuleWire {
    fn from(rule: Rule) -> RuleWire {
        RuleWire { class: rule.class.word(), project: rule.project.map(|(_, key)| key), days: rule.days }
    }
}

impl From<Due> for DueWire {
    fn from(due: Due) -> DueWire {
        DueWire {
            class: due.rule.class.word(),
            project: due.rule.project.map(|(_, key)| key),
            runs: due.subjects.runs.len(),
            cases: due.subjects.cases.len(),
            projects: due.subjects.projects.len(),
            rows: due.rows,
            bytes: due.bytes,
        }
    }
}

impl From<Deletion> for DeletionWire {
    fn from(deletion: Deletion) -> DeletionWire {
        DeletionWire {
            id: deletion.id.0,
            class: deletion.class.word(),
            rule: deletion.rule,
            approved_by: deletion.approved_by,
            done: deletion.is_done,
            counts: deletion.counts,
            bytes: deletion.bytes,
        }
    }
}
