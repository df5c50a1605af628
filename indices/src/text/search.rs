//! The best sentences for a query.

use std::cmp::Ordering;
use std::sync::{Mutex, PoisonError};

use super::bm25::Bm25;
use super::index::SearchOptions;
use super::query::QueryTerm;
use super::segment::Segment;
use crate::error::Result;

mod exhaustive;

/// A sentence and its score. The greater is the better; of equal scores, the earlier sentence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scored {
    pub score: f32,
    pub sentence: u32,
}

impl Ord for Scored {
    fn cmp(&self, other: &Scored) -> Ordering {
        self.score
            .total_cmp(&other.score)
            .then(other.sentence.cmp(&self.sentence))
    }
}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Scored) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scored {
    fn eq(&self, other: &Scored) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scored {}

/// Memory that searches use again and again.
#[derive(Default)]
pub(super) struct Pool(Mutex<Vec<Scratch>>);

type Scratch = exhaustive::Window;

impl Pool {
    fn take(&self) -> Scratch {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop().unwrap_or_else(Scratch::new)
    }

    fn put(&self, scratch: Scratch) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(scratch);
    }
}

/// The best sentences of `segments` for `terms`, best first.
pub(super) fn best(
    segments: &[Segment],
    bm25: &Bm25,
    terms: &[QueryTerm],
    options: &SearchOptions<'_>,
    pool: &Pool,
) -> Result<Vec<Scored>> {
    let mut found = Vec::new();
    for (number, segment) in segments.iter().enumerate() {
        let mut clauses = Vec::new();
        for term in terms {
            if let Some(of_segment) = term.numbers[number] {
                let postings = segment.postings.list(of_segment)?;
                clauses.push(exhaustive::Clause::new(postings, bm25.term(term.weight))?);
            }
        }
        let mut scratch = pool.take();
        let best = exhaustive::best(&mut clauses, &segment.lengths, options.k, &mut scratch);
        pool.put(scratch);
        found.extend(best?.into_iter().map(|scored| Scored {
            sentence: segment.first_sentence + scored.sentence,
            ..scored
        }));
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.truncate(options.k);
    Ok(found)
}
