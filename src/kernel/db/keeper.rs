//! The keeper of the log: sees to it that no commit leaves the log before it was handed out.
//!
//! A log begins anew once all its pages are in the database file and no reader is left that needs the log.
//! So the keeper always reads. Its transaction is of one of two kinds, and SQLite chooses:
//!
//! - it needs the log (a lock on a read mark): then no process can make the log begin anew;
//! - it needs the file alone (the lock `WAL_READ_LOCK(0)`): then no process can move a page into the file,
//!   so what comes next stays in the log.
//!
//! A new transaction begins before the old one ends. Is there a commit behind the old one, then pages behind
//! it cannot have been moved, and the new one is of the first kind. It may be of the second kind only where
//! everything was handed out. So a default connection of another program can move pages and loses nothing.
//!
//! Pages are moved by `turn` alone, with writers waiting for a moment. Where the log does not go on as it
//! should, the answer is `Conflict`: then only a new backup helps. What is done with frames is not known here.

use super::log::{Cursor, Frames, Log, Position};
use super::open;
use super::{SharedKey, pin};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::time::{Clock, Timestamp};
use rusqlite::{Connection, ErrorCode};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// The right to keep the log of one database. Nobody but the keeper moves pages from now on.
#[derive(Clone)]
pub struct Charge {
    path: PathBuf,
    key: SharedKey,
}

/// Frames to be stored, the place behind them, and the moments between them.
pub struct News {
    /// What was committed.
    pub frames: Frames,
    /// The place behind them.
    pub end: Cursor,
    /// Commits among them, and when each was seen: everything up to it was committed by then.
    pub marks: Vec<(u32, Timestamp)>,
    /// Everything that was committed by then is before `end` or in what follows at once.
    pub at: Timestamp,
}

/// How a keeper began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begun {
    /// The log goes on behind the place that was known.
    Continued,
    /// Nothing was known, or the log does not go on there. What it holds is not handed out.
    Anew,
}

/// Keeps the log of one database. One for each database, in the process that serves it.
pub struct Keeper {
    charge: Charge,
    log: Log,
    gate: Connection,
    mover: Connection,
    /// Reads, always.
    holder: Connection,
    /// Reads for the moment in which the two change places.
    spare: Connection,
    /// What is before it was handed out.
    taken: Option<Cursor>,
    /// The last commit that was seen.
    seen: Option<Cursor>,
    may_begin_anew: bool,
    marks: VecDeque<(u32, Timestamp)>,
    looked_at: Timestamp,
}

impl Charge {
    pub(super) fn new(path: &Path, key: SharedKey) -> Charge {
        Charge { path: path.to_owned(), key }
    }

    /// Begins to keep the log, behind the place up to which it was handed out before.
    ///
    /// What was committed since is handed out at once, with writers waiting: another process may have moved
    /// it into the file, and then the next commit could write over it.
    pub fn keep(
        &self,
        known: Option<Cursor>,
        mut store: impl FnMut(News) -> Result<()>,
    ) -> Result<(Keeper, Begun)> {
        let path = &self.path;
        let open = || self.open();
        let (gate, mover, holder, spare) = (open()?, open()?, open()?, open()?);
        gate.execute_batch("BEGIN IMMEDIATE")?;
        if read(&holder)? == Seen::AnotherKey {
            return Err(gap("it has another key"));
        }
        let log = Log(pin::held(&open::log_of(path))?);
        let mut keeper = Keeper {
            charge: self.clone(),
            log,
            gate,
            mover,
            holder,
            spare,
            taken: None,
            seen: None,
            may_begin_anew: true,
            marks: VecDeque::new(),
            looked_at: Clock::System.now(),
        };
        let begun = keeper.begin(known, &mut store);
        keeper.gate.execute_batch("ROLLBACK")?;
        begun.map(|begun| (keeper, begun))
    }

    fn open(&self) -> Result<Connection> {
        let key = self.key.lock().expect("nobody panics while holding it").clone();
        open::keeper(&self.path, &key)
    }
}

impl Keeper {
    fn begin(&mut self, known: Option<Cursor>, store: &mut impl FnMut(News) -> Result<()>) -> Result<Begun> {
        let Some(header) = self.log.header()? else { return Ok(Begun::Anew) };
        // Everything may have been moved before this process began, and the next commit began the log anew.
        let kept = u64::try_from(limits::LOG_BYTES_KEPT).unwrap_or(0);
        let goes_on = match known {
            Some(known) => self.log.holds(&header, &known)? || self.log.ended_at(&header, &known, kept)?,
            None => false,
        };
        if !goes_on {
            let end = self.log.last_commit(&header, header.start())?;
            (self.taken, self.seen) = (Some(end), Some(end));
            return Ok(Begun::Anew);
        }
        (self.taken, self.seen) = (known, known);
        self.look()?;
        self.take(store)?;
        // Nobody writes yet, so everything was handed out. Where all of it had been moved before, the log begins
        // anew with the next commit.
        self.may_begin_anew = true;
        Ok(Begun::Continued)
    }

    /// Looks for commits, notes when they were seen and goes along with them.
    ///
    /// Errors: `Conflict` where the log does not go on as it should.
    pub fn look(&mut self) -> Result<()> {
        let now = Clock::System.now();
        let Some(header) = self.log.header()? else { return Ok(()) };
        let from = match self.seen {
            Some(seen) if seen.position.generation == header.generation => {
                if !self.log.holds(&header, &seen)? {
                    return Err(gap("what was in it was written over"));
                }
                seen
            }
            Some(seen) if self.may_begin_anew && seen.position.generation.precedes(&header.generation) => {
                header.start()
            }
            None if self.may_begin_anew => header.start(),
            _ => return Err(gap("it began anew")),
        };
        let to = self.log.last_commit(&header, from)?;
        self.looked_at = now;
        if to == from {
            return Ok(());
        }
        self.marks.push_back((to.position.frame, Clock::System.now()));
        if from.position.frame == 0 {
            self.taken = Some(from);
        }
        (self.seen, self.may_begin_anew) = (Some(to), false);
        self.go_along()
    }

    /// Hands out everything that was seen, in pieces.
    pub fn take(&mut self, store: &mut impl FnMut(News) -> Result<()>) -> Result<()> {
        let (Some(mut from), Some(to)) = (self.taken, self.seen) else { return Ok(()) };
        if from == to {
            return Ok(());
        }
        let header = self.log.header()?.filter(|header| header.generation == to.position.generation);
        let header = header.ok_or_else(|| gap("it began anew"))?;
        while from.position.frame < to.position.frame {
            let count = (to.position.frame - from.position.frame).min(limits::LOG_SEGMENT_FRAMES_MAX);
            let (frames, end) = self.log.frames(&header, from, count)?;
            let marks = self.marks.iter().take_while(|(frame, _)| *frame <= frames.end()).copied().collect();
            store(News { frames, end, marks, at: self.looked_at })?;
            // Only now: what could not be stored is handed out again.
            while self.marks.front().is_some_and(|(frame, _)| *frame <= end.position.frame) {
                self.marks.pop_front();
            }
            self.taken = Some(end);
            from = end;
        }
        Ok(())
    }

    /// Lets others move what was handed out, if nothing came since.
    pub fn settle(&mut self) -> Result<()> {
        let (Some(taken), Some(header)) = (self.taken, self.log.header()?) else { return Ok(()) };
        if taken.position.generation != header.generation || self.seen != self.taken || self.may_begin_anew {
            return Ok(());
        }
        self.read_on_spare()?;
        // Looked at after the new transaction began: what that one takes for moved was handed out.
        let last = self.log.last_commit(&header, taken);
        if last.as_ref().is_ok_and(|last| *last == taken) {
            std::mem::swap(&mut self.holder, &mut self.spare);
            self.may_begin_anew = true;
        }
        self.spare.execute_batch("ROLLBACK")?;
        last.map(drop)
    }

    /// Whether the log has begun anew, and nothing of that was handed out yet.
    pub fn has_begun_anew(&self) -> bool {
        matches!((self.taken, self.seen), (Some(taken), Some(seen)) if taken.position.frame == 0 && seen != taken)
    }

    /// Frames in the log that were handed out.
    pub fn frames(&self) -> u32 {
        self.taken.map_or(0, |taken| taken.position.frame)
    }

    /// The place behind everything that was handed out.
    pub fn taken(&self) -> Option<Cursor> {
        self.taken
    }

    /// Hands out the rest and moves all pages into the file, so that the log can begin anew. `false` where
    /// somebody reads an old state: then the log goes on, and a later turn tries again.
    pub fn turn(&mut self, store: &mut impl FnMut(News) -> Result<()>) -> Result<bool> {
        // First with the writers going on: what is left for the moment they wait is then small.
        self.look()?;
        self.take(store)?;
        self.settle()?;
        pin::left_in_log(&self.mover)?;
        self.gate.execute_batch("BEGIN IMMEDIATE")?;
        let turned = self.turn_while_nobody_writes(store);
        self.gate.execute_batch("ROLLBACK")?;
        turned
    }

    fn turn_while_nobody_writes(&mut self, store: &mut impl FnMut(News) -> Result<()>) -> Result<bool> {
        self.look()?;
        self.take(store)?;
        let Some(taken) = self.taken else { return Ok(false) };
        self.go_along()?;
        let until = Instant::now() + limits::PIN_HOLD;
        loop {
            let Some((in_log, left)) = pin::left_in_log(&self.mover)? else {
                if Instant::now() > until {
                    return Ok(false);
                }
                pin::sleep(limits::PIN_LOOK_EVERY);
                continue;
            };
            if in_log != i64::from(taken.position.frame) && in_log != 0 {
                return Err(gap("a commit in it was given up"));
            }
            if left == 0 {
                break;
            }
            if Instant::now() > until {
                return Ok(false);
            }
            pin::sleep(limits::PIN_LOOK_EVERY);
        }
        self.go_along()?;
        self.may_begin_anew = true;
        // Those who still need the log keep it from beginning anew; most are done in a moment.
        let grown = u64::from(taken.position.frame / limits::LOG_TURN_FRAMES);
        pin::sleep(
            limits::LOG_SETTLE_EACH.saturating_mul(u32::try_from(grown).unwrap_or(1)).min(limits::PIN_HOLD),
        );
        Ok(true)
    }

    /// The new transaction begins before the old one ends.
    fn go_along(&mut self) -> Result<()> {
        self.read_on_spare()?;
        std::mem::swap(&mut self.holder, &mut self.spare);
        self.spare.execute_batch("ROLLBACK")?;
        Ok(())
    }

    fn read_on_spare(&mut self) -> Result<()> {
        if read(&self.spare)? == Seen::AnotherKey {
            self.take_new_key()?;
        }
        Ok(())
    }

    /// The file was moved to another key. The holder reads the state before that as long as this takes, so nothing
    /// leaves the log meanwhile.
    fn take_new_key(&mut self) -> Result<()> {
        let until = Instant::now() + limits::KEY_EXCHANGE_WAIT_MAX;
        loop {
            let opened = (|| Ok((self.charge.open()?, self.charge.open()?, self.charge.open()?)))();
            match opened {
                Ok((gate, mover, spare)) => {
                    (self.gate, self.mover, self.spare) = (gate, mover, spare);
                    if read(&self.spare)? == Seen::Well {
                        return Ok(());
                    }
                }
                // Between the commit and its note the old key is still the one that is known.
                Err::<_, Error>(reason) if Instant::now() > until => {
                    return Err(gap("it has another key").because(reason));
                }
                Err(_) => {}
            }
            pin::sleep(limits::KEY_EXCHANGE_LOOK_EVERY);
        }
    }
}

/// How a state looks to a connection.
#[derive(PartialEq, Eq)]
enum Seen {
    Well,
    AnotherKey,
}

/// Begins a transaction that sees the present state.
fn read(conn: &Connection) -> Result<Seen> {
    conn.execute_batch("BEGIN")?;
    let first = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    if let Err(cause) = first {
        let _ = conn.execute_batch("ROLLBACK");
        return Err(match cause.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => return Ok(Seen::AnotherKey),
            _ => cause.into(),
        });
    }
    Ok(Seen::Well)
}

fn gap(how: &str) -> Error {
    Error::conflict(format!("The log of the database does not go on where it was left: {how}."))
        .hint("Another program worked on the database. The next backup begins a new log.")
}

/// The place of the last frame in the log, for whoever knows that there are so many in it.
pub(super) fn position(path: &Path, frames: i64) -> Result<Option<Position>> {
    let log = open::log_of(path);
    if frames == 0 || !log.exists() {
        return Ok(None);
    }
    let header = Log(pin::held(&log)? as Arc<_>).header()?;
    let frame = u32::try_from(frames).map_err(Error::internal)?;
    Ok(header.map(|header| Position { generation: header.generation, frame }))
}
