//! Watch: whether a backup stands at the beginning of the log, and whether the log keeps up.

use super::keep::{Work, blocking, unknown};
use super::record::Book;
use super::ship;
use super::site::{Line, Site};
use super::{SHIPPER, Shipping};
use crate::keeping::alarms::{self, Alarm};
use crate::keeping::backups::Cause;
use crate::kernel::access::{BackupRun, Gate, InstanceKeep};
use crate::kernel::audit::Quiet;
use crate::kernel::error::Result;
use crate::kernel::limits;
use crate::kernel::time::Clock;
use ed25519_dalek::SigningKey;
use std::sync::Arc;
use std::time::Instant;
use tracing::warn;

impl Shipping {
    /// Asks for the backup that a log begins with, and takes away what no backup needs any more.
    pub(super) async fn see_to_bases(
        self: &Arc<Self>,
        work: &mut Work,
        gate: &Gate<BackupRun>,
        book: &Arc<Book>,
        sites: &[Site],
    ) -> Result<()> {
        let (now, stream) = (Instant::now(), book.state().stream);
        let is_prune_due = work.pruned_at.is_none_or(|at| now - at > limits::LOG_PRUNE_EVERY);
        for site in sites {
            let line = self.line(site);
            if let Some(has_base) = line.found(&stream) {
                self.known().entry(site.id).or_insert_with(|| unknown(site)).has_base = has_base;
                let may_ask = work.asked_at.get(&site.id).is_none_or(|at| now - *at > limits::LOG_BASE_EVERY);
                if !has_base && may_ask && !self.desk.is_at_work(site.id) {
                    work.asked_at.insert(site.id, now);
                    let desk = Arc::clone(&self.desk);
                    if let Err(reason) = desk.begin(gate.clone(), Cause::Schedule, site.goal.clone()).await {
                        warn!(place = site.name, ?reason, "the backup that the log needs could not be begun");
                    }
                }
            }
            let has_base = self.known().get(&site.id).is_some_and(|place| place.has_base);
            if (!has_base || is_prune_due) && line.begin_look() {
                self.look_for_base(site, line, Arc::clone(book), is_prune_due);
            }
        }
        if is_prune_due {
            work.pruned_at = Some(now);
        }
        Ok(())
    }

    /// Looks whether a target has the backup that its log begins with. Whatever it takes, the others go on.
    fn look_for_base(self: &Arc<Self>, site: &Site, line: Arc<Line>, book: Arc<Book>, is_prune_due: bool) {
        let (own, site, stream) = (Arc::clone(self), site.clone(), book.state().stream);
        let (way, asked, instance) = (Arc::clone(&line), site.clone(), Arc::clone(&self.desk.instance));
        tokio::spawn(async move {
            let looked = blocking(move || {
                let signing = SigningKey::from_bytes(instance.keyring()?.backup_signing().expose());
                let target = way.open_to_write(&asked, &instance)?;
                let kept = ship::kept(target.storage(), &signing.verifying_key())?;
                let state = book.state();
                let begins = state.places.get(&asked.key()).and_then(|reached| reached.begins);
                if is_prune_due {
                    ship::prune(target.storage(), &state.stream, &kept)?;
                }
                Ok(ship::is_followed(&kept, begins, state.begun_at))
            });
            let looked = looked.await.inspect_err(|reason| {
                warn!(place = site.name, ?reason, "the backups of the log could not be looked at");
            });
            if line.end_look(stream, looked.ok()) {
                own.nudge();
            }
        });
    }

    pub(super) async fn raise(&self, work: &mut Work, sites: &[Site]) -> Result<()> {
        let now = Clock::System.now();
        for site in sites {
            let place = self.known().get(&site.id).cloned();
            let left = place.clone().filter(|place| place.is_left_behind).and_then(|place| place.trouble);
            let late = place.filter(|place| place.is_late(now));
            let stands = (site.name.clone(), late.is_some(), left.is_some());
            if work.alarmed.get(&site.id) == Some(&stands) {
                continue;
            }
            let (name, late) = (&site.name, late.map(|place| place.sentence(now)));
            let late = late.map(|why| format!("The log does not reach {name}. {why}"));
            self.set_alarms(name, [(Alarm::LogLagging, late), (Alarm::TakenOver, left)]).await?;
            work.alarmed.insert(site.id, stands);
        }
        Ok(())
    }

    /// Raises alarms with their sentences, and ends those without.
    pub(super) async fn set_alarms(&self, place: &str, said: [(Alarm, Option<String>); 2]) -> Result<()> {
        let gate = self.desk.instance.door.job(&SHIPPER).gate::<InstanceKeep>(());
        let place = place.to_owned();
        let writing = gate.write(move |tx| {
            for (alarm, sentence) in &said {
                match sentence {
                    Some(sentence) => alarms::raise(tx, *alarm, &place, sentence)?,
                    None => alarms::clear(tx, *alarm, &place)?,
                }
            }
            Ok(tx.quiet(Quiet::JobHeartbeat, ()))
        });
        writing.await
    }
}
