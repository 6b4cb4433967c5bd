//! The keeper: exchanges keys that were ordered, one after the other, while the instance answers.
//!
//! Every step may be cut off. What an exchange leads to is noted before it begins, so going on never
//! makes one generation too many, and each step looks first whether it is done already.

use super::{Change, Kind, STOPPED, age, sql};
use crate::keeping::backups::Desk;
use crate::keeping::targets::Goal;
use crate::keeping::{certificates, targets};
use crate::kernel::access::{BackupRun, Gate, InstanceKeep, Job, Permission, Tx, restamp};
use crate::kernel::alarms::{self, Alarm};
use crate::kernel::audit::{self, Quiet};
use crate::kernel::blobs::Rekeyed;
use crate::kernel::error::{Error, Kind as Failure, Result};
use crate::kernel::instance::{Instance, Resealed};
use crate::kernel::keyring::Purpose;
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tracing::{error, info};

/// Exchanges keys; may do nothing else.
pub(super) const KEEPER: Job = Job {
    name: "keys",
    meaning: "Exchanges keys that were ordered.",
    may: &[InstanceKeep::INFO, BackupRun::INFO],
};

/// Exchanges the keys of one instance, in the process that holds its folder.
pub struct Keeper {
    instance: Arc<Instance>,
    desk: Arc<Desk>,
    gate: Gate<InstanceKeep>,
}

/// What is to happen once nothing lies under an older key of the vault.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Nothing,
    ForgetOlder,
}

/// How a step ended.
enum Step {
    Done,
    /// It goes on at the next look, for this reason.
    Later(String),
}

impl Keeper {
    /// A keeper of the instance of this desk.
    pub fn new(desk: Arc<Desk>) -> Keeper {
        let gate = desk.instance.door.job(&KEEPER).gate::<InstanceKeep>(());
        Keeper { instance: Arc::clone(&desk.instance), desk, gate }
    }

    /// Does what is ordered for as long as it is polled.
    pub async fn watch(self) {
        loop {
            if let Err(reason) = self.look().await {
                error!(?reason, "the keeper of keys could not do its work");
            }
            sleep(limits::KEYS_LOOK_EVERY).await;
        }
    }

    /// Makes every target that has not come so far open with the recovery kit in force; answers how many are left.
    pub async fn follow_kit(&self) -> Result<usize> {
        let generation = self.instance.keyring()?.generation(Purpose::BackupPassword);
        let behind = self.gate.read(move |tx| super::kit::behind(tx, generation)).await?;
        let mut left = 0;
        for target in behind {
            let (instance, id) = (Arc::clone(&self.instance), target.id);
            let goal = self.gate.read(move |tx| Goal::even_if_off(tx, &instance, &targets::get(tx, id)?));
            let reached = match goal.await {
                Ok(goal) => self.desk.exchange_locks(goal).await,
                Err(reason) => Err(reason),
            };
            left += usize::from(reached.is_err());
            let note = self.gate.write(move |tx| super::kit::note(tx, &target, generation, &reached));
            note.await?;
        }
        Ok(left)
    }

    /// Does all that is ordered, and comes back when nothing of it is left.
    pub async fn finish(&self) -> Result<()> {
        while self.look().await? > 0 {
            sleep(limits::KEYS_LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Looks once, and does what is ordered; answers how many exchanges are left.
    async fn look(&self) -> Result<usize> {
        let (open, stamps) = self.gate.read(|tx| Ok((sql::open(tx)?, tx.is_any_restamp()))).await?;
        if stamps {
            self.gate.write(|tx| restamp(tx).map(|_| tx.quiet(Quiet::LastSeen, ()))).await?;
        }
        let mut left = 0;
        for change in open {
            let Some(kind) = change.kind else { continue };
            left += usize::from(!self.carry_on(change, kind).await?);
        }
        self.follow_kit().await?;
        Ok(left)
    }

    /// Goes on with one; answers whether it has ended.
    async fn carry_on(&self, change: Change, kind: Kind) -> Result<bool> {
        let target = self.begin(&change, kind).await?;
        let outcome = self.step(kind, change.id, target).await;
        let (id, word, ordered_at) = (change.id, kind.word(), change.ordered_at);
        match outcome {
            Ok(Step::Done) => {
                info!(key = word, generation = target, "the key for {word} is exchanged");
                let done = self.gate.write(move |tx| {
                    sql::end(tx, id, "done", None)?;
                    alarms::clear(tx, Alarm::KeyChangeStuck, word)?;
                    alarms::clear(tx, Alarm::KeyOld, word)?;
                    tx.audited(kind.event().alone().count("generation", i64::from(target)), ())
                });
                done.await.map(|()| true)
            }
            Ok(Step::Later(why)) => self.wait(id, word, ordered_at, why).await.map(|()| false),
            Err(reason) if reason.kind() == Failure::Busy => {
                self.wait(id, word, ordered_at, reason.sentence().to_owned()).await.map(|()| false)
            }
            Err(reason) => {
                error!(?reason, key = word, "the key for {word} could not be exchanged");
                let hint = reason.hint_text().unwrap_or_default();
                let said = format!("{} {hint}", reason.sentence()).trim().to_owned();
                let failed = self.gate.write(move |tx| {
                    sql::end(tx, id, "failed", Some(&said))?;
                    alarms::raise(tx, Alarm::KeyChangeStuck, word, &format!("{}: {said}", kind.title()))?;
                    tx.audited(STOPPED.alone().count("generation", i64::from(target)), ())
                });
                failed.await.map(|()| true)
            }
        }
    }

    /// Notes where it leads before anything changes.
    async fn begin(&self, change: &Change, kind: Kind) -> Result<u32> {
        if let (Some(target), "running") = (change.generation, change.state.as_str()) {
            return Ok(target);
        }
        let target = {
            let keyring = self.instance.keyring()?;
            let pending = keyring.pending_database().filter(|_| kind == Kind::Database);
            pending.unwrap_or_else(|| keyring.next_generation(kind.purpose()))
        };
        let id = change.id;
        let begun = self.gate.write(move |tx| {
            sql::begin(tx, id, target)?;
            Ok(tx.quiet(Quiet::JobHeartbeat, ()))
        });
        begun.await.map(|()| target)
    }

    async fn step(&self, kind: Kind, id: i64, target: u32) -> Result<Step> {
        match kind {
            Kind::Master => self.instance.change_keyring(|keyring| {
                if keyring.master_generation() < target { keyring.renew_master(now()) } else { Ok(()) }
            })?,
            Kind::Database => return self.database(target).await,
            Kind::Blobs => return self.blobs(id, target).await,
            Kind::Chain => {
                self.renew(Purpose::Chain, target)?;
                let changed = self.gate.write(move |tx| match audit::chain_generation(tx)? < target {
                    true => audit::change_chain_key(tx, target),
                    false => Ok(tx.quiet(Quiet::Unchanged, ())),
                });
                changed.await?;
            }
            Kind::Vault => return self.vault(target).await,
            Kind::Tokens => self.renew(Purpose::Tokens, target)?,
            Kind::Signing => self.renew(Purpose::BackupSigning, target)?,
        }
        Ok(Step::Done)
    }

    /// Moves the database to its next key, with no backup in between: one that reads the file now and the
    /// keyring later would be of two minds.
    async fn database(&self, target: u32) -> Result<Step> {
        let Ok(_pause) = self.desk.pause() else {
            return Ok(Step::Later("A backup is being made; the exchange follows it.".into()));
        };
        if self.instance.keyring()?.generation(Purpose::Database) < target {
            self.instance.rekey_database().await?;
        }
        // What lies in the file itself is under the old key until the log has been moved there.
        for _ in 0..limits::KEYS_LOG_TRIES {
            if self.instance.door.empty_log().await? {
                return Ok(Step::Done);
            }
            sleep(Duration::from_millis(200)).await;
        }
        Ok(Step::Later(
            "A long read still uses the log of the database; it is emptied as soon as that ends.".into(),
        ))
    }

    /// Encrypts every file anew, with pauses that leave most of the disk to others.
    async fn blobs(&self, id: i64, target: u32) -> Result<Step> {
        self.renew(Purpose::Blobs, target)?;
        let names = self.instance.blobs.names()?;
        let total = i64::try_from(names.len()).unwrap_or(i64::MAX);
        let (mut damaged, mut since_noted) = (0, 0);
        for (done, name) in (1..).zip(names) {
            match self.instance.blobs.rekey_aside(&name).await? {
                Rekeyed::Anew(bytes) => {
                    since_noted += bytes;
                    sleep(pause_after(bytes)).await;
                }
                Rekeyed::Had | Rekeyed::Gone => {}
                Rekeyed::Damaged => damaged += 1,
            }
            if since_noted > limits::BLOB_REKEY_BYTES_PER_SECOND || done % 100 == 0 || done == total {
                since_noted = 0;
                let noting = self.gate.write(move |tx| {
                    sql::progress(tx, id, done, total)?;
                    Ok(tx.quiet(Quiet::JobHeartbeat, ()))
                });
                noting.await?;
            }
        }
        if damaged > 0 {
            return Err(Error::conflict(format!(
                "{damaged} attached files are damaged and keep the key they had."
            ))
            .hint("Bring them back from a backup, then order the exchange once more."));
        }
        Ok(Step::Done)
    }

    /// Seals every secret of the database anew.
    async fn vault(&self, target: u32) -> Result<Step> {
        self.renew(Purpose::Vault, target)?;
        for _ in 0..limits::KEYS_VAULT_ROUNDS {
            let tally = self.reseal(Then::Nothing).await?;
            if tally.unreadable > 0 {
                let count = tally.unreadable;
                return Err(Error::conflict(format!(
                    "{count} stored secrets open under no key, so the older keys of the vault stay."
                ))
                .hint("Enter the secrets of targets that cannot be reached anew, then order the exchange once more."));
            }
            // Once more, in one transaction with the end of the older keys: nobody seals under them meanwhile.
            if self.reseal(Then::ForgetOlder).await?.changed == 0 {
                return Ok(Step::Done);
            }
        }
        Ok(Step::Later("Secrets are being changed all the time; the exchange goes on.".into()))
    }

    /// Moves what is sealed to the key in use; if there was nothing to move, the older keys may go.
    async fn reseal(&self, then: Then) -> Result<Resealed> {
        let instance = Arc::clone(&self.instance);
        let resealing = self.gate.write(move |tx| {
            let mut tally = Resealed::default();
            targets::reseal(tx.also()?, &instance, &mut tally)?;
            certificates::reseal(tx, &instance, &mut tally)?;
            if then == Then::ForgetOlder && tally == Resealed::default() {
                instance.change_keyring(|keyring| Ok(keyring.forget_older_vaults()))?;
            }
            Ok(tx.quiet(Quiet::JobHeartbeat, tally))
        });
        resealing.await
    }

    fn renew(&self, purpose: Purpose, target: u32) -> Result<()> {
        if self.instance.keyring()?.generation(purpose) < target {
            self.instance.change_keyring(|keyring| keyring.renew(purpose, now()))?;
        }
        Ok(())
    }

    /// Notes why one waits, and raises the alarm once it waits for too long.
    async fn wait(&self, id: i64, word: &'static str, ordered_at: Timestamp, why: String) -> Result<()> {
        let noted = self.gate.write(move |tx| {
            sql::wait(tx, id, &why)?;
            if tx.now().0 - ordered_at.0 > limits::KEY_CHANGE_STUCK_MS {
                alarms::raise(tx, Alarm::KeyChangeStuck, word, &why)?;
            }
            Ok(tx.quiet(Quiet::JobHeartbeat, ()))
        });
        noted.await
    }
}

/// A pause as long as the work may have taken at its bound.
fn pause_after(bytes: u64) -> Duration {
    Duration::from_micros(bytes * 1_000_000 / limits::BLOB_REKEY_BYTES_PER_SECOND)
}

fn now() -> Timestamp {
    age::now()
}
