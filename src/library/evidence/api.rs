//! Evidence over HTTP, for programs: a file in, the same bytes out.

use super::{BOUNDS, Evidence, Owner, Served};
use crate::kernel::access::{Gate, ProjectView, ResultWrite};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{EvidenceId, ResultId};
use crate::kernel::instance::Instance;
use crate::library::references::number_of;
use crate::web::respond::{Created, Path};
use crate::web::routes::{Route, get, post};
use crate::web::upload::{Parts, Upload};
use actix_web::web::Data;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

/// The routes of this slice.
pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/api/v1/projects/{project}/evidence", add),
        get("/api/v1/projects/{project}/evidence/{evidence}", download),
    ]
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(add, download))]
pub struct Api;

/// Attaches a file of at most 25 MiB. It may belong to a result (`result`, its id) or to a case (`case`, its number
/// or reference).
#[utoipa::path(post, path = "/api/v1/projects/{project}/evidence", tag = "evidence",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP")),
    request_body(content = FormWire, content_type = "multipart/form-data"),
    responses((status = 201, body = EvidenceWire), (status = 413, description = "The file is too large.")))]
async fn add(
    gate: Gate<ResultWrite>,
    path: Path<String>,
    instance: Data<Instance>,
    upload: Upload,
) -> Result<Created<EvidenceWire>> {
    let Path(key) = path;
    gate.admit().await?;
    if upload.is_bare() {
        return Err(Error::invalid("A file comes as multipart/form-data, in the field `file`."));
    }
    let mut parts = upload.receive(&instance.blobs, BOUNDS, "file").await?;
    parts.only(&["file", "result", "case"])?;
    let owner = owner(&key, &parts)?;
    let file = parts.files.pop().filter(|_| parts.files.is_empty());
    let file = file.ok_or_else(|| Error::invalid("Send one file, in the field `file`."))?;
    let kept = super::keep(&instance.blobs, file).await?;
    let attached = gate.write(move |tx| super::attach(tx, owner, &[kept])).await?;
    let evidence = attached.into_iter().next().ok_or_else(|| Error::internal("one file in, none out"))?;
    Ok(Created(evidence.into()))
}

/// The bytes of a file, as they came in.
#[utoipa::path(get, path = "/api/v1/projects/{project}/evidence/{evidence}", tag = "evidence",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP"),
           ("evidence" = i64, Path, description = "Id of the file")),
    responses((status = 200, description = "The bytes.", content_type = "application/octet-stream"),
              (status = 503, description = "The file is damaged on the disk of the instance.")))]
async fn download(
    gate: Gate<ProjectView>,
    path: Path<(String, i64)>,
    instance: Data<Instance>,
) -> Result<Served> {
    let id = EvidenceId(path.0.1);
    let evidence = gate.read(move |tx| super::one(tx, id)).await?;
    super::serve(&instance.blobs, evidence).await
}

/// To what the fields of a form attach their file.
fn owner(key: &str, parts: &Parts) -> Result<Owner> {
    match (parts.field("result"), parts.field("case")) {
        (None, None) => Ok(Owner::Nothing),
        (Some(_), Some(_)) => Err(Error::invalid("A file belongs to a result or to a case, not to both.")),
        (Some(result), None) => {
            let id = result.parse().map_err(|_| Error::invalid("The field `result` holds no id."))?;
            Ok(Owner::Result(ResultId(id)))
        }
        (None, Some(case)) => number_of(key, case)
            .map(Owner::Case)
            .ok_or_else(|| Error::invalid("The field `case` names no case of this project.")),
    }
}

#[derive(ToSchema)]
#[schema(as = NewEvidence)]
#[expect(dead_code, reason = "describes a form to the readers of the API description")]
struct FormWire {
    /// The file.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
    /// Id of the result it belongs to.
    result: Option<i64>,
    /// Number or reference of the case it belongs to.
    case: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Evidence)]
struct EvidenceWire {
    id: i64,
    /// SHA-256 of the content, 64 hex digits.
    digest: String,
    name: String,
    /// What the file is, read from its first bytes.
    media_type: &'static str,
    bytes: i64,
    /// Milliseconds since 1970 in UTC.
    at: i64,
    /// Whether its bytes were found damaged on the disk; then they are not handed out.
    damaged: bool,
}

impl From<Evidence> for EvidenceWire {
    fn from(evidence: Evidence) -> EvidenceWire {
        EvidenceWire {
            id: evidence.id.0,
            digest: evidence.sha256,
            name: evidence.name,
            media_type: evidence.media.kind,
            bytes: evidence.bytes,
            at: evidence.at.0,
            damaged: evidence.is_damaged,
        }
    }
}
