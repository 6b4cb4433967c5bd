//! When the disk will be full, drawn as a straight line through the last weeks. Pure.

use super::{DAY_MS, Sample};
use crate::kernel::limits;

/// What the last weeks say of the next months.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Forecast {
    /// Too few days to say anything.
    Unknown,
    /// What is stored does not grow.
    Never,
    /// Full in so many days, give or take.
    In {
        /// By the line.
        days: i64,
        /// If it grew as fast as the samples allow.
        soonest: i64,
        /// If it grew as slowly as the samples allow; none is never.
        latest: Option<i64>,
    },
}

/// Draws a line through what was used, and asks when it reaches what is free now. The two other answers are
/// those of a slope two standard errors away.
pub fn forecast(samples: &[Sample]) -> Forecast {
    let Some(last) = samples.last() else { return Forecast::Unknown };
    let first = samples.first().map_or(0, |first| first.at.0);
    let days = (last.at.0 - first) / DAY_MS;
    if samples.len() < limits::FORECAST_SAMPLES_MIN || days < limits::FORECAST_SAMPLES_MIN as i64 - 1 {
        return Forecast::Unknown;
    }
    let points: Vec<(f64, f64)> = samples
        .iter()
        .map(|sample| ((sample.at.0 - first) as f64 / DAY_MS as f64, sample.used() as f64))
        .collect();
    let count = points.len() as f64;
    let (mean_x, mean_y) = (
        points.iter().map(|(x, _)| x).sum::<f64>() / count,
        points.iter().map(|(_, y)| y).sum::<f64>() / count,
    );
    let spread = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>();
    let slope = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>() / spread;
    let wrong = points.iter().map(|(x, y)| (y - mean_y - slope * (x - mean_x)).powi(2)).sum::<f64>();
    let error = 2.0 * (wrong / (count - 2.0) / spread).sqrt();
    let full_in = |slope: f64| (slope > 1.0).then(|| (last.free_bytes as f64 / slope).min(36_500.0) as i64);
    match (full_in(slope), full_in(slope + error)) {
        (Some(days), soonest) => {
            Forecast::In { days, soonest: soonest.unwrap_or(days), latest: full_in(slope - error) }
        }
        (None, _) => Forecast::Never,
    }
}

impl Forecast {
    /// Days by the line, if it ends somewhere.
    pub fn days(self) -> Option<i64> {
        match self {
            Forecast::In { days, .. } => Some(days),
            Forecast::Unknown | Forecast::Never => None,
        }
    }

    /// In a sentence.
    pub fn sentence(self) -> String {
        match self {
            Forecast::Unknown => {
                "When the disk will be full cannot be told yet: there is not enough data.".into()
            }
            Forecast::Never => "The disk gets no fuller: what is stored does not grow.".into(),
            Forecast::In { days, soonest, latest } => {
                let (about, soonest) = (in_words(days), in_words(soonest));
                let latest = latest.map_or("never".to_owned(), in_words);
                let how_sure = match soonest == latest {
                    true => String::new(),
                    false => format!(", between {soonest} and {latest}"),
                };
                format!("By the last weeks the disk will be full in about {about}{how_sure}.")
            }
        }
    }
}

fn in_words(days: i64) -> String {
    match days {
        ..=1 => "a day".into(),
        2..=59 => format!("{days} days"),
        60..=729 => format!("{} months", days / 30),
        730..=36_499 => format!("{} years", days / 365),
        _ => "more than a hundred years".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::Timestamp;

    fn samples(used: &[i64], free: i64) -> Vec<Sample> {
        let sample = |(day, used): (usize, &i64)| Sample {
            at: Timestamp(day as i64 * DAY_MS),
            database_bytes: *used,
            files_bytes: 0,
            free_bytes: free,
            disk_bytes: 0,
            tables: Default::default(),
            projects: Default::default(),
        };
        used.iter().enumerate().map(sample).collect()
    }

    #[test]
    fn p_l2_5_a_steady_growth_ends_when_the_free_space_is_used_up() {
        let grown = samples(&[0, 100, 200, 300, 400, 500, 600, 700], 15_000);
        assert_eq!(forecast(&grown), Forecast::In { days: 150, soonest: 150, latest: Some(150) });
        assert_eq!(forecast(&grown).sentence(), "By the last weeks the disk will be full in about 5 months.");
    }

    #[test]
    fn what_cannot_be_told_is_not_told() {
        assert_eq!(forecast(&samples(&[0, 100, 200], 1_000)), Forecast::Unknown);
        assert_eq!(forecast(&samples(&[900; 10], 1_000)), Forecast::Never);
        let Forecast::In { soonest, days, latest } =
            forecast(&samples(&[0, 300, 100, 500, 200, 700, 400, 900], 100_000))
        else {
            panic!("it grows")
        };
        assert!(soonest < days && latest.is_none_or(|latest| latest > days));
    }
}
