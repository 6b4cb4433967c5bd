//! Report uploads over HTTP, for programs.

use super::{BOUNDS, Counts, Order, Outcome, Target, Upload};
use crate::exchange::ingest::Format;
use crate::kernel::access::{Gate, ProjectView, UploadWrite};
use crate::kernel::error::{Error, Result};
use crate::kernel::instance::Instance;
use crate::kernel::limits;
use crate::web::respond::{Json, Path, Query};
use crate::web::routes::{Route, get, post};
use crate::web::upload::{self, harmless};
use actix_web::body::BoxBody;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, Responder};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

/// Header with the name that a program gives an upload.
const KEY: &str = "idempotency-key";

/// The routes of this slice.
pub fn routes() -> Vec<Route> {
    let mut routes = vec![
        get("/api/v1/projects/{project}/uploads", index),
        post("/api/v1/projects/{project}/uploads", add),
    ];
    routes.extend(super::pages::routes());
    routes
}

/// The part of the API description that this slice answers for.
#[derive(OpenApi)]
#[openapi(paths(index, add))]
pub struct Api;

/// The newest uploads that are complete.
#[utoipa::path(get, path = "/api/v1/projects/{project}/uploads", tag = "uploads",
    params(("project" = String, Path, description = "Key of the project", example = "SHOP")),
    responses((status = 200, body = UploadsWire)))]
async fn index(gate: Gate<ProjectView>, Path(key): Path<String>) -> Result<Json<UploadsWire>> {
    let uploads = gate.read(|tx| super::list(tx)).await?;
    let uploads = uploads.into_iter().map(|upload| ListedWire::of(&key, upload)).collect();
    Ok(Json(UploadsWire { uploads }))
}

/// Uploads reports of automated checks: JUnit XML, recognised by its content. Send one file as the body, or any
/// number as `multipart/form-data`; all files of a request become one run. All or nothing: a file that cannot be
/// read refuses the whole request with its line and column (422), and nothing is stored.
///
/// A check is found again by the case that the report names, else by its automation key; a new one becomes a case.
///
/// The same upload again changes nothing and gets the same answer, with `replayed` true and the header
/// `Idempotent-Replayed`: by its `Idempotency-Key`, or without one by its content. The same key with other
/// content is a conflict (409), as is a run that is closed.
#[utoipa::path(post, path = "/api/v1/projects/{project}/uploads", tag = "uploads",
    request_body(content = FilesWire, content_type = "multipart/form-data"),
    params(("project" = String, Path, description = "Key of the project", example = "SHOP"), Asked,
           ("Idempotency-Key" = Option<String>, Header, description = "Name of this upload, at most 200 characters: a second one of this name changes nothing.", example = "job-88213")),
    responses((status = 201, body = OutcomeWire),
              (status = 409, description = "The run is closed, or another upload had this key."),
              (status = 413, description = "Larger than an upload may be; nothing was stored."),
              (status = 422, description = "A file cannot be read: file, line, column and reason. Nothing was stored.")))]
async fn add(
    gate: Gate<UploadWrite>,
    Query(asked): Query<Asked>,
    request: HttpRequest,
    upload: upload::Upload,
    instance: Data<Instance>,
) -> Result<Answered> {
    let order = asked.order(&request)?;
    gate.admit().await?;
    let name = asked.file.as_deref().map(harmless).filter(|name| !name.is_empty());
    let parts = upload.receive(&instance.blobs, BOUNDS, name.as_deref().unwrap_or("report")).await?;
    if let Some((field, _)) = parts.fields.first() {
        let field: String = field.chars().take(40).collect();
        return Err(Error::invalid(format!("The part \"{field}\" of the form is no file."))
            .hint("Name the run in the address, like ?run=Nightly, and give each file a file name."));
    }
    super::import(&gate, &instance, order, parts.files).await.map(Answered)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// `auto` or `junit`; `auto` if left out.
    format: Option<String>,
    /// Number or reference of an open run, or a title: that of an open run, else of a new one, which stays open
    /// for what else comes. Without it a new run is made and closed.
    #[param(example = "Nightly")]
    run: Option<String>,
    /// Name of the file, if the body is the file itself.
    file: Option<String>,
}

impl Asked {
    fn order(&self, request: &HttpRequest) -> Result<Order> {
        let project = request.match_info().query("project");
        let format = match self.format.as_deref() {
            None | Some("auto") => None,
            Some(word) => Some(Format::of_word(word)?),
        };
        Ok(Order { target: Target::named(project, self.run.as_deref())?, format, key: key(request)? })
    }
}

fn key(request: &HttpRequest) -> Result<Option<String>> {
    let Some(header) = request.headers().get(KEY) else { return Ok(None) };
    let text = header.to_str().map(str::trim).unwrap_or_default();
    if text.is_empty() || text.len() > limits::IDEMPOTENCY_KEY_CHARS_MAX {
        return Err(Error::invalid("The header Idempotency-Key does not fit.").hint(format!(
            "It holds 1 to {} characters of ASCII, such as the number of the job.",
            limits::IDEMPOTENCY_KEY_CHARS_MAX
        )));
    }
    Ok(Some(text.to_owned()))
}

/// The answer to an upload.
struct Answered(Outcome);

impl Responder for Answered {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::Created();
        if self.0.is_replayed {
            response.insert_header(("Idempotent-Replayed", "true"));
        }
        response.json(OutcomeWire::of(self.0))
    }
}

#[derive(ToSchema)]
#[schema(as = ReportFiles)]
#[expect(dead_code, reason = "describes a form to the readers of the API description")]
struct FilesWire {
    /// Report files; the name of the field makes no difference.
    #[schema(format = Binary, content_media_type = "application/xml")]
    file: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = UploadOutcome)]
struct OutcomeWire {
    upload: UploadWire,
    run: RunOfUploadWire,
    counts: CountsOfUploadWire,
    /// Whether it was stored before, and nothing changed.
    replayed: bool,
}

impl OutcomeWire {
    fn of(outcome: Outcome) -> OutcomeWire {
        let Outcome { upload, run, project, is_replayed } = outcome;
        OutcomeWire {
            counts: upload.counts.into(),
            run: RunOfUploadWire {
                id: run.id.0,
                number: run.number,
                reference: format!("{project}-R{}", run.number),
                title: run.title.to_string(),
                state: run.state.word(),
                url: format!("/p/{project}/runs/{}", run.number),
            },
            upload: upload.into(),
            replayed: is_replayed,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Upload)]
struct UploadWire {
    id: i64,
    /// `junit`.
    format: String,
    /// How many files it brought.
    files: i64,
    bytes: i64,
    /// Milliseconds since 1970 in UTC.
    created_at: i64,
    /// What the reader noticed, one sentence each.
    notes: Vec<String>,
    /// Cases that had to be made.
    cases_created: i64,
}

impl From<Upload> for UploadWire {
    fn from(upload: Upload) -> UploadWire {
        UploadWire {
            id: upload.id.0,
            format: upload.format,
            files: upload.files,
            bytes: upload.bytes,
            created_at: upload.created_at.0,
            notes: upload.notes,
            cases_created: upload.cases_created,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = RunOfUpload)]
struct RunOfUploadWire {
    id: i64,
    number: i64,
    #[schema(example = "SHOP-R3")]
    reference: String,
    title: String,
    /// `open` or `closed`.
    state: &'static str,
    /// Path of its page.
    #[schema(example = "/p/SHOP/runs/3")]
    url: String,
}

/// What the files held: counted, not believed.
#[derive(Serialize, ToSchema)]
#[schema(as = CountsOfUpload)]
struct CountsOfUploadWire {
    total: i64,
    passed: i64,
    /// Without the errored ones.
    failed: i64,
    /// The check itself broke.
    errored: i64,
    skipped: i64,
    /// Sum over the checks, in milliseconds.
    duration_ms: i64,
}

impl From<Counts> for CountsOfUploadWire {
    fn from(counts: Counts) -> CountsOfUploadWire {
        let Counts { total, passed, failed, errored, skipped, duration_ms } = counts;
        CountsOfUploadWire { total, passed, failed, errored, skipped, duration_ms }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Uploads)]
struct UploadsWire {
    /// The newest first, at most 30.
    uploads: Vec<ListedWire>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ListedUpload)]
struct ListedWire {
    #[serde(flatten)]
    upload: UploadWire,
    /// Reference of its run.
    #[schema(example = "SHOP-R3")]
    run: String,
    /// Who sent it; `null` for the command line.
    author: Option<String>,
    counts: CountsOfUploadWire,
}

impl ListedWire {
    fn of(key: &str, upload: Upload) -> ListedWire {
        let (run, counts) = (format!("{key}-R{}", upload.run), upload.counts.into());
        ListedWire { author: upload.author.clone(), upload: upload.into(), run, counts }
    }
}
