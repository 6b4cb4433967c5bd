//! `testkeep runbook`: what to do after a disaster, with the values of this instance.

use super::output::{Output, say};
use crate::app::{self, House};
use crate::keeping::backups::Desk;
use crate::keeping::runbook::{self, Program};
use crate::kernel::access::BackupRun;
use crate::kernel::error::Result;
use crate::kernel::options::Options;
use std::sync::Arc;

/// Prints the runbook as text, ready for paper. It holds no secret.
pub async fn run(house: &House, options: &Options, output: Output) -> Result<()> {
    let gate = house.shell.operator().gate::<BackupRun>(());
    let desk = Desk::new(Arc::clone(&house.instance));
    let program = Program::of(&app::address(options), &options.values);
    let book = gate.read(move |tx| runbook::write(tx, &desk, program)).await?;
    match output {
        Output::Text => say(book.text().trim_end()),
        Output::Json => output
            .print(&serde_json::json!({ "instance": book.uuid, "text": book.text() }), |_| String::new()),
    }
    Ok(())
}
