//! Many times of the same work.

use serde::Serialize;
use std::time::Instant;

/// Times in µs.
#[derive(Serialize)]
pub(super) struct Times {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub mean: f64,
    /// How many there are.
    pub n: usize,
    pub samples: Vec<u64>,
}

impl Times {
    pub fn of(samples: &[u64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_unstable();
        // The nearest rank.
        let percentile = |p: usize| {
            let rank = (sorted.len() * p).div_ceil(100).max(1) - 1;
            sorted.get(rank).copied().unwrap_or_default()
        };
        Self {
            p50: percentile(50),
            p90: percentile(90),
            p99: percentile(99),
            mean: sorted.iter().sum::<u64>() as f64 / sorted.len().max(1) as f64,
            n: sorted.len(),
            samples: samples.to_vec(),
        }
    }

    /// A row of a table, under [`HEADER`].
    pub fn row(&self, name: &str) -> Vec<String> {
        let ms = |us: u64| ms(us as f64);
        vec![
            name.to_owned(),
            ms(self.p50),
            ms(self.p90),
            ms(self.p99),
            super::times::ms(self.mean),
            self.n.to_string(),
        ]
    }
}

/// The columns of [`Times::row`].
pub(super) const HEADER: [&str; 6] = ["module", "p50", "p90", "p99", "mean", "n"];

/// Milliseconds, for people: a text search takes parts of one, a model many.
pub(super) fn ms(us: f64) -> String {
    if us < 10_000.0 {
        format!("{:.3}", us / 1e3)
    } else {
        format!("{:.2}", us / 1e3)
    }
}

pub(super) fn micros(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// numpy.percentile(..., method="inverted_cdf").
    #[test]
    fn percentiles_are_nearest_ranks() {
        let samples: Vec<u64> = (1..=10).rev().collect();
        let times = Times::of(&samples);
        assert_eq!(
            (times.p50, times.p90, times.p99, times.mean),
            (5, 9, 10, 5.5)
        );
        assert_eq!(Times::of(&[7]).p90, 7);
        let samples: Vec<u64> = (1..=200).collect();
        assert_eq!(Times::of(&samples).p99, 198);
    }
}
