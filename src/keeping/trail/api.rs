//! The audit trail over JSON.

use super::Entry;
use super::asked::Asked;
use crate::kernel::access::{AuditView, Gate};
use crate::kernel::error::Result;
use crate::web::respond::{Json, Query};
use crate::web::routes::{Route, get};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

pub(super) fn routes() -> Vec<Route> {
    vec![get("/api/v1/audit", index)]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(index))]
pub struct Api;

/// The audit trail, newest first. `next` goes into `before` for the next page.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AskedWire),
    responses((status = 200, body = TrailWire)))]
async fn index(gate: Gate<AuditView>, Query(asked): Query<AskedWire>) -> Result<Json<TrailWire>> {
    let AskedWire { event, user, since, until, before } = asked;
    let text = |field: Option<String>| field.unwrap_or_default();
    let user = user.map_or_else(String::new, |user| user.to_string());
    let (event, since, until) = (text(event), text(since), text(until));
    let filter = Asked { event, user, since, until, before, entry: None }.filter()?;
    let entries = gate.read(move |tx| super::list(tx, &filter)).await?;
    let next = super::next(&entries);
    Ok(Json(TrailWire { entries: entries.into_iter().map(EntryWire::from).collect(), next }))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AskedWire {
    /// Only events whose name begins so, such as `case.`.
    event: Option<String>,
    /// Only what this account did, by number.
    user: Option<i64>,
    /// Not before this day or moment, in UTC.
    #[param(example = "2026-11-01")]
    since: Option<String>,
    /// Not after this day, or before this moment.
    #[param(example = "2026-11-30")]
    until: Option<String>,
    /// Only entries before this number: the `next` of the page before.
    before: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditTrail)]
struct TrailWire {
    entries: Vec<EntryWire>,
    /// Goes into `before` for the next page; `null` at the end.
    next: Option<i64>,
}

/// One entry, as the API answers it and an export writes it.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(super) struct EntryWire {
    /// Its number in the chain.
    seq: i64,
    /// RFC 3339, UTC.
    #[schema(example = "2026-11-19T09:42:10.000Z")]
    at: String,
    /// Who, in ids, such as `user:7 session:3`.
    actor: String,
    /// Name of who.
    who: String,
    /// What happened.
    #[schema(example = "case.created")]
    event: String,
    /// Ids and counts, such as `case=12`.
    facts: String,
    /// Key of the project; `null` outside one.
    project: Option<String>,
    /// Network address; empty once erased.
    address: String,
    /// Id of the request; empty for jobs and the command line.
    request: String,
}

impl From<Entry> for EntryWire {
    fn from(Entry { line, who, project, .. }: Entry) -> EntryWire {
        EntryWire {
            seq: line.seq,
            at: line.at.to_string(),
            actor: line.actor,
            who,
            event: line.event,
            facts: line.facts,
            project: Some(project).filter(|key| !key.is_empty()),
            address: line.address,
            request: line.request,
        }
    }
}
