//! Status: what a standby is worth at this moment, for people, for scripts and for a monitor. It needs no key.

use super::hold;
use super::state::{Proof, State, Trouble};
use crate::kernel::error::{Error, Result};
use crate::kernel::time::Timestamp;
use serde::Serialize;
use std::path::Path;

/// What a standby is worth.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Whether it could take over now within its bound.
    pub ready: bool,
    /// The instance that is followed.
    pub instance: String,
    /// The address of the target.
    pub from: String,
    /// The process that follows; none if nobody does.
    pub process: Option<u32>,
    /// Everything that was committed by then is here.
    pub reached: Option<String>,
    /// How far that is behind the clock of this machine, in seconds. A silent instance and one that is gone look the
    /// same from here, so this grows with both.
    pub lag_seconds: Option<f64>,
    /// How far it may be.
    pub lag_seconds_max: i64,
    /// What lies at the target and is not here, as of the last look: seconds and segments.
    pub behind_target_seconds: Option<f64>,
    /// Segments of it.
    pub behind_target_segments: Option<u32>,
    /// When the target answered last.
    pub target_answered: Option<String>,
    /// The backup that the copy began with.
    pub base: Option<Good>,
    /// The newest backup at the target that was read back and signed.
    pub last_good_backup: Option<Good>,
    /// Segments of the log that were written into the copy.
    pub segments: u64,
    /// The newest proof that the copy opens and is whole.
    pub proof: Option<Told>,
    /// Why it does not go on.
    pub trouble: Option<TroubleTold>,
    #[serde(skip)]
    pub(super) reached_ms: Option<i64>,
}

/// A backup that was read back and signed.
#[derive(Clone, Debug, Serialize)]
pub struct Good {
    /// Its number.
    pub number: u64,
    /// When it was finished.
    pub finished_at: String,
}

/// A proof in words that a person reads.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// When it was made.
    pub at: String,
    /// The moment that the copy was at.
    pub of: String,
    #[serde(flatten)]
    proof: Proof,
}

/// Why it does not go on, and since when.
#[derive(Clone, Debug, Serialize)]
pub struct TroubleTold {
    /// What happened.
    pub sentence: String,
    /// What to do.
    pub hint: Option<String>,
    /// Since when.
    pub since: String,
}

pub(super) fn seconds(ms: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a lag is far below 2⁵³ ms")]
    let ms = ms as f64;
    ms / 1_000.0
}

impl Status {
    /// Reads it, with another bound if one is named. Errors: `NotFound` where the folder holds no standby.
    pub fn of(folder: &Path, lag_seconds_max: Option<i64>, now: Timestamp) -> Result<Status> {
        let mut state = State::load(folder)?.ok_or_else(|| none_here(folder))?;
        state.lag_seconds_max = lag_seconds_max.unwrap_or(state.lag_seconds_max);
        let process = hold::holder(folder);
        Ok(Status::told(&state, process, now))
    }

    pub(super) fn told(state: &State, process: Option<u32>, now: Timestamp) -> Status {
        let copy = state.copy.as_ref();
        let reached = copy.map(|copy| copy.reached);
        // A clock that was set back, or another machine's that is ahead, makes nothing newer.
        let lag_ms = reached.map(|reached| (now.0 - reached).abs());
        let proof = copy.and_then(|copy| copy.proof.clone());
        let heard = state.heard.as_ref().zip(copy);
        Status {
            ready: state.promoting.is_none()
                && lag_ms.is_some_and(|ms| ms <= state.lag_seconds_max * 1_000)
                && proof.as_ref().is_some_and(|proof| proof.is_good),
            instance: state.instance.clone(),
            from: state.from.clone(),
            process,
            reached: reached.map(told),
            lag_seconds: lag_ms.map(seconds),
            lag_seconds_max: state.lag_seconds_max,
            behind_target_seconds: heard.map(|(heard, copy)| seconds((heard.head_at - copy.reached).max(0))),
            behind_target_segments: heard.map(|(heard, copy)| (heard.segments + 1).saturating_sub(copy.next)),
            target_answered: state.heard.as_ref().map(|heard| told(heard.at)),
            base: copy.map(|copy| Good {
                number: copy.receipt.number,
                finished_at: copy.receipt.finished_at.clone(),
            }),
            last_good_backup: state
                .good
                .as_ref()
                .map(|good| Good { number: good.number, finished_at: good.finished_at.clone() }),
            segments: copy.map_or(0, |copy| copy.segments),
            proof: proof.map(|proof| Told { at: told(proof.at), of: told(proof.reached), proof }),
            trouble: state.trouble.as_ref().map(TroubleTold::of),
            reached_ms: reached,
        }
    }

    /// Why it could not take over now within its bound. Errors: `Busy` with the reason.
    pub fn refuse_unready(&self) -> Result<()> {
        let why = match (&self.reached, self.lag_seconds) {
            _ if self.ready => return Ok(()),
            (Some(reached), Some(lag)) if lag > self.bound() => format!(
                "The standby is {lag:.0} s behind, and {} s are allowed: it holds everything up to {reached}.",
                self.lag_seconds_max
            ),
            (Some(_), _) => match self.proof.as_ref().and_then(|told| told.proof.findings.first()) {
                Some(first) => format!("The copy is not whole: {first}"),
                None => "The copy was not proven yet.".to_owned(),
            },
            _ => "There is no copy yet.".to_owned(),
        };
        let now = self.trouble.as_ref().map_or_else(
            || match self.process {
                Some(_) => "It goes on by itself; a quiet instance speaks once a minute.".to_owned(),
                None => {
                    "Nobody follows: systemctl start testkeep-standby, or testkeep standby follow.".to_owned()
                }
            },
            |trouble| trouble.sentence.clone(),
        );
        Err(Error::busy(why).hint(now))
    }

    fn bound(&self) -> f64 {
        seconds(self.lag_seconds_max * 1_000)
    }

    /// In sentences.
    pub fn text(&self) -> String {
        let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
        let good = |good: &Option<Good>| {
            good.as_ref()
                .map_or_else(|| "–".to_owned(), |good| format!("{}, {}", good.number, good.finished_at))
        };
        let lag = self.lag_seconds.map_or_else(|| "–".to_owned(), |lag| format!("{lag:.1} s"));
        let behind = match (self.behind_target_seconds, self.behind_target_segments) {
            (Some(seconds), Some(segments)) => format!("{seconds:.1} s, {segments} segments"),
            _ => "–".to_owned(),
        };
        let proof = self.proof.as_ref().map_or_else(|| "none yet".to_owned(), Told::text);
        let mut rows = vec![
            ("instance", self.instance.clone()),
            ("from", self.from.clone()),
            ("process", self.process.map_or_else(|| "nobody follows".to_owned(), |id| id.to_string())),
            ("reached", or(&self.reached)),
            ("lag", format!("{lag} of {} s allowed", self.lag_seconds_max)),
            ("to target", behind),
            ("answered", or(&self.target_answered)),
            ("base", format!("backup {}", good(&self.base))),
            ("log", format!("{} segments", self.segments)),
            ("last good", format!("backup {}", good(&self.last_good_backup))),
            ("proof", proof),
        ];
        if let Some(trouble) = &self.trouble {
            rows.push(("trouble", format!("{} (since {})", trouble.sentence, trouble.since)));
            rows.extend(trouble.hint.iter().map(|hint| ("", hint.clone())));
        }
        rows.iter().map(|(word, value)| format!("{word:<10} {value}")).collect::<Vec<_>>().join("\n")
    }
}

impl Told {
    fn text(&self) -> String {
        let Proof { rows, audit_entry, files, files_missing, database_bytes, findings, .. } = &self.proof;
        match findings.first() {
            Some(first) => format!("NOT WHOLE at {}: {first}", self.at),
            None => format!(
                "whole at {}: {database_bytes} bytes, {rows} rows, audit trail to entry {audit_entry}, {files} files, \
                 {files_missing} missing",
                self.at
            ),
        }
    }
}

impl TroubleTold {
    fn of(trouble: &Trouble) -> TroubleTold {
        let Trouble { sentence, hint, since } = trouble.clone();
        TroubleTold { sentence, hint, since: told(since) }
    }
}

fn told(ms: i64) -> String {
    Timestamp(ms).to_string()
}

pub(super) fn none_here(folder: &Path) -> Error {
    Error::not_found(format!("{} holds no standby.", folder.display()))
        .hint("Begin one: testkeep standby follow --from TARGET --into FOLDER --kit-file kit.txt.")
}
