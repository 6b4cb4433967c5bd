//! Durations as reports write them: seconds, in every manner that has been seen.

use crate::kernel::limits;

/// Milliseconds from a text in seconds, rounded half up. None when it cannot be read, or cannot be true.
///
/// Reads `0.75`, `0,75`, `1,234.5`, `1.234,5`, `1e-3`, `1.5s`, `20ms` and `0:01:02.5`.
/// A single comma is a decimal one: writers that group thousands write the decimals, too.
pub(super) fn ms_of_seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    let (text, factor) = if let Some(text) = text.strip_suffix("ms") {
        (text.trim_end(), 1.0)
    } else {
        (text.strip_suffix('s').unwrap_or(text).trim_end(), 1000.0)
    };
    let mut seconds = 0.0;
    for (place, part) in text.split(':').enumerate() {
        if place == 3 {
            return None;
        }
        seconds = seconds * 60.0 + number(part)?;
    }
    let ms = (seconds * factor + 0.5).floor();
    // The bound is far below what f64 holds exactly.
    (ms >= 0.0 && ms <= limits::REPORT_ELAPSED_MS_MAX as f64).then_some(ms as i64)
}

fn number(text: &str) -> Option<f64> {
    let is_plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'-' | b'+'));
    let value: f64 = if is_plain { text.parse().ok()? } else { grouped(text)? };
    (value.is_finite() && value >= 0.0).then_some(value)
}

/// A number with commas: the mark that comes last is the decimal one, unless it comes again.
fn grouped(text: &str) -> Option<f64> {
    if !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b',')) {
        return None;
    }
    let decimal = text.rfind([',', '.'])?;
    let mark = &text[decimal..=decimal];
    let is_group = text.matches(mark).count() > 1;
    let digits = |text: &str| text.replace([',', '.'], "");
    if is_group {
        return digits(text).parse().ok();
    }
    format!("{}.{}", digits(&text[..decimal]), &text[decimal + 1..]).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_they_are_written() {
        for (text, ms) in [
            ("0.75", 750),
            (" 1.0005 ", 1001),
            ("0", 0),
            ("0,75", 750),
            ("0,123", 123),
            ("1,234.5", 1_234_500),
            ("1.234,5", 1_234_500),
            ("1,234,567", 1_234_567_000),
            ("1e-3", 1),
            ("1.5s", 1500),
            ("20 ms", 20),
            ("0:01:02.5", 62_500),
        ] {
            assert_eq!(ms_of_seconds(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn a_duration_that_cannot_be_true_is_unknown() {
        for text in ["", "NaN", "inf", "-1", "-0,5", "<<computed>>", "1:2:3:4", "1e300", ",", ".", "€"] {
            assert_eq!(ms_of_seconds(text), None, "{text}");
        }
    }
}
