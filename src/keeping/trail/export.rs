//! Export of the trail: one JSON document a line, or a table for a spreadsheet.
//!
//! A POST, because whoever takes the trail along leaves an entry in it. The trail only ever grows at its
//! newer end, so an export that begins there and walks back reads what it would read in one snapshot.

use super::api::EntryWire;
use super::asked::Asked;
use super::{EXPORTED, Entry};
use crate::kernel::access::{AuditExport, Gate, Tx};
use crate::kernel::audit::{self, Filter};
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::web::figures::Moment;
use crate::web::forms::Form;
use crate::web::routes::{Route, post};
use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_DISPOSITION;
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;

pub(super) fn routes() -> Vec<Route> {
    vec![post("/instance/audit/export", export)]
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Format {
    Ndjson,
    Csv,
}

#[derive(Deserialize)]
struct ExportForm {
    format: Format,
    #[serde(default)]
    event: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    since: String,
    #[serde(default)]
    until: String,
}

async fn export(gate: Gate<AuditExport>, Form(form): Form<ExportForm>) -> Result<HttpResponse> {
    let ExportForm { format, event, user, since, until } = form;
    let filter = Asked { event, user, since, until, ..Asked::default() }.filter()?;
    let newest = gate.write(|tx| {
        let newest = audit::list(tx.reading(), &Filter { limit: Some(1), ..Filter::default() })?;
        let up_to = newest.first().map_or(0, |line| line.seq);
        tx.audited(EXPORTED.alone().count("up_to", up_to), (up_to, tx.now()))
    });
    let (up_to, now) = newest.await?;
    let filter = Filter { before: Some(up_to + 1), limit: Some(limits::AUDIT_EXPORT_CHUNK), ..filter };
    let heading = match format {
        Format::Ndjson => String::new(),
        Format::Csv => CSV_HEADING.to_owned(),
    };
    let walk = Walk { gate, filter, format, heading, is_over: false };
    let day = Moment(now).iso()[..10].to_owned();
    let (ending, kind) = match format {
        Format::Ndjson => ("ndjson", "application/x-ndjson"),
        Format::Csv => ("csv", "text/csv; charset=utf-8"),
    };
    Ok(HttpResponse::Ok()
        .content_type(kind)
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"audit-{day}.{ending}\"")))
        .streaming(stream::try_unfold(walk, Walk::on)))
}

/// An export under way. Each step asks for the permission again.
struct Walk {
    gate: Gate<AuditExport>,
    filter: Filter,
    format: Format,
    heading: String,
    is_over: bool,
}

impl Walk {
    async fn on(mut self) -> Result<Option<(Bytes, Walk)>, Error> {
        if self.is_over {
            return Ok(None);
        }
        let filter = self.filter.clone();
        let entries = self.gate.read(move |tx| super::list(tx.reading(), &filter)).await?;
        self.is_over = (entries.len() as i64) < limits::AUDIT_EXPORT_CHUNK;
        self.filter.before = entries.last().map(|entry| entry.line.seq);
        let mut text = std::mem::take(&mut self.heading);
        for entry in entries {
            match self.format {
                Format::Ndjson => text += &json_line(entry)?,
                Format::Csv => text += &csv_line(&entry),
            }
        }
        Ok(Some((text.into(), self)))
    }
}

fn json_line(entry: Entry) -> Result<String> {
    Ok(serde_json::to_string(&EntryWire::from(entry)).map_err(Error::internal)? + "\n")
}

const CSV_HEADING: &str = "entry,time,who,actor,event,about,project,address,request\r\n";

fn csv_line(entry: &Entry) -> String {
    let (line, seq, at) = (&entry.line, entry.line.seq.to_string(), entry.line.at.to_string());
    let cells = [
        &seq,
        &at,
        &entry.who,
        &line.actor,
        &line.event,
        &line.facts,
        &entry.project,
        &line.address,
        &line.request,
    ];
    cells.map(|cell| csv_cell(cell)).join(",") + "\r\n"
}

/// A cell that no spreadsheet takes for a formula.
fn csv_cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let safe = if is_formula { format!("'{text}") } else { text.to_owned() };
    if safe.contains([',', '"', '\r', '\n']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula_and_never_breaks_out() {
        let cells = ["plain", "=1+1", "+1", "-1", "@A1", "a,b", "say \"hi\"", "two\nlines"].map(csv_cell);
        let safe =
            ["plain", "'=1+1", "'+1", "'-1", "'@A1", "\"a,b\"", "\"say \"\"hi\"\"\"", "\"two\nlines\""];
        assert_eq!(cells, safe);
    }
}
