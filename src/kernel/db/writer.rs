//! The writer: one thread, one connection, one commit for everyone who is waiting.
//!
//! An fsync costs a hundred times more than a row. So the writer runs whatever waits in its queue,
//! each job in its own savepoint, commits once, and only then posts the answers.

use crate::kernel::error::{Error, Kind, Result};
use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::oneshot;

/// Work on the writing connection, or word that there is no transaction to work in.
/// What it leaves behind is its letter.
type Job = Box<dyn FnOnce(Result<&Connection>) -> Letter + Send>;

/// Work between two transactions; it answers by itself.
type Alone = Box<dyn FnOnce(&Connection) + Send>;

/// An answer that is posted once the fate of the whole group is known.
type Letter = Box<dyn FnOnce(Result<()>)>;

/// Takes the writing connection away between two commits and gives another one back, or none.
pub(super) type Exchange = Box<dyn FnOnce(Connection) -> Option<Connection> + Send>;

/// Opens the writing connection anew.
pub(super) type Reopen = Box<dyn Fn() -> Result<Connection> + Send>;

enum Message {
    Work(Job),
    Exchange(Exchange),
    Between(Alone),
    Close,
}

/// How far a group may grow; see `limits`.
#[derive(Clone, Copy)]
pub(super) struct Group {
    /// Changes in one commit at most.
    pub max: usize,
    /// How long it gathers.
    pub hold: Duration,
}

/// The way to the writer, for any number of callers.
#[derive(Clone)]
pub(super) struct Queue(mpsc::Sender<Message>, Trouble);

/// Why the disk did not take the last change, as long as it has taken none since.
type Trouble = Arc<Mutex<Option<Error>>>;

/// Starts the writer on its own thread; at most `length` changes wait for it.
pub(super) fn start(
    mut conn: Connection,
    length: usize,
    group: Group,
    reopen: Reopen,
) -> Result<(Queue, JoinHandle<()>)> {
    keep_inside(&mut conn)?;
    let (queue, jobs) = mpsc::channel(length);
    let trouble = Trouble::default();
    let own = Arc::clone(&trouble);
    let thread = std::thread::Builder::new()
        .name("writer".into())
        .spawn(move || serve(conn, jobs, group, &reopen, &own))
        .expect("the system grants one thread at start");
    Ok((Queue(queue, trouble), thread))
}

impl Queue {
    /// Runs the work in its own savepoint. Answers after the commit that holds it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |conn| {
            let outcome = conn.and_then(|conn| in_savepoint(conn, work));
            Box::new(move |fate| {
                // Whoever hung up does not undo the change, and misses only the answer.
                let _ = answer.send(outcome.and_then(|value| fate.map(|()| value)));
            })
        });
        self.0.try_send(Message::Work(job)).map_err(|refused| match refused {
            TrySendError::Full(_) => {
                Error::busy("Too many changes are waiting to be stored.").hint("Try again in a second.")
            }
            TrySendError::Closed(_) => Error::busy("This instance is shutting down."),
        })?;
        answered.await.unwrap_or_else(|gone| Err(Error::internal(gone)))
    }

    /// Hands the writing connection to whoever exchanges it, after what waits before.
    pub(super) async fn exchange(&self, exchange: Exchange) -> Result<()> {
        let sent = self.0.send(Message::Exchange(exchange)).await;
        sent.map_err(|_| Error::busy("This instance is shutting down."))
    }

    /// Runs the work while no transaction is open, for what SQLite does in none.
    pub(super) async fn between<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let alone: Alone = Box::new(move |conn| {
            let outcome = catch_unwind(AssertUnwindSafe(|| work(conn)));
            let outcome = outcome.unwrap_or_else(|panic| Err(Error::internal(said(&*panic))));
            let _ = answer.send(super::told(conn, outcome));
        });
        let closed = |_| Error::busy("This instance is shutting down.");
        self.0.send(Message::Between(alone)).await.map_err(closed)?;
        answered.await.unwrap_or_else(|gone| Err(Error::internal(gone)))
    }

    /// Why the disk did not take the last change, as long as it has taken none since.
    pub(super) fn trouble(&self) -> Option<Error> {
        self.1.lock().expect("nobody panics while holding it").clone()
    }

    /// Takes no more work; what waits is still done.
    pub(super) async fn close(&self) {
        let _ = self.0.send(Message::Close).await;
    }
}

thread_local! {
    /// Whether the writing connection is in the hands of a job at this moment.
    static IS_LENT: Cell<bool> = const { Cell::new(false) };
    /// What made SQLite give up the whole transaction, such as a full disk.
    static WHY_ABANDONED: Cell<Option<Error>> = const { Cell::new(None) };
}

/// Keeps a job inside its savepoint: a stray COMMIT would store its neighbours half done.
fn keep_inside(conn: &mut Connection) -> Result<()> {
    conn.authorizer(Some(|asked: AuthContext<'_>| match asked.action {
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } if IS_LENT.get() => Authorization::Deny,
        _ => Authorization::Allow,
    }))?;
    Ok(())
}

/// Begins and ends transactions. Not from the statement cache: a statement prepared here once would
/// be found there by a job, past the check above.
fn control(conn: &Connection, sql: &str) -> Result<()> {
    Ok(conn.execute_batch(sql)?)
}

fn serve(
    mut conn: Connection,
    mut jobs: mpsc::Receiver<Message>,
    group: Group,
    reopen: &Reopen,
    trouble: &Trouble,
) {
    let mut postponed = None;
    while let Some(message) = postponed.take().or_else(|| jobs.blocking_recv()) {
        match message {
            Message::Work(first) => postponed = commit_together(&conn, first, &mut jobs, group, trouble),
            Message::Exchange(exchange) => {
                let exchanged =
                    exchange(conn).and_then(|mut conn| keep_inside(&mut conn).ok().map(|()| conn));
                // Without a connection nothing can be stored; whoever asks hears so.
                let Some(fresh) = exchanged else { return };
                conn = fresh;
            }
            Message::Between(alone) => alone(&conn),
            Message::Close => jobs.close(),
        }
        if !super::is_sound(&conn) {
            // Another one reads what is whole. Without one, nothing can be stored; whoever asks hears so.
            let Ok(fresh) = reopen().and_then(|mut fresh| keep_inside(&mut fresh).map(|()| fresh)) else {
                return;
            };
            conn = fresh;
        }
    }
    // Shortens the next start. Passive: a command that ends must not make a running server wait; the
    // last connection of all leaves one file behind anyway. A log that is kept is its keeper's.
    let moves_by_itself = conn.pragma_query_value(None, "wal_autocheckpoint", |row| row.get::<_, i64>(0));
    if moves_by_itself.is_ok_and(|pages| pages > 0) {
        let _ = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }
}

/// Runs whatever waits, in one commit. Gives back a message that cannot be part of it.
fn commit_together(
    conn: &Connection,
    first: Job,
    jobs: &mut mpsc::Receiver<Message>,
    group: Group,
    trouble: &Trouble,
) -> Option<Message> {
    let (mut other, before) = (None, conn.total_changes());
    let until = Instant::now() + group.hold;
    let begun = control(conn, "BEGIN IMMEDIATE");
    if let Err(reason) = begun {
        note(trouble, Err(&reason), false);
        first(Err(reason.clone()))(Err(reason));
        return None;
    }
    let mut letters = vec![first(Ok(conn))];
    // A full disk makes SQLite abandon the whole transaction in the middle of a job. Then there is
    // nothing left to commit, and those before it must hear so.
    while !conn.is_autocommit() && letters.len() < group.max && Instant::now() < until {
        match jobs.try_recv() {
            Ok(Message::Work(job)) => letters.push(job(Ok(conn))),
            Ok(Message::Close) => jobs.close(),
            Ok(message @ (Message::Exchange(_) | Message::Between(_))) => {
                other = Some(message);
                break;
            }
            Err(_) => break,
        }
    }
    let fate = commit(conn);
    note(trouble, fate.as_ref(), conn.total_changes() > before);
    letters.into_iter().for_each(|post| post(fate.clone()));
    other
}

/// A commit of nothing reaches no disk, so it says nothing about it.
fn note(trouble: &Trouble, fate: Result<&(), &Error>, has_changed: bool) {
    let mut trouble = trouble.lock().expect("nobody panics while holding it");
    match fate {
        Err(reason) if reason.kind() == Kind::Unwritable => *trouble = Some(reason.clone()),
        Ok(()) if has_changed => *trouble = None,
        _ => {}
    }
}

fn commit(conn: &Connection) -> Result<()> {
    if conn.is_autocommit() {
        const ABANDONED: &str = "the transaction was abandoned before its commit";
        return Err(match WHY_ABANDONED.take() {
            Some(reason) if matches!(reason.kind(), Kind::Full | Kind::Unwritable | Kind::Damaged) => {
                reason.because(ABANDONED)
            }
            _ => Error::internal(ABANDONED),
        });
    }
    control(conn, "COMMIT").inspect_err(|_| {
        if !conn.is_autocommit() {
            let _ = control(conn, "ROLLBACK");
        }
    })
}

/// Runs one job so that its error or its panic costs nobody else anything.
fn in_savepoint<T>(conn: &Connection, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    control(conn, "SAVEPOINT job")?;
    IS_LENT.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| work(conn)))
        .unwrap_or_else(|panic| Err(Error::internal(said(&*panic))));
    IS_LENT.set(false);
    let outcome = super::told(conn, outcome);
    if !super::is_sound(conn) {
        // What was read may be zeros in place of data: nothing of the whole group may be stored.
        let damage = outcome.err().unwrap_or_else(|| Error::internal("a damaged page without an error"));
        WHY_ABANDONED.set(Some(damage.clone()));
        control(conn, "ROLLBACK")?;
        return Err(damage);
    }
    let ended = match &outcome {
        Ok(_) => control(conn, "RELEASE job"),
        Err(reason) if conn.is_autocommit() => {
            WHY_ABANDONED.set(Some(reason.clone()));
            Ok(())
        }
        Err(_) => control(conn, "ROLLBACK TO job").and_then(|()| control(conn, "RELEASE job")),
    };
    if let Err(reason) = ended {
        // Half a job must not slip into the commit: better to lose the group, and say so.
        let _ = control(conn, "ROLLBACK");
        return Err(reason);
    }
    outcome
}

fn said(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
    let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a job panicked: {}", words.unwrap_or_default())
}
