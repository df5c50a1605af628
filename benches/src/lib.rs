//! What the benchmarks share: samples and their percentiles.
//!
//! Speed is measured here and never asserted by a test: machines are shared and noisy. `cargo bench` runs the
//! benchmarks; results are kept by date under `benches/results/`, each with the command that repeats it.
//!
//! | benchmark | what it measures |
//! |---|---|
//! | `text_search` | the time of a search by BM25 |
//!
//! `morelet bench` measures the latency of every module of a bundle. The same work done by other programs comes with the issue on model speed, behind the feature `peers`.
#![forbid(unsafe_code)]

use std::fmt;

/// Times of one thing, in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<u64>);

impl Samples {
    /// Adds a time in µs.
    pub fn add(&mut self, micros: u64) {
        self.0.push(micros);
    }

    /// The time in µs that `percent` of the samples do not exceed (nearest rank); 0 without samples.
    pub fn percentile(&self, percent: f64) -> u64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
    }

    /// The mean in µs; 0 without samples.
    pub fn mean(&self) -> f64 {
        self.0.iter().sum::<u64>() as f64 / self.0.len().max(1) as f64
    }
}

impl fmt::Display for Samples {
    /// `n`, p50, p90, p99 and mean, as cells of a Markdown table. A percentile that the samples cannot tell is `–`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.len())?;
        for percent in [50.0, 90.0, 99.0] {
            match self.0.len() as f64 * (100.0 - percent) / 100.0 >= 1.0 {
                true => write!(f, " | {}", self.percentile(percent))?,
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
        let mut samples = Samples::default();
        (1..=10).rev().for_each(|micros| samples.add(micros));
        assert_eq!(
            [0.0, 50.0, 90.0, 100.0].map(|p| samples.percentile(p)),
            [1, 5, 9, 10]
        );
        assert_eq!(samples.to_string(), "10 | 5 | 9 | – | 6");
        assert_eq!(Samples::default().to_string(), "0 | – | – | – | 0");
    }
}
