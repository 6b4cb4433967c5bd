//! Ages of keys: what is past its time is told, and never changed unasked.

use super::Kind;
use crate::keeping::backups::Desk;
use crate::kernel::access::{InstanceKeep, Job, Permission, Tx, Write};
use crate::kernel::alarms::{self, Alarm};
use crate::kernel::audit::Quiet;
use crate::kernel::declare::{Running, Scheduled, When};
use crate::kernel::error::{Error, Result};
use crate::kernel::instance::Instance;
use crate::kernel::keyring::{Keyring, State};
use crate::kernel::settings::Setting;
use crate::kernel::time::{Clock, Timestamp};
use std::sync::Arc;

const DAY_MS: i64 = 24 * 3_600_000;

/// How old a key may become.
pub const DAYS_MAX: Setting = Setting {
    name: "keys.days_max",
    default: "365",
    meaning: "Days after which the age of a key raises an alarm; 0 for never.",
    check: |text| days(text).map(drop),
};

const AGER: Job =
    Job { name: "key-ages", meaning: "Looks whether a key is past its time.", may: &[InstanceKeep::INFO] };

/// The look of every day.
pub const AGES: Scheduled<Arc<Desk>> = Scheduled { job: &AGER, when: When::Cron("20 4 * * *"), run: look };

/// Days since the key in use was made; none where there is no such key yet.
pub(super) fn age(keyring: &Keyring, kind: Kind, now: Timestamp) -> Option<i64> {
    let lines = keyring.lines();
    let line = lines.iter().find(|line| line.purpose == kind.purpose() && line.state == State::Current)?;
    Some((now.0 - line.made_at.0) / DAY_MS)
}

/// The clock by which keys are dated: that of the system.
pub(super) fn now() -> Timestamp {
    Clock::System.now()
}

pub(super) fn days(text: &str) -> Result<i64> {
    text.parse().ok().filter(|days| (0..=36_500).contains(days)).ok_or_else(|| {
        Error::invalid(format!("“{text}” is no number of days.")).hint("Write 0 to 36500; 0 for never.")
    })
}

fn look(desk: Arc<Desk>) -> Running {
    Box::pin(async move {
        let instance = Arc::clone(&desk.instance);
        let gate = desk.instance.door.job(&AGER).gate::<InstanceKeep>(());
        let overdue =
            gate.write(move |tx| tell(tx, &instance).map(|count| tx.quiet(Quiet::JobHeartbeat, count)));
        let overdue = overdue.await?;
        Ok(format!("{overdue} keys are past their time."))
    })
}

fn tell(tx: Write<'_, InstanceKeep>, instance: &Instance) -> Result<usize> {
    let days_max = days(&DAYS_MAX.get(tx)?)?;
    let keyring = instance.keyring()?;
    let mut overdue = 0;
    for kind in Kind::ALL {
        let Some(age) = age(&keyring, *kind, tx.now()) else { continue };
        if days_max > 0 && age > days_max {
            overdue += 1;
            let title = kind.title();
            let sentence =
                format!("{title}: this key is {age} days old, {days_max} are allowed. Exchange it.");
            alarms::raise(tx, Alarm::KeyOld, kind.word(), &sentence)?;
        } else {
            alarms::clear(tx, Alarm::KeyOld, kind.word())?;
        }
    }
    Ok(overdue)
}
