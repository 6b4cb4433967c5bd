//! The work of a restore: pieces out of the backup, files first, then rows; told, or carried out.

use super::carrier::{At, Carrier};
use super::source::{Piece, Source};
use super::tally::Tally;
use super::what::{Mode, What};
use super::{APPLIED, CARRIED, sql};
use crate::keeping::backup::scratch::Task;
use crate::keeping::backup::{Scratch, files};
use crate::keeping::backups::Desk;
use crate::kernel::access::{Gate, InstanceView, RestoreRun, Write};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::RestoreId;
use crate::kernel::limits;
use crate::kernel::records::Record;
use std::collections::HashSet;
use std::sync::Arc;

/// What is to be done, with everything that takes.
pub(super) struct Job<'a> {
    pub desk: &'a Desk,
    pub gate: &'a Gate<RestoreRun>,
    pub scratch: &'a Arc<Scratch>,
    pub what: &'a What,
    pub mode: Mode,
    pub task: &'a Arc<Task>,
}

impl Job<'_> {
    /// What would come back, and what stands in its way. Changes nothing.
    pub async fn tell(&self) -> Result<Tally> {
        self.task.stage("Comparing with what is there", 0);
        let (mut source, mut carrier) = (self.source().await?, self.carrier().await?);
        while let Some(piece) = source.next().await? {
            self.task.brake.go_on()?;
            let looking = self.gate.read_at_length(move |look| {
                carrier.take(At { look, write: None }, &piece)?;
                Ok(carrier)
            });
            carrier = looking.await?;
            self.task.advance(1);
        }
        Ok(carrier.tally)
    }

    /// Brings it back: in one transaction, or in bounded ones where it is large. A large one that is cut off is
    /// done again from the beginning, and what is there already stays as it is.
    pub async fn apply(&self, id: RestoreId) -> Result<Tally> {
        let told = self.tell().await?;
        let (mut source, mut carrier) = (self.source().await?, self.carrier().await?);
        self.task.stage("Bringing it back", told.rows());
        let is_small = told.rows() <= limits::RESTORE_ONE_TRANSACTION_ROWS as u64;
        let mut pieces = Vec::new();
        while let Some(piece) = source.next().await? {
            self.task.brake.go_on()?;
            self.bring_files(&piece).await?;
            if is_small {
                pieces.push(piece);
                continue;
            }
            let carrying = self.gate.write(move |write| {
                let rows = carrier.tally.rows();
                carrier.take(at(write), &piece)?;
                let rows = carrier.tally.rows() - rows;
                write.audited(CARRIED.of(id).count("rows", number(rows)), (carrier, rows))
            });
            let (carried, rows) = carrying.await?;
            carrier = carried;
            self.task.advance(rows);
        }
        let receipt = number(self.scratch.receipt.number);
        let finishing = self.gate.write(move |write| {
            pieces.iter().try_for_each(|piece| carrier.take(at(write), piece))?;
            carrier.settle(write)?;
            let tally = carrier.tally;
            sql::set_outcome(write, id, receipt, &serde_json::to_string(&tally).map_err(Error::internal)?)?;
            let entry = APPLIED.of(id).count("receipt", receipt).count("created", number(tally.created()));
            write.audited(entry.count("changed", number(tally.changed())), tally)
        });
        finishing.await
    }

    async fn source(&self) -> Result<Source> {
        Source::open(Arc::clone(self.scratch), self.what).await
    }

    async fn carrier(&self) -> Result<Carrier> {
        let then = self
            .scratch
            .shell
            .operator()
            .gate::<InstanceView>(())
            .read_at_length(|tx| sql::people(tx))
            .await?;
        let now = self.gate.read(|tx| sql::people(tx)).await?;
        // A number that somebody else has by now names somebody else.
        let same: HashSet<i64> =
            now.into_iter().filter(|(id, since)| then.get(id) == Some(since)).map(|(id, _)| id).collect();
        Ok(Carrier::new(self.what.clone(), self.mode, same))
    }

    /// Files before the rows that speak of them, so that a cut leaves files too many and never one too few.
    async fn bring_files(&self, piece: &Piece) -> Result<()> {
        let (Piece::Cases { evidence, .. } | Piece::Results { evidence, .. }) = piece else { return Ok(()) };
        let names: HashSet<String> =
            evidence.iter().map(|row: &Record| row.text("blob_name").to_owned()).collect();
        if names.is_empty() {
            return Ok(());
        }
        files::bring(Arc::clone(self.scratch), Arc::clone(&self.desk.instance), names).await
    }
}

fn at(write: Write<'_, RestoreRun>) -> At<'_> {
    At { look: write.reading(), write: Some(write) }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
