//! Regions: where a target stands, as its owner says, and where backups may go at all.
//!
//! Nobody can prove from here where a disk turns. What is enforced is what was declared.

use crate::kernel::access::{BackupRun, Tx, Write};
use crate::kernel::audit::Audited;
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::settings::Setting;

/// Where backups may go.
pub const REGIONS: Setting = Setting {
    name: "backup.regions",
    default: "",
    meaning: "Countries and regions that backups may go to, such as `NL DE` or `EU`; empty for any.",
    check: |text| Regions::parse(text).map(drop),
};

/// Members of the European Union, by their codes of ISO 3166-1.
const EU: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT",
    "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];
/// What the European Economic Area has beyond the Union.
const EEA_BEYOND_EU: [&str; 3] = ["IS", "LI", "NO"];

/// The countries and regions that a policy allows; none means any.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Regions(Vec<String>);

impl Regions {
    /// The policy in force.
    pub fn get(tx: impl Tx) -> Result<Regions> {
        Regions::parse(&REGIONS.get(tx)?)
    }

    /// Words apart from each other by blanks or commas.
    pub fn parse(text: &str) -> Result<Regions> {
        let words = text.split(|sign: char| sign == ',' || sign.is_whitespace());
        let words: Vec<String> = words.filter(|word| !word.is_empty()).map(region).collect::<Result<_>>()?;
        if words.len() > limits::REGIONS_MAX {
            return Err(Error::too_large(format!("A policy names {} regions at most.", limits::REGIONS_MAX)));
        }
        Ok(Regions(words))
    }

    /// As it is stored and typed.
    pub fn text(&self) -> String {
        self.0.join(" ")
    }

    /// Whether any region will do.
    pub fn is_any(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a target of this region may be used.
    pub fn allow(&self, region: &str) -> bool {
        let within = |allowed: &String| match allowed.as_str() {
            "EU" => region == "EU" || EU.contains(&region),
            "EEA" => {
                ["EU", "EEA"].contains(&region) || EU.contains(&region) || EEA_BEYOND_EU.contains(&region)
            }
            country => country == region,
        };
        self.is_any() || self.0.iter().any(within)
    }

    /// Refuses a target of this region unless it may be used.
    pub fn check(&self, region: &str) -> Result<()> {
        if self.allow(region) {
            return Ok(());
        }
        let said = if region.is_empty() { "a target without a region".to_owned() } else { region.to_owned() };
        Err(Error::invalid(format!("Backups may go to {} only, not to {said}.", self.text()))
            .hint("Say where the target stands, choose another one, or change the policy of regions."))
    }
}

/// One word of letters, in capitals: `NL`, `EU`, `US-EAST`.
pub fn region(typed: &str) -> Result<String> {
    let word = typed.trim().to_ascii_uppercase();
    let is_shaped = word.bytes().all(|sign| sign.is_ascii_alphanumeric() || sign == b'-');
    if !is_shaped || word.len() > 20 {
        return Err(Error::invalid(format!("“{typed}” is no country or region."))
            .hint("Write the code of a country, such as NL or DE, or EU."));
    }
    Ok(word)
}

/// Puts another policy into force. Targets it forbids stay, are not used any more, and raise an alarm.
pub fn set_regions<'t>(tx: Write<'t, BackupRun>, regions: &Regions) -> Result<Audited<'t, ()>> {
    REGIONS.set(tx, &regions.text())?;
    tx.audited(super::REGIONS_SET.alone(), ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_of_the_union_takes_its_members_and_nobody_else() {
        let policy = Regions::parse("eu").unwrap();
        for (region, is_allowed) in [("EU", true), ("NL", true), ("DE", true), ("US", false), ("", false)] {
            assert_eq!(policy.allow(region), is_allowed, "{region}");
        }
        let two = Regions::parse("NL, DE").unwrap();
        assert_eq!(two.text(), "NL DE");
        assert!(two.allow("DE") && !two.allow("FR") && !two.allow("EU"));
        assert!(Regions::parse("EEA").unwrap().allow("NO"));
        assert!(Regions::default().allow("") && Regions::parse("N L!").is_err());
    }
}
