//! Storing: what was received becomes a run and its results, once, and seen by nobody before it is whole.
//!
//! Few results go in one transaction. Many go in chunks into a run that is still hidden, so that other changes
//! come in between; the last transaction shows it. What breaks off is swept away.

use super::receive::{Incoming, blocking, weight};
use super::sweep::{self, Leftover};
use super::translate::results;
use super::{BEGUN, Outcome, STORED, Target, sql};
use crate::exchange::ingest::Found;
use crate::kernel::access::{Door, Gate, InProject, ResultWrite, RunWrite, Tx, UploadWrite, Write};
use crate::kernel::audit::{Audited, Quiet};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::UploadId;
use crate::kernel::limits;
use crate::library::projects;
use crate::library::text::Title;
use crate::running::results::{Recorder, Source, settle};
use crate::running::runs::{self, Kind, OpenRun, State};
use crate::web::figures::Moment;
use tokio::sync::mpsc::{self, Sender};

/// How the first transaction of an upload ended.
enum Begun {
    /// It is stored, now or long ago.
    Stored(Box<Outcome>),
    /// The same upload, or one into the same new run, is under way.
    Wait(Box<Incoming>),
    /// It is large: its run waits for the chunks.
    Receiving(Box<Incoming>, Ticket),
}

/// What a large upload keeps between its transactions.
#[derive(Clone, Copy)]
struct Ticket {
    upload: UploadId,
    run: i64,
    /// How the run is to stand when it is complete.
    state: State,
}

/// Where results go.
enum Place {
    Existing(OpenRun),
    New(Title, State),
    /// Another upload fills a run of this title.
    UnderWay,
}

pub(super) async fn store(gate: &Gate<UploadWrite>, door: &Door, incoming: Box<Incoming>) -> Result<Outcome> {
    let looks = limits::UPLOAD_WAIT_MAX.as_millis() / limits::UPLOAD_LOOK_EVERY.as_millis();
    let mut incoming = incoming;
    for _ in 0..looks {
        match gate.write(move |tx| begin(tx, incoming)).await? {
            Begun::Stored(outcome) => return Ok(*outcome),
            Begun::Receiving(incoming, ticket) => return receive(gate, door, incoming, ticket).await,
            Begun::Wait(back) => incoming = back,
        }
        tokio::time::sleep(limits::UPLOAD_LOOK_EVERY).await;
    }
    Err(Error::busy("The same upload is under way.").hint("Try again when it is done."))
}

fn begin(tx: Write<'_, UploadWrite>, incoming: Box<Incoming>) -> Result<Audited<'_, Begun>> {
    let known = match &incoming.order.key {
        Some(key) => sql::by_key(tx, key)?,
        None => sql::by_content(tx, &incoming.content)?,
    };
    if let Some(known) = known {
        if known.content != incoming.content {
            return Err(Error::conflict("Another upload had this idempotency key already.")
                .hint("Give each upload a key of its own, such as the number of the job."));
        }
        if !known.is_complete {
            return Ok(tx.quiet(Quiet::Unchanged, Begun::Wait(incoming)));
        }
        let outcome = outcome(tx, known.id, true)?;
        return Ok(tx.quiet(Quiet::Unchanged, Begun::Stored(Box::new(outcome))));
    }
    match place(tx, &incoming)? {
        Place::UnderWay => Ok(tx.quiet(Quiet::Unchanged, Begun::Wait(incoming))),
        Place::Existing(run) => {
            refuse_too_many(&incoming)?;
            whole(tx, incoming, run, None)
        }
        Place::New(title, state) => {
            let run = runs::receive(tx.narrow::<RunWrite>(), &title)?.value;
            if incoming.results <= limits::UPLOAD_ONE_TRANSACTION {
                return whole(tx, incoming, run, Some(state));
            }
            let upload = sql::insert(tx, &incoming, run.id)?;
            let ticket = Ticket { upload, run: run.number, state };
            tx.audited(BEGUN.of(upload).and(run.id), Begun::Receiving(incoming, ticket))
        }
    }
}

fn place(tx: Write<'_, UploadWrite>, incoming: &Incoming) -> Result<Place> {
    match &incoming.order.target {
        Target::Run(number) => runs::taking(tx, *number).map(Place::Existing).map_err(|refused| {
            let hint =
                refused.hint_text().unwrap_or("A new run is started by a title that is more than a number.");
            refused.clone().hint(hint)
        }),
        Target::Titled(title) => Ok(match runs::titled(tx, title)? {
            Some(run) if run.is_receiving => Place::UnderWay,
            Some(run) => Place::Existing(run),
            None => Place::New(title.clone(), State::Open),
        }),
        Target::New => {
            let title = format!("{}, {}", incoming.title, Moment(tx.now()).day());
            Ok(Place::New(Title::from_machine(&title), State::Closed))
        }
    }
}

fn refuse_too_many(incoming: &Incoming) -> Result<()> {
    if incoming.results > limits::UPLOAD_INTO_RUN_MAX {
        return Err(Error::too_large(format!(
            "This upload holds {} results; a run that exists takes {} at once.",
            incoming.results,
            limits::UPLOAD_INTO_RUN_MAX
        ))
        .hint("Upload it without `run`, into a run of its own, or in parts."));
    }
    Ok(())
}

/// Everything in this one transaction. `state` is that of a new run; a run that exists keeps its own.
fn whole(
    tx: Write<'_, UploadWrite>,
    mut incoming: Box<Incoming>,
    run: OpenRun,
    state: Option<State>,
) -> Result<Audited<'_, Begun>> {
    let upload = sql::insert(tx, &incoming, run.id)?;
    let mut recording = Recording::open(tx, upload, run)?;
    incoming.each(&mut |found| recording.push(found))?;
    let made = recording.finish()?;
    if let Some(state) = state {
        settle(tx.narrow::<ResultWrite>(), run.id)?;
        let _ = runs::accept(tx.narrow::<RunWrite>(), run, state)?;
    }
    sql::finish(tx, upload, &incoming, made)?;
    stored(tx, upload, run, &incoming).map(|audited| audited.map(|outcome| Begun::Stored(Box::new(outcome))))
}

fn stored<'t>(
    tx: Write<'t, UploadWrite>,
    upload: UploadId,
    run: OpenRun,
    incoming: &Incoming,
) -> Result<Audited<'t, Outcome>> {
    let entry = STORED.of(upload).and(run.id).count("files", incoming.files);
    let entry = entry.count("bytes", incoming.bytes).count("results", incoming.results as i64);
    tx.audited(entry, outcome(tx, upload, false)?)
}

fn outcome(tx: impl InProject, upload: UploadId, is_replayed: bool) -> Result<Outcome> {
    let upload = sql::one(tx, upload)?;
    let run = runs::one(tx, upload.run)?;
    Ok(Outcome { upload, run, project: projects::key(tx)?, is_replayed })
}

/// Checks on their way into a run, in one transaction.
struct Recording<'t> {
    recorder: Recorder<'t>,
    project: String,
}

impl<'t> Recording<'t> {
    fn open(tx: Write<'t, UploadWrite>, upload: UploadId, run: OpenRun) -> Result<Recording<'t>> {
        let source = Source { kind: Kind::Automated, upload: Some(upload) };
        let recorder = Recorder::open(tx.narrow::<ResultWrite>(), run, source)?;
        Ok(Recording { recorder, project: projects::key(tx)? })
    }

    fn push(&mut self, found: Found) -> Result<()> {
        results(&self.project, found).try_for_each(|result| self.recorder.push(result).map(drop))
    }

    /// Answers how many cases had to be made.
    fn finish(self) -> Result<i64> {
        Ok(self.recorder.finish()?.value.cases_made)
    }
}

/// Fills the hidden run of a large upload. A task of its own: who hangs up does not leave half of it behind.
async fn receive(
    gate: &Gate<UploadWrite>,
    door: &Door,
    incoming: Box<Incoming>,
    ticket: Ticket,
) -> Result<Outcome> {
    let (gate, door) = (gate.clone(), door.clone());
    let filling = tokio::spawn(async move {
        let outcome = fill(&gate, incoming, ticket).await;
        if outcome.is_err()
            && let Err(reason) = sweep::sweep(&door, Leftover::One(ticket.upload)).await
        {
            tracing::warn!(%reason, "what a broken upload left stays until the next sweep");
        }
        outcome
    });
    filling.await.unwrap_or_else(|panic| Err(Error::internal(panic)))
}

async fn fill(gate: &Gate<UploadWrite>, mut incoming: Box<Incoming>, ticket: Ticket) -> Result<Outcome> {
    let (sender, mut chunks) = mpsc::channel(1);
    let reading = tokio::spawn(blocking(move || {
        feed(&mut incoming, &sender)?;
        Ok(incoming)
    }));
    let mut made = 0;
    while let Some(chunk) = chunks.recv().await {
        made += gate.write(move |tx| record(tx, ticket, chunk)).await?;
    }
    let incoming = reading.await.unwrap_or_else(|panic| Err(Error::internal(panic)))?;
    gate.write(move |tx| complete(tx, &incoming, ticket, made)).await
}

/// Reads the files again and hands on their checks in chunks.
fn feed(incoming: &mut Incoming, chunks: &Sender<Vec<Found>>) -> Result<()> {
    let gone = |_| Error::internal("nobody takes the chunks of an upload any more");
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    incoming.each(&mut |found| {
        bytes += weight(&found);
        chunk.push(found);
        if chunk.len() < limits::UPLOAD_CHUNK_RESULTS && bytes < limits::UPLOAD_CHUNK_BYTES {
            return Ok(());
        }
        bytes = 0;
        chunks.blocking_send(std::mem::take(&mut chunk)).map_err(gone)
    })?;
    if chunk.is_empty() { Ok(()) } else { chunks.blocking_send(chunk).map_err(gone) }
}

fn record(tx: Write<'_, UploadWrite>, ticket: Ticket, chunk: Vec<Found>) -> Result<Audited<'_, i64>> {
    let run = runs::receiving(tx.narrow::<RunWrite>(), ticket.run)?;
    let mut recording = Recording::open(tx, ticket.upload, run)?;
    chunk.into_iter().try_for_each(|found| recording.push(found))?;
    let recorded = recording.recorder.finish()?;
    Ok(recorded.map(|batch| batch.cases_made))
}

/// Shows the run and everything in it.
fn complete<'t>(
    tx: Write<'t, UploadWrite>,
    incoming: &Incoming,
    ticket: Ticket,
    made: i64,
) -> Result<Audited<'t, Outcome>> {
    let run = runs::receiving(tx.narrow::<RunWrite>(), ticket.run)?;
    settle(tx.narrow::<ResultWrite>(), run.id)?;
    let _ = runs::accept(tx.narrow::<RunWrite>(), run, ticket.state)?;
    sql::finish(tx, ticket.upload, incoming, made)?;
    stored(tx, ticket.upload, run, incoming)
}
