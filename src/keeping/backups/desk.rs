//! The desk where backups are made: one after the other, with progress that a page and a command can show.
//!
//! Each backup holds the database still for itself and lets go before it is read back. One pin for several
//! targets would save a read of the disk, and would let the log grow for as long as the slowest of them takes. A
//! target has to answer before it has its turn, so one that is silent holds neither the database nor the others.

use super::Cause;
use super::schedule::MAKER;
use super::work::{self, Made};
use crate::keeping::backup::{Bench, Engine, Identity, Ledger, Leftover, Papers, Proof, Target, home};
use crate::keeping::takeover::is_taken_over;
use crate::keeping::targets::{self, Goal};
use crate::kernel::access::{BackupRun, Gate};
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::id::{BackupId, TargetId};
use crate::kernel::instance::Instance;
use crate::kernel::keyring;
use crate::kernel::layout;
use crate::kernel::limits;
use ed25519_dalek::SigningKey;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::runtime::Handle;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{sleep, timeout};
use tracing::{error, warn};

/// Name under which snapshots are written: the machine's own name is nobody's business.
const HOST: &str = "testkeep";

/// Makes the backups of one instance.
pub struct Desk {
    /// The instance they are of.
    pub instance: Arc<Instance>,
    /// Where backups are brought back to be looked at.
    pub bench: Arc<Bench>,
    orders: Orders,
    /// Whether it takes no more orders: the program ends.
    is_closed: AtomicBool,
    /// Whose turn it is: in the order in which they came.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Where work goes on when whoever asked for it has left.
    pub(super) runtime: Handle,
}

/// The backups that run or wait, oldest first.
type Orders = Arc<Mutex<Vec<Arc<Order>>>>;

/// Keeps backups from beginning until it is dropped.
pub struct Turn(#[expect(dead_code, reason = "dropping it gives the turn back")] OwnedMutexGuard<()>);

/// A backup that runs or waits for its turn.
pub(super) struct Order {
    pub place: String,
    pub name: String,
    pub target: Option<TargetId>,
    pub ledger: Arc<Ledger>,
    pub is_reached: AtomicBool,
    pub is_begun: AtomicBool,
    pub is_written: AtomicBool,
}

/// The place of one backup in the queue; it leaves when this is dropped.
struct Ticket {
    orders: Orders,
    order: Arc<Order>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.orders
            .lock()
            .expect("nobody panics while holding it")
            .retain(|order| !Arc::ptr_eq(order, &self.order));
    }
}

/// How far a backup is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The target it goes to, if it is one of the instance.
    pub target: Option<TargetId>,
    /// What people call that.
    pub name: String,
    /// What is being done.
    pub step: Step,
    /// Bytes done.
    pub done: u64,
    /// Bytes in all; 0 while they are being counted.
    pub total: u64,
}

/// What is being done for a backup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// The target has not answered yet.
    Reaching,
    /// Another one is made first.
    Waiting,
    /// It is counted and written.
    Writing,
    /// It is read back.
    Reading,
}

impl Desk {
    /// A desk for this instance. What is begun at it goes on in the runtime that this is called in.
    pub fn new(instance: Arc<Instance>) -> Desk {
        Desk {
            instance,
            bench: Arc::default(),
            orders: Orders::default(),
            is_closed: AtomicBool::new(false),
            turn: Arc::default(),
            runtime: Handle::current(),
        }
    }

    fn orders(&self) -> MutexGuard<'_, Vec<Arc<Order>>> {
        self.orders.lock().expect("nobody panics while holding it")
    }

    /// The backups that run or wait, oldest first.
    pub fn progress(&self) -> Vec<Progress> {
        self.orders().iter().map(|order| order.progress()).collect()
    }

    /// Stops the backups to this target, or all without one. Answers whether there was any.
    pub fn cancel(&self, target: Option<TargetId>) -> bool {
        let orders = self.orders();
        let asked = orders.iter().filter(|order| target.is_none() || order.target == target);
        asked.map(|order| order.ledger.cancel()).count() > 0
    }

    /// Takes no more orders, stops all that runs, and waits until it has, but not for ever.
    pub async fn close(&self) {
        self.is_closed.store(true, Relaxed);
        self.cancel(None);
        self.bench.stop();
        let stopped = async {
            while !self.orders().is_empty() || self.bench.progress().is_some() {
                sleep(limits::STOP_LOOK_EVERY).await;
            }
        };
        if timeout(limits::STOP_GRACE, stopped).await.is_err() {
            warn!("a backup took too long to stop and is cut short");
        }
        self.bench.clear();
    }

    /// Makes a backup, reads it back and records it, once those before it are done.
    pub async fn make(&self, gate: &Gate<BackupRun>, cause: Cause, goal: Goal) -> Result<Made> {
        let ticket = self.take_ticket(&goal)?;
        let id = self.noted(gate, cause, &goal).await?;
        self.carry_out(gate, id, cause, &goal, &ticket.order).await
    }

    /// Begins a backup and leaves it to itself: its record tells how it went.
    pub async fn begin(self: Arc<Self>, gate: Gate<BackupRun>, cause: Cause, goal: Goal) -> Result<BackupId> {
        let ticket = self.take_ticket(&goal)?;
        let id = self.noted(&gate, cause, &goal).await?;
        self.runtime.clone().spawn(async move {
            if let Err(reason) = self.carry_out(&gate, id, cause, &goal, &ticket.order).await {
                error!(backup = id.0, ?reason, "backup {} failed", id.0);
            }
            drop(ticket);
        });
        Ok(id)
    }

    /// Keeps backups from beginning until what it gives is dropped; those that are asked for meanwhile wait.
    ///
    /// Errors: `Conflict` while one is being made.
    pub fn pause(&self) -> Result<Turn> {
        Arc::clone(&self.turn).try_lock_owned().map(Turn).map_err(|_| {
            Error::conflict("A backup is being made already.").hint("Wait until it is done, or stop it.")
        })
    }

    fn take_ticket(&self, goal: &Goal) -> Result<Ticket> {
        let mut orders = self.orders();
        if self.is_closed.load(Relaxed) {
            return Err(Error::busy("This instance is shutting down."));
        }
        let place = goal.place.to_string();
        if orders.iter().any(|order| order.place == place) {
            return Err(Error::conflict(format!("A backup to “{}” is being made already.", goal.name))
                .hint("Wait until it is done, or stop it."));
        }
        let order = Arc::new(Order {
            place,
            name: goal.name.clone(),
            target: goal.id,
            ledger: Arc::default(),
            is_reached: AtomicBool::new(false),
            is_begun: AtomicBool::new(false),
            is_written: AtomicBool::new(false),
        });
        orders.push(Arc::clone(&order));
        Ok(Ticket { orders: Arc::clone(&self.orders), order })
    }

    /// Writes the record of a backup that begins or waits.
    async fn noted(&self, gate: &Gate<BackupRun>, cause: Cause, goal: &Goal) -> Result<BackupId> {
        work::refuse_busy(goal.receipts(&self.instance.data)).await?;
        let (place, target) = (goal.place.to_string(), goal.id);
        gate.write(move |tx| super::start(tx, cause, target, place)).await
    }

    async fn carry_out(
        &self,
        gate: &Gate<BackupRun>,
        id: BackupId,
        cause: Cause,
        goal: &Goal,
        order: &Arc<Order>,
    ) -> Result<Made> {
        // Whoever asked for it may have signed out meanwhile; a failure is recorded all the same.
        let own = self.instance.door.job(&MAKER).gate::<BackupRun>(());
        let _turn;
        let worked = match self.ask(goal, order, 0).await {
            Ok(known) => {
                order.is_reached.store(true, Relaxed);
                _turn = self.turn.lock().await;
                order.is_begun.store(true, Relaxed);
                match own.write(move |tx| super::begin(tx, id)).await {
                    Ok(()) => self.work(gate, goal, order, known).await,
                    Err(reason) => Err(reason),
                }
            }
            Err(reason) => Err(reason),
        };
        match worked {
            Ok(made) => {
                let (kept, target) = (made.clone(), goal.id);
                own.write(move |tx| super::finish(tx, id, target, kept)).await?;
                Ok(made)
            }
            Err(reason) => {
                let failure = super::Failure {
                    is_scheduled: cause == Cause::Schedule,
                    was_stopped: order.ledger.is_cancelled(),
                    left_behind: is_taken_over(&reason).then(|| goal.name.clone()),
                    said: reason.sentence().to_owned(),
                };
                let target = goal.id;
                own.write(move |tx| super::fail(tx, id, target, &failure)).await?;
                Err(reason)
            }
        }
    }

    /// Asks the target whether it may be written to: where another machine has taken over, it may not. `known`
    /// marks of takeovers were looked at before; answers how many there are.
    async fn ask(&self, goal: &Goal, order: &Arc<Order>, known: u64) -> Result<u64> {
        order.ledger.go_on()?;
        let (instance, goal, ledger) = (Arc::clone(&self.instance), goal.clone(), Arc::clone(&order.ledger));
        work::blocking(move || {
            goal.refuse_left_behind(goal.open()?.with_ledger(&ledger).storage(), &instance, known)
        })
        .await
    }

    async fn work(
        &self,
        gate: &Gate<BackupRun>,
        goal: &Goal,
        order: &Arc<Order>,
        known: u64,
    ) -> Result<Made> {
        // Once more: it may have waited long for its turn.
        self.ask(goal, order, known).await?;
        let pin = gate.pin().await?;
        let (instance, goal, order) = (Arc::clone(&self.instance), goal.clone(), Arc::clone(order));
        let target = goal.id;
        let written = work::blocking(move || {
            let target = goal.open()?.with_ledger(&order.ledger);
            let engine = engine_of(&instance, &goal, target)?;
            work::write_and_read_back(&instance, &engine, &goal, pin, &order)
        });
        let (made, master) = written.await?;
        if let (Some(id), Some(master)) = (target, master) {
            let (gate, instance) =
                (self.instance.door.job(&MAKER).gate::<BackupRun>(()), Arc::clone(&self.instance));
            gate.write(move |tx| {
                targets::keep_master(tx, &instance, id, master.expose())?;
                Ok(tx.quiet(crate::kernel::audit::Quiet::Unchanged, ()))
            })
            .await?;
        }
        Ok(made)
    }

    /// Reads the newest backup at a place back, every byte of it, and notes that.
    pub async fn verify(&self, gate: &Gate<BackupRun>, goal: Goal) -> Result<Proof> {
        let (instance, place) = (Arc::clone(&self.instance), goal.place.to_string());
        let proof = work::blocking(move || engine(&instance, &goal)?.verify_latest()).await?;
        if proof.findings.errors.is_empty() {
            let receipt = i64::try_from(proof.receipt.number).unwrap_or(i64::MAX);
            gate.write(move |tx| super::note_verified(tx, receipt, &place)).await?;
        }
        Ok(proof)
    }

    /// Takes away what is past its retention; space is returned by `prune`.
    pub async fn forget(&self, gate: &Gate<BackupRun>, goal: Goal) -> Result<usize> {
        let (Some(keep), Some(target)) = (goal.keep, goal.id) else { return Ok(0) };
        let instance = Arc::clone(&self.instance);
        let gone = work::blocking(move || engine_to_write(&instance, &goal)?.forget(&keep)).await?;
        let count = gone.len();
        if count > 0 {
            gate.write(move |tx| super::note_gone(tx, target, &gone)).await?;
        }
        Ok(count)
    }

    /// Returns the space of what was forgotten. Answers whether there was a repository.
    pub async fn prune(&self, goal: Goal) -> Result<bool> {
        let instance = Arc::clone(&self.instance);
        work::blocking(move || match engine_to_write(&instance, &goal)?.prune() {
            Err(reason) if reason.kind() == Kind::NotFound => Ok(false),
            pruned => pruned.map(|()| true),
        })
        .await
    }

    /// Makes the repository at a place open with the recovery kit of now, and with none of before as far as the
    /// place lets us. Answers what is left of before; none where there is no repository.
    pub async fn exchange_locks(&self, goal: Goal) -> Result<Option<Leftover>> {
        let instance = Arc::clone(&self.instance);
        work::blocking(move || match engine_to_write(&instance, &goal)?.exchange_locks() {
            Err(reason) if reason.kind() == Kind::NotFound => Ok(None),
            left => left.map(Some),
        })
        .await
    }

    /// Whether it takes no more orders.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Relaxed)
    }

    /// Whether a backup to this target runs or waits here.
    pub fn is_at_work(&self, target: TargetId) -> bool {
        self.orders().iter().any(|order| order.target == Some(target))
    }
}

impl Order {
    fn progress(&self) -> Progress {
        let step = if self.is_written.load(Relaxed) {
            Step::Reading
        } else if self.is_begun.load(Relaxed) {
            Step::Writing
        } else if self.is_reached.load(Relaxed) {
            Step::Waiting
        } else {
            Step::Reaching
        };
        let (done, total) = (self.ledger.bytes_done.load(Relaxed), self.ledger.bytes_total.load(Relaxed));
        Progress { target: self.target, name: self.name.clone(), step, done, total }
    }
}

/// The engine at a place. Blocks: keys are read, and receipts of an older layout are brought along.
pub(super) fn engine(instance: &Instance, goal: &Goal) -> Result<Engine> {
    engine_of(instance, goal, goal.open()?)
}

/// The same for changing what is there. Errors: `Forbidden` once another machine has taken the instance over.
fn engine_to_write(instance: &Instance, goal: &Goal) -> Result<Engine> {
    let target = goal.open()?;
    goal.refuse_left_behind(target.storage(), instance, 0)?;
    engine_of(instance, goal, target)
}

fn engine_of(instance: &Instance, goal: &Goal, target: Target) -> Result<Engine> {
    let home = goal.receipts(&instance.data);
    home::adopt(&layout::receipts(&instance.data), &home, target.storage())?;
    let keyring = instance.keyring()?;
    let successors = keyring.backup_signing_successors();
    let successors = successors.iter().map(|seed| SigningKey::from_bytes(seed.expose())).collect();
    let identity = Identity {
        instance: keyring.uuid().to_owned(),
        host: HOST.to_owned(),
        signing: SigningKey::from_bytes(keyring.backup_signing().expose()),
    };
    let master = goal.master.as_ref().or(keyring.backup_master());
    let engine = Engine::new(target, keyring.backup_password(), master, identity, &home);
    let deposit =
        keyring::deposit(&std::fs::read(layout::keyring(&instance.data)).map_err(Error::internal)?)?;
    let papers =
        Papers { passwords_before: keyring.backup_passwords_before(), keyring: Some(deposit.into()) };
    Ok(engine.signing_later_with(successors).with_papers(papers))
}
