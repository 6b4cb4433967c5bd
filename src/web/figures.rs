//! Figures as people read them: counts, sizes, durations and moments. English, until a second language comes.

use crate::kernel::time::Timestamp;
use jiff::tz::TimeZone;
use std::fmt;

/// A count with its thousands apart: `1,284`.
#[derive(Clone, Copy, Debug)]
pub struct Count(pub u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.char_indices() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// A size in decimal units, as file managers show it: `4.2 MB`.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = ["kB", "MB", "GB", "TB"];
        if self.0 < 1_000 {
            return write!(f, "{} B", self.0);
        }
        let mut size = self.0 as f64 / 1_000.0;
        let mut unit = 0;
        // What would be written as 1000 is one of the next unit.
        while size >= 999.5 && unit + 1 < units.len() {
            size /= 1_000.0;
            unit += 1;
        }
        if size < 9.95 {
            write!(f, "{size:.1} {}", units[unit])
        } else {
            write!(f, "{size:.0} {}", units[unit])
        }
    }
}

/// A duration in at most two units: `1 min 34 s`.
#[derive(Clone, Copy, Debug)]
pub struct Elapsed {
    /// Milliseconds.
    pub ms: u64,
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.ms.saturating_add(500) / 1_000;
        let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
        match self.ms {
            0..1_000 => write!(f, "{} ms", self.ms),
            1_000..9_950 => write!(f, "{:.1} s", self.ms as f64 / 1_000.0),
            _ if minutes == 0 => write!(f, "{seconds} s"),
            _ if hours == 0 => write!(f, "{minutes} min {} s", seconds % 60),
            _ if days == 0 => write!(f, "{hours} h {} min", minutes % 60),
            _ => write!(f, "{days} d {} h", hours % 24),
        }
    }
}

/// A moment, in the zone of the reader where a script can tell it and in UTC where not.
#[derive(Clone, Copy, Debug)]
pub struct Moment(pub Timestamp);

impl Moment {
    /// For machines: `2026-11-19T09:42:10Z`.
    pub fn iso(self) -> String {
        self.written("%Y-%m-%dT%H:%M:%SZ")
    }

    /// The day alone: `19 Nov 2026`.
    pub fn day(self) -> String {
        self.written("%-d %b %Y")
    }

    fn written(self, pattern: &str) -> String {
        let Ok(instant) = jiff::Timestamp::from_millisecond(self.0.0) else { return "unknown".into() };
        instant.to_zoned(TimeZone::UTC).strftime(pattern).to_string()
    }
}

/// `19 Nov 2026, 09:42 UTC`.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written("%-d %b %Y, %H:%M UTC"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        let counts = [0, 999, 1_284, 1_000_000].map(|count| Count(count).to_string());
        assert_eq!(counts, ["0", "999", "1,284", "1,000,000"]);
        let sizes =
            [0, 999, 4_200, 999_600, 50_000_000, 3_000_000_000_000_000].map(|size| Bytes(size).to_string());
        assert_eq!(sizes, ["0 B", "999 B", "4.2 kB", "1.0 MB", "50 MB", "3000 TB"]);
        let spans = [7, 1_500, 12_300, 94_000, 4_800_000, 90_000_000].map(|ms| Elapsed { ms }.to_string());
        assert_eq!(spans, ["7 ms", "1.5 s", "12 s", "1 min 34 s", "1 h 20 min", "1 d 1 h"]);
        let at = Moment(Timestamp(1_795_081_330_000));
        assert_eq!([at.to_string(), at.iso()], ["19 Nov 2026, 09:42 UTC", "2026-11-19T09:42:10Z"]);
    }
}
