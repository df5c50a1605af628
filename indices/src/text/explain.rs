//! Why a sentence has its score.

use super::index::SentenceId;

/// The score of one sentence for one query, term by term: what [`TextIndex::explain`](crate::TextIndex::explain)
/// gives. The formula is the one at the head of Lucene's `BM25Similarity`:
///
/// ```text
/// score(t) = w − w / (1 + tf / (k1 · (1 − b + b · length / average_length))),  w = times · idf
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The sentence.
    pub sentence: SentenceId,
    /// The sum over [`Explanation::terms`], as a search gives it.
    pub score: f32,
    /// The terms of the sentence, rounded to a byte as the index keeps it.
    pub length: u32,
    /// Terms per sentence, on average over the sentences that have one.
    pub average_length: f32,
    /// The terms of the query that the sentence has, the one that adds most first.
    pub terms: Vec<TermExplanation>,
}

/// What one term adds to a score.
#[derive(Clone, Debug, PartialEq)]
pub struct TermExplanation {
    /// The term.
    pub term: String,
    /// How often the query has it.
    pub times: u32,
    /// How often the sentence has it.
    pub tf: u32,
    /// How many sentences have it.
    pub df: u64,
    /// ln(1 + (N − df + 0.5) / (df + 0.5)), N being the number of sentences that have a term.
    pub idf: f32,
    /// What it adds.
    pub score: f32,
}
