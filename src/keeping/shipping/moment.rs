//! Moments as people write and read them: by the clock on the wall of this machine, or with a zone of their own.

use crate::kernel::time::Timestamp;
use jiff::Zoned;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A moment like `2026-11-22T10:15:00Z`, or like `2026-11-22T11:15:00` in the zone of this machine.
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let by_the_wall = || {
        let wall: DateTime = text.parse().ok()?;
        wall.to_zoned(TimeZone::system()).map(|at| at.timestamp()).ok()
    };
    let at = text.parse::<jiff::Timestamp>().ok().or_else(by_the_wall)?;
    Some(Timestamp(at.as_millisecond()))
}

/// What a field of a form holds: by the clock here, to the second.
pub fn field(at: Timestamp) -> String {
    here(at).map_or_else(String::new, |at| at.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}

/// By the clock here, to the second and with its distance from UTC: `2026-11-22 11:15:00 +01:00`.
pub fn told(at: Timestamp) -> String {
    here(at).map_or_else(|| at.to_string(), |at| at.strftime("%Y-%m-%d %H:%M:%S %:z").to_string())
}

/// What people call the zone of this machine, such as `Europe/Berlin`.
pub fn zone() -> String {
    let zone = TimeZone::system();
    let name = zone.iana_name().unwrap_or("this machine");
    name.trim_start_matches("Etc/").to_owned()
}

fn here(at: Timestamp) -> Option<Zoned> {
    let at = jiff::Timestamp::from_millisecond(at.0).ok()?;
    Some(at.to_zoned(TimeZone::system()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_it_is_written() {
        let at = Timestamp(1_795_342_500_000);
        assert_eq!(parse("2026-11-22T10:15:00Z"), Some(at));
        assert_eq!(parse("2026-11-22T11:15:00+01:00"), Some(at));
        assert_eq!(parse("2026-11-22T10:15:00.417Z"), Some(Timestamp(at.0 + 417)));
        assert_eq!(parse(&field(at)), Some(at), "{}", field(at));
        assert_eq!(parse(&told(at).replacen(' ', "T", 1).replace(' ', "")), Some(at), "{}", told(at));
        assert_eq!(parse("yesterday"), None);
    }
}
