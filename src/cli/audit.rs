//! `testkeep audit` and `testkeep digest`: what a script compares and what an auditor checks.

use super::output::{Output, table};
use crate::app::House;
use crate::keeping::trail::Kept;
use crate::kernel::access::{AuditView, InstanceView};
use crate::kernel::audit::{self, Filter, Head, Verdict};
use crate::kernel::digest;
use crate::kernel::error::{Error, Result};
use clap::Subcommand;
use data_encoding::HEXLOWER;
use serde::Serialize;

/// What to do with the audit trail.
#[derive(Subcommand, Debug)]
pub enum Audit {
    /// Recompute the chain from its first entry; names the first bad one.
    ///
    /// Compares it with the end of the trail in the newest signed receipt of a backup that lies here, unless a head
    /// from elsewhere is named: a trail that was cut short is whole by itself.
    Verify {
        /// A head kept elsewhere, as `SEQ:HASH`, in the place of that receipt.
        #[arg(long, value_name = "SEQ:HASH", value_parser = head)]
        anchor: Option<Head>,
    },
    /// Show the newest entries.
    List {
        /// Only events whose name begins so, such as `case.`.
        #[arg(long)]
        event: Option<String>,
        /// Only entries before this number.
        #[arg(long)]
        before: Option<i64>,
    },
}

fn head(text: &str) -> Result<Head, String> {
    let parse = || {
        let (seq, hash) = text.split_once(':')?;
        let hash = HEXLOWER.decode(hash.as_bytes()).ok()?;
        Some(Head { seq: seq.parse().ok()?, hash: hash.try_into().ok()? })
    };
    parse().ok_or_else(|| "write it as the command prints it: number, colon, 64 hex digits".to_owned())
}

#[derive(Serialize)]
struct Verified {
    whole: bool,
    entries: Option<i64>,
    head: Option<String>,
    first_bad: Option<i64>,
    should_reach: Option<i64>,
    compared_with: Option<Compared>,
}

/// The end of the trail that was known from elsewhere.
#[derive(Serialize)]
struct Compared {
    /// The head that was named, or the newest receipt of a backup.
    by: &'static str,
    entry: i64,
}

#[derive(Serialize)]
struct Line {
    seq: i64,
    at: String,
    actor: String,
    event: String,
    facts: String,
    address: String,
}

/// Runs one of the commands. A broken chain is a failure, so that scripts notice.
pub async fn run(command: Audit, house: &House, output: Output) -> Result<()> {
    let gate = house.shell.operator().gate::<AuditView>(());
    match command {
        Audit::Verify { anchor } => {
            let kept = Kept::of(&house.instance)?;
            let checked = gate.read_at_length(move |tx| {
                let (by, end) = match anchor {
                    Some(end) => ("anchor", Some(end)),
                    None => ("receipt", kept.end(tx)?),
                };
                let verdict = audit::verify(tx, end.as_ref())?;
                Ok((verdict, end.map(|end| Compared { by, entry: end.seq })))
            });
            let (verdict, compared_with) = checked.await?;
            let verified = Verified { compared_with, ..Verified::of(&verdict) };
            output.print(&verified, Verified::sentence);
            if verified.whole { Ok(()) } else { Err(verified.failure()) }
        }
        Audit::List { event, before } => {
            let filter = Filter { event, before, ..Filter::default() };
            let lines = gate.read(move |tx| audit::list(tx, &filter)).await?;
            let lines: Vec<Line> = lines.into_iter().map(Line::from).collect();
            output.print(&lines, |lines| {
                let row = |line: &Line| {
                    let seq = line.seq.to_string();
                    [&seq, &line.at, &line.actor, &line.event, &line.facts, &line.address]
                        .map(Clone::clone)
                        .to_vec()
                };
                let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
                table(&["entry", "time", "who", "what", "about", "from"], &rows)
            });
            Ok(())
        }
    }
}

impl Verified {
    fn of(verdict: &Verdict) -> Verified {
        let nothing = Verified {
            whole: false,
            entries: None,
            head: None,
            first_bad: None,
            should_reach: None,
            compared_with: None,
        };
        match verdict {
            Verdict::Whole(head) => Verified {
                whole: true,
                entries: Some(head.seq),
                head: Some(format!("{}:{}", head.seq, HEXLOWER.encode(&head.hash))),
                ..nothing
            },
            Verdict::BrokenAt(seq) => Verified { first_bad: Some(*seq), ..nothing },
            Verdict::CutShort { should_reach } => Verified { should_reach: Some(*should_reach), ..nothing },
        }
    }

    fn sentence(&self) -> String {
        match (&self.head, self.first_bad, self.should_reach) {
            (Some(head), ..) => {
                format!(
                    "The audit trail is whole: {} entries.\nHead {head}\n{}",
                    self.entries.unwrap_or_default(),
                    self.compared()
                )
            }
            (_, Some(seq), _) => format!("The audit trail is broken at entry {seq}."),
            (.., reach) => {
                format!("The audit trail was cut short; it once reached entry {}.", reach.unwrap_or_default())
            }
        }
    }

    fn compared(&self) -> String {
        match &self.compared_with {
            Some(Compared { by: "anchor", entry }) => format!("Compared with the head that was named, entry {entry}."),
            Some(Compared { entry, .. }) => {
                format!("Compared with the newest receipt of a backup that lies here, entry {entry}.")
            }
            None => "Compared with nothing: no receipt of a backup lies here. One that was cut short would look the \
                     same; name a head from elsewhere with --anchor."
                .to_owned(),
        }
    }

    fn failure(&self) -> Error {
        Error::conflict(self.sentence()).hint(
            "Keep this data folder as it is, restore the newest backup elsewhere, and compare the two trails.",
        )
    }
}

impl From<audit::Line> for Line {
    fn from(line: audit::Line) -> Line {
        Line {
            seq: line.seq,
            at: line.at.to_string(),
            actor: line.actor,
            event: line.event,
            facts: line.facts,
            address: line.address,
        }
    }
}

#[derive(Serialize)]
struct Digested {
    digest: String,
    blobs: u64,
}

/// Prints the hash over all user data; each blob is read and compared with its own digest first.
pub async fn digest(house: &House, output: Output) -> Result<()> {
    let blobs = house.instance.blobs.verify_all()?;
    let gate = house.shell.operator().gate::<InstanceView>(());
    let digest = gate.read_at_length(digest::of_user_data).await?;
    output.print(&Digested { digest, blobs }, |digested| digested.digest.clone());
    Ok(())
}
