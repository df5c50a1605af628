//! What an effort that is not exact costs: how many of the exact best ten it finds.

use crate::{Effort, RETRIEVED_KEYS, Result};
use morelet_indices::{SearchOptions, SentenceHit, TextIndex};
use serde::Serialize;

/// Agreement@10 of a text search with the exact one.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Agreement {
    /// The share of the exact best ten that was found; the mean over the queries. A sentence with the score of the tenth
    /// counts as well as the tenth.
    pub agreement_at_10: f64,
    /// The share of the query that lost most.
    pub worst: f64,
    /// The different queries that find anything.
    pub queries: usize,
}

impl Agreement {
    /// Measures it over queries. `None` where none of them finds anything.
    pub fn measure<'a>(
        index: &TextIndex,
        queries: impl IntoIterator<Item = &'a str>,
        effort: Effort,
    ) -> Result<Option<Self>> {
        let search = |query: &str, effort: Effort| {
            let options = SearchOptions {
                k: RETRIEVED_KEYS,
                effort: effort.get(),
                ..SearchOptions::default()
            };
            index.search_with(query, &options)
        };
        let mut shares = Share::default();
        let queries: std::collections::BTreeSet<&str> = queries.into_iter().collect();
        for query in queries {
            let exact = search(query, Effort::EXACT)?;
            if !exact.is_empty() {
                shares.add(share(&scored(&exact), &scored(&search(query, effort)?)));
            }
        }
        Ok(shares.mean().map(|agreement_at_10| Self {
            agreement_at_10,
            worst: shares.worst(),
            queries: shares.count(),
        }))
    }

    /// A line of a report.
    pub fn line(&self, effort: Effort) -> String {
        format!(
            "text retrieval at effort {effort}: agreement@10 with the exact search {:.4} over {} queries, {:.1} at worst\n",
            self.agreement_at_10, self.queries, self.worst
        )
    }
}

/// The shares of many queries.
#[derive(Default)]
pub(super) struct Share(Vec<f64>);

impl Share {
    pub fn add(&mut self, share: f64) {
        self.0.push(share);
    }

    /// The mean, if there is any query.
    pub fn mean(&self) -> Option<f64> {
        let sum = self.0.iter().sum::<f64>();
        (!self.0.is_empty()).then(|| sum / self.0.len() as f64)
    }

    pub fn worst(&self) -> f64 {
        self.0.iter().copied().fold(1.0, f64::min)
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }
}

fn scored(hits: &[SentenceHit]) -> Vec<(u32, f32)> {
    let scored = hits.iter().map(|hit| (hit.sentence.0, hit.score));
    scored.collect()
}

/// The share of the exact best that was found: numbers with their scores.
pub(super) fn share(exact: &[(u32, f32)], found: &[(u32, f32)]) -> f64 {
    let Some(&(_, last)) = exact.last() else {
        return 1.0;
    };
    let counts = |&&(number, score): &&(u32, f32)| {
        score >= last || exact.iter().any(|exact| exact.0 == number)
    };
    let found = found.iter().filter(counts).count();
    found.min(exact.len()) as f64 / exact.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_among_the_best_or_as_good_as_the_last_of_them() {
        let exact = [(1, 9.0), (2, 8.0), (3, 5.0), (4, 5.0)];
        let cases: [(&[(u32, f32)], f64); 5] = [
            (&[(1, 9.0), (2, 8.0), (3, 5.0), (4, 5.0)], 1.0),
            // 7 has the score of the last.
            (&[(1, 9.0), (2, 8.0), (3, 5.0), (7, 5.0)], 1.0),
            (&[(2, 8.0), (3, 5.0), (8, 4.0), (9, 4.0)], 0.5),
            (&[(1, 9.0)], 0.25),
            (&[], 0.0),
        ];
        for (found, expected) in cases {
            assert_eq!(share(&exact, found), expected, "{found:?}");
        }
    }
}
