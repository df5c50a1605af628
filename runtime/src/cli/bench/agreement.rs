//! What an effort below 1 costs: how many of the exact best ten it finds.

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
        let mut shares = Vec::new();
        let queries: std::collections::BTreeSet<&str> = queries.into_iter().collect();
        for query in queries {
            let exact = search(query, Effort::EXACT)?;
            if !exact.is_empty() {
                shares.push(share(&exact, &search(query, effort)?));
            }
        }
        if shares.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            agreement_at_10: shares.iter().sum::<f64>() / shares.len() as f64,
            worst: shares.iter().copied().fold(1.0, f64::min),
            queries: shares.len(),
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

/// The share of the exact best that was found.
fn share(exact: &[SentenceHit], found: &[SentenceHit]) -> f64 {
    let Some(last) = exact.last() else {
        return 1.0;
    };
    let counts = |hit: &&SentenceHit| {
        hit.score >= last.score || exact.iter().any(|exact| exact.sentence == hit.sentence)
    };
    let found = found.iter().filter(counts).count();
    found.min(exact.len()) as f64 / exact.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use morelet_indices::{ParagraphId, SentenceId};

    fn hits(hits: &[(u32, f32)]) -> Vec<SentenceHit> {
        let hit = |&(sentence, score)| SentenceHit {
            sentence: SentenceId(sentence),
            paragraph: ParagraphId(sentence),
            score,
        };
        hits.iter().map(hit).collect()
    }

    #[test]
    fn counts_what_is_among_the_best_or_as_good_as_the_last_of_them() {
        let exact = hits(&[(1, 9.0), (2, 8.0), (3, 5.0), (4, 5.0)]);
        let cases: [(&[(u32, f32)], f64); 5] = [
            (&[(1, 9.0), (2, 8.0), (3, 5.0), (4, 5.0)], 1.0),
            // 7 has the score of the last.
            (&[(1, 9.0), (2, 8.0), (3, 5.0), (7, 5.0)], 1.0),
            (&[(2, 8.0), (3, 5.0), (8, 4.0), (9, 4.0)], 0.5),
            (&[(1, 9.0)], 0.25),
            (&[], 0.0),
        ];
        for (found, expected) in cases {
            assert_eq!(share(&exact, &hits(found)), expected, "{found:?}");
        }
    }
}
