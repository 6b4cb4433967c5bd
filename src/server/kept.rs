//! Figures of backups for the metrics, one series a target.

use crate::keeping::backups::{self, Standing};
use crate::kernel::access::{BackupView, Door, Job, Permission, Tx};
use crate::kernel::error::Result;
use prometheus::{IntGaugeVec, Opts, Registry};

/// Reads how targets stand; may do nothing else.
const COUNTER: Job =
    Job { name: "metrics", meaning: "Counts backups for the metrics.", may: &[BackupView::INFO] };

/// What is counted of each target.
pub(super) struct Kept {
    age: IntGaugeVec,
    failed: IntGaugeVec,
    bytes: IntGaugeVec,
}

impl Kept {
    /// Registers the figures; they are read when somebody asks.
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Kept> {
        let made = |name: &str, said: &str| {
            let gauge = IntGaugeVec::new(Opts::new(name, said), &["target"])?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        Ok(Kept {
            age: made(
                "testkeep_backup_age_seconds",
                "Age of the newest good backup at a target that is on; -1 without one.",
            )?,
            failed: made("testkeep_backup_failures", "Backups to a target that failed, in all.")?,
            bytes: made("testkeep_backup_stored_bytes", "Bytes that backups stored at a target, in all.")?,
        })
    }

    /// Brings the figures up to date.
    pub(super) async fn refresh(&self, door: &Door) -> Result<()> {
        let gate = door.job(&COUNTER).gate::<BackupView>(());
        let read = gate.read(|tx| {
            let mut figures = Vec::new();
            for standing in Standing::all(tx)?.into_iter().filter(|standing| standing.target.is_enabled) {
                let sums = backups::sums(tx, standing.target.id)?;
                let age = standing.good.map_or(-1, |good| (tx.now().0 - good.started_at.0).abs() / 1_000);
                figures.push((standing.target.name, age, sums));
            }
            Ok(figures)
        });
        let figures = read.await?;
        [&self.age, &self.failed, &self.bytes].into_iter().for_each(IntGaugeVec::reset);
        for (name, age, sums) in figures {
            self.age.with_label_values(&[&name]).set(age);
            self.failed.with_label_values(&[&name]).set(sums.failed);
            self.bytes.with_label_values(&[&name]).set(sums.bytes_added);
        }
        Ok(())
    }
}
