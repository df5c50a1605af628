//! Queries, and what should be found.

use morelet_benches::{Npy, Result};
use morelet_indices::ImageId;

/// Inner products so close are equal: a sum of some hundred products in single precision is no more exact.
const EQUAL: f32 = 1e-6;

/// Queries with their true neighbours.
pub struct Queries {
    /// The features.
    pub features: Vec<Vec<f32>>,
    /// By query, the numbers of the true neighbours, ascending: `k`, or more where some are as near as the k-th.
    good: Vec<Vec<u32>>,
    k: usize,
}

impl Queries {
    /// Reads queries, and as many of their true neighbours as a search for `k` may find.
    pub fn read(features: &str, truth: &str, scores: Option<&str>, k: usize) -> Result<Queries> {
        let features = Npy::<f32>::open(features)?.all()?;
        let truth = Npy::<i32>::open(truth)?.all()?;
        let scores = scores
            .map(|path| Npy::<f32>::open(path)?.all())
            .transpose()?;
        let counts = [
            features.len(),
            scores.as_ref().map_or(truth.len(), Vec::len),
        ];
        if counts != [truth.len(); 2] || k == 0 || truth.iter().any(|near| near.len() < k) {
            return Err(format!("expected {k} true neighbours of every query").into());
        }
        let good = |(query, near): (usize, &Vec<i32>)| {
            let count = match &scores {
                None => k,
                Some(scores) => {
                    let least = scores[query].get(k - 1).ok_or("too few scores")? - EQUAL;
                    scores[query]
                        .iter()
                        .filter(|score| **score >= least)
                        .count()
                }
            };
            let near = near.iter().take(count);
            let mut good = near
                .map(|row| u32::try_from(*row))
                .collect::<std::result::Result<Vec<_>, _>>()?;
            good.sort_unstable();
            Ok(good)
        };
        Ok(Queries {
            good: truth.iter().enumerate().map(good).collect::<Result<_>>()?,
            features,
            k,
        })
    }

    /// How many of the `k` that should be found for a query were.
    pub fn found(&self, query: usize, hits: &[(ImageId, f32)]) -> usize {
        let good = &self.good[query];
        let hits = hits.iter().take(self.k);
        hits.filter(|(image, _)| good.binary_search(&image.0).is_ok())
            .count()
    }

    /// The part that `found` is of all that should be found.
    pub fn recall(&self, found: usize) -> f64 {
        found as f64 / (self.features.len() * self.k).max(1) as f64
    }

    /// The number of neighbours looked for.
    pub fn k(&self) -> usize {
        self.k
    }
}
