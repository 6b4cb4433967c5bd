//! State: how far a standby is, on the disk and in the clear. It holds no secret, so that `status` needs no key.

use crate::keeping::backup::Receipt;
use crate::keeping::backup::manifest::Anchor;
use crate::keeping::backup::receipt::Place;
use crate::kernel::durable::{self, trouble};
use crate::kernel::error::{Error, Result};
use crate::kernel::layout;
use crate::kernel::limits;
use crate::kernel::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const VERSION: u32 = 1;

/// How far a standby is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct State {
    version: u32,
    /// The address of the target.
    pub from: String,
    /// The instance that is followed.
    pub instance: String,
    /// Seconds that the copy may be behind.
    pub lag_seconds_max: i64,
    /// Seconds between two looks.
    pub every_seconds: i64,
    /// The number of the mark that this machine leaves when it takes over: a try that was cut off may have left it.
    #[serde(default)]
    pub mark: Option<String>,
    /// Set once it is being made the instance: nothing follows any more.
    pub promoting: Option<Promoting>,
    /// The copy that counts.
    pub copy: Option<Copy>,
    /// The newest backup at the target that was read back and signed.
    pub good: Option<GoodBackup>,
    /// What the target said last.
    pub heard: Option<Heard>,
    /// Why it does not go on.
    pub trouble: Option<Trouble>,
    /// When it last worked at all, in milliseconds since 1970.
    pub looked_at: i64,
}

/// The copy of the instance, in a folder of its own beside this file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Copy {
    /// Name of its folder.
    pub folder: String,
    /// The backup that it began with.
    pub receipt: Receipt,
    /// The end of the audit trail that was signed with it.
    pub anchor: Anchor,
    /// Tables of that backup, and the rows of each.
    pub rows: BTreeMap<String, i64>,
    /// Name of the log that follows it.
    pub stream: Option<String>,
    /// The first segment of that log that is not in the copy.
    pub next: u32,
    /// The place behind the last transaction in it; none where the backup is followed by no log.
    pub place: Option<Place>,
    /// Everything that was committed by then is in it, in milliseconds since 1970.
    pub reached: i64,
    /// Segments that were written into it.
    pub segments: u64,
    /// Files of evidence that came with the log.
    pub files: u64,
    /// Shows that it opens and is whole.
    pub proof: Option<Proof>,
}

/// What is needed to finish a takeover that was cut off.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Promoting {
    /// The number of its mark.
    pub mark: String,
    /// What can be lost, in milliseconds.
    pub lost_ms: i64,
}

/// A copy was opened as a start opens it, and found whole.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Proof {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// How far the copy was then, in milliseconds since 1970.
    pub reached: i64,
    /// Whether nothing was wrong.
    pub is_good: bool,
    /// Bytes of the database, each of its pages checked.
    pub database_bytes: u64,
    /// Rows in all tables.
    pub rows: i64,
    /// The last entry of the audit trail, which is whole up to there.
    pub audit_entry: i64,
    /// Files of evidence that the database speaks of.
    pub files: u64,
    /// How many of them are not there yet.
    pub files_missing: u64,
    /// What was wrong.
    pub findings: Vec<String>,
}

/// A backup at the target that was read back and signed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct GoodBackup {
    /// Its number.
    pub number: u64,
    /// When it was finished, RFC 3339 in UTC.
    pub finished_at: String,
    /// Whether a log follows it.
    pub has_log: bool,
}

/// What the target said last.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Heard {
    /// When it answered, in milliseconds since 1970.
    pub at: i64,
    /// The moment up to which the log there goes, in milliseconds since 1970.
    pub head_at: i64,
    /// Segments of the log there.
    pub segments: u32,
}

/// Why a standby does not go on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Trouble {
    /// What happened.
    pub sentence: String,
    /// What to do.
    pub hint: Option<String>,
    /// Since when it does not, in milliseconds since 1970.
    pub since: i64,
}

impl State {
    /// A standby that has nothing yet.
    pub fn new(from: String) -> State {
        State {
            version: VERSION,
            from,
            instance: String::new(),
            lag_seconds_max: limits::STANDBY_LAG_SECONDS,
            every_seconds: limits::STANDBY_EVERY_SECONDS,
            mark: None,
            promoting: None,
            copy: None,
            good: None,
            heard: None,
            trouble: None,
            looked_at: 0,
        }
    }

    /// What lies in the folder; none if it holds no standby.
    pub fn load(folder: &Path) -> Result<Option<State>> {
        let path = layout::standby(folder);
        let bytes = match fs::read(&path) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|cause| trouble("read", &path, cause))?,
        };
        let state: State =
            serde_json::from_slice(&bytes).map_err(|cause| unreadable(&path).because(cause))?;
        if state.version == VERSION { Ok(Some(state)) } else { Err(unreadable(&path)) }
    }

    /// Stores it; on return it survives a power cut.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).map_err(Error::internal)?;
        durable::replace(&layout::standby(folder), &json)
    }

    /// Notes why it does not go on, since when that first was so, and that somebody is at work.
    pub fn stands(&mut self, reason: &Error, now: Timestamp) {
        let since = self.trouble.as_ref().map_or(now.0, |before| before.since);
        let (sentence, hint) = (reason.sentence().to_owned(), reason.hint_text().map(str::to_owned));
        self.trouble = Some(Trouble { sentence, hint, since });
        self.looked_at = now.0;
    }
}

impl Copy {
    /// The data folder that it is.
    pub fn data(&self, folder: &Path) -> PathBuf {
        folder.join(&self.folder).join("data")
    }

    /// Where segments lie before they are written into it.
    pub fn inbox(&self, folder: &Path) -> PathBuf {
        folder.join(&self.folder).join("inbox")
    }

    /// The wrapped keys as they came with the backup: those of now may need a newer kit.
    pub fn first_keyring(&self, folder: &Path) -> PathBuf {
        folder.join(&self.folder).join("keyring-of-the-backup.json")
    }
}

fn unreadable(path: &Path) -> Error {
    Error::invalid(format!(
        "{} cannot be read: a newer Testkeep wrote it, or it was changed.",
        path.display()
    ))
    .hint("Use the version of Testkeep that wrote it, or follow anew into an empty folder.")
}
