//! State: how far the log was sealed and shipped, on the disk, so that a process that was killed goes on
//! where it was.
//!
//! A segment is in the queue before the state knows of it, and leaves the queue after the state knows that
//! every target has it.

use super::segment;
use crate::kernel::access::{Cursor, Position};
use crate::kernel::durable::{self, trouble};
use crate::kernel::error::{Error, Result};
use crate::kernel::layout;
use crate::kernel::random;
use crate::kernel::time::Clock;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const VERSION: u32 = 1;

/// How far one log is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct State {
    version: u32,
    /// Name of this log: random, so that none is taken for another.
    pub stream: String,
    /// Tells another key from the one it began with.
    pub key_sum: String,
    /// When it began, in milliseconds since 1970.
    #[serde(default)]
    pub begun_at: i64,
    /// Where it began in the database's own log.
    pub begins: Option<Position>,
    /// What is before it is in a segment.
    pub cursor: Option<Cursor>,
    /// Segments that were sealed.
    pub sealed: u32,
    /// Segments whose files of evidence are known; only these are shipped.
    pub cleared: u32,
    /// Tag of the last segment.
    pub tag: String,
    /// The newest row of `blobs` that was looked at.
    pub blob: i64,
    /// Digest of the wrapped keys that were sealed last.
    pub keyring_sum: String,
    /// What each target has.
    pub places: BTreeMap<String, Reached>,
}

/// How far one target is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Reached {
    /// Segments before the first that it was to have.
    pub since: u32,
    /// A backup at this place or behind it can be followed by the log.
    pub begins: Option<Position>,
    /// The last segment that it has.
    pub segments: u32,
    /// It fell so far behind that segments were given up.
    pub is_lost: bool,
}

impl State {
    /// A log that begins now.
    pub fn begun(key_sum: String, cursor: Option<Cursor>) -> State {
        State {
            version: VERSION,
            stream: HEXLOWER.encode(&random::bytes::<8>()),
            key_sum,
            begun_at: Clock::System.now().0,
            begins: cursor.map(|cursor| cursor.position),
            cursor,
            sealed: 0,
            cleared: 0,
            tag: String::new(),
            blob: 0,
            keyring_sum: String::new(),
            places: BTreeMap::new(),
        }
    }

    /// The state of this instance, if it ships its log. One that cannot be read is as good as none: then a
    /// new log begins.
    pub fn load(data: &Path) -> Result<Option<State>> {
        let path = layout::log_state(data);
        match fs::read(&path) {
            Ok(bytes) => {
                let state = serde_json::from_slice::<State>(&bytes).ok();
                Ok(state.filter(|state| state.version == VERSION))
            }
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(trouble("read", &path, cause)),
        }
    }

    /// Stores it.
    pub fn save(&self, data: &Path) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).map_err(Error::internal)?;
        durable::create_folder(&layout::log(data))?;
        durable::replace(&layout::log_state(data), &json)
    }

    /// Forgets that the log was shipped, and what waits.
    pub fn remove(data: &Path) -> Result<()> {
        let folder = layout::log(data);
        match fs::remove_dir_all(&folder) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => Err(trouble("remove", &folder, cause)),
            _ => Ok(()),
        }
    }

    /// The last segment that every target has that still follows.
    pub fn shipped(&self) -> u32 {
        let following = self.places.values().filter(|place| !place.is_lost);
        following.map(|place| place.segments).min().unwrap_or(self.sealed)
    }
}

/// What waits for the targets, on the disk.
pub(super) struct Queue(PathBuf);

impl Queue {
    /// The queue of this instance.
    pub fn of(data: &Path) -> Queue {
        Queue(layout::log(data))
    }

    /// Stores a segment.
    pub fn put(&self, number: u32, sealed: &[u8]) -> Result<()> {
        durable::create_folder(&self.0)?;
        durable::replace(&self.segment(number), sealed)
    }

    /// A segment.
    pub fn get(&self, number: u32) -> Result<Vec<u8>> {
        let path = self.segment(number);
        fs::read(&path).map_err(|cause| trouble("read", &path, cause))
    }

    /// Notes the files of evidence that go before a segment.
    pub fn put_blobs(&self, number: u32, names: &[String]) -> Result<()> {
        durable::replace(&self.blobs_of(number), names.join("\n").as_bytes())
    }

    /// The files of evidence that go before a segment.
    pub fn blobs(&self, number: u32) -> Result<Vec<String>> {
        let path = self.blobs_of(number);
        match fs::read_to_string(&path) {
            Ok(names) => Ok(names.lines().map(str::to_owned).collect()),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(cause) => Err(trouble("read", &path, cause)),
        }
    }

    /// Numbers and bytes of the segments in it.
    pub fn segments(&self) -> Result<BTreeMap<u32, u64>> {
        let mut found = BTreeMap::new();
        let entries = match fs::read_dir(&self.0) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(found),
            entries => entries.map_err(|cause| trouble("read", &self.0, cause))?,
        };
        for entry in entries {
            let entry = entry.map_err(|cause| trouble("read", &self.0, cause))?;
            let number =
                entry.file_name().to_str().and_then(|name| name.strip_suffix(".segment")?.parse().ok());
            if let (Some(number), Ok(meta)) = (number, entry.metadata()) {
                found.insert(number, meta.len());
            }
        }
        Ok(found)
    }

    /// Removes what every target has.
    pub fn drop_until(&self, number: u32) -> Result<()> {
        for number in self.segments()?.range(..=number).map(|(number, _)| *number) {
            for path in [self.blobs_of(number), self.segment(number)] {
                match fs::remove_file(&path) {
                    Err(cause) if cause.kind() != ErrorKind::NotFound => {
                        return Err(trouble("remove", &path, cause));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn segment(&self, number: u32) -> PathBuf {
        self.0.join(format!("{number:08}.segment"))
    }

    fn blobs_of(&self, number: u32) -> PathBuf {
        self.0.join(format!("{number:08}.blobs"))
    }
}

/// The name of a segment of this log at its targets.
pub(super) fn object(state: &State, number: u32) -> String {
    segment::name(&state.stream, number)
}
