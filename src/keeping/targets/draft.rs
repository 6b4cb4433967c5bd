//! What somebody typed about a target, and the same once it was looked at.

use super::blackout::Blackouts;
use super::region;
use crate::keeping::backup::Keep;
use crate::keeping::backup::storage::Place;
use crate::kernel::error::{Error, Result};
use crate::kernel::instance::Instance;
use crate::kernel::limits;
use crate::kernel::schedule::{self, Zone};

/// A target as somebody typed it: in a form, in JSON or on a command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Typed {
    /// What people call it.
    pub name: String,
    /// Its address.
    pub address: String,
    /// A country or region; may be empty.
    pub region: String,
    /// Where it is, in the owner's words.
    pub label: String,
    /// Cron expression of five fields; empty for by hand only.
    pub schedule: String,
    /// IANA time zone; empty for that of the server.
    pub zone: String,
    /// One blackout window a line.
    pub blackouts: String,
    /// How many stay.
    pub keep: Keep,
    /// The most it is sent, in KiB a second; 0 for no cap.
    pub rate_kib: u32,
}

impl Default for Typed {
    fn default() -> Typed {
        Typed {
            name: String::new(),
            address: String::new(),
            region: String::new(),
            label: String::new(),
            schedule: "30 2 * * *".into(),
            zone: String::new(),
            blackouts: String::new(),
            keep: Keep { last: 3, daily: 14, weekly: 8, monthly: 12 },
            rate_kib: 0,
        }
    }
}

/// A target that may be stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) region: String,
    pub(super) label: String,
    pub(super) schedule: String,
    pub(super) zone: String,
    pub(super) blackouts: Blackouts,
    pub(super) keep: Keep,
    pub(super) bytes_per_second: Option<i64>,
}

impl Typed {
    /// What is typed already about a target that is there.
    pub fn of(target: &super::Target) -> Typed {
        let rate = target.bytes_per_second.unwrap_or(0) / 1024;
        Typed {
            name: target.name.clone(),
            address: target.address.clone(),
            region: target.region.clone(),
            label: target.label.clone(),
            schedule: target.schedule.clone(),
            zone: target.zone.clone(),
            blackouts: target.blackouts.text(),
            keep: target.keep,
            rate_kib: u32::try_from(rate).unwrap_or(u32::MAX),
        }
    }

    /// Looks at every field; answers the draft, or each field with what is wrong with it.
    pub fn checked(&self, instance: &Instance) -> Result<Draft, Vec<(&'static str, Error)>> {
        let mut wrong = Vec::new();
        let name = noted(&mut wrong, "name", one_line(&self.name, "A name is needed, on one line."));
        let address = noted(&mut wrong, "address", address(&self.address, instance));
        let region = noted(&mut wrong, "region", region::region(&self.region));
        let label = self.label.trim().to_owned();
        if label.chars().count() > limits::NAME_CHARS_MAX || label.chars().any(char::is_control) {
            let max = limits::NAME_CHARS_MAX;
            wrong.push(("label", Error::too_large(format!("Where it is takes at most {max} characters."))));
        }
        let schedule = self.schedule.trim().to_owned();
        noted(&mut wrong, "schedule", schedule::check(&schedule));
        let zone = noted(&mut wrong, "zone", Zone::of(self.zone.trim()));
        let blackouts = noted(&mut wrong, "blackouts", Blackouts::parse(&self.blackouts));
        if self.keep.last == 0 {
            let none = Error::invalid("At least the newest backup stays.").hint("Write 1 or more.");
            wrong.push(("last", none));
        }
        let rate = noted(&mut wrong, "rate_kib", rate(self.rate_kib));
        match (name, address, region, zone, blackouts, rate) {
            (Some(name), Some(address), Some(region), Some(zone), Some(blackouts), Some(rate))
                if wrong.is_empty() =>
            {
                let (zone, keep) = (zone.name().to_owned(), self.keep);
                Ok(Draft {
                    name,
                    address,
                    region,
                    label,
                    schedule,
                    zone,
                    blackouts,
                    keep,
                    bytes_per_second: rate,
                })
            }
            _ => Err(wrong),
        }
    }

    /// The same for callers without fields: the first thing that is wrong.
    pub fn draft(&self, instance: &Instance) -> Result<Draft> {
        self.checked(instance).map_err(|mut wrong| wrong.swap_remove(0).1)
    }
}

fn noted<T>(wrong: &mut Vec<(&'static str, Error)>, field: &'static str, checked: Result<T>) -> Option<T> {
    checked.map_err(|error| wrong.push((field, error))).ok()
}

fn one_line(typed: &str, needed: &'static str) -> Result<String> {
    let line = typed.trim();
    if line.is_empty() || line.chars().any(char::is_control) {
        return Err(Error::invalid(needed));
    }
    if line.chars().count() > limits::NAME_CHARS_MAX {
        return Err(Error::too_large(format!("A name has at most {} characters.", limits::NAME_CHARS_MAX)));
    }
    Ok(line.to_owned())
}

fn address(typed: &str, instance: &Instance) -> Result<String> {
    let place: Place = typed.parse()?;
    super::reach::outside(&instance.data, &place)?;
    Ok(place.to_string())
}

fn rate(kib: u32) -> Result<Option<i64>> {
    let bytes = i64::from(kib) * 1024;
    if kib > 0 && u64::from(kib) * 1024 < limits::TARGET_BYTES_PER_SECOND_MIN {
        let min = limits::TARGET_BYTES_PER_SECOND_MIN / 1024;
        return Err(Error::invalid(format!("With less than {min} KiB a second no backup would end."))
            .hint("Write more, or 0 for no cap."));
    }
    Ok((kib > 0).then_some(bytes))
}
