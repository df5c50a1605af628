//! BM25 as Lucene computes it, to the last bit.
//!
//! Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), without the constant
//! factor k1 + 1, in single precision, with lengths rounded to a byte:
//!
//! ```text
//! idf(t)     = ln(1 + (N − df + 0.5) / (df + 0.5))
//! score(t,s) = w − w / (1 + tf · norm(|s|)),  w = times t is in the query · idf(t)
//! norm(|s|)  = 1 / (k1 · (1 − b + b · |s| / avg))
//! ```
//!
//! N and the average length count the sentences that have a term at all. A sentence's score is the sum over the
//! query's different terms in double precision, rounded to single.

use super::lengths::LENGTHS;

/// What of BM25 depends on the collection only.
#[derive(Clone, Debug)]
pub(super) struct Bm25 {
    sentences: u64,
    average: f32,
    norms: [f32; 256],
}

impl Bm25 {
    /// For `sentences` sentences that have a term, with `terms` terms together, repetitions counted.
    pub fn new(k1: f32, b: f32, sentences: u64, terms: u64) -> Bm25 {
        let average = (terms as f64 / sentences.max(1) as f64) as f32;
        let norm = |length: u32| 1.0 / (k1 * ((1.0 - b) + b * length as f32 / average));
        Bm25 {
            sentences,
            average,
            norms: LENGTHS.map(norm),
        }
    }

    /// Terms per sentence, on average.
    pub fn average_length(&self) -> f32 {
        self.average
    }

    /// The inverse document frequency of a term that occurs in `df` sentences.
    pub fn idf(&self, df: u64) -> f32 {
        let (n, df) = (self.sentences as f64, df as f64);
        (1.0 + (n - df + 0.5) / (df + 0.5)).ln() as f32
    }

    /// The weight of a term that occurs in `df` sentences and `times` times in the query.
    pub fn weight(&self, df: u64, times: u32) -> f32 {
        times as f32 * self.idf(df)
    }

    /// The part of a term of this weight.
    pub fn term(&self, weight: f32) -> TermScores<'_> {
        TermScores {
            weight,
            norms: &self.norms,
        }
    }
}

/// What one term of a query adds to the score of a sentence.
#[derive(Clone, Copy, Debug)]
pub(super) struct TermScores<'a> {
    weight: f32,
    norms: &'a [f32; 256],
}

impl TermScores<'_> {
    /// For a sentence that has the term `tf` times and the length byte `length`.
    #[inline]
    pub fn score(&self, tf: u32, length: u8) -> f32 {
        self.with(tf, self.norms[usize::from(length)])
    }

    #[inline]
    fn with(&self, tf: u32, norm: f32) -> f32 {
        self.weight - self.weight / (1.0 + tf as f32 * norm)
    }

    /// The same for each length byte from `first` on.
    #[inline]
    pub fn fill(&self, tf: u32, first: usize, scores: &mut [f32]) {
        for (score, &norm) in scores.iter_mut().zip(&self.norms[first..]) {
            *score = self.with(tf, norm);
        }
    }

    /// What a tf of more than 1 adds to the score of 1.
    #[inline]
    pub fn repeats(&self, tf: u32, length: u8) -> f64 {
        f64::from(self.score(tf, length)) - f64::from(self.score(1, length))
    }
}
