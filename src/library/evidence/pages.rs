//! Evidence in a browser: files of a case, and the bytes of any file.

use super::{BOUNDS, Kept, Owner, Served};
use crate::kernel::access::{Gate, ProjectView, ResultWrite};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::EvidenceId;
use crate::kernel::instance::Instance;
use crate::library::references::number_of;
use crate::web::respond::{Path, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::upload::Upload;
use actix_web::web::Data;

/// The pages of this slice.
pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/p/{project}/evidence/{evidence}", download),
        post("/p/{project}/evidence/{evidence}/remove", remove),
        post("/p/{project}/cases/{case}/evidence", attach),
    ]
}

async fn download(
    gate: Gate<ProjectView>,
    Path((_, id)): Path<(String, i64)>,
    instance: Data<Instance>,
) -> Result<Served> {
    let evidence = gate.read(move |tx| super::one(tx, EvidenceId(id))).await?;
    super::serve(&instance.blobs, evidence).await
}

async fn attach(
    gate: Gate<ResultWrite>,
    Path((key, case)): Path<(String, String)>,
    instance: Data<Instance>,
    upload: Upload,
) -> Result<Redirect> {
    gate.admit().await?;
    let number =
        number_of(&key, &case).ok_or_else(|| Error::not_found("There is no such case in this project."))?;
    let parts = upload.receive(&instance.blobs, BOUNDS, "file").await?;
    parts.only(&["file"])?;
    let page = format!("/p/{key}/cases/{number}#files");
    if parts.files.is_empty() {
        return Ok(Redirect::to(page).warning("No file was chosen, so nothing was attached."));
    }
    let mut kept: Vec<Kept> = Vec::with_capacity(parts.files.len());
    for file in parts.files {
        kept.push(super::keep(&instance.blobs, file).await?);
    }
    let said = if kept.len() == 1 {
        "The file is attached.".to_owned()
    } else {
        format!("{} files are attached.", kept.len())
    };
    gate.write(move |tx| super::attach(tx, Owner::Case(number), &kept)).await?;
    Ok(Redirect::to(page).saying(said))
}

/// Takes a file of a case away. What belongs to a result is proof of it and stays.
async fn remove(gate: Gate<ResultWrite>, Path((key, id)): Path<(String, i64)>) -> Result<Redirect> {
    let removed = gate.write(move |tx| {
        let evidence = super::one(tx, EvidenceId(id))?;
        let number = evidence.case.ok_or_else(|| {
            Error::conflict("This file belongs to a result, so it stays.")
                .hint("Results and their evidence are never changed.")
        })?;
        Ok(super::remove(tx, evidence.id)?.map(|evidence| (evidence.name, number)))
    });
    let (name, number) = removed.await?;
    Ok(Redirect::to(format!("/p/{key}/cases/{number}#files")).saying(format!("{name} is taken away.")))
}
