//! The loop: look, seal, ship, and see to it that a backup stands at the beginning of each log.

use super::record::{Book, Recorder, is_gap};
use super::ship;
use super::site::{Line, Site, match_places, sites};
use super::state::State;
use super::{Place, SHIPPER, Shipping, Switch, begun, blobs_after};
use crate::keeping::alarms::Alarm;
use crate::keeping::takeover::is_taken_over;
use crate::kernel::access::{BackupRun, Begun, Gate};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::TargetId;
use crate::kernel::instance::Instance;
use crate::kernel::limits;
use crate::kernel::time::{Clock, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::{error, info, warn};

/// What came of a shipment.
enum Shipped {
    /// The target has all there is.
    Everything,
    /// There is no repository yet.
    NotReady,
    /// It has more than this instance knows of.
    Overtaken,
}

/// What the loop holds from one round to the next.
#[derive(Default)]
pub(super) struct Work {
    recorder: Option<Recorder>,
    book: Option<Arc<Book>>,
    /// When a backup to a target was last asked for. By a clock that nobody sets, like all that is due here.
    pub asked_at: BTreeMap<TargetId, Instant>,
    /// When segments that no backup needs were last taken away.
    pub pruned_at: Option<Instant>,
    /// Targets whose state is known: whether it was alarming, and whether another machine had taken over there.
    pub alarmed: BTreeMap<TargetId, (String, bool, bool)>,
    /// When the next shipment is due.
    due_at: Option<Instant>,
}

impl Work {
    fn is_round_due(&self) -> bool {
        self.due_at.is_none_or(|at| Instant::now() >= at)
    }
}

impl Shipping {
    /// Ships until `stop` is called.
    pub(super) async fn keep_on(self: Arc<Self>) {
        let mut work = Work::default();
        let mut looks = interval(limits::LOG_LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.is_stopping.load(SeqCst) {
            tokio::select! {
                _ = looks.tick() => match work.is_round_due() {
                    true => self.round(&mut work).await,
                    false => self.look(&mut work).await,
                },
                () = self.nudge.notified() => self.round(&mut work).await,
            }
        }
        // What was committed last is not to wait for the next start.
        if work.recorder.is_some() {
            self.round(&mut work).await;
            let settled = async {
                while self.is_any_busy() {
                    sleep(limits::STOP_LOOK_EVERY).await;
                }
            };
            if timeout(limits::LOG_STOP_GRACE, settled).await.is_err() {
                warn!("the last of the log was not shipped in time; it waits for the next start");
            }
        }
        self.stopped.notify_one();
    }

    /// Ships what there is, then stops. Call it when nothing writes any more.
    pub async fn stop(&self) {
        self.is_stopping.store(true, SeqCst);
        self.nudge.notify_one();
        if self.is_started.load(SeqCst)
            && timeout(limits::LOG_STOP_GRACE * 2, self.stopped.notified()).await.is_err()
        {
            warn!("shipping of the log took too long to stop");
        }
    }

    async fn look(&self, work: &mut Work) {
        if let Some(mut recorder) = work.recorder.take() {
            let looked = blocking(move || {
                let looked = recorder.look();
                Ok((looked, recorder))
            });
            self.carry_on(work, looked.await.map(|(looked, recorder)| (looked.map(drop), recorder)));
        }
    }

    /// Keeps the recorder, unless the log has a gap: then the next round begins a new one.
    fn carry_on(&self, work: &mut Work, outcome: Result<(Result<()>, Recorder)>) {
        match outcome {
            Ok((Ok(()), recorder)) => work.recorder = Some(recorder),
            Ok((Err(reason), _)) if is_gap(&reason) => {
                warn!(?reason, "the log of the database has a gap; a new log and a new backup follow");
            }
            Ok((Err(reason), recorder)) => {
                error!(?reason, "the log of the database could not be read");
                self.tell(&reason);
                work.recorder = Some(recorder);
            }
            Err(reason) => error!(?reason, "the log of the database could not be read"),
        }
    }

    async fn round(self: &Arc<Self>, work: &mut Work) {
        if let Err(reason) = self.try_round(work).await {
            error!(?reason, "the log could not be shipped");
            self.tell(&reason);
        }
    }

    fn tell(&self, reason: &Error) {
        for place in self.known().values_mut() {
            place.trouble = Some(reason.sentence().to_owned());
        }
    }

    async fn try_round(self: &Arc<Self>, work: &mut Work) -> Result<()> {
        let gate = self.desk.instance.door.job(&SHIPPER).gate::<BackupRun>(());
        work.due_at = Some(Instant::now() + limits::LOG_LOOK_AGAIN);
        let instance = Arc::clone(&self.desk.instance);
        let (switch, sites) = gate.read(move |tx| Ok((Switch::get(tx)?, sites(tx, &instance)?))).await?;
        work.due_at = Some(Instant::now() + Duration::from_millis(switch.pause_ms().unsigned_abs()));
        let sites = if switch.is_on { sites } else { Vec::new() };
        self.known().retain(|id, _| sites.iter().any(|site| site.id == *id));
        if sites.is_empty() {
            return self.give_up(work, &gate).await;
        }
        let key_sum = self.desk.instance.keyring()?.log().sum();
        if work.book.as_ref().is_some_and(|book| book.state().key_sum != key_sum) {
            work.recorder = None;
        }
        if self.is_overtaken.swap(false, SeqCst) {
            warn!("a target has more of the log than this instance: it was set back; a new log follows");
            (work.recorder, work.book) = (None, None);
            State::remove(&self.desk.instance.data)?;
        }
        if work.recorder.is_none() {
            self.begin(work, &gate, &sites).await?;
        }
        let (Some(mut recorder), Some(book)) = (work.recorder.take(), work.book.clone()) else {
            return Ok(());
        };
        let sealing = blocking(move || {
            let sealed = recorder.seal();
            Ok((sealed, recorder))
        });
        let sealed = sealing.await?;
        let at = sealed.0.as_ref().ok().copied();
        self.carry_on(work, Ok((sealed.0.map(drop), sealed.1)));
        let Some(at) = at else { return Ok(()) };
        clear(&gate, &book).await?;
        book.change(|state| match_places(state, &sites))?;
        give_up_slow(&book)?;
        for site in &sites {
            self.send(site, &book, at);
        }
        self.see_to_bases(work, &gate, &book, &sites).await?;
        self.raise(work, &sites).await
    }

    /// Takes the log over and begins to record.
    async fn begin(&self, work: &mut Work, gate: &Gate<BackupRun>, sites: &[Site]) -> Result<()> {
        let instance = Arc::clone(&self.desk.instance);
        let charge = gate.take_charge_of_log().await?;
        let (uuid, key) = {
            let keyring = instance.keyring()?;
            (keyring.uuid().to_owned(), keyring.log())
        };
        let sites = sites.to_vec();
        let starting = blocking(move || {
            Recorder::start(&charge, &instance.data, uuid, key, |old| say_farewell(old, &sites, &instance))
        });
        let (recorder, book, how) = starting.await?;
        info!(stream = book.state().stream, ?how, "shipping the log");
        if how == Begun::Anew {
            let newest = gate.write(begun).await?;
            book.change(|state| state.blob = newest)?;
            work.asked_at.clear();
            self.known().clear();
        }
        (work.recorder, work.book) = (Some(recorder), Some(book));
        Ok(())
    }

    async fn give_up(&self, work: &mut Work, gate: &Gate<BackupRun>) -> Result<()> {
        let data = self.desk.instance.data.clone();
        if work.recorder.take().is_none() && State::load(&data)?.is_none() {
            return Ok(());
        }
        work.book = None;
        self.known().clear();
        State::remove(&data)?;
        gate.give_log_back().await?;
        for (name, ..) in std::mem::take(&mut work.alarmed).into_values() {
            self.set_alarms(&name, [(Alarm::LogLagging, None), (Alarm::TakenOver, None)]).await?;
        }
        info!("the log is not shipped any more");
        Ok(())
    }

    pub(super) fn line(&self, site: &Site) -> Arc<Line> {
        let mut lines = self.lines.lock().expect("nobody panics while holding it");
        Arc::clone(lines.entry(site.id).or_default())
    }

    /// Ships to one target, unless that is still under way.
    fn send(self: &Arc<Self>, site: &Site, book: &Arc<Book>, at: Timestamp) {
        let line = self.line(site);
        if line.is_busy.swap(true, SeqCst) {
            return;
        }
        let state = book.state();
        let has_all = state.places.get(&site.key()).is_some_and(|reached| reached.segments == state.cleared);
        if let Some(place) = self.known().get_mut(&site.id)
            && has_all
            && place.is_told(at)
            && !self.is_stopping.load(SeqCst)
        {
            place.reached = Some(at);
            return line.is_busy.store(false, SeqCst);
        }
        let is_new = self.known().get(&site.id).is_none_or(|place| place.reached.is_none());
        let (shipping, site, book) = (Arc::clone(self), site.clone(), Arc::clone(book));
        tokio::spawn(async move {
            let (own, opened, asked) = (Arc::clone(&book), Arc::clone(&line), site.clone());
            let instance = Arc::clone(&shipping.desk.instance);
            let shipped = blocking(move || {
                let target = opened.open_to_write(&asked, &instance)?;
                if is_new && !ship::is_ready(target.storage())? {
                    return Ok(Shipped::NotReady);
                }
                if is_new && ship::is_ahead(&own, &asked.key(), target.storage())? {
                    return Ok(Shipped::Overtaken);
                }
                ship::upload(&own, &asked.key(), target.storage(), at).map(|()| Shipped::Everything)
            });
            let shipped = shipped.await;
            shipping.note(&site, &book, at, shipped, has_all);
            line.is_busy.store(false, SeqCst);
        });
    }

    /// Notes how a shipment went.
    fn note(&self, site: &Site, book: &Book, at: Timestamp, shipped: Result<Shipped>, is_quiet: bool) {
        let state = book.state();
        let reached = state.places.get(&site.key());
        let mut known = self.known();
        let place = known.entry(site.id).or_insert_with(|| unknown(site));
        place.waiting = state.sealed.saturating_sub(reached.map_or(0, |reached| reached.segments));
        match shipped {
            // The first backup makes it ready.
            Ok(Shipped::NotReady) => place.trouble = None,
            Ok(Shipped::Overtaken) => self.is_overtaken.store(true, SeqCst),
            Ok(Shipped::Everything) if reached.is_some_and(|reached| reached.is_lost) => {
                place.trouble = Some("It fell too far behind; the log goes on with the next backup.".into());
                place.has_base = false;
            }
            Ok(Shipped::Everything) => {
                (place.trouble, place.reached, place.head) = (None, Some(at), Some((at, is_quiet)));
                place.is_left_behind = false;
            }
            Err(reason) => {
                // Once: it is tried again every few seconds.
                if place.trouble.as_deref() != Some(reason.sentence()) {
                    warn!(place = site.name, ?reason, "the log could not be shipped");
                }
                place.trouble = Some(reason.sentence().to_owned());
                place.is_left_behind |= is_taken_over(&reason);
            }
        }
    }

    fn is_any_busy(&self) -> bool {
        let lines = self.lines.lock().expect("nobody panics while holding it");
        lines.values().any(|line| line.is_busy.load(SeqCst))
    }
}

/// Ships the end of an old log to all targets at once. The new one waits for it, so a silent target has not long.
fn say_farewell(old: &Arc<Book>, sites: &[Site], instance: &Instance) {
    thread::scope(|scope| {
        for site in sites {
            scope.spawn(move || {
                let goal = site.goal.clone().brief();
                let shipped = goal.open().and_then(|target| {
                    goal.refuse_left_behind(target.storage(), instance, 0)?;
                    ship::say_farewell(old, &site.key(), target.storage())
                });
                if let Err(reason) = shipped {
                    warn!(place = site.name, ?reason, "the end of the old log could not be shipped");
                }
            });
        }
    });
}

pub(super) fn unknown(site: &Site) -> Place {
    let (id, name) = (site.id, site.name.clone());
    let since = Clock::System.now();
    let (reached, trouble, head) = (None, None, None);
    Place { id, name, reached, has_base: false, waiting: 0, trouble, is_left_behind: false, head, since }
}

/// Notes the files of evidence that the new segments speak of: only then may these be shipped.
async fn clear(gate: &Gate<BackupRun>, book: &Arc<Book>) -> Result<()> {
    let state = book.state();
    if state.cleared == state.sealed {
        return Ok(());
    }
    let (mut after, mut names) = (state.blob, Vec::new());
    loop {
        // Read after the last segment was sealed, so it knows of all that is spoken of there.
        let found = gate.read(move |tx| blobs_after(tx, after)).await?;
        let Some(last) = found.last() else { break };
        after = last.id;
        names.extend(found.into_iter().map(|blob| blob.name));
    }
    let own = Arc::clone(book);
    blocking(move || {
        if !names.is_empty() {
            own.queue.put_blobs(state.cleared + 1, &names)?;
        }
        own.change(|now| (now.cleared, now.blob) = (state.sealed, after))
    })
    .await
}

/// More than so much is not kept for a target that cannot be reached: it gets the log again with its next
/// backup.
fn give_up_slow(book: &Book) -> Result<()> {
    let waiting = book.queue.segments()?;
    if waiting.values().sum::<u64>() <= limits::LOG_QUEUE_BYTES_MAX {
        return Ok(());
    }
    let shipped = book.change(|state| {
        let slowest = state.shipped();
        for reached in state.places.values_mut().filter(|reached| reached.segments == slowest) {
            reached.is_lost = true;
        }
        state.shipped()
    })?;
    book.queue.drop_until(shipped)
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(Error::internal(panic)))
}
