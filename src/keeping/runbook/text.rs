//! The runbook as plain text, for a terminal and for paper.

use super::{Runbook, Site};
use std::fmt::{self, Write};

impl Runbook {
    /// The runbook as plain text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("text takes any text");
        text
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        writeln!(text, "{} after a disaster\nWritten {} by Testkeep {}\n", self.name, self.at, self.version)?;
        for (word, value) in self.facts() {
            writeln!(text, "{word:<9} {value}")?;
        }
        writeln!(text, "\nTargets")?;
        if self.sites.is_empty() {
            writeln!(text, "  None is set up: nothing leaves this machine.")?;
        }
        for site in &self.sites {
            site.write(text)?;
        }
        for chapter in &self.chapters {
            writeln!(text, "\n{}", chapter.head)?;
            for (number, step) in (1..).zip(&chapter.steps) {
                writeln!(text, "  {number}. {}", step.text)?;
                if !step.command.is_empty() {
                    writeln!(text, "     $ {}", step.command)?;
                }
            }
        }
        writeln!(text, "\nOptions in force")?;
        self.program.options.iter().try_for_each(|(name, words)| writeln!(text, "  {name} = {words}"))
    }

    /// The instance in a line each.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let kit = format!("number {} of this instance, made {}", self.kit.generation, self.kit.made_at);
        let contact = if self.contact.is_empty() { "nobody was named" } else { &self.contact };
        let mut facts = vec![
            ("Instance", self.uuid.clone()),
            ("Address", self.program.address.clone()),
            ("Program", format!("Testkeep {}, SHA-256 {}", self.version, self.program.sha256)),
            ("Data", self.data.clone()),
            ("Opens", self.ways.join(", ")),
            ("Kit", kit),
            ("Contact", contact.to_owned()),
        ];
        if let Some(backup) = &self.backup {
            let (number, target) = (backup.receipt.unwrap_or_default(), backup.target_name.as_deref());
            let target = target.unwrap_or(&backup.target);
            facts.push(("Backup", format!("{number} in {target}, {}", backup.started_at)));
        }
        if let Some(drill) = &self.drill {
            facts.push(("Proven", proven(drill)));
        }
        facts.push((
            "Goals",
            format!("{} min of data lost, {} min until it is back", self.rpo_minutes, self.rto_minutes),
        ));
        facts
    }
}

/// A drill in words: what came back, how old its data was, and how long it took.
fn proven(drill: &crate::keeping::drills::Drill) -> String {
    let seconds = |ms: Option<i64>| ms.unwrap_or_default() / 1_000;
    format!(
        "backup {} from {}, {}; its data was {} s old (RPO), it took {} s (RTO)",
        drill.receipt.unwrap_or_default(),
        drill.shown_target(),
        drill.started_at,
        seconds(drill.rpo_ms),
        seconds(drill.rto_ms)
    )
}

impl Site {
    /// What is known of it, in a line each.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![
            ("Address", self.address.clone()),
            ("Kind", self.kind.to_owned()),
            ("Stands in", self.stands.clone()),
            ("Backups", if self.is_on { self.schedule.clone() } else { "switched off".to_owned() }),
            ("Needs", self.needs.clone()),
        ];
        let number = |receipt: Option<i64>| receipt.unwrap_or_default();
        facts.extend(self.fingerprint.iter().map(|key| ("Host key", key.clone())));
        facts.extend(
            self.backup.iter().map(|at| ("Last good", format!("{}, {}", number(at.receipt), at.started_at))),
        );
        facts.push(("Proven", self.drill.as_ref().map_or_else(|| "never".to_owned(), proven)));
        facts.extend(self.log.iter().map(|log| ("Log", log.clone())));
        facts
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        writeln!(text, "  {}", self.name)?;
        for (word, value) in self.facts() {
            writeln!(text, "    {word:<10} {value}")?;
        }
        if !self.secrets.is_empty() {
            writeln!(text, "    secrets.json: {}", self.secrets)?;
        }
        writeln!(text, "    $ {}\n    $ {}", self.verify, self.restore)
    }
}
