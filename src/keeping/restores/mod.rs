//! Restores: a project, a case or a run out of a backup into the living instance, references and all.
//!
//! First a preview that changes nothing, then, if somebody wants it, what the preview said. Things that are there
//! stay as they are unless asked otherwise, and then what they say now stays as a revision.
//! The whole instance comes back by another way: `whole`.

mod api;
mod carrier;
mod moment;
mod pages;
mod source;
mod sql;
mod tally;
mod what;
pub mod whole;
mod whole_compared;
mod whole_pages;
mod whole_sql;
mod work;

pub use api::Api;
pub use tally::{Changed, Count, Field, Tally};
pub use what::{Mode, What};

use crate::keeping::backup::scratch::Turn;
use crate::keeping::backup::{Receipt, Scratch};
use crate::keeping::backups::{self, Chosen, Desk};
use crate::keeping::targets::Goal;
use crate::kernel::access::{Gate, Read, RestoreRun, RestoreView, Write};
use crate::kernel::audit::{Audited, Event};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::RestoreId;
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use crate::people::sessions;
use crate::web::routes::Route;
use std::sync::Arc;
use work::Job;

const STARTED: Event = Event::new("restore.started", "Something was looked for in a backup.");
const PREVIEWED: Event = Event::new("restore.previewed", "It was shown what a backup would bring back.");
const CARRIED: Event = Event::new("restore.carried", "A part of a large restore was stored.");
const APPLIED: Event = Event::new("restore.applied", "A project, a case or a run came back from a backup.");
const FAILED: Event = Event::new("restore.failed", "A restore failed.");

/// Events of this slice.
pub const EVENTS: &[Event] =
    &[STARTED, PREVIEWED, CARRIED, APPLIED, FAILED, whole::ORDERED, whole::RETURNED, whole::DISCARDED];

/// What is done at the bench.
const WHAT: &str = "A restore";

/// Routes of the pages and of the API.
pub fn routes() -> Vec<Route> {
    pages::routes().into_iter().chain(whole_pages::routes()).chain(api::routes()).collect()
}

/// How far a restore has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// The backup is brought back and compared.
    Reading,
    /// What would come back is known.
    Previewed,
    /// It is coming back.
    Applying,
    /// It came back.
    Done,
    /// It did not.
    Failed,
}

impl State {
    /// The word in the table.
    pub fn word(self) -> &'static str {
        match self {
            State::Reading => "reading",
            State::Previewed => "previewed",
            State::Applying => "applying",
            State::Done => "done",
            State::Failed => "failed",
        }
    }

    fn of_word(word: &str) -> State {
        let known = [State::Reading, State::Previewed, State::Applying, State::Done, State::Failed];
        known.into_iter().find(|state| state.word() == word).unwrap_or(State::Failed)
    }

    /// Whether something is going on.
    pub fn is_busy(self) -> bool {
        matches!(self, State::Reading | State::Applying)
    }
}

/// The record of a restore.
#[derive(Clone, Debug)]
pub struct Restore {
    /// Its number.
    pub id: RestoreId,
    /// Address of the place where the backup lies.
    pub target: String,
    /// What people call the target that is there now.
    pub target_name: Option<String>,
    /// Number of the backup.
    pub receipt: Option<i64>,
    /// What is to come back.
    pub what: String,
    /// `missing` or `replace`.
    pub mode: String,
    /// How far it is.
    pub state: State,
    /// When it began.
    pub started_at: Timestamp,
    /// When it last came further.
    pub changed_at: Timestamp,
    /// What would come back.
    pub preview: Option<Tally>,
    /// What came back.
    pub outcome: Option<Tally>,
    /// Why it failed.
    pub message: Option<String>,
}

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The backup.
    pub from: Chosen,
    /// What is to come back.
    pub what: What,
    /// What becomes of things that are there.
    pub mode: Mode,
}

/// The newest records first.
pub fn list(tx: Read<'_, RestoreView>) -> Result<Vec<Restore>> {
    sql::newest(tx)
}

/// One of them.
pub fn get(tx: Read<'_, RestoreView>, id: RestoreId) -> Result<Restore> {
    sql::of(tx, id)?.ok_or_else(|| Error::not_found("There is no restore of this number."))
}

/// Backups that can be brought back from a target, the newest first. Somebody waits for a page.
async fn choices(desk: &Desk, goal: &Goal) -> Result<Vec<Receipt>> {
    let mut receipts = desk.restorable(&goal.clone().brief()).await?;
    receipts.reverse();
    Ok(receipts)
}

/// Tells what would come back; records that.
pub async fn preview(desk: &Desk, gate: &Gate<RestoreRun>, request: Request) -> Result<(RestoreId, Tally)> {
    let turn = desk.bench.take(WHAT)?;
    let id = started(gate, &request).await?;
    let tally = previewed(desk, gate, id, &request, &turn).await?;
    Ok((id, tally))
}

/// Begins a preview and leaves it to itself: its record tells how it went.
pub async fn begin(desk: Arc<Desk>, gate: Gate<RestoreRun>, request: Request) -> Result<RestoreId> {
    let turn = desk.bench.take(WHAT)?;
    let id = started(&gate, &request).await?;
    let own = Arc::clone(&desk);
    desk.go_on(async move {
        if let Err(reason) = previewed(&own, &gate, id, &request, &turn).await {
            tracing::warn!(restore = id.0, ?reason, "a preview of a restore failed");
        }
    });
    Ok(id)
}

/// Brings back what was previewed, from where it was looked for.
///
/// Errors: `Forbidden` unless the person proved lately who they are.
pub async fn apply(desk: &Desk, gate: &Gate<RestoreRun>, id: RestoreId, request: Request) -> Result<Tally> {
    let turn = desk.bench.take(WHAT)?;
    let mode = request.mode;
    let restore = gate.write(move |tx| mark(tx, id, mode)).await?;
    // The backup that was previewed, though there may be a newer one by now.
    let number = restore.receipt.and_then(|number| u64::try_from(number).ok());
    let request = Request { from: Chosen { number, ..request.from }, ..request };
    applied(desk, gate, id, &request, &turn).await
}

/// The same, left to itself.
pub async fn begin_apply(desk: Arc<Desk>, gate: Gate<RestoreRun>, id: RestoreId, mode: Mode) -> Result<()> {
    let turn = desk.bench.take(WHAT)?;
    let request = confirmed(&desk, &gate, id, mode).await?;
    let own = Arc::clone(&desk);
    desk.go_on(async move {
        if let Err(reason) = applied(&own, &gate, id, &request, &turn).await {
            tracing::error!(restore = id.0, ?reason, "a restore failed");
        }
    });
    Ok(())
}

async fn started(gate: &Gate<RestoreRun>, request: &Request) -> Result<RestoreId> {
    let (target, what) = (request.from.goal.place.to_string(), request.what.to_string());
    let mode = request.mode.word();
    gate.write(move |tx| {
        sql::fail_abandoned(tx)?;
        let id = sql::insert(tx, &target, &what, mode)?;
        tx.audited(STARTED.of(id), id)
    })
    .await
}

async fn previewed(
    desk: &Desk,
    gate: &Gate<RestoreRun>,
    id: RestoreId,
    request: &Request,
    turn: &Turn,
) -> Result<Tally> {
    let telling = async {
        let scratch = opened(desk, request, turn).await?;
        let tally = job(desk, gate, &scratch, request, turn).tell().await?;
        Ok((i64::try_from(scratch.receipt.number).unwrap_or(i64::MAX), tally))
    };
    match telling.await {
        Ok((receipt, tally)) => {
            let json = serde_json::to_string(&tally).map_err(Error::internal)?;
            gate.write(move |tx| {
                sql::set_preview(tx, id, receipt, &json)?;
                tx.audited(PREVIEWED.of(id).count("receipt", receipt), ())
            })
            .await?;
            Ok(tally)
        }
        Err(reason) => failed(gate, id, reason).await,
    }
}

async fn confirmed(desk: &Desk, gate: &Gate<RestoreRun>, id: RestoreId, mode: Mode) -> Result<Request> {
    let instance = Arc::clone(&desk.instance);
    // First, so that a target that is gone is told while nothing is marked.
    let goal = gate.read(move |tx| backups::goal_at(tx, &instance, &get(tx.reading(), id)?.target)).await?;
    let restore = gate.write(move |tx| mark(tx, id, mode)).await?;
    let number = restore.receipt.and_then(|number| u64::try_from(number).ok());
    Ok(Request { from: Chosen { goal, number }, what: What::parse(&restore.what)?, mode })
}

fn mark(tx: Write<'_, RestoreRun>, id: RestoreId, mode: Mode) -> Result<Audited<'_, Restore>> {
    sessions::demand_proof_of_people(tx)?;
    let restore = get(tx.reading(), id)?;
    if restore.state.is_busy() || restore.preview.is_none() {
        return Err(Error::conflict("There is no preview of this restore.")
            .hint("Look first at what would come back."));
    }
    sql::set_mode(tx, id, mode.word())?;
    sql::set_state(tx, id, State::Applying)?;
    tx.audited(STARTED.of(id), restore)
}

async fn applied(
    desk: &Desk,
    gate: &Gate<RestoreRun>,
    id: RestoreId,
    request: &Request,
    turn: &Turn,
) -> Result<Tally> {
    let applying = async {
        let scratch = opened(desk, request, turn).await?;
        job(desk, gate, &scratch, request, turn).apply(id).await
    };
    match applying.await {
        Ok(tally) => {
            desk.bench.clear();
            Ok(tally)
        }
        Err(reason) => failed(gate, id, reason).await,
    }
}

/// The backup, kept for a while: whoever saw a preview wants what it showed next.
async fn opened(desk: &Desk, request: &Request, turn: &Turn) -> Result<Arc<Scratch>> {
    let scratch = desk.scratch(&request.from, &turn.task).await?;
    desk.bench.keep(Arc::clone(&scratch));
    let (bench, weak) = (Arc::clone(&desk.bench), Arc::downgrade(&scratch));
    desk.go_on(async move {
        tokio::time::sleep(limits::SCRATCH_KEPT).await;
        if let Some(scratch) = weak.upgrade() {
            bench.clear_if(&scratch);
        }
    });
    Ok(scratch)
}

fn job<'a>(
    desk: &'a Desk,
    gate: &'a Gate<RestoreRun>,
    scratch: &'a Arc<Scratch>,
    request: &'a Request,
    turn: &'a Turn,
) -> Job<'a> {
    Job { desk, gate, scratch, what: &request.what, mode: request.mode, task: &turn.task }
}

async fn failed<T>(gate: &Gate<RestoreRun>, id: RestoreId, reason: Error) -> Result<T> {
    let said = match reason.hint_text() {
        Some(hint) => format!("{} {hint}", reason.sentence()),
        None => reason.sentence().to_owned(),
    };
    gate.write(move |tx| {
        sql::fail(tx, id, &said)?;
        tx.audited(FAILED.of(id), ())
    })
    .await?;
    Err(reason)
}
