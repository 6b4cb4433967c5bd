//! Blackout windows: when no backup may begin. A day, or some, and a time from and to.

use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use crate::kernel::schedule::{OnTheWall, Zone};
use crate::kernel::time::Timestamp;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAY_MINUTES: u32 = 24 * 60;
const MINUTE_MS: i64 = 60_000;

/// Windows in which no backup begins; what is due then begins when the window ends.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Blackouts(Vec<Window>);

/// One window. It ends on the next day if its end is not after its beginning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Window {
    /// The days on which it begins.
    days: [bool; 7],
    from: u32,
    to: u32,
}

impl Blackouts {
    /// One window a line: `Mon-Fri 08:00-18:00`, `Sat,Sun 22:00-06:00`, `daily 12:00-13:00`.
    pub fn parse(text: &str) -> Result<Blackouts> {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if lines.len() > limits::BLACKOUTS_MAX {
            return Err(Error::too_large(format!(
                "There are more than {} blackout windows.",
                limits::BLACKOUTS_MAX
            )));
        }
        let windows = Blackouts(lines.into_iter().map(Window::parse).collect::<Result<_>>()?);
        let is_week_covered = (0..7)
            .all(|weekday| (0..DAY_MINUTES).all(|minute| windows.covers(OnTheWall { weekday, minute })));
        if is_week_covered {
            return Err(Error::invalid("These windows leave no time for any backup.")
                .hint("Leave a gap in the week, or switch the target off."));
        }
        Ok(windows)
    }

    /// As it is stored and typed: one window a line.
    pub fn text(&self) -> String {
        self.0.iter().map(Window::text).collect::<Vec<_>>().join("\n")
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The windows in one line, for people.
    pub fn words(&self) -> String {
        self.0.iter().map(Window::text).collect::<Vec<_>>().join("; ")
    }

    /// Whether no backup may begin at this moment.
    pub fn forbid(&self, zone: Zone, at: Timestamp) -> bool {
        zone.on_the_wall(at).is_some_and(|wall| self.covers(wall))
    }

    /// The first moment from `at` on at which a backup may begin.
    pub fn allowed_from(&self, zone: Zone, at: Timestamp) -> Timestamp {
        let mut at = at;
        // A week has this many minutes, and some minute of it is free.
        for _ in 0..7 * DAY_MINUTES {
            if !self.forbid(zone, at) {
                break;
            }
            at = Timestamp(at.0 - at.0.rem_euclid(MINUTE_MS) + MINUTE_MS);
        }
        at
    }

    fn covers(&self, wall: OnTheWall) -> bool {
        self.0.iter().any(|window| window.covers(wall))
    }
}

impl Window {
    fn parse(line: &str) -> Result<Window> {
        let wrong = || {
            Error::invalid(format!("“{line}” is no window."))
                .hint("Write days and times, such as `Mon-Fri 08:00-18:00` or `daily 12:00-13:00`.")
        };
        let (days, times) = line.split_once(' ').ok_or_else(wrong)?;
        let (from, to) = times.trim().split_once('-').ok_or_else(wrong)?;
        let (from, to) = (minute(from).ok_or_else(wrong)?, minute(to).ok_or_else(wrong)?);
        let days = named(days).ok_or_else(wrong)?;
        Ok(Window { days, from: from % DAY_MINUTES, to })
    }

    fn text(&self) -> String {
        let days = if self.days == [true; 7] { "daily".into() } else { self.named() };
        let clock = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
        format!("{days} {}-{}", clock(self.from), clock(self.to))
    }

    /// The days by name, three and more that follow each other as `Mon-Fri`.
    fn named(&self) -> String {
        let mut runs: Vec<Vec<&str>> = Vec::new();
        let mut was_in = false;
        for (name, is_in) in DAYS.into_iter().zip(self.days) {
            match runs.last_mut() {
                Some(run) if is_in && was_in => run.push(name),
                _ if is_in => runs.push(vec![name]),
                _ => {}
            }
            was_in = is_in;
        }
        let text = |run: Vec<&str>| match run.as_slice() {
            [first, .., last] if run.len() > 2 => format!("{first}-{last}"),
            names => names.join(","),
        };
        runs.into_iter().map(text).collect::<Vec<_>>().join(",")
    }

    fn covers(&self, wall: OnTheWall) -> bool {
        let begins_on = |weekday: u32| self.days[weekday as usize % 7];
        if self.from < self.to {
            return begins_on(wall.weekday) && (self.from..self.to).contains(&wall.minute);
        }
        (begins_on(wall.weekday) && wall.minute >= self.from)
            || (begins_on(wall.weekday + 6) && wall.minute < self.to)
    }
}

/// `08:30` in minutes; `24:00` is the end of the day.
fn minute(clock: &str) -> Option<u32> {
    let (hour, minute) = clock.trim().split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour.checked_mul(60)? + minute;
    (minute < 60 && total <= DAY_MINUTES).then_some(total)
}

/// `Mon-Fri`, `Sat,Sun`, `daily`.
fn named(days: &str) -> Option<[bool; 7]> {
    if days.eq_ignore_ascii_case("daily") {
        return Some([true; 7]);
    }
    let place = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name.trim()));
    let mut found = [false; 7];
    for part in days.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (place(first)?, place(last)?);
        // Fri-Mon goes over the weekend.
        for step in 0..=(last + 7 - first) % 7 {
            found[(first + step) % 7] = true;
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTC: &str = "UTC";
    /// Friday 2026-01-02 00:00 UTC.
    const FRIDAY: Timestamp = Timestamp(1_767_312_000_000);

    fn on_friday(minutes: i64) -> Timestamp {
        Timestamp(FRIDAY.0 + minutes * MINUTE_MS)
    }

    #[test]
    fn what_is_due_in_a_window_waits_for_its_end() {
        let zone = Zone::of(UTC).unwrap();
        let office = Blackouts::parse("mon-fri 08:00-18:00\n\nfri 22:00-06:00").unwrap();
        assert_eq!(office.text(), "Mon-Fri 08:00-18:00\nFri 22:00-06:00");
        let cases = [(7 * 60, 7 * 60), (8 * 60, 18 * 60), (17 * 60 + 59, 18 * 60), (18 * 60, 18 * 60)];
        let overnight = [(23 * 60, 30 * 60), (29 * 60 + 59, 30 * 60), (5 * 60, 5 * 60)];
        for (at, from) in cases.into_iter().chain(overnight) {
            assert_eq!(office.allowed_from(zone, on_friday(at)), on_friday(from), "minute {at}");
        }
        assert_eq!(Blackouts::parse(&office.text()).unwrap(), office);
    }

    #[test]
    fn windows_that_mean_nothing_are_refused() {
        for wrong in ["08:00-18:00", "Foo 08:00-09:00", "Mon 8-9", "Mon 25:00-26:00", "Mon 08:70-09:00"] {
            assert!(Blackouts::parse(wrong).is_err(), "{wrong}");
        }
        let refused = Blackouts::parse("daily 00:00-24:00").unwrap_err();
        assert!(refused.sentence().contains("no time"), "{refused}");
        assert!(Blackouts::parse("").unwrap().is_empty());
        assert_eq!(Blackouts::parse("Sat-Mon 00:00-24:00").unwrap().text(), "Mon,Sat,Sun 00:00-24:00");
    }
}
