//! The tally: progress by status as one line that can be read without colour.
//!
//! Failures stand taller than the line, blocked is as tall as passed, skipped is thin, untested is a thread.

use super::figures::Count;
use std::fmt::{self, Write};

/// How many items have which status.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Items that passed.
    pub passed: u64,
    /// Items that failed.
    pub failed: u64,
    /// Items whose check itself broke.
    pub errored: u64,
    /// Items that could not be judged.
    pub blocked: u64,
    /// Items left out on purpose.
    pub skipped: u64,
    /// Items somebody is at.
    pub running: u64,
    /// Items without a result.
    pub untested: u64,
}

/// One status of a tally: its word, how many, and where its bar stands in a line 14 high.
struct Part {
    status: &'static str,
    count: u64,
    y: f64,
    height: f64,
}

/// Room between two bars, in percent of the line.
const GAP: f64 = 0.25;
/// No share falls under this, so that one failure in ten thousand still shows. Percent of the line.
const SHARE_MIN: f64 = 0.6;

impl Tally {
    /// All items together.
    pub fn total(&self) -> u64 {
        self.parts().iter().map(|part| part.count).sum()
    }

    /// Share of passed among all that were judged, skipped ones aside, in percent; `None` without any.
    pub fn pass_rate(&self) -> Option<f64> {
        let judged = self.passed + self.failed + self.errored + self.blocked;
        (judged > 0).then(|| percent(self.passed, judged))
    }

    /// Status word and count of every status that occurs, in the order of the line.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        self.parts().iter().filter(|part| part.count > 0).map(|part| (part.status, part.count)).collect()
    }

    #[rustfmt::skip]
    fn parts(&self) -> [Part; 7] {
        [
            Part { status: "passed",   count: self.passed,   y: 3.0, height: 8.0 },
            Part { status: "failed",   count: self.failed,   y: 0.0, height: 14.0 },
            Part { status: "errored",  count: self.errored,  y: 0.0, height: 14.0 },
            Part { status: "blocked",  count: self.blocked,  y: 3.0, height: 8.0 },
            Part { status: "skipped",  count: self.skipped,  y: 5.0, height: 4.0 },
            Part { status: "running",  count: self.running,  y: 3.0, height: 8.0 },
            Part { status: "untested", count: self.untested, y: 6.0, height: 2.0 },
        ]
    }

    /// The drawing, 14 pixels high, with the counts as its label.
    pub(super) fn drawing(&self) -> String {
        self.svg("tally", 1.0)
    }

    /// The drawing for a row of a table, 10 pixels high.
    pub(super) fn small_drawing(&self) -> String {
        self.svg("tally small", 10.0 / 14.0)
    }

    fn svg(&self, class: &str, scale: f64) -> String {
        let mut svg = format!("<svg class=\"{class}\" role=\"img\" aria-label=\"{self}\">");
        let parts: Vec<Part> = self.parts().into_iter().filter(|part| part.count > 0).collect();
        let mut x = 0.0;
        for (part, width) in parts.iter().zip(self.widths(&parts)) {
            let (y, height) = (half_up(part.y * scale), half_up(part.height * scale));
            write!(
                svg,
                "<rect data-status=\"{}\" x=\"{x:.2}%\" y=\"{y}\" width=\"{width:.2}%\" height=\"{height}\" rx=\"1\"/>",
                part.status
            )
            .expect("a string takes what is written");
            x += width + GAP;
        }
        svg + "</svg>"
    }

    /// Widths in percent. What the smallest gain, the largest gives.
    fn widths(&self, parts: &[Part]) -> Vec<f64> {
        let room = 100.0 - GAP * (parts.len().max(1) - 1) as f64;
        let total = self.total();
        let mut widths: Vec<f64> =
            parts.iter().map(|part| (percent(part.count, total) / 100.0 * room).max(SHARE_MIN)).collect();
        let excess = widths.iter().sum::<f64>() - room;
        if let Some(largest) = widths.iter_mut().max_by(|a, b| a.total_cmp(b)) {
            *largest -= excess;
        }
        widths
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole as f64
}

/// To the next half pixel, where lines stay sharp.
fn half_up(pixels: f64) -> f64 {
    (pixels * 2.0).round() / 2.0
}

/// The counts in words: what a reader hears instead of the drawing.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts();
        if counts.is_empty() {
            return f.write_str("no items");
        }
        counts.iter().enumerate().try_for_each(|(place, (status, count))| {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{} {status}", Count(*count))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_in_ten_thousand_still_shows_and_the_line_stays_full() {
        let tally = Tally { passed: 9_999, failed: 1, ..Tally::default() };
        let parts: Vec<Part> = tally.parts().into_iter().filter(|part| part.count > 0).collect();
        let widths = tally.widths(&parts);
        assert_eq!(widths[1], SHARE_MIN);
        assert!((widths.iter().sum::<f64>() + GAP - 100.0).abs() < 1e-9);
    }

    #[test]
    fn a_tally_says_its_counts_in_words() {
        let tally = Tally { passed: 1_031, failed: 12, ..Tally::default() };
        assert_eq!(tally.to_string(), "1,031 passed, 12 failed");
        assert_eq!(Tally::default().to_string(), "no items");
        assert_eq!(Tally::default().pass_rate(), None);
        assert!(Tally::default().drawing().ends_with("aria-label=\"no items\"></svg>"));
    }
}
