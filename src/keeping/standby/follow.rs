//! Following: looks at the target every few seconds, for ever; whatever happens to the process, the target or the
//! line, the copy that counts stays whole.

use super::copy::{self, Growing};
use super::metrics;
use super::proof::{self, Looked};
use super::safe::Safe;
use super::state::{Copy, Heard, State};
use super::status::Status;
use crate::keeping::backup::Target;
use crate::keeping::backup::storage::Reach;
use crate::keeping::shipping::follow::Listed;
use crate::kernel::durable::{self, trouble};
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::hold::{self, Held};
use crate::kernel::keyring::{Paper, Unlock};
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::time::{Clock, Timestamp};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{error, info, warn};

/// Whom to follow, and with what.
#[derive(Clone)]
pub struct Order {
    /// The target, and what opens it.
    pub reach: Reach,
    /// What opens the backups there.
    pub paper: Paper,
}

/// How to follow; what is not said stays as it was.
#[derive(Clone, Default, Debug)]
pub struct Pace {
    /// Seconds between two looks.
    pub every_seconds: Option<i64>,
    /// Seconds that the copy may be behind.
    pub lag_seconds_max: Option<i64>,
    /// A file for metrics.
    pub metrics: Option<PathBuf>,
}

/// A standby at work.
pub struct Follower {
    folder: PathBuf,
    program: PathBuf,
    clock: Clock,
    safe: Safe,
    order: Order,
    /// Whether the order is kept already.
    is_kept: bool,
    state: State,
    metrics: Option<PathBuf>,
    /// Opened once, as long as it answers.
    target: Option<Target>,
    /// When all names at the target were listed.
    listed_at: Option<Instant>,
    /// The backup that a new copy was last begun with, and when.
    tried: Option<(u64, Instant)>,
    proving: Option<(String, JoinHandle<Result<Looked>>)>,
    proven_at: Option<Instant>,
    _held: Held,
}

impl Pace {
    fn check(&self) -> Result<()> {
        for (said, max, what) in [
            (self.every_seconds, limits::STANDBY_EVERY_SECONDS_MAX, "Between two looks lie"),
            (self.lag_seconds_max, limits::STANDBY_LAG_SECONDS_MAX, "A standby may be behind by"),
        ] {
            if said.is_some_and(|seconds| !(1..=max).contains(&seconds)) {
                return Err(Error::invalid(format!("{what} 1 to {max} seconds.")));
            }
        }
        Ok(())
    }
}

impl Follower {
    /// Opens the standby in a folder, or begins one in an empty folder. `with` makes the order of what is kept of
    /// the one before.
    ///
    /// Errors: `Conflict` where the folder holds an instance, or where another process works on it.
    pub fn open(
        program: &Path,
        folder: &Path,
        unlock: &Unlock,
        pace: &Pace,
        clock: Clock,
        with: impl FnOnce(Option<&Order>) -> Result<Order>,
    ) -> Result<Follower> {
        pace.check()?;
        if layout::keyring(folder).exists() || layout::database(folder).exists() {
            return Err(Error::conflict(format!("{} holds an instance.", folder.display()))
                .hint("A standby needs a folder of its own, which may be missing."));
        }
        let held = hold::hold(folder)?;
        let safe = Safe::open(folder, unlock, clock.now())?;
        let kept = safe.get()?;
        let order = with(kept.as_ref())?;
        let from = order.reach.place.to_string();
        let mut state = State::load(folder)?.unwrap_or_else(|| State::new(from.clone()));
        if state.promoting.is_some() {
            return Err(Error::conflict("This standby is about to take over.")
                .hint("Say `testkeep standby promote` once more: that finishes it."));
        }
        state.from = from;
        state.every_seconds = pace.every_seconds.unwrap_or(state.every_seconds);
        state.lag_seconds_max = pace.lag_seconds_max.unwrap_or(state.lag_seconds_max);
        copy::sweep(folder, state.copy.as_ref())?;
        proof::sweep(folder)?;
        state.save(folder)?;
        let mut follower = Follower {
            folder: folder.to_owned(),
            program: program.to_owned(),
            clock,
            safe,
            order,
            is_kept: false,
            state,
            metrics: pace.metrics.clone(),
            target: None,
            listed_at: None,
            tried: None,
            proving: None,
            proven_at: None,
            _held: held,
        };
        // Before anything is fetched: the process before may have been killed while it wrote.
        if let Some(mut growing) = follower.growing() {
            growing.settle()?;
        }
        Ok(follower)
    }

    /// Follows for ever. Errors: what keeps a first copy from being made at all, such as a wrong kit.
    pub async fn keep_on(&mut self) -> Result<()> {
        let mut pause = self.pause();
        loop {
            let was_good = self.state.trouble.is_none();
            match self.look(false).await {
                Ok(()) => pause = self.pause(),
                Err(reason) if self.state.copy.is_none() && reason.kind() != Kind::Busy => {
                    return Err(reason);
                }
                Err(reason) => {
                    if was_good {
                        warn!(?reason, "the standby does not go on; it is tried again");
                    }
                    pause =
                        (pause * 2).min(Duration::from_millis(limits::STANDBY_PAUSE_MS_MAX.unsigned_abs()));
                }
            }
            self.see_to_proof().await;
            sleep(pause).await;
        }
    }

    /// Looks once, at everything, and proves what came.
    pub async fn once(&mut self) -> Result<Status> {
        self.look(true).await?;
        let is_proven = |copy: &Copy| copy.proof.as_ref().is_some_and(|proof| proof.reached == copy.reached);
        if !self.state.copy.as_ref().is_some_and(is_proven) {
            self.begin_proof()?;
            self.end_proof().await;
        }
        Ok(Status::told(&self.state, None, self.clock.now()))
    }

    /// One look; how it went is stored.
    async fn look(&mut self, is_thorough: bool) -> Result<()> {
        let looked = self.round(is_thorough).await;
        let now = self.clock.now();
        match &looked {
            Ok(()) => (self.state.trouble, self.state.looked_at) = (None, now.0),
            Err(reason) => {
                self.state.stands(reason, now);
                self.target = None;
            }
        }
        self.state.save(&self.folder)?;
        if let Some(path) = &self.metrics {
            let proven = self.state.copy.as_ref().and_then(|copy| copy.proof.as_ref()).map(|proof| proof.at);
            let status = Status::told(&self.state, Some(std::process::id()), now);
            if let Err(reason) = metrics::put(path, &status, proven) {
                warn!(?reason, "the metrics could not be written");
            }
        }
        if looked.is_ok() && !self.is_kept {
            self.safe.put(&self.order)?;
            self.is_kept = true;
        }
        looked
    }

    async fn round(&mut self, is_thorough: bool) -> Result<()> {
        let target = match &self.target {
            Some(target) => target.clone(),
            None => self.target.insert(self.order.reach.open()?).clone(),
        };
        let storage = target.storage();
        let Some(mut growing) = self.growing() else { return self.begin_anew(&target).await };
        let mut caught = growing.catch_up(storage);
        if caught.is_ok()
            && let Err(reason) = growing.keyring()
        {
            // The log goes on under the same key; taking over does not.
            caught = Err(reason);
        }
        let (now, copy) = (self.clock.now(), self.state.copy.clone());
        if let Ok(head) = &caught {
            self.state.heard = Some(Heard { at: now.0, head_at: head.at, segments: head.segments });
        }
        let is_due = is_thorough
            || caught.as_ref().is_err_and(|reason| reason.kind() == Kind::NotFound)
            || self.listed_at.is_none_or(|at| at.elapsed() > limits::STANDBY_LIST_EVERY);
        let Some(copy) = copy.filter(|_| is_due) else { return caught.map(drop) };
        if caught.as_ref().is_err_and(|reason| matches!(reason.kind(), Kind::Busy | Kind::Unauthenticated)) {
            return caught.map(drop);
        }
        let listed = Listed::at(storage)?;
        self.listed_at = Some(Instant::now());
        self.hear_of_backups(&target)?;
        let is_left = match &caught {
            Ok(_) => {
                if let Some(mut growing) = self.growing() {
                    growing.fetch_files(storage, &listed)?;
                }
                let (stream, reached) = (copy.stream.unwrap_or_default(), Timestamp(copy.reached));
                listed.another_after(storage, &self.state.instance, &stream, reached)?.is_some()
            }
            Err(_) => true,
        };
        let newest = self.state.good.as_ref().map_or(0, |good| good.number);
        let was_tried = self
            .tried
            .is_some_and(|(number, at)| number == newest && at.elapsed() < limits::STANDBY_BASE_AGAIN);
        if is_left && newest > copy.receipt.number && !was_tried {
            self.tried = Some((newest, Instant::now()));
            return self.begin_anew(&target).await;
        }
        caught.map(drop)
    }

    fn hear_of_backups(&mut self, target: &Target) -> Result<()> {
        let known = self.state.good.clone();
        if let Some(growing) = self.growing() {
            let keyring = growing.keyring()?;
            self.state.good = copy::newest_backup(target.storage(), &keyring, known.as_ref())?;
        }
        Ok(())
    }

    /// Begins a copy with the newest backup. It counts once it was proven, and is as far as the one before.
    async fn begin_anew(&mut self, target: &Target) -> Result<()> {
        let (mut fresh, manifest) = copy::begin(&self.program, &self.folder, &self.order)?;
        let begun = self.grow(&mut fresh, &manifest.instance, target).await;
        let before = self.state.copy.as_ref();
        let is_further = before.is_none_or(|before| fresh.reached >= before.reached);
        match begun {
            Ok(()) if is_further => {
                info!(backup = fresh.receipt.number, "the copy begins with backup {}", fresh.receipt.number);
                (self.state.instance, self.proven_at) = (manifest.instance, Some(Instant::now()));
                self.state.copy = Some(fresh);
                self.state.save(&self.folder)?;
                copy::sweep(&self.folder, self.state.copy.as_ref())?;
                self.hear_of_backups(target)
            }
            begun => {
                copy::sweep(&self.folder, before)?;
                begun
            }
        }
    }

    async fn grow(&self, fresh: &mut Copy, instance: &str, target: &Target) -> Result<()> {
        if !self.state.instance.is_empty() && self.state.instance != instance {
            return Err(Error::conflict(format!("The backups there are of another instance ({instance})."))
                .hint("Follow that one into a folder of its own."));
        }
        let mut growing = Growing { folder: &self.folder, copy: fresh, paper: &self.order.paper };
        let looked = proof::prepare(&growing)?.look(self.clock.clone()).await?;
        looked.proof.refuse_bad()?;
        growing.copy.proof = Some(looked.proof);
        let storage = target.storage();
        match growing.catch_up(storage) {
            Ok(_) => growing.fetch_files(storage, &Listed::at(storage)?).map(drop),
            // The backup alone is better than nothing; the next look says that no log follows it.
            Err(reason) if reason.kind() == Kind::NotFound => Ok(()),
            Err(reason) => Err(reason),
        }
    }

    fn growing(&mut self) -> Option<Growing<'_>> {
        let copy = self.state.copy.as_mut()?;
        Some(Growing { folder: &self.folder, copy, paper: &self.order.paper })
    }

    fn pause(&self) -> Duration {
        Duration::from_secs(self.state.every_seconds.unsigned_abs())
    }

    /// Proves the copy once an hour, if something came since.
    async fn see_to_proof(&mut self) {
        if self.proving.as_ref().is_some_and(|(_, proving)| proving.is_finished()) {
            self.end_proof().await;
        }
        let is_due = self.proven_at.is_none_or(|at| at.elapsed() > limits::STANDBY_PROOF_EVERY);
        let is_new = |copy: &Copy| copy.proof.as_ref().is_none_or(|proof| proof.reached != copy.reached);
        if self.proving.is_none() && is_due && self.state.copy.as_ref().is_some_and(is_new) {
            self.proven_at = Some(Instant::now());
            if let Err(reason) = self.begin_proof() {
                warn!(?reason, "the copy could not be proven");
            }
        }
    }

    fn begin_proof(&mut self) -> Result<()> {
        let clock = self.clock.clone();
        let Some(growing) = self.growing() else { return Ok(()) };
        let (name, bench) = (growing.copy.folder.clone(), proof::prepare(&growing)?);
        self.proving = Some((name, tokio::spawn(bench.look(clock))));
        Ok(())
    }

    async fn end_proof(&mut self) {
        let Some((name, proving)) = self.proving.take() else { return };
        let looked = proving.await.unwrap_or_else(|panic| Err(Error::internal(panic)));
        match (looked, self.state.copy.as_mut().filter(|copy| copy.folder == name)) {
            (Ok(looked), Some(copy)) => {
                match looked.proof.refuse_bad() {
                    Ok(()) => looked.clear_strays(&layout::blobs(&copy.data(&self.folder))),
                    Err(reason) => error!(?reason, "the copy is not whole"),
                }
                copy.proof = Some(looked.proof);
            }
            (Ok(_), None) => {}
            (Err(reason), _) => warn!(?reason, "the copy could not be proven"),
        }
        if let Err(reason) = self.state.save(&self.folder) {
            warn!(?reason, "the proof could not be noted");
        }
    }
}

/// Wipes a standby once its copy was moved out.
pub(super) fn wipe(folder: &Path) -> Result<()> {
    copy::sweep(folder, None)?;
    proof::sweep(folder)?;
    let safe = folder.join("safe");
    if safe.exists() {
        fs::remove_dir_all(&safe).map_err(|cause| trouble("wipe", &safe, cause))?;
    }
    // Last: as long as it is there, a takeover that was cut off can be finished.
    let state = layout::standby(folder);
    fs::remove_file(&state).map_err(|cause| trouble("remove", &state, cause))?;
    durable::sync_folder(folder)
}
