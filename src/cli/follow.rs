//! The log behind a backup, as `testkeep restore --at` takes and tells it.

use crate::keeping::shipping::replay::{Replayed, Until};
use crate::kernel::time::Timestamp;
use serde::Serialize;

/// A moment as people write it.
pub(super) fn moment(text: &str) -> std::result::Result<Until, String> {
    if text == "latest" {
        return Ok(Until::Latest);
    }
    let at: jiff::Timestamp =
        text.parse().map_err(|_| "write it like 2026-11-22T10:15:00Z, or `latest`".to_owned())?;
    Ok(Until::At(Timestamp(at.as_millisecond())))
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
}

impl From<Replayed> for Followed {
    fn from(replayed: Replayed) -> Followed {
        let Replayed { at, last_commit, segments, pages, missing, lacking, .. } = replayed;
        Followed {
            at: at.to_string(),
            last_commit: last_commit.to_string(),
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
        let Followed { at, last_commit, segments, pages, .. } = self;
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
