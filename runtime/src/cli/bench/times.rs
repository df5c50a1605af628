//! Many times of the same work.

use serde::Serialize;
use std::time::Instant;

/// How many samples a percentile needs at least, so that one of them lies beyond it.
const NEEDED: [(usize, usize); 3] = [(50, 1), (90, 10), (99, 100)];

/// Times in µs. A percentile that there are too few samples for is not told.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Times {
    pub p50: Option<u64>,
    pub p90: Option<u64>,
    pub p99: Option<u64>,
    pub mean: f64,
    pub min: u64,
    /// How many there are.
    pub n: usize,
    pub samples: Vec<u64>,
}

impl Times {
    pub fn of(samples: &[u64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_unstable();
        // The nearest rank.
        let percentile = |(p, needed): (usize, usize)| {
            let rank = (sorted.len() * p).div_ceil(100).max(1) - 1;
            let enough = sorted.len() >= needed;
            enough.then(|| sorted.get(rank).copied()).flatten()
        };
        Self {
            p50: percentile(NEEDED[0]),
            p90: percentile(NEEDED[1]),
            p99: percentile(NEEDED[2]),
            mean: sorted.iter().sum::<u64>() as f64 / sorted.len().max(1) as f64,
            min: sorted.first().copied().unwrap_or_default(),
            n: sorted.len(),
            samples: samples.to_vec(),
        }
    }

    /// How many a second, one after the other, by the mean.
    pub fn per_second(&self) -> f64 {
        1e6 / self.mean.max(f64::MIN_POSITIVE)
    }

    /// A row of a table, under [`HEADER`].
    pub fn row(&self, name: &str) -> Vec<String> {
        let told = |us: Option<u64>| us.map_or_else(|| "–".to_owned(), |us| ms(us as f64));
        vec![
            name.to_owned(),
            told(self.p50),
            told(self.p90),
            told(self.p99),
            ms(self.mean),
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
            (times.p50, times.p90, times.mean, times.min),
            (Some(5), Some(9), 5.5, 1)
        );
        assert_eq!(Times::of(&[7]).p50, Some(7));
        let samples: Vec<u64> = (1..=200).collect();
        assert_eq!(Times::of(&samples).p99, Some(198));
    }

    #[test]
    fn a_percentile_that_nothing_lies_beyond_is_not_claimed() {
        let of = |count: u64| Times::of(&(1..=count).collect::<Vec<u64>>());
        assert_eq!((of(9).p90, of(10).p90), (None, Some(9)));
        assert_eq!((of(99).p99, of(100).p99), (None, Some(99)));
        assert_eq!(Times::of(&[]).p50, None);
        assert_eq!(of(9).row("x"), ["x", "0.005", "–", "–", "0.005", "9"]);
    }
}
