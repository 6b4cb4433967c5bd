//! Schedules: cron expressions of five fields, read in the server's own zone or in one of the IANA list.
//!
//! Where clocks are put forward, a moment inside the skipped hour is the first one after it; where they are
//! put back, the doubled hour counts once, the first time.

use super::error::{Error, Result};
use super::limits;
use super::time::Timestamp;
use chrono::{DateTime, Datelike as _, Local, TimeZone, Timelike as _};
use chrono_tz::Tz;
use croner::Cron;
use std::str::FromStr;

/// The clock on the wall by which a schedule goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Zone {
    /// That of the server.
    #[default]
    Server,
    /// One of the IANA list, such as Europe/Berlin.
    Named(Tz),
}

/// A moment as a clock on the wall shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OnTheWall {
    /// 0 is Monday.
    pub weekday: u32,
    /// Minutes since midnight.
    pub minute: u32,
}

impl Zone {
    /// The zone of this name; an empty one is that of the server.
    pub fn of(name: &str) -> Result<Zone> {
        if name.is_empty() {
            return Ok(Zone::Server);
        }
        name.parse().map(Zone::Named).map_err(|_| {
            Error::invalid(format!("“{name}” is no time zone.")).hint(
                "Write its name in the IANA list, such as Europe/Berlin or UTC; empty is that of the server.",
            )
        })
    }

    /// Its name; empty for that of the server.
    pub fn name(self) -> &'static str {
        match self {
            Zone::Server => "",
            Zone::Named(zone) => zone.name(),
        }
    }

    /// What a clock on the wall there shows.
    pub fn on_the_wall(self, at: Timestamp) -> Option<OnTheWall> {
        fn read<Z: TimeZone>(at: DateTime<Z>) -> OnTheWall {
            OnTheWall { weekday: at.weekday().num_days_from_monday(), minute: at.hour() * 60 + at.minute() }
        }
        let at = DateTime::from_timestamp_millis(at.0)?;
        Some(match self {
            Zone::Server => read(at.with_timezone(&Local)),
            Zone::Named(zone) => read(at.with_timezone(&zone)),
        })
    }

    /// The moment in words of this zone: `Mon 30 Mar 2026, 02:30 CEST`.
    pub fn written(self, at: Timestamp) -> String {
        const SHAPE: &str = "%a %-d %b %Y, %H:%M %Z";
        let Some(at) = DateTime::from_timestamp_millis(at.0) else { return String::new() };
        match self {
            Zone::Server => at.with_timezone(&Local).format(SHAPE).to_string(),
            Zone::Named(zone) => at.with_timezone(&zone).format(SHAPE).to_string(),
        }
    }
}

/// The names of all zones, for a list to choose from.
pub fn zones() -> impl Iterator<Item = &'static str> {
    chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())
}

/// Says why an expression cannot be a schedule; an empty one switches its job off. One that never comes, such as
/// the 30th of February, would switch it off without saying so.
pub fn check(expression: &str) -> Result<()> {
    if expression.is_empty() || next_in(expression, Zone::Named(Tz::UTC), Timestamp(0))?.is_some() {
        return Ok(());
    }
    Err(Error::invalid(format!("“{expression}” names a day that never comes."))
        .hint("Name another day or month; leave the field empty for never."))
}

/// The schedule in words: “Every day at 02:30.” What is not of an everyday shape is in the words of the crate.
pub fn describe(expression: &str) -> Result<String> {
    let cron = cron(expression)?;
    Ok(everyday(expression).unwrap_or_else(|| cron.describe()))
}

/// The shapes that schedules mostly have; none for others.
fn everyday(expression: &str) -> Option<String> {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let [minute, hour, day, "*", weekday] = fields.as_slice() else { return None };
    let number = |field: &str| field.parse::<u32>().ok();
    let steps = |field: &str| field.strip_prefix("*/").and_then(number).filter(|steps| *steps > 1);
    let any_day = *day == "*" && *weekday == "*";
    if let (Some(minute), Some(hour)) = (number(minute), number(hour)) {
        let when = match (*day, *weekday) {
            ("*", "*") => "Every day".to_owned(),
            ("*", name) => format!("Every {}", weekday_name(name)?),
            (day, "*") => format!("On day {} of every month", number(day)?),
            _ => return None,
        };
        return Some(format!("{when} at {hour:02}:{minute:02}."));
    }
    match (number(minute), steps(minute), *hour) {
        _ if !any_day => None,
        (Some(minute), _, "*") => Some(format!("Every hour at minute {minute}.")),
        (Some(minute), _, hour) => Some(format!("Every {} hours at minute {minute}.", steps(hour)?)),
        (None, Some(steps), "*") => Some(format!("Every {steps} minutes.")),
        (None, None, "*") if *minute == "*" => Some("Every minute.".to_owned()),
        _ => None,
    }
}

/// A day of the week as cron writes it, in full.
fn weekday_name(name: &str) -> Option<&'static str> {
    const DAYS: [(&str, &str); 7] = [
        ("SUN", "Sunday"),
        ("MON", "Monday"),
        ("TUE", "Tuesday"),
        ("WED", "Wednesday"),
        ("THU", "Thursday"),
        ("FRI", "Friday"),
        ("SAT", "Saturday"),
    ];
    let by_number = name.parse::<usize>().ok().and_then(|number| DAYS.get(number % 7).filter(|_| number < 8));
    by_number.or_else(|| DAYS.iter().find(|(short, _)| name.eq_ignore_ascii_case(short))).map(|(_, day)| *day)
}

fn cron(expression: &str) -> Result<Cron> {
    let wrong = || {
        Error::invalid(format!("“{expression}” is no schedule.")).hint(
            "Write five fields: minute, hour, day, month, weekday. `30 2 * * *` is every night at 2:30.",
        )
    };
    if expression.split_whitespace().count() > 5 {
        return Err(wrong());
    }
    Cron::from_str(expression).map_err(|cause| wrong().because(cause))
}

/// What was noted, unless it lies in the future: then a clock that was set back since noted it, and nobody knows
/// when that was. The small steps in which clocks are set right count for nothing.
pub fn known(noted: Timestamp, now: Timestamp) -> Option<Timestamp> {
    Some(noted).filter(|noted| noted.0 <= now.0.saturating_add(limits::CLOCK_STEP_MS))
}

/// Whether an occurrence of the expression lies after `last` and not after `now`. Where nobody knows when it last
/// was, it is due: that puts the record right.
pub fn is_due(expression: &str, last: Timestamp, now: Timestamp) -> Result<bool> {
    if expression.is_empty() {
        return Ok(false);
    }
    let next = next(expression, known(last, now).unwrap_or(Timestamp(0)))?;
    Ok(next.is_some_and(|next| next <= now))
}

/// The next moment after `after` that a cron expression names, in the server's zone.
pub fn next(expression: &str, after: Timestamp) -> Result<Option<Timestamp>> {
    next_in(expression, Zone::Server, after)
}

/// The next moment after `after` that a cron expression names, in this zone.
pub fn next_in(expression: &str, zone: Zone, after: Timestamp) -> Result<Option<Timestamp>> {
    let cron = cron(expression)?;
    let Some(at) = DateTime::from_timestamp_millis(after.0) else { return Ok(None) };
    Ok(match zone {
        Zone::Server => found(&cron, at.with_timezone(&Local), after),
        Zone::Named(zone) => found(&cron, at.with_timezone(&zone), after),
    })
}

/// The next moments that a schedule names, at most this many.
pub fn upcoming(expression: &str, zone: Zone, after: Timestamp, count: usize) -> Result<Vec<Timestamp>> {
    let (mut times, mut after) = (Vec::new(), after);
    while !expression.is_empty() && times.len() < count {
        let Some(at) = next_in(expression, zone, after)? else { break };
        times.push(at);
        after = at;
    }
    Ok(times)
}

/// The crate looks on the wall, so in the second pass of a doubled hour it answers with moments of the first:
/// those are over, and asking on from each leads out of the hour.
fn found<Z: TimeZone>(cron: &Cron, mut from: DateTime<Z>, after: Timestamp) -> Option<Timestamp> {
    loop {
        let next = cron.find_next_occurrence(&from, false).ok()?;
        if next.timestamp_millis() > after.0 {
            return Some(Timestamp(next.timestamp_millis()));
        }
        from = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn at(text: &str) -> Timestamp {
        Timestamp(DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis())
    }

    fn times(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let zone = Zone::of(zone).unwrap();
        let found = upcoming(expression, zone, at(after), count).unwrap();
        found.into_iter().map(|at| zone.written(at)).collect()
    }

    #[test]
    fn a_job_is_due_once_for_what_it_missed() {
        let last = Timestamp(1_700_000_000_000);
        assert!(!is_due("0 * * * *", last, Timestamp(last.0 + 60_000)).unwrap());
        assert!(is_due("0 * * * *", last, Timestamp(last.0 + HOUR_MS)).unwrap());
        assert!(is_due("0 * * * *", last, Timestamp(last.0 + 30 * HOUR_MS)).unwrap());
    }

    #[test]
    fn an_empty_schedule_is_never_due_and_a_wrong_one_says_how_to_write_it() {
        assert!(!is_due("", Timestamp(0), Timestamp(i64::MAX / 2)).unwrap());
        for wrong in ["every day", "0 30 2 * * *", "61 2 * * *"] {
            let refused = next(wrong, Timestamp(0)).unwrap_err();
            assert!(refused.hint_text().unwrap().contains("five fields"), "{wrong}");
        }
        assert!(Zone::of("Middle/Earth").unwrap_err().hint_text().unwrap().contains("Europe/Berlin"));
    }

    #[test]
    fn f20_after_the_clock_was_set_back_a_job_is_due_at_once_and_not_in_a_year() {
        let (last, now) = (Timestamp(1_700_000_000_000 + 365 * 24 * HOUR_MS), Timestamp(1_700_000_000_000));
        assert!(is_due("0 3 * * SUN", last, now).unwrap());
        assert!(!is_due("0 3 * * SUN", now, Timestamp(now.0 + 1)).unwrap(), "once");
        // A clock that is set right by a little does not begin everything again.
        assert!(!is_due("* * * * *", Timestamp(now.0 + 2_000), now).unwrap());
        assert!(!is_due("", last, now).unwrap());
    }

    #[test]
    fn a_day_that_never_comes_is_refused_and_a_rare_one_is_not() {
        for never in ["0 0 30 2 *", "0 0 31 4,6,9,11 *"] {
            assert!(check(never).unwrap_err().sentence().contains("never comes"), "{never}");
        }
        for good in ["", "0 0 29 2 *", "* * * * *", "0 3 * * SUN#1"] {
            check(good).unwrap();
        }
    }

    #[test]
    fn schedules_read_as_people_say_them() {
        for (expression, said) in [
            ("30 2 * * *", "Every day at 02:30."),
            ("10 4 * * SAT", "Every Saturday at 04:10."),
            ("15 5 * * 7", "Every Sunday at 05:15."),
            ("0 1 1 * *", "On day 1 of every month at 01:00."),
            ("25 * * * *", "Every hour at minute 25."),
            ("25 */6 * * *", "Every 6 hours at minute 25."),
            ("*/5 * * * *", "Every 5 minutes."),
            ("* * * * *", "Every minute."),
        ] {
            assert_eq!(describe(expression).unwrap(), said, "{expression}");
        }
        assert!(describe("0 8-18 * * MON-FRI").unwrap().contains("Monday"), "others are described as well");
    }

    #[test]
    fn a_run_inside_the_skipped_hour_comes_right_after_it_and_once() {
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-03-28T03:00:00+01:00", 3),
            ["Sun 29 Mar 2026, 03:00 CEST", "Mon 30 Mar 2026, 02:30 CEST", "Tue 31 Mar 2026, 02:30 CEST"]
        );
        assert_eq!(
            times("30 2 * * *", "America/New_York", "2026-03-08T00:00:00-05:00", 2),
            ["Sun 8 Mar 2026, 03:00 EDT", "Mon 9 Mar 2026, 02:30 EDT"]
        );
    }

    #[test]
    fn the_doubled_hour_runs_once_even_when_the_run_came_late() {
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00+02:00", 2),
            ["Sun 25 Oct 2026, 02:30 CEST", "Mon 26 Oct 2026, 02:30 CET"]
        );
        // Begun late, in the second pass of the hour: the first pass is not due again.
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-10-25T02:10:00+01:00", 1),
            ["Mon 26 Oct 2026, 02:30 CET"]
        );
        assert_eq!(
            times("*/30 2 * * *", "Europe/Berlin", "2026-10-25T00:00:00+02:00", 3),
            ["Sun 25 Oct 2026, 02:00 CEST", "Sun 25 Oct 2026, 02:30 CEST", "Mon 26 Oct 2026, 02:00 CET"]
        );
    }

    #[test]
    fn each_zone_has_its_own_night() {
        let after = "2026-01-02T00:00:00Z";
        assert_eq!(times("30 2 * * *", "Asia/Tokyo", after, 1), ["Sat 3 Jan 2026, 02:30 JST"]);
        assert_eq!(times("30 2 * * *", "UTC", after, 1), ["Fri 2 Jan 2026, 02:30 UTC"]);
        let wall = Zone::of("Asia/Tokyo").unwrap().on_the_wall(at(after)).unwrap();
        assert_eq!((wall.weekday, wall.minute), (4, 9 * 60));
    }
}
