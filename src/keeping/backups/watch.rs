//! What is wrong with the targets as a whole, found by looking at the records: alarms are raised and cleared here
//! that no single backup can know of.

use super::{probe, sql};
use crate::keeping::alarms::{self, Alarm, Raised};
use crate::keeping::targets::{self, Regions, Target};
use crate::kernel::access::{BackupRun, Tx, Write};
use crate::kernel::error::Result;

/// The alarms that this part answers for.
const WATCHED: [Alarm; 3] = [Alarm::BackupMissed, Alarm::RegionForbidden, Alarm::NoTargetElsewhere];

/// An alarm that should be there.
struct Wanted {
    alarm: Alarm,
    subject: String,
    sentence: String,
}

/// What has to change about the alarms.
pub(super) struct Changes {
    raise: Vec<Wanted>,
    clear: Vec<Raised>,
}

impl Changes {
    /// Looks at targets and records.
    pub(super) fn find(tx: impl Tx) -> Result<Changes> {
        let targets = targets::list(tx)?;
        let wanted = wanted(tx, &targets)?;
        let open: Vec<Raised> =
            alarms::open(tx)?.into_iter().filter(|raised| WATCHED.contains(&raised.alarm)).collect();
        let is_wanted = |raised: &Raised| {
            wanted.iter().any(|wanted| wanted.alarm == raised.alarm && wanted.subject == raised.subject)
        };
        let clear = open.iter().filter(|raised| !is_wanted(raised)).cloned().collect();
        let is_open = |wanted: &Wanted| {
            open.iter().any(|raised| wanted.alarm == raised.alarm && wanted.subject == raised.subject)
        };
        let raise = wanted.into_iter().filter(|wanted| !is_open(wanted)).collect();
        Ok(Changes { raise, clear })
    }

    /// Whether all is as it should be.
    pub(super) fn is_empty(&self) -> bool {
        self.raise.is_empty() && self.clear.is_empty()
    }

    /// Brings the alarms up to date; each leaves its own entry.
    pub(super) fn make(&self, tx: Write<'_, BackupRun>) -> Result<()> {
        for Wanted { alarm, subject, sentence } in &self.raise {
            alarms::raise(tx, *alarm, subject, sentence)?;
        }
        self.clear.iter().try_for_each(|raised| alarms::clear(tx, raised.alarm, &raised.subject))
    }
}

fn wanted(tx: impl Tx, targets: &[Target]) -> Result<Vec<Wanted>> {
    let (regions, mut wanted) = (Regions::get(tx)?, Vec::new());
    let on = || targets.iter().filter(|target| target.is_enabled);
    for target in on() {
        let mut about = |alarm, sentence| {
            wanted.push(Wanted { alarm, subject: target.name.clone(), sentence });
        };
        let good = sql::newest_good_of(tx, target.id)?.map(|backup| backup.started_at);
        if let Err(refused) = regions.check(&target.region) {
            about(Alarm::RegionForbidden, format!("“{}” is not used: {}", target.name, refused.sentence()));
        } else if target.has_missed(good, tx.now())? {
            let since = good.map_or("There is no good backup yet".to_owned(), |at| {
                format!("The newest good backup is of {}", target.zone().written(at))
            });
            about(
                Alarm::BackupMissed,
                format!("{since}; by its schedule “{}” should have a newer one.", target.name),
            );
        }
    }
    if on().next().is_some() && !on().any(probe::leaves_machine) {
        let sentence = "Every target lies on this machine: a fire or a thief takes data and backups together. \
                        Add a target on another machine.";
        wanted.push(Wanted {
            alarm: Alarm::NoTargetElsewhere,
            subject: String::new(),
            sentence: sentence.into(),
        });
    }
    Ok(wanted)
}
