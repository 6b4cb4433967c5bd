//! `testkeep upload`: sends report files to an instance, with a progress bar, from any machine.
//!
//! Talks HTTP like any other client; it opens no data folder and needs no key.

use super::output::Output;
use super::{client, progress};
use crate::kernel::error::{Error, Result};
use clap::Args;
use indicatif::ProgressBar;
use reqwest::StatusCode;
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Tries in all, when the instance is busy or cannot be reached.
const TRIES_MAX: u32 = 4;
/// Wait before the second try; doubled before each further one.
const WAIT_FIRST: Duration = Duration::from_millis(500);
/// Bytes handed to the network at once; the bar moves in such steps.
const STEP_BYTES: usize = 64 * 1024;

/// Uploads report files; several files become one run.
#[derive(Args, Debug)]
pub struct Upload {
    /// Report files, JUnit XML for example.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    at: client::At,
    /// Key of the project, such as SHOP.
    #[arg(long)]
    project: String,
    /// Number of an open run to add to, or the title of a new one.
    #[arg(long, value_name = "TITLE")]
    run: Option<String>,
    /// Format of the files.
    #[arg(long, default_value = "auto", value_parser = ["auto", "junit"])]
    format: String,
    /// Names this upload, with the number of the job for example: a second one of the same name changes
    /// nothing. Without it the content tells.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// Sends the files and prints what came of it.
pub async fn run(upload: Upload, output: Output) -> Result<()> {
    let files = read_all(&upload.files)?;
    let http = client::http(&upload.at)?;
    let token = client::token(&upload.at)?;
    let mut address = client::address(&upload.at, &format!("projects/{}/uploads", upload.project))?;
    address.query_pairs_mut().append_pair("format", &upload.format);
    if let Some(run) = &upload.run {
        address.query_pairs_mut().append_pair("run", run);
    }
    let total = files.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let mut wait = WAIT_FIRST;
    for remaining in (0..TRIES_MAX).rev() {
        let bar = progress::bytes(total, output);
        let request = http.post(address.clone()).bearer_auth(token.expose()).multipart(form(&files, &bar)?);
        // Without a key the instance knows the upload by its content: an answer that got lost makes no second run.
        let request = match &upload.idempotency_key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        };
        let answer = request.send().await;
        bar.finish_and_clear();
        match answer {
            Ok(answer) if is_final(answer.status()) || remaining == 0 => {
                return finish(answer, &upload.at.url()?, output).await;
            }
            Err(reason) if remaining == 0 || reason.is_builder() => {
                return Err(client::unreachable(&upload.at, reason));
            }
            _ => tokio::time::sleep(wait).await,
        }
        wait *= 2;
    }
    Err(Error::busy("The instance did not answer."))
}

fn is_final(status: StatusCode) -> bool {
    !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS
}

fn read_all(paths: &[PathBuf]) -> Result<Vec<(String, bytes::Bytes)>> {
    let read = |path: &PathBuf| {
        let bytes = std::fs::read(path).map_err(|cause| {
            Error::not_found(format!("{} cannot be read: {cause}.", path.display()))
                .hint("Give the path of a report file; the shell expands patterns such as reports/*.xml.")
        })?;
        Ok((name(path), bytes.into()))
    };
    paths.iter().map(read).collect()
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| "report".into(), |name| name.to_string_lossy().into_owned())
}

fn form(files: &[(String, bytes::Bytes)], bar: &ProgressBar) -> Result<Form> {
    let mut form = Form::new();
    for (name, content) in files {
        let (bar, length) = (bar.clone(), content.len() as u64);
        let content = content.clone();
        let steps = (0..content.len()).step_by(STEP_BYTES).map(move |at| {
            let step = content.slice(at..content.len().min(at + STEP_BYTES));
            bar.inc(step.len() as u64);
            Ok::<_, std::io::Error>(step)
        });
        let body = reqwest::Body::wrap_stream(futures_util::stream::iter(steps));
        let part = Part::stream_with_length(body, length).file_name(name.clone());
        form = form.part("file", part.mime_str("application/xml").map_err(Error::internal)?);
    }
    Ok(form)
}

async fn finish(answer: reqwest::Response, url: &str, output: Output) -> Result<()> {
    let answer = client::json(answer).await?;
    let url = url.trim_end_matches('/');
    output.print(&answer, |answer| {
        let path = answer["run"]["url"].as_str().unwrap_or_default();
        let count = |name: &str| answer["counts"][name].as_u64().unwrap_or_default();
        let reference = answer["run"]["reference"].as_str().unwrap_or_default();
        let again = if answer["replayed"] == Value::Bool(true) {
            " It was uploaded before; nothing changed."
        } else {
            ""
        };
        let notes = answer["upload"]["notes"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let notes: String = notes.map(|note| format!("\nNote: {note}")).collect();
        format!(
            "{reference}: {} results, {} passed, {} failed, {} errored, {} skipped.{again}\n\
             {url}{path}{notes}",
            count("total"),
            count("passed"),
            count("failed"),
            count("errored"),
            count("skipped"),
        )
    });
    Ok(())
}
