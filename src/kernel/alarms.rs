//! Alarms: what somebody should look at, from the moment it is found until it is over.
//!
//! Whoever looks after something raises and clears its alarms in the transaction in which it finds out.
//! Not notices: who is told of an alarm, and how, is another matter.

use super::access::{Changes, Instance, Permission, Tx, Write};
use super::audit::Event;
use super::db::row::{FromRow, Row};
use super::error::Result;
use super::id::AlarmId;
use super::limits;
use super::time::Timestamp;
use rusqlite::named_params;

const RAISED: Event = Event::new("alarm.raised", "Something was found that somebody should look at.");
const CLEARED: Event = Event::new("alarm.cleared", "What an alarm was about is over.");

/// Events of alarms.
pub const EVENTS: &[Event] = &[RAISED, CLEARED];

macro_rules! alarms {
    ($($(#[doc = $meaning:literal])+ $name:ident = $word:literal, $title:literal, $weight:ident, $path:literal;)*) => {
        /// What an alarm is about. Closed: pages, metrics and the manual show these words.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Alarm {
            $($(#[doc = $meaning])+ $name),*
        }

        impl Alarm {
            /// Every kind there is.
            pub const ALL: &[Alarm] = &[$(Alarm::$name),*];

            /// The word in the table, in metrics and in the API.
            pub fn word(self) -> &'static str {
                match self { $(Alarm::$name => $word),* }
            }

            /// The words on a page.
            pub fn title(self) -> &'static str {
                match self { $(Alarm::$name => $title),* }
            }

            /// How heavy it weighs.
            pub fn weight(self) -> Weight {
                match self { $(Alarm::$name => Weight::$weight),* }
            }

            /// The page on which to act.
            pub fn path(self) -> &'static str {
                match self { $(Alarm::$name => $path),* }
            }
        }
    };
}

// One line a kind, in the order of the pages.
alarms! {
    /// Something that was stored cannot be read back as it was written; the subject is what was checked.
    Corruption = "corruption", "Damage was found", Danger, "/instance/storage/checks";
    /// The disk of the data holds no more, or will soon; the subject is empty.
    DiskFull = "disk_full", "The disk is filling up", Danger, "/instance/storage";
    /// A scheduled job failed; the subject is its name.
    JobFailed = "job_failed", "Scheduled work failed", Warning, "/instance";
    /// What was noted lies in the future: the clock was set back, or is wrong now; the subject is empty.
    ClockBack = "clock_back", "The clock was set back", Warning, "/instance";
    /// A drill did not bring the newest backup of a target back; the subject is the target.
    DrillFailed = "drill_failed", "A backup did not come back", Danger, "/instance/backups/drills";
    /// No drill was good for twice the time between two.
    DrillMissed = "drill_missed", "A drill was missed", Warning, "/instance/backups/drills";
    /// No drill was good for a year.
    DrillOverdue = "drill_overdue", "No backup came back for a year", Danger, "/instance/backups/drills";
    /// A key is past its time; the subject is its kind.
    KeyOld = "key_old", "A key is old", Warning, "/instance/keys";
    /// An exchange of a key failed or does not go on; the subject is its kind.
    KeyChangeStuck = "key_change_stuck", "A key could not be exchanged", Warning, "/instance/keys";
    /// The certificate ends in a month or less.
    CertificateExpiry = "certificate_expiry", "The certificate ends soon", Warning, "/instance/certificate";
    /// The certificate ends in a week or less, or has ended.
    CertificateEnding = "certificate_ending", "The certificate is at its end", Danger, "/instance/certificate";
    /// Another certificate cannot be had, or what lies in the files does not fit.
    CertificateRenewal = "certificate_renewal", "The certificate cannot be renewed", Warning, "/instance/certificate";
    /// The newest backup to a target failed; the subject is the name of the target.
    BackupFailed = "backup_failed", "A backup failed", Danger, "/instance/backups";
    /// The newest good backup at a target is older than its schedule allows; the subject is its name.
    BackupMissed = "backup_missed", "A backup was missed", Danger, "/instance/backups";
    /// What lies at a target is not as it was written; the subject is the name of the target.
    BackupDamaged = "backup_damaged", "Backups are damaged", Danger, "/instance/backups";
    /// Backups that are past their retention could not be taken away; the subject is the name of the target.
    RetentionStuck = "retention_stuck", "Old backups stay", Warning, "/instance/backups";
    /// A target cannot be reached; the subject is its name.
    TargetUnreachable = "target_unreachable", "A backup target cannot be reached", Danger, "/instance/backups";
    /// A target stands where backups may not go; the subject is its name.
    RegionForbidden = "region_forbidden", "A backup target is in a forbidden region", Danger, "/instance/backups";
    /// No backup leaves this machine.
    NoTargetElsewhere = "no_target_elsewhere", "No backup leaves this machine", Warning, "/instance/backups";
    /// Another machine has taken the instance over, as its mark at a target says; the subject is the target.
    TakenOver = "taken_over", "Another machine took over", Danger, "/instance/backups/log";
    /// The shipped log is behind; the subject is the target.
    LogLagging = "log_lagging", "The log falls behind", Warning, "/instance/backups/log";
}

/// How heavy an alarm weighs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Weight {
    /// Data, safety or service are at stake now.
    Danger,
    /// It will become so if nobody acts.
    Warning,
}

/// An alarm that is not over.
#[derive(Clone, Debug)]
pub struct Raised {
    /// What it is about.
    pub alarm: Alarm,
    /// Which one of its kind; empty for the instance as a whole.
    pub subject: String,
    /// What is the matter and what to do.
    pub sentence: String,
    /// Since when.
    pub raised_at: Timestamp,
}

impl Raised {
    /// A word of the closed list of statuses, for its colour and its mark.
    pub fn tone(&self) -> &'static str {
        match self.alarm.weight() {
            Weight::Danger => "failed",
            Weight::Warning => "blocked",
        }
    }
}

/// Raises an alarm, or notes that it still holds. Leaves an entry when it is new.
pub fn raise<P>(tx: Write<'_, P>, alarm: Alarm, subject: &str, sentence: &str) -> Result<()>
where
    P: Permission<Scope = Instance, Effect = Changes>,
{
    let known: Option<Id> = open_one(tx, alarm, subject)?;
    let row: Id = tx.only(
        "INSERT INTO alarms (kind, subject, sentence, raised_at, seen_at)
         VALUES (:kind, :subject, :sentence, :now, :now)
             ON CONFLICT (kind, subject) WHERE cleared_at IS NULL
             DO UPDATE SET sentence = excluded.sentence, seen_at = excluded.seen_at
         RETURNING id",
        named_params! { ":kind": alarm.word(), ":subject": subject, ":sentence": sentence, ":now": tx.now() },
    )?;
    if known.is_none() {
        tracing::error!(alarm = alarm.word(), subject, sentence, "alarm: {sentence}");
        return tx.audited(RAISED.of(row.0), ()).map(drop);
    }
    Ok(())
}

/// Ends an alarm. Leaves an entry if there was one.
pub fn clear<P>(tx: Write<'_, P>, alarm: Alarm, subject: &str) -> Result<()>
where
    P: Permission<Scope = Instance, Effect = Changes>,
{
    let Some(known) = open_one(tx, alarm, subject)? else { return Ok(()) };
    tx.run(
        "UPDATE alarms SET cleared_at = :now WHERE id = :id",
        named_params! { ":id": known.0, ":now": tx.now() },
    )?;
    tracing::info!(alarm = alarm.word(), subject, "alarm over");
    tx.audited(CLEARED.of(known.0), ()).map(drop)
}

/// The alarms that are not over, the heaviest first.
pub fn open(tx: impl Tx) -> Result<Vec<Raised>> {
    let rows: Vec<Stored> = tx.rows(
        "SELECT kind, subject, sentence, raised_at FROM alarms
          WHERE cleared_at IS NULL ORDER BY raised_at LIMIT :limit",
        named_params! { ":limit": limits::ALARMS_SHOWN },
    )?;
    let mut found: Vec<Raised> = rows.into_iter().filter_map(Stored::known).collect();
    found.sort_by_key(|raised| raised.alarm.weight());
    Ok(found)
}

/// How many alarms are not over.
pub fn count(tx: impl Tx) -> Result<i64> {
    let row: Id = tx.only("SELECT count(*) AS id FROM alarms WHERE cleared_at IS NULL", [])?;
    Ok(row.0.0)
}

fn open_one(tx: impl Tx, alarm: Alarm, subject: &str) -> Result<Option<Id>> {
    tx.row(
        "SELECT id FROM alarms WHERE kind = :kind AND subject = :subject AND cleared_at IS NULL",
        named_params! { ":kind": alarm.word(), ":subject": subject },
    )
}

struct Id(AlarmId);

impl FromRow for Id {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Id> {
        row.get("id").map(Id)
    }
}

struct Stored {
    kind: String,
    subject: String,
    sentence: String,
    raised_at: Timestamp,
}

impl Stored {
    /// None for a kind that only an older program knew.
    fn known(self) -> Option<Raised> {
        let alarm = Alarm::ALL.iter().copied().find(|alarm| alarm.word() == self.kind)?;
        Some(Raised { alarm, subject: self.subject, sentence: self.sentence, raised_at: self.raised_at })
    }
}

impl FromRow for Stored {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Stored> {
        Ok(Stored {
            kind: row.get("kind")?,
            subject: row.get("subject")?,
            sentence: row.get("sentence")?,
            raised_at: row.get("raised_at")?,
        })
    }
}
