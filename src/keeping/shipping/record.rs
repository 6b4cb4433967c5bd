//! Recorder: turns commits into sealed segments in the queue. It blocks, and talks to no target.

use super::segment::{self, Aside, Label};
use super::state::{Queue, State};
use crate::keeping::backup::manifest::sha256;
use crate::kernel::access::{Begun, Charge, Frames, Keeper, News, Position};
use crate::kernel::durable::trouble;
use crate::kernel::error::{Error, Kind, Result};
use crate::kernel::keyring::LogKey;
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::time::{Clock, Timestamp};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// The log of one instance on its way into segments.
pub(super) struct Recorder {
    keeper: Keeper,
    book: Arc<Book>,
    /// Frames in the log when its pages were last moved, or when that was tried.
    tried: u32,
    /// Digest of the wrapped keys when its pages were last moved.
    keyring_sum: String,
}

/// What the recorder and the uploads share.
pub(super) struct Book {
    pub data: PathBuf,
    pub queue: Queue,
    pub key: LogKey,
    pub instance: String,
    state: Mutex<State>,
}

impl Book {
    /// The present state.
    pub fn state(&self) -> State {
        self.lock().clone()
    }

    /// Changes the state and stores it; what cannot be stored is not changed.
    pub fn change<T>(&self, with: impl FnOnce(&mut State) -> T) -> Result<T> {
        let mut state = self.lock();
        let mut next = state.clone();
        let value = with(&mut next);
        if next != *state {
            next.save(&self.data)?;
            *state = next;
        }
        Ok(value)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }

    /// Seals what was committed; on return it survives a power cut.
    fn store(&self, news: &News) -> Result<()> {
        let before = self.state();
        let number = before.sealed + 1;
        let path = layout::keyring(&self.data);
        let keyring = fs::read_to_string(&path).map_err(|cause| trouble("read", &path, cause))?;
        let keyring_sum = sha256(keyring.as_bytes());
        let Frames { generation, first, .. } = news.frames;
        let begins = before.begins.unwrap_or(Position { generation, frame: first - 1 });
        let label = Label {
            at: news.at.0,
            previous: before.tag.clone(),
            begins: (number == 1).then_some(begins),
            ..Label::of(&self.instance, &before.stream, number, &news.frames)
        };
        let aside = Aside {
            marks: news.marks.iter().map(|(frame, at)| (*frame, at.0)).collect(),
            keyring: (keyring_sum != before.keyring_sum).then_some(keyring),
        };
        let (sealed, tag) = segment::seal(&self.key, &label, &aside, &news.frames.bytes)?;
        self.queue.put(number, &sealed)?;
        self.change(|state| {
            (state.cursor, state.begins) = (Some(news.end), Some(begins));
            (state.sealed, state.tag, state.keyring_sum) = (number, tag, keyring_sum);
        })
    }
}

impl Recorder {
    /// Begins where the last one ended, or a new log if the database's own does not go on there. Before a
    /// new one begins, `farewell` may ship what is left of the old one.
    pub fn start(
        charge: &Charge,
        data: &Path,
        instance: String,
        key: LogKey,
        farewell: impl FnOnce(&Arc<Book>),
    ) -> Result<(Recorder, Arc<Book>, Begun)> {
        let sum = key.sum();
        let known = State::load(data)?.filter(|state| state.key_sum == sum);
        let fresh = |cursor| State::begun(sum.clone(), cursor);
        let book = |state, key| {
            let (data, queue) = (data.to_owned(), Queue::of(data));
            Arc::new(Book { data, queue, key, instance: instance.clone(), state: Mutex::new(state) })
        };
        if known.is_none() {
            // From now on commands leave the log alone as well.
            fresh(None).save(data)?;
        }
        let cursor = known.as_ref().and_then(|state| state.cursor);
        let old = book(known.unwrap_or_else(|| fresh(None)), key.clone());
        let (keeper, begun) = charge.keep(cursor, |news| old.store(&news))?;
        if begun == Begun::Continued {
            return Ok((Recorder::of(keeper, &old), old, begun));
        }
        if old.state().sealed > 0 {
            farewell(&old);
        }
        State::remove(data)?;
        let new = book(fresh(keeper.taken()), key);
        new.state().save(data)?;
        Ok((Recorder::of(keeper, &new), new, begun))
    }

    fn of(keeper: Keeper, book: &Arc<Book>) -> Recorder {
        let keyring_sum = book.state().keyring_sum;
        Recorder { keeper, book: Arc::clone(book), tried: 0, keyring_sum }
    }

    /// Looks for commits.
    pub fn look(&mut self) -> Result<()> {
        self.keeper.look()?;
        if !self.keeper.has_begun_anew() {
            return Ok(());
        }
        // At once: a process that is killed now is to find its place again, and as the log grows the end of what
        // was there before is written over.
        let book = Arc::clone(&self.book);
        self.keeper.take(&mut |news: News| book.store(&news))
    }

    /// Seals everything that was committed up to the moment that it answers.
    pub fn seal(&mut self) -> Result<Timestamp> {
        let at = Clock::System.now();
        let book = Arc::clone(&self.book);
        let mut store = |news: News| book.store(&news);
        self.keeper.look()?;
        self.keeper.take(&mut store)?;
        self.keeper.settle()?;
        let frames = self.keeper.frames();
        let keyring_sum = book.state().keyring_sum;
        if frames < self.tried {
            self.tried = 0;
        }
        let is_long = frames >= self.tried + limits::LOG_TURN_FRAMES;
        // An exchange of keys ends when nothing under the old one is left, and nobody else can empty the log.
        let is_awaited = !self.keyring_sum.is_empty() && keyring_sum != self.keyring_sum;
        if is_long || is_awaited {
            let is_turned = match self.keeper.turn(&mut store) {
                // Writers are busy, or somebody reads an old state: the log goes on a little.
                Err(reason) if reason.kind() == Kind::Busy => false,
                turned => turned?,
            };
            if is_turned || is_long {
                self.tried = self.keeper.frames();
            }
            if is_turned {
                self.keyring_sum = keyring_sum;
            }
        } else {
            self.keyring_sum = keyring_sum;
        }
        Ok(at)
    }
}

/// Whether an error means that a new log must begin.
pub(super) fn is_gap(reason: &Error) -> bool {
    reason.kind() == Kind::Conflict
}
