//! Schedules: cron expressions of five fields, read in the server's own zone.

use super::error::{Error, Result};
use super::time::Timestamp;
use chrono::{DateTime, Local};
use croner::Cron;
use std::str::FromStr;

/// Says why an expression cannot be a schedule; an empty one switches its job off.
pub fn check(expression: &str) -> Result<()> {
    if expression.is_empty() { Ok(()) } else { cron(expression).map(drop) }
}

/// The schedule in words: “At 02:30.”
pub fn describe(expression: &str) -> Result<String> {
    Ok(cron(expression)?.describe())
}

fn cron(expression: &str) -> Result<Cron> {
    Cron::from_str(expression).map_err(|cause| {
        Error::invalid(format!("“{expression}” is no schedule."))
            .hint(
                "Write five fields: minute, hour, day, month, weekday. `30 2 * * *` is every night at 2:30.",
            )
            .because(cause)
    })
}

/// Whether an occurrence of the expression lies after `last` and not after `now`.
pub fn is_due(expression: &str, last: Timestamp, now: Timestamp) -> Result<bool> {
    if expression.is_empty() {
        return Ok(false);
    }
    Ok(next(expression, last)?.is_some_and(|next| next <= now))
}

/// The next moment after `after` that a cron expression names, in the server's zone.
pub fn next(expression: &str, after: Timestamp) -> Result<Option<Timestamp>> {
    let cron = Cron::from_str(expression).map_err(|cause| {
        Error::invalid(format!("“{expression}” is no schedule."))
            .hint(
                "Write five fields: minute, hour, day, month, weekday. `30 2 * * *` is every night at 2:30.",
            )
            .because(cause)
    })?;
    let Some(after) = DateTime::from_timestamp_millis(after.0) else { return Ok(None) };
    let found = cron.find_next_occurrence(&after.with_timezone(&Local), false);
    Ok(found.ok().map(|at| Timestamp(at.timestamp_millis())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

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
        let refused = next("every day", Timestamp(0)).unwrap_err();
        assert!(refused.hint_text().unwrap().contains("five fields"));
    }
}
