//! The line of pass rates: numbers to the coordinates of a drawing. Pure.

use std::fmt::Write as _;

/// A line through values between 0 and 1,000, the first at the left.
#[derive(Clone, PartialEq, Debug)]
pub struct Chart {
    /// The line, as the path of a drawing 100 by 100.
    pub line: String,
    /// The same, closed at the bottom.
    pub area: String,
    /// Height of the last value, in percent from the top.
    pub last_y: String,
    /// What stands at the top, in the middle and at the bottom of the scale, in percent.
    pub scale: [String; 3],
}

impl Chart {
    /// The drawing of at least two values; one alone is no line.
    pub fn of(permille: &[i64]) -> Option<Chart> {
        let (lowest, last) = (*permille.iter().min()?, *permille.last()?);
        if permille.len() < 2 {
            return None;
        }
        // From a round number below the lowest value, so that a point more or less can be seen.
        let floor = ((lowest - 1).max(0) / 100 * 100).min(900);
        let height = |value: i64| (1_000 - value) as f64 * 100.0 / (1_000 - floor) as f64;
        let step = 100.0 / (permille.len() - 1) as f64;
        let mut line = String::new();
        for (place, value) in permille.iter().enumerate() {
            let word = if place == 0 { 'M' } else { 'L' };
            write!(line, "{word}{:.2} {:.2}", place as f64 * step, height(*value))
                .expect("writing to a string cannot fail");
        }
        let area = format!("{line}L100 100L0 100Z");
        let scale = [1_000, (1_000 + floor) / 2, floor].map(percent);
        Some(Chart { line, area, last_y: format!("{:.2}", height(last)), scale })
    }
}

/// Tenths of a percent as percent: `96.4`, `100`.
pub fn percent(permille: i64) -> String {
    match permille % 10 {
        0 => format!("{}", permille / 10),
        tenth => format!("{}.{tenth}", permille / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fills_its_frame_from_a_round_floor() {
        let chart = Chart::of(&[950, 1_000, 905]).unwrap();
        assert_eq!(chart.line, "M0.00 50.00L50.00 0.00L100.00 95.00");
        assert_eq!((chart.scale, chart.last_y), (["100".into(), "95".into(), "90".into()], "95.00".into()));
        assert_eq!(Chart::of(&[0, 1_000]).unwrap().scale, ["100", "50", "0"].map(String::from));
        assert_eq!(Chart::of(&[1_000, 1_000]).unwrap().scale, ["100", "95", "90"].map(String::from));
        assert_eq!((Chart::of(&[500]), Chart::of(&[])), (None, None));
    }

    #[test]
    fn a_share_is_written_without_a_needless_zero() {
        assert_eq!([1_000, 964, 0].map(percent), ["100", "96.4", "0"].map(String::from));
    }
}
