//! Targets over JSON.

use super::health::Standing;
use super::{Desk, Probe};
use crate::keeping::backup::Keep;
use crate::keeping::targets::{self, Secrets, Typed};
use crate::kernel::access::{BackupKeep, BackupRun, BackupView, Gate, Tx};
use crate::kernel::error::Result;
use crate::kernel::id::TargetId;
use crate::kernel::time::Timestamp;
use crate::web::respond::{Created, Json, Path};
use crate::web::routes::{Route, delete, get, patch, post};
use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{OpenApi, ToSchema};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/backup-targets", index),
        post("/api/v1/backup-targets", add),
        get("/api/v1/backup-targets/{target}", show),
        patch("/api/v1/backup-targets/{target}", change),
        post("/api/v1/backup-targets/{target}/test", test),
        delete("/api/v1/backup-targets/{target}", remove),
    ]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(index, add, show, change, test, remove))]
pub struct Api;

/// All targets of backups, with how each stands. Secrets are never shown.
#[utoipa::path(get, path = "/api/v1/backup-targets", tag = "backups",
    responses((status = 200, body = TargetsWire)))]
async fn index(gate: Gate<BackupView>) -> Result<Json<TargetsWire>> {
    let read = gate.read(|tx| {
        let targets = Standing::all(tx)?.into_iter().map(|at| TargetWire::of(at, tx.now()));
        Ok(TargetsWire { targets: targets.collect::<Result<_>>()? })
    });
    Ok(Json(read.await?))
}

/// One target.
#[utoipa::path(get, path = "/api/v1/backup-targets/{target}", tag = "backups",
    params(("target" = i64, Path, description = "Number of the target")),
    responses((status = 200, body = TargetWire), (status = 404, description = "There is none such.")))]
async fn show(gate: Gate<BackupView>, Path(id): Path<i64>) -> Result<Json<TargetWire>> {
    Ok(Json(gate.read(move |tx| TargetWire::of(Standing::one(tx, TargetId(id))?, tx.now())).await?))
}

/// Adds a target.
#[utoipa::path(post, path = "/api/v1/backup-targets", tag = "backups", request_body = NewTargetWire,
    responses((status = 201, body = MadeWire), (status = 409, description = "Its name or address is taken."),
              (status = 422, description = "A field does not do, or its region is forbidden.")))]
async fn add(
    gate: Gate<BackupKeep>,
    desk: Data<Desk>,
    Json(wire): Json<NewTargetWire>,
) -> Result<Created<MadeWire>> {
    let instance = Arc::clone(&desk.instance);
    gate.admit().await?;
    let draft = wire.onto(Typed::default()).draft(&instance)?;
    let secrets = wire.secrets.map(Secrets::from);
    let id = gate.write(move |tx| targets::add(tx.narrow(), &instance, &draft, secrets.as_ref())).await?;
    Ok(Created(MadeWire { id: id.0 }))
}

/// Changes a target: what is not named stays. `secrets` takes the place of all secrets.
#[utoipa::path(patch, path = "/api/v1/backup-targets/{target}", tag = "backups", request_body = NewTargetWire,
    params(("target" = i64, Path, description = "Number of the target")),
    responses((status = 204, description = "It is changed."), (status = 404, description = "There is none such."),
              (status = 422, description = "A field does not do, or its region is forbidden.")))]
async fn change(
    gate: Gate<BackupKeep>,
    desk: Data<Desk>,
    Path(id): Path<i64>,
    Json(wire): Json<NewTargetWire>,
) -> Result<HttpResponse> {
    let (instance, id) = (Arc::clone(&desk.instance), TargetId(id));
    gate.write(move |tx| {
        let draft = wire.onto(Typed::of(&targets::get(tx, id)?)).draft(&instance)?;
        let mut changed = targets::change(tx.narrow(), id, &draft)?;
        if let Some(key) = &wire.host_key {
            changed = targets::trust(tx.narrow(), id, key)?;
        }
        match wire.enabled {
            Some(true) => changed = targets::enable(tx.narrow(), id)?,
            Some(false) => changed = targets::disable(tx.narrow(), id)?,
            None => {}
        }
        if let Some(secrets) = wire.secrets {
            changed = targets::set_secrets(tx.narrow(), &instance, id, &secrets.into())?;
        }
        Ok(changed)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Tests a target: writes, lists, reads and deletes an object there.
#[utoipa::path(post, path = "/api/v1/backup-targets/{target}/test", tag = "backups",
    params(("target" = i64, Path, description = "Number of the target")),
    responses((status = 200, body = ProbeWire), (status = 404, description = "There is none such."),
              (status = 503, description = "It cannot be reached.")))]
async fn test(gate: Gate<BackupRun>, desk: Data<Desk>, Path(id): Path<i64>) -> Result<Json<ProbeWire>> {
    desk.test(&gate, TargetId(id)).await.map(|found| Json(found.into()))
}

/// Forgets a target and its secrets; the data there is not touched.
#[utoipa::path(delete, path = "/api/v1/backup-targets/{target}", tag = "backups",
    params(("target" = i64, Path, description = "Number of the target")),
    responses((status = 204, description = "It is forgotten."), (status = 404, description = "There is none such."),
              (status = 403, description = "The sign-in is not fresh.")))]
async fn remove(gate: Gate<BackupKeep>, Path(id): Path<i64>) -> Result<HttpResponse> {
    gate.write(move |tx| targets::remove(tx.narrow(), TargetId(id))).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewBackupTarget)]
struct NewTargetWire {
    #[schema(example = "Off the box")]
    name: Option<String>,
    /// A whole path, or an address of SFTP, S3, WebDAV or rest-server. It holds no secret.
    #[schema(example = "/mnt/keep")]
    address: Option<String>,
    /// Code of a country or region.
    #[schema(example = "NL")]
    region: Option<String>,
    /// Where it stands, in words.
    label: Option<String>,
    /// Cron expression of five fields; empty for by hand only.
    #[schema(example = "30 2 * * *")]
    schedule: Option<String>,
    /// IANA time zone; empty for that of the server.
    #[schema(example = "Europe/Berlin")]
    zone: Option<String>,
    /// Windows in which no backup begins, such as `Mon-Fri 08:00-18:00`.
    blackouts: Option<Vec<String>>,
    keep: Option<KeepWire>,
    /// The most it is sent, in KiB a second; 0 for no cap.
    rate_kib: Option<u32>,
    /// The host key of an SFTP server, compared and found right.
    host_key: Option<String>,
    /// Whether backups go there.
    enabled: Option<bool>,
    secrets: Option<SecretsWire>,
}

impl NewTargetWire {
    fn onto(&self, typed: Typed) -> Typed {
        let or = |new: &Option<String>, old: String| new.clone().unwrap_or(old);
        Typed {
            name: or(&self.name, typed.name),
            address: or(&self.address, typed.address),
            region: or(&self.region, typed.region),
            label: or(&self.label, typed.label),
            schedule: or(&self.schedule, typed.schedule),
            zone: or(&self.zone, typed.zone),
            blackouts: self.blackouts.as_ref().map_or(typed.blackouts, |lines| lines.join("\n")),
            keep: self.keep.map_or(typed.keep, Keep::from),
            rate_kib: self.rate_kib.unwrap_or(typed.rate_kib),
        }
    }
}

#[derive(Deserialize, Serialize, ToSchema, Clone, Copy)]
#[serde(deny_unknown_fields)]
#[schema(as = BackupKeep)]
struct KeepWire {
    /// How many of the newest stay; 1 or more.
    last: u32,
    /// For how many days one stays.
    daily: u32,
    /// For how many weeks one stays.
    weekly: u32,
    /// For how many months one stays.
    monthly: u32,
}

impl From<KeepWire> for Keep {
    fn from(KeepWire { last, daily, weekly, monthly }: KeepWire) -> Keep {
        Keep { last, daily, weekly, monthly }
    }
}

/// Secrets go in and never come out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BackupTargetSecrets)]
struct SecretsWire {
    /// Who signs in over HTTP; the access key of an S3 store.
    #[serde(default)]
    user: String,
    /// Their password; the secret key of an S3 store.
    #[serde(default)]
    password: String,
    /// A private key for SFTP, as OpenSSH writes it.
    #[serde(default)]
    private_key: String,
    /// What opens that key.
    #[serde(default)]
    passphrase: String,
    /// A certificate in PEM that vouches for the server.
    #[serde(default)]
    authority: String,
}

impl From<SecretsWire> for Secrets {
    fn from(wire: SecretsWire) -> Secrets {
        let SecretsWire { user, password, private_key, passphrase, authority } = wire;
        Secrets { user, password, private_key, passphrase, authority, host_key: String::new() }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = MadeBackupTarget)]
struct MadeWire {
    id: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = BackupTargets)]
struct TargetsWire {
    targets: Vec<TargetWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = BackupTarget)]
struct TargetWire {
    id: i64,
    name: String,
    address: String,
    region: String,
    label: String,
    enabled: bool,
    schedule: String,
    zone: String,
    blackouts: Vec<String>,
    keep: KeepWire,
    /// In KiB a second; 0 for no cap.
    rate_kib: i64,
    host_key: Option<String>,
    /// When its secrets were entered, in milliseconds since 1970 in UTC.
    secrets_set_at: Option<i64>,
    /// How it stands, in two or three words.
    #[schema(example = "Verified")]
    state: &'static str,
    /// The same with what to do.
    sentence: String,
    /// When the newest good backup began, in milliseconds since 1970 in UTC.
    good_at: Option<i64>,
    /// When the next one begins by its schedule, in milliseconds since 1970 in UTC.
    next_at: Option<i64>,
    /// The next five, in milliseconds since 1970 in UTC.
    upcoming: Vec<i64>,
    /// What the last test found.
    tested: Option<String>,
    /// What the target protects, one sentence a line.
    protection: Option<String>,
}

impl TargetWire {
    fn of(standing: Standing, now: Timestamp) -> Result<TargetWire> {
        let Standing { target, good, next_at, health, .. } = standing;
        let Keep { last, daily, weekly, monthly } = target.keep;
        Ok(TargetWire {
            id: target.id.0,
            upcoming: target.upcoming(now)?.into_iter().map(|at| at.0).collect(),
            blackouts: target.blackouts.text().lines().map(str::to_owned).collect(),
            name: target.name,
            address: target.address,
            region: target.region,
            label: target.label,
            enabled: target.is_enabled,
            schedule: target.schedule,
            zone: target.zone,
            keep: KeepWire { last, daily, weekly, monthly },
            rate_kib: target.bytes_per_second.unwrap_or(0) / 1024,
            host_key: target.host_key,
            secrets_set_at: target.access_at.map(|at| at.0),
            state: health.word,
            sentence: health.sentence,
            good_at: good.map(|backup| backup.started_at.0),
            next_at: next_at.map(|at| at.0),
            tested: target.tested,
            protection: target.protection,
        })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = BackupTargetTest)]
struct ProbeWire {
    sentence: String,
    /// Bytes a second.
    write_rate: u64,
    /// Bytes a second.
    read_rate: u64,
    /// What the target protects.
    protection: Vec<String>,
}

impl From<Probe> for ProbeWire {
    fn from(found: Probe) -> ProbeWire {
        let sentence = found.sentence();
        ProbeWire {
            sentence,
            write_rate: found.write_rate,
            read_rate: found.read_rate,
            protection: found.protection,
        }
    }
}
