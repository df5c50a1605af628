//! Times, and what is said of them.

use std::fmt;
use std::time::Duration;

/// Times of one thing.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// Adds a time.
    pub fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The number of times.
    #[expect(
        clippy::len_without_is_empty,
        reason = "no samples are as good as any others"
    )]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The times, in the order in which they were added.
    pub fn times(&self) -> impl Iterator<Item = Duration> {
        self.0.iter().copied()
    }

    /// The time in µs that `percent` of the samples do not exceed (nearest rank); 0 without samples.
    pub fn percentile(&self, percent: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
        sorted
            .get(rank.saturating_sub(1))
            .map_or(0.0, |time| micros(*time))
    }

    /// The mean in µs; 0 without samples.
    pub fn mean(&self) -> f64 {
        micros(self.0.iter().sum()) / self.0.len().max(1) as f64
    }

    /// The median.
    pub fn median(&self) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }
}

/// `time` in µs.
fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

impl Extend<Duration> for Samples {
    fn extend<I: IntoIterator<Item = Duration>>(&mut self, times: I) {
        self.0.extend(times);
    }
}

impl FromIterator<Duration> for Samples {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Samples {
        Samples(times.into_iter().collect())
    }
}

impl fmt::Display for Samples {
    /// `n`, p50, p90, p99 and mean, as cells of a Markdown table. A percentile that the samples cannot tell is `–`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.len())?;
        for percent in [50.0, 90.0, 99.0] {
            match self.0.len() as f64 * (100.0 - percent) / 100.0 >= 1.0 {
                true => write!(f, " | {:.0}", self.percentile(percent))?,
                false => f.write_str(" | –")?,
            }
        }
        write!(f, " | {:.0}", self.mean())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let samples: Samples = (1..=10).rev().map(Duration::from_micros).collect();
        assert_eq!(
            [0.0, 50.0, 90.0, 100.0].map(|p| samples.percentile(p)),
            [1.0, 5.0, 9.0, 10.0]
        );
        assert_eq!(samples.to_string(), "10 | 5 | 9 | – | 6");
        assert_eq!(Samples::default().to_string(), "0 | – | – | – | 0");
        assert_eq!(Samples::default().median(), Duration::ZERO);
    }
}
