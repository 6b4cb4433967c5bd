//! The upload page: choose reports, name their run; below it the newest uploads.

use super::{BOUNDS, Counts, Order, Outcome, Target, Upload};
use crate::kernel::access::{Gate, InProject, ProjectView, UploadWrite};
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::instance::Instance;
use crate::library::projects;
use crate::people;
use crate::web::figures::Count;
use crate::web::filters;
use crate::web::forms::Problems;
use crate::web::layout::{At, Frame};
use crate::web::respond::{Answer, Page, Path, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::upload::{self, Parts};
use crate::web::visit::Visit;
use actix_web::ResponseError as _;
use actix_web::web::Data;
use askama::Template;

/// The pages of this slice.
pub(super) fn routes() -> Vec<Route> {
    vec![get("/p/{project}/upload", show), post("/p/{project}/upload", add)]
}

#[derive(Template)]
#[template(path = "exchange/uploads/upload.html")]
struct UploadPage {
    frame: Frame,
    project: String,
    /// Whether the form is shown.
    may_upload: bool,
    /// What was typed for the run.
    run: String,
    /// Why nothing was stored.
    refused: Option<Error>,
    problems: Problems,
    uploads: Vec<Line>,
}

/// An upload in the list.
struct Line {
    reference: String,
    href: String,
    upload: Upload,
}

impl UploadPage {
    fn of(tx: impl InProject, visit: Visit, run: String, refused: Option<Error>) -> Result<UploadPage> {
        let head = projects::head(tx)?;
        let line = |upload: Upload| Line {
            reference: format!("{}-R{}", head.key, upload.run),
            href: format!("/p/{}/runs/{}", head.key, upload.run),
            upload,
        };
        Ok(UploadPage {
            uploads: super::list(tx)?.into_iter().map(line).collect(),
            project: head.key.clone(),
            may_upload: projects::offers::<UploadWrite>(tx)?,
            frame: Frame::project(tx, visit, people::seen(tx)?, head).at(At::Upload),
            run,
            refused,
            problems: Problems::default(),
        })
    }
}

async fn show(gate: Gate<ProjectView>, visit: Visit) -> Result<Page<UploadPage>> {
    let page = gate.read(move |tx| UploadPage::of(tx, visit, String::new(), None)).await?;
    Ok(Page::new(page))
}

async fn add(
    gate: Gate<UploadWrite>,
    Path(key): Path<String>,
    visit: Visit,
    upload: upload::Upload,
    instance: Data<Instance>,
) -> Result<Answer<UploadPage>> {
    gate.admit().await?;
    let mut run = String::new();
    let stored = match upload.receive(&instance.blobs, BOUNDS, "report").await {
        Ok(parts) => {
            run = parts.field("run").unwrap_or_default().to_owned();
            store(&gate, &instance, &key, parts).await
        }
        Err(refused) => Err(refused),
    };
    match stored {
        Ok(outcome) => {
            let said = said(&outcome);
            let to = Redirect::to(format!("/p/{}/runs/{}", outcome.project, outcome.run.number));
            Ok(if outcome.is_replayed { to.warning(said) } else { to.saying(said) }.into())
        }
        Err(refused) if can_be_mended(&refused) => {
            let status = refused.status_code();
            let page = gate.read(move |tx| UploadPage::of(tx, visit, run, Some(refused))).await?;
            Ok(Page::with_status(page, status).into())
        }
        Err(refused) => Err(refused),
    }
}

async fn store(gate: &Gate<UploadWrite>, instance: &Instance, key: &str, parts: Parts) -> Result<Outcome> {
    if let Some((field, _)) = parts.fields.iter().find(|(field, _)| field != "run") {
        return Err(Error::invalid(format!("There is no field \"{field}\" in this form.")));
    }
    let target = Target::named(key, parts.field("run"))?;
    super::import(gate, instance, Order { target, format: None, key: None }, parts.files).await
}

/// Whether another file or another run would help: the form is shown again.
fn can_be_mended(refused: &Error) -> bool {
    matches!(refused.kind(), Kind::Invalid | Kind::NotFound | Kind::Conflict | Kind::TooLarge)
}

fn said(outcome: &Outcome) -> String {
    let Outcome { upload, run, project, is_replayed } = outcome;
    let reference = format!("{project}-R{}", run.number);
    if *is_replayed {
        return format!("The same reports are in {reference} already, so nothing was changed.");
    }
    let Counts { total, failed, errored, .. } = upload.counts;
    let count = |number: i64| Count(number.unsigned_abs());
    match total {
        0 => format!("The reports hold no result. Run {reference} stays empty."),
        _ => format!(
            "{} results are stored in {reference}: {} failed, {} errored.",
            count(total),
            count(failed),
            count(errored)
        ),
    }
}
