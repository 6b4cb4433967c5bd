//! Days: what a person writes for "until the end of that day", in UTC.

use crate::kernel::error::{Error, Result};
use crate::kernel::time::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

const DAY_MS: i64 = 24 * 3_600_000;

/// The end of a day such as `2026-12-31`.
pub fn end_of(day: &str) -> Result<Timestamp> {
    let unreadable = || Error::invalid(format!("`{day}` is no day.")).hint("Write it like 2026-12-31.");
    let date: Date = day.trim().parse().map_err(|_| unreadable())?;
    let start = date.to_zoned(TimeZone::UTC).map_err(|_| unreadable())?;
    Ok(Timestamp(start.timestamp().as_millisecond() + DAY_MS))
}

/// The last day before a moment, as `2026-12-31`.
pub fn last_before(end: Timestamp) -> String {
    let last = jiff::Timestamp::from_millisecond(end.0 - 1).unwrap_or_default();
    last.to_zoned(TimeZone::UTC).date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_lasts_to_its_end() {
        let end = end_of("2026-12-31").expect("a day");
        assert_eq!((end, last_before(end)), (Timestamp(1_798_761_600_000), "2026-12-31".to_owned()));
        for wrong in ["", "31.12.2026", "2026-02-30", "tomorrow"] {
            assert!(end_of(wrong).is_err(), "{wrong}");
        }
    }
}
