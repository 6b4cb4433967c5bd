//! Keys over JSON: ages, ways to open, and the order to exchange. Never a key.

use super::{Change, pages};
use crate::kernel::access::{Gate, InstanceKeep, InstanceView, Tx};
use crate::kernel::error::Result;
use crate::kernel::instance::Instance;
use crate::kernel::keyring::{Line, Purpose, Way};
use crate::web::respond::{Accepted, Json};
use crate::web::routes::{Route, get, post};
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

pub(super) fn routes() -> Vec<Route> {
    vec![get("/api/v1/keys", index), post("/api/v1/keys/exchange", exchange)]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(index, exchange))]
pub struct Api;

/// Every key with its age and state, the ways to open the instance, and the newest exchanges.
#[utoipa::path(get, path = "/api/v1/keys", tag = "keys", responses((status = 200, body = KeysWire)))]
async fn index(gate: Gate<InstanceView>, instance: Data<Instance>) -> Result<Json<KeysWire>> {
    let read = gate.read(move |tx| {
        let keyring = instance.keyring()?;
        let key = |line: Line| KeyWire {
            purpose: line.purpose.map_or("master", Purpose::word),
            generation: line.generation,
            state: line.state.word(),
            made_at: line.made_at.0,
            retired_at: line.retired_at.map(|at| at.0),
            age_days: ((tx.now().0 - line.made_at.0) / (24 * 3_600_000)).max(0),
        };
        let way = |way: Way| WayWire {
            kind: way.kind.word(),
            made_at: way.made_at.map(|at| at.0),
            fingerprint: way.fingerprint,
            kms_key: way.kms_key,
        };
        Ok(KeysWire {
            keys: keyring.lines().into_iter().map(key).collect(),
            ways: keyring.ways().into_iter().map(way).collect(),
            exchanges: super::changes(tx)?.into_iter().map(ExchangeWire::from).collect(),
        })
    });
    Ok(Json(read.await?))
}

/// Orders the exchange of keys and answers at once; the list tells how far it is.
#[utoipa::path(post, path = "/api/v1/keys/exchange", tag = "keys", request_body = OrderWire,
    responses((status = 202, body = OrderedWire, description = "It is ordered.")))]
async fn exchange(gate: Gate<InstanceKeep>, Json(order): Json<OrderWire>) -> Result<Accepted<OrderedWire>> {
    let kinds = pages::kinds(&order.keys)?;
    gate.write(move |tx| super::order(tx, &kinds)).await?;
    Ok(Accepted(OrderedWire { keys: order.keys, state: "waiting" }))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Keys)]
struct KeysWire {
    /// The master key first.
    keys: Vec<KeyWire>,
    /// What opens the instance.
    ways: Vec<WayWire>,
    /// Newest first.
    exchanges: Vec<ExchangeWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
struct KeyWire {
    /// What it is for; `master` wraps the others.
    #[schema(example = "database")]
    purpose: &'static str,
    generation: u32,
    /// `current`, `pending` or `retired`.
    state: &'static str,
    /// Milliseconds since 1970 in UTC.
    made_at: i64,
    /// Milliseconds since 1970 in UTC.
    retired_at: Option<i64>,
    age_days: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = WayToOpen)]
struct WayWire {
    /// `key_file`, `passphrase`, `credential`, `recovery`, `shares` or `kms`.
    kind: &'static str,
    /// When its secret was set, in milliseconds since 1970 in UTC, if that is known.
    made_at: Option<i64>,
    /// Eight hex digits that tell which file or paper belongs here.
    fingerprint: Option<String>,
    /// For a key service: the name of the key there.
    kms_key: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = KeyExchange)]
struct ExchangeWire {
    key: Option<&'static str>,
    /// `waiting`, `running`, `done` or `failed`.
    state: String,
    generation: Option<u32>,
    /// Milliseconds since 1970 in UTC.
    ordered_at: i64,
    /// Milliseconds since 1970 in UTC.
    finished_at: Option<i64>,
    /// Files done.
    done: i64,
    /// Files in all; 0 where nothing is counted.
    total: i64,
    /// Why it waits or failed.
    message: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyExchangeOrder)]
struct OrderWire {
    /// `master`, `database`, `tokens`, `chain`, `vault`, `signing`, `blobs`.
    #[schema(example = json!(["database"]))]
    keys: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = KeyExchangeOrdered)]
struct OrderedWire {
    keys: Vec<String>,
    state: &'static str,
}

impl From<Change> for ExchangeWire {
    fn from(change: Change) -> ExchangeWire {
        ExchangeWire {
            key: change.kind.map(super::Kind::word),
            state: change.state,
            generation: change.generation,
            ordered_at: change.ordered_at.0,
            finished_at: change.finished_at.map(|at| at.0),
            done: change.done,
            total: change.total,
            message: change.message,
        }
    }
}
