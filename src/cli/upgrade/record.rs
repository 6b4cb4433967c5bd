//! The record: every upgrade leaves one, whatever became of it.

use super::super::output::{Output, table};
use super::Opener;
use crate::keeping::upgrade::{self, Outcome, Taken};
use crate::kernel::access::{Gate, InstanceKeep, InstanceView};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::UpgradeId;
use crate::kernel::upgrade::SCHEMA;
use serde_json::json;
use tracing::warn;

/// The record of an upgrade that is under way. If this program never ends it, the next start does.
pub(super) struct Record(UpgradeId);

impl Record {
    /// Notes that an upgrade begins.
    pub async fn begin(opener: &Opener<'_>, to: Option<String>, schema: i64) -> Result<Record> {
        let work =
            async |gate: Gate<InstanceKeep>| gate.write(move |tx| upgrade::begin(tx, to, schema)).await;
        within(opener, work).await.map(Record)
    }

    /// Notes how it ended. That it ended so is said already, and weighs more than that it could not be noted.
    pub async fn end(self, opener: &Opener<'_>, outcome: Outcome, reason: &Error) {
        let (id, said) = (self.0, reason.sentence().to_owned());
        let work = async |gate: Gate<InstanceKeep>| {
            gate.write(move |tx| upgrade::end(tx, id, outcome, Some(&said))).await
        };
        if let Err(cause) = within(opener, work).await {
            warn!(?cause, "the record of the upgrade could not be ended");
        }
    }

    /// Notes that a file was refused before anybody knew what it was.
    pub async fn of_refused(opener: &Opener<'_>, reason: &Error) {
        match Record::begin(opener, None, SCHEMA).await {
            Ok(record) => record.end(opener, Outcome::Failed, reason).await,
            Err(cause) => warn!(?cause, "the refused upgrade could not be noted"),
        }
    }
}

/// Notes that somebody goes back, where the data stay as they are.
pub(super) async fn went_back(opener: &Opener<'_>) {
    let work = async |gate: Gate<InstanceKeep>| gate.write(upgrade::go_back).await;
    if let Err(cause) = within(opener, work).await {
        warn!(?cause, "the way back could not be noted");
    }
}

async fn within<T>(
    opener: &Opener<'_>,
    work: impl AsyncFnOnce(Gate<InstanceKeep>) -> Result<T>,
) -> Result<T> {
    let house = opener.house()?;
    let outcome = work(house.shell.operator().gate::<InstanceKeep>(())).await;
    house.close().await;
    outcome
}

/// Prints every upgrade.
pub(super) async fn list(opener: &Opener<'_>, output: Output) -> Result<()> {
    let house = opener.house()?;
    let listed = house.shell.operator().gate::<InstanceView>(()).read(|tx| upgrade::history(tx)).await;
    house.close().await;
    let listed = listed?;
    let rows: Vec<Vec<String>> = listed.iter().map(row).collect();
    output.print(&json!({ "upgrades": listed }), |_| {
        table(&["version", "before", "schema", "began", "took", "by", "outcome"], &rows)
    });
    Ok(())
}

fn row(taken: &Taken) -> Vec<String> {
    let took = taken.took_ms.map_or_else(String::new, |ms| format!("{:.1} s", ms as f64 / 1_000.0));
    let outcome = match &taken.message {
        Some(message) => format!("{}: {message}", taken.how()),
        None => taken.how().to_owned(),
    };
    vec![
        taken.version().to_owned(),
        taken.from.clone().unwrap_or_default(),
        taken.schema.to_string(),
        taken.at.to_string(),
        took,
        taken.who().to_owned(),
        outcome,
    ]
}
