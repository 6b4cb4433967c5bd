//! The trial: a program shows on a data folder that it can read it, keep it and serve it.
//!
//! The parent is an older version, so the words between the two are few and never change: the data folder and the
//! key come by environment and by standard input, the findings go out as JSON.

use super::super::unlock;
use crate::app;
use crate::keeping::keys::kms::Patience;
use crate::kernel::access::{AuditView, InstanceView};
use crate::kernel::audit::{self, Verdict};
use crate::kernel::build;
use crate::kernel::error::{Error, Result};
use crate::kernel::integrity;
use crate::kernel::keyring::Unlock;
use crate::kernel::limits;
use crate::kernel::options::Options;
use clap::Args;
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Name of the hidden command.
pub const TRIAL: &str = "upgrade-trial";

/// Names shares in the place of every other key.
const SHARES_FLAG: &str = "--shares-file";

/// Shows on a data folder that this program can take it over.
#[derive(Args, Debug)]
pub struct Trial {
    /// The shares, one on each line; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    shares_file: Option<PathBuf>,
}

/// What a trial found.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Findings {
    pub version: String,
    pub schema: i64,
    pub entries: i64,
    pub results: i64,
    /// What is wrong, one sentence each; empty if nothing is.
    pub findings: Vec<String>,
}

impl Findings {
    /// What the child printed; a child that died has found the worst.
    pub fn of(answer: Output) -> Result<Findings> {
        serde_json::from_slice(&answer.stdout).map_err(|cause| {
            let said = String::from_utf8_lossy(&answer.stderr);
            let said = said.lines().next_back().unwrap_or("it said nothing").to_owned();
            Error::conflict(format!("the new program ended with {}: {said}", answer.status)).because(cause)
        })
    }
}

/// Runs a child with what opens the instance: a file by its name, a passphrase or shares through standard input.
pub(super) fn handed_over(mut child: Command, unlock: &Unlock) -> Result<Output> {
    let mut words = None;
    match unlock {
        Unlock::KeyFile(path) | Unlock::Credential(path) => {
            child.env("TESTKEEP_KEY_FILE", std::path::absolute(path).map_err(Error::internal)?);
        }
        Unlock::Passphrase(passphrase) => {
            child.env("TESTKEEP_PASSPHRASE_FD", "0");
            words = Some(passphrase.clone());
        }
        Unlock::Shares(shares) => {
            child.args([SHARES_FLAG, "-"]);
            words = Some(shares.handed_on());
        }
        // The child has the same options, and asks the service itself.
        Unlock::Kms(..) => {}
        _ => {
            return Err(Error::invalid("An upgrade opens the instance with its key file, its passphrase or shares.")
                .hint(
                    "Name the key file with --key-file, hand the passphrase over with --passphrase-fd, or name shares \
                     with --shares-file.",
                ));
        }
    }
    child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().map_err(Error::internal)?;
    if let (Some(words), Some(mut stdin)) = (words, child.stdin.take()) {
        // A child that does not ask for it has closed its end, and says by itself what it lacks.
        let _ = stdin.write_all(words.expose().as_bytes());
    }
    child.wait_with_output().map_err(Error::internal)
}

/// Opens the data folder as a start does, checks everything, serves it for a moment, and prints what it found.
pub async fn trial(command: Trial, mut options: Options) -> Result<()> {
    options.listen = vec![limits::TRIAL_ADDRESS];
    (options.tls_files, options.http_listen, options.admin) = (None, None, None);
    let unlock = match &command.shares_file {
        Some(file) => Unlock::Shares(unlock::shares_in(file)?),
        None => app::unlock(&options, Patience::Command)?,
    };
    let running = app::start_on_trial(options, &unlock).await?;
    let found = look(&running).await;
    running.stop().await;
    super::say(&serde_json::to_string(&found?).map_err(Error::internal)?);
    Ok(())
}

async fn look(running: &app::Running) -> Result<Findings> {
    let shell = &running.house.shell;
    let mut findings = shell.operator().gate::<InstanceView>(()).read_at_length(integrity::check).await?;
    let verdict = shell.operator().gate::<AuditView>(()).read_at_length(|tx| audit::verify(tx, None)).await?;
    let entries = match verdict {
        Verdict::Whole(head) => head.seq,
        _ => {
            findings.push("The audit trail is not whole.".to_owned());
            0
        }
    };
    let (schema, _) = shell.operator().gate::<InstanceView>(()).read(integrity::schema).await?;
    let counts = shell.operator().gate::<InstanceView>(()).read(crate::keeping::overview::counts).await?;
    let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).no_proxy();
    let client = client.timeout(limits::TRIAL_ANSWER_MAX).build().map_err(Error::internal)?;
    for path in ["/readyz", "/signin"] {
        let answer = client.get(format!("{}{path}", running.url())).send().await;
        match answer {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => findings.push(format!("{path} answers {}.", answer.status())),
            Err(cause) => findings.push(format!("{path} does not answer: {cause}.")),
        }
    }
    Ok(Findings { version: build::VERSION.to_owned(), schema, entries, results: counts.results, findings })
}
