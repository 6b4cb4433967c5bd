//! What `testkeep restore` tells: the backup that came back, and the log behind it.

use super::backup::size;
use crate::keeping::shipping::moment;
use crate::keeping::shipping::replay::{Replayed, Until};
use crate::kernel::keyring::default_key_file;
use crate::kernel::time::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde::Serialize;
use std::path::PathBuf;

/// A moment as people write it: with its zone, or by the clock on the wall here.
pub(super) fn until(text: &str) -> std::result::Result<Until, String> {
    if text == "latest" {
        return Ok(Until::Latest);
    }
    let at = moment::parse(text).ok_or_else(|| {
        "write it like 2026-11-22T10:15:00Z, like 2026-11-22T11:15:00 in the zone of this machine, or `latest`"
            .to_owned()
    })?;
    Ok(Until::At(at))
}

/// A moment in UTC, and as clocks here show it where that differs.
fn told(at: Timestamp) -> String {
    let here = jiff::Timestamp::from_millisecond(at.0).map(|at| at.to_zoned(TimeZone::system()));
    match here {
        Ok(here) if here.offset() != Offset::UTC => {
            format!("{at} ({} here)", here.strftime("%Y-%m-%d %H:%M:%S %:z"))
        }
        _ => at.to_string(),
    }
}

/// What came back.
#[derive(Serialize)]
pub(super) struct Restored {
    pub(super) into: PathBuf,
    pub(super) key_file: PathBuf,
    pub(super) instance: String,
    pub(super) receipt: u64,
    pub(super) made_at: String,
    pub(super) testkeep: String,
    pub(super) rows: i64,
    pub(super) blobs: usize,
    pub(super) bytes: u64,
    pub(super) blobs_missing: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) log: Option<Followed>,
}

impl Restored {
    /// In sentences.
    pub(super) fn text(&self) -> String {
        let Restored { into, key_file, receipt, made_at, rows, blobs, bytes, .. } = self;
        let missing = match self.blobs_missing {
            0 => String::new(),
            count => format!("\nNote: {count} attached files were missing when the backup was made."),
        };
        format!(
            "Restored backup {receipt} of {made_at} into {}: {rows} rows, {blobs} attached files, {}.\n\
             Everything was compared with the signed receipt.{missing}{}\n\n\
             Its everyday key is now {}; keep a copy away from this machine.\n\
             Start it with\n  testkeep serve --data {}{}",
            into.display(),
            size(*bytes),
            self.log.as_ref().map(Followed::text).unwrap_or_default(),
            key_file.display(),
            into.display(),
            if *key_file == default_key_file(into) {
                String::new()
            } else {
                format!(" --key-file {}", key_file.display())
            },
        )
    }
}

/// What was brought back behind a backup.
#[derive(Serialize)]
pub(super) struct Followed {
    at: String,
    last_commit: String,
    segments: u32,
    pages: u64,
    missing: Option<String>,
    lacking: Vec<String>,
    /// The two moments for people.
    #[serde(skip)]
    told: [String; 2],
}

impl From<Replayed> for Followed {
    fn from(replayed: Replayed) -> Followed {
        let Replayed { at, last_commit, segments, pages, missing, lacking, .. } = replayed;
        Followed {
            at: at.to_string(),
            last_commit: last_commit.to_string(),
            told: [told(at), told(last_commit)],
            segments,
            pages,
            missing,
            lacking,
        }
    }
}

impl Followed {
    /// In sentences.
    pub(super) fn text(&self) -> String {
        let Followed { told: [at, last_commit], segments, pages, .. } = self;
        let mut text = format!(
            "\nFollowed its log to {at}: {segments} segments, {pages} pages; the last change is of {last_commit}."
        );
        if let Some(missing) = &self.missing {
            text.push_str(&format!("\nThe log goes no further: {missing}"));
        }
        self.lacking.iter().for_each(|file| text.push_str(&format!("\nAn attached file {file}.")));
        text
    }
}
