//! What part of the trail somebody asks for: in the address of a page, in a form, or of the API.

use crate::kernel::audit::Filter;
use crate::kernel::error::{Error, Result};
use crate::kernel::id::UserId;
use crate::kernel::time::Timestamp;
use serde::Deserialize;

/// The filter as it is written: every field may be empty.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    pub event: String,
    pub user: String,
    /// First day, or moment.
    pub since: String,
    /// Last day, or the moment after the last.
    pub until: String,
    pub before: Option<i64>,
    pub entry: Option<i64>,
}

impl Asked {
    /// The filter for the kernel. Errors: `Invalid`, with what would do.
    pub(super) fn filter(&self) -> Result<Filter> {
        let is_plain = self.event.bytes().all(|byte| byte.is_ascii_lowercase() || b"._".contains(&byte));
        if !is_plain {
            return Err(Error::invalid("There is no such kind of entry.")
                .hint("Write the beginning of the name of an event, such as `case.` or `case.created`."));
        }
        Ok(Filter {
            event: Some(self.event.clone()).filter(|event| !event.is_empty()),
            user: number(&self.user)?,
            since: moment(&self.since, 0)?,
            until: moment(&self.until, 1)?,
            before: self.before,
            limit: None,
        })
    }

    /// The same filter in an address, without the cursor.
    pub(super) fn query(&self) -> String {
        let fields =
            [("event", &self.event), ("user", &self.user), ("since", &self.since), ("until", &self.until)];
        let said = fields.into_iter().filter(|(_, value)| !value.is_empty());
        // What the filter lets through needs no escaping but the plus of a zone.
        let pairs: Vec<String> =
            said.map(|(name, value)| format!("{name}={}", value.replace('+', "%2B"))).collect();
        pairs.join("&")
    }
}

fn number(text: &str) -> Result<Option<UserId>> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().map_err(|_| Error::invalid("A person is asked for by number."))?;
    Ok(Some(UserId(number)))
}

/// A day in UTC, such as `2026-11-19`, or a moment of RFC 3339. `days_after` makes the last day a whole one.
fn moment(text: &str, days_after: i64) -> Result<Option<Timestamp>> {
    const DAY_MS: i64 = 24 * 3_600_000;
    if text.is_empty() {
        return Ok(None);
    }
    let day = text.parse::<jiff::civil::Date>().ok().filter(|_| text.len() == 10);
    let midnight = day.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok());
    let at = match midnight {
        Some(midnight) => Some(midnight.timestamp().as_millisecond() + days_after * DAY_MS),
        None => text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond),
    };
    at.map(|ms| Some(Timestamp(ms))).ok_or_else(|| {
        Error::invalid("This is neither a day nor a moment.")
            .hint("Write a day as 2026-11-19, or a moment as 2026-11-19T09:42:10Z; both are taken as UTC.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    #[test]
    fn a_period_holds_its_last_day() {
        let day = "1970-01-02".to_owned();
        let asked = Asked { since: day.clone(), until: day, ..Asked::default() };
        let filter = asked.filter().unwrap();
        assert_eq!((filter.since, filter.until), (Some(Timestamp(DAY_MS)), Some(Timestamp(2 * DAY_MS))));
        assert_eq!(asked.query(), "since=1970-01-02&until=1970-01-02");
        let moment = Asked { until: "1970-01-02T00:00:00Z".into(), ..Asked::default() };
        assert_eq!(moment.filter().unwrap().until, Some(Timestamp(DAY_MS)));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        let of = |event: &str, user: &str, since: &str| {
            let asked =
                Asked { event: event.into(), user: user.into(), since: since.into(), ..Asked::default() };
            asked.filter().is_err()
        };
        assert!(of("case' OR 1", "", "") && of("", "me", "") && of("", "", "yesterday"));
        assert!(!of("case.", "7", "2026-11-19"));
    }
}
