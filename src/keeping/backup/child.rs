//! The restoring process: what it is ordered, what it does, how it is stopped, and how it ended.
//!
//! The engine is known to panic on what is damaged, so it never restores in the process of the server. Secrets
//! come over standard input: arguments and environments show in process lists.

use super::engine::open;
use super::manifest::ROOT;
use super::receipt::Receipt;
use super::restore::Job;
use super::storage::Reach;
use super::target::Target;
use super::{Say, caught, reported};
use crate::kernel::error::{Error, KINDS, Kind, Result};
use crate::kernel::limits;
use rustic_core::repofile::MasterKey;
use rustic_core::{Credentials, LocalDestination, LsOptions, RepositoryBackends, RestoreOptions};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use zeroize::Zeroizing;

/// Hidden verb of our executable that runs [`child`].
pub const CHILD: &str = "restore-child";
const VERIFY: &str = "Run `testkeep verify` to see what is damaged; an older backup may be whole.";

/// Stops a restore from outside: by its child process, and between two of its steps.
#[derive(Debug, Default)]
pub struct Brake {
    is_pulled: AtomicBool,
    child: Mutex<Option<Child>>,
}

impl Brake {
    /// Stops what goes on under this brake; it ends with an error and leaves nothing behind.
    pub fn pull(&self) {
        self.is_pulled.store(true, Relaxed);
        if let Some(child) = &mut *self.child.lock().expect("nobody panics while holding it") {
            // One that has ended by itself is as good.
            let _ = child.kill();
        }
    }

    /// Whether somebody pulled it.
    pub fn is_pulled(&self) -> bool {
        self.is_pulled.load(Relaxed)
    }

    /// An error once somebody has pulled it.
    pub fn go_on(&self) -> Result<()> {
        if self.is_pulled() {
            return Err(Error::conflict("This was stopped.").hint("Nothing of it was kept."));
        }
        Ok(())
    }

    /// Waits for the child; answers what it said last and how it ended.
    fn watch(&self, child: Child, mut stderr: impl Read) -> Result<(String, ExitStatus)> {
        *self.child.lock().expect("nobody panics while holding it") = Some(child);
        if self.is_pulled() {
            self.pull();
        }
        let mut said = Vec::new();
        // Its end closes the pipe. The lock is free meanwhile, so that the brake works.
        let read = stderr.read_to_end(&mut said);
        let child = self.child.lock().expect("nobody panics while holding it").take();
        let status = child.expect("nobody else takes it").wait().map_err(Error::internal)?;
        read.map_err(Error::internal)?;
        Ok((String::from_utf8_lossy(&said).into_owned(), status))
    }
}

/// What the child needs. It comes over its standard input: arguments show in process lists.
#[derive(Serialize, Deserialize)]
struct Order {
    reach: Reach,
    master: MasterKey,
    snapshot: String,
    staging: PathBuf,
}

/// What the child says at its end, if it failed and could say why.
#[derive(Deserialize)]
struct Said {
    error: Told,
}

#[derive(Deserialize)]
struct Told {
    code: String,
    message: String,
    hint: Option<String>,
}

/// Body of the child process. A panic in here is expected.
pub fn child(input: impl Read) -> Result<()> {
    let order: Order = serde_json::from_reader(input.take(limits::RESTORE_ORDER_BYTES_MAX))
        .say(|| Error::invalid("This command is for Testkeep itself: it restores what its parent orders."))?;
    let target = order.reach.open()?;
    // A failed read makes the engine panic; what the target said itself is the better story.
    caught(|| fill(&target, order)).map_err(|reason| target.failure().unwrap_or(reason))
}

fn fill(target: &Target, order: Order) -> Result<()> {
    let backends = RepositoryBackends::new(Arc::new(target.clone()), None);
    let repo = open(&backends, &Credentials::Masterkey(order.master)).and_then(|repo| repo.to_indexed());
    let repo = repo.map_err(reported)?;
    let path = format!("{}:{ROOT}", order.snapshot);
    let node = repo.node_from_snapshot_path(&path, |_| true).map_err(reported)?;
    let staging = order.staging.to_str().ok_or_else(|| Error::invalid("The staging folder is not UTF-8."))?;
    let destination = LocalDestination::new(staging, true, false).map_err(reported)?;
    let options = RestoreOptions::default().no_ownership(true);
    let found = repo.ls(&node, &LsOptions::default()).map_err(reported)?;
    let plan = repo.prepare_restore(&options, found.clone(), &destination, false).map_err(reported)?;
    repo.restore(plan, &options, found, &destination).map_err(reported)
}

/// Lets a child bring a snapshot into a staging folder.
pub(super) fn run(program: &Path, job: &Job, receipt: &Receipt, staging: &Path, brake: &Brake) -> Result<()> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(Error::internal);
    let order = Order {
        reach: job.reach.clone(),
        master: serde_json::from_slice(job.master.expose()).map_err(Error::internal)?,
        snapshot: receipt.snapshot.clone(),
        staging: absolute(staging)?,
    };
    let order = Zeroizing::new(serde_json::to_vec(&order).map_err(Error::internal)?);
    let mut command = Command::new(program);
    command.args([CHILD, "--json"]).env_clear().stdin(Stdio::piped());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    // Which authorities the machine trusts is no secret, and is said nowhere else.
    for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    let mut child = command.spawn().map_err(Error::internal)?;
    let told = child.stdin.take().expect("its input is piped").write_all(&order);
    let stderr = child.stderr.take().expect("its errors are piped");
    let (said, status) = brake.watch(child, stderr)?;
    brake.go_on()?;
    if told.is_err() || !status.success() {
        return Err(ended(&said, status));
    }
    Ok(())
}

/// Why the child failed: in its own words where it found some, as `cli` prints an error in JSON.
fn ended(said: &str, status: ExitStatus) -> Error {
    let last = said.lines().next_back().and_then(|line| serde_json::from_str::<Said>(line).ok());
    let head: String = said.chars().take(500).collect();
    let cause = format!("the restoring process ended with {status}: {head}");
    let error = match last.map(|said| said.error) {
        Some(told) if told.code != Kind::Internal.appearance().code => {
            let known = KINDS.iter().find(|row| row.code == told.code).map(|row| row.kind);
            // What is missing or damaged at a target makes the backup bad; a line that was cut does not.
            let kind = match known {
                Some(kind @ (Kind::Busy | Kind::Full | Kind::Forbidden | Kind::Unauthenticated)) => kind,
                _ => Kind::Invalid,
            };
            let hint = told.hint.filter(|_| kind != Kind::Invalid);
            let sentence =
                format!("{} The backup could not be read back, so nothing was restored.", told.message);
            Error::of_kind(kind, sentence).hint(hint.unwrap_or_else(|| VERIFY.to_owned()))
        }
        _ => Error::invalid("The backup could not be read back, so nothing was restored.").hint(VERIFY),
    };
    error.because(cause)
}
