//! The best sentences for a query.
//!
//! `maxscore` finds them in a part of a file, with `clause`s for the query's terms, the `rare` ones of which give a threshold to
//! begin with, `cursor`s through their lists, a `window` to add scores up in, and the `best` so far; `exhaustive` is the plain
//! form that tests compare it with. This file deals the work out to segments and threads.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::bm25::Bm25;
use super::filter::Filter;
use super::index::SearchOptions;
use super::query::QueryTerm;
use super::segment::Segment;
use crate::error::Result;
use best::Floor;
pub(super) use best::Scored;
use clause::Clause;
use maxscore::{Part, Scratch};

mod best;
mod clause;
mod cursor;
#[cfg(test)]
mod exhaustive;
mod maxscore;
mod rare;
#[cfg(test)]
mod tests;
mod window;

/// Scratch memory that is larger, because of a query with hundreds of frequent terms, is not kept.
const WORTH_KEEPING: usize = 1 << 20;
/// More idle scratch memories are not kept, however many searches there were at once.
const MOST_IDLE: usize = 16;
/// Each thread gets at least so many sentences.
const SENTENCES_EACH: u32 = 1 << 13;
/// A query of more terms is searched by one thread: each takes memory for every term.
const MOST_TERMS_SHARED: usize = 64;
/// More threads never share a query.
pub(super) const MOST_THREADS: usize = 64;

/// Memory that searches use again and again.
#[derive(Default)]
pub(super) struct Pool(Mutex<Vec<Scratch>>);

impl Pool {
    /// Calls `act` with scratch memory that nobody else uses meanwhile.
    fn with<T>(&self, act: impl FnOnce(&mut Scratch) -> T) -> T {
        let idle = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle().pop();
        let mut scratch = taken.unwrap_or_else(Scratch::new);
        let result = act(&mut scratch);
        let mut idle = idle();
        if scratch.bytes() <= WORTH_KEEPING && idle.len() < MOST_IDLE {
            idle.push(scratch);
        }
        result
    }
}

/// A search: what is common to its parts.
struct Search<'a> {
    bm25: &'a Bm25,
    terms: &'a [QueryTerm<'a>],
    options: &'a SearchOptions<'a>,
    pool: &'a Pool,
    floor: Floor,
}

/// The best sentences of `segments` for `terms`, best first.
pub(super) fn best(
    segments: &[Segment],
    bm25: &Bm25,
    terms: &[QueryTerm<'_>],
    options: &SearchOptions<'_>,
    pool: &Pool,
) -> Result<Vec<Scored>> {
    let search = Search {
        bm25,
        terms,
        options,
        pool,
        floor: Floor::new(),
    };
    let mut found = Vec::new();
    for (number, segment) in segments.iter().enumerate() {
        let scored = search.segment(number, segment)?;
        found.extend(scored.into_iter().map(|scored| Scored {
            sentence: segment.first_sentence + scored.sentence,
            ..scored
        }));
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.truncate(options.k);
    Ok(found)
}

impl Search<'_> {
    /// The best of one segment, on as many threads as the options say.
    fn segment(&self, number: usize, segment: &Segment) -> Result<Vec<Scored>> {
        let sentences = segment.meta.sentences;
        let threads = match self.terms.len() > MOST_TERMS_SHARED {
            true => 1,
            false => self.options.threads.clamp(1, MOST_THREADS) as u32,
        };
        let threads = threads.min(sentences / SENTENCES_EACH).max(1);
        let each = sentences.div_ceil(threads).max(1);
        let part = |part: u32| {
            let start = part.saturating_mul(each).min(sentences);
            self.part(
                number,
                segment,
                start..start.saturating_add(each).min(sentences),
            )
        };
        if threads == 1 {
            return part(0);
        }
        std::thread::scope(|scope| {
            let part = &part;
            let spawn = |at| {
                let builder = std::thread::Builder::new();
                (at, builder.spawn_scoped(scope, move || part(at)))
            };
            let others: Vec<_> = (1..threads).map(spawn).collect();
            let mut found = part(0);
            for (at, other) in others {
                let more = match other.map(|thread| thread.join()) {
                    Ok(Ok(more)) => more,
                    Ok(Err(panic)) => std::panic::resume_unwind(panic),
                    // The system has no more threads.
                    Err(_) => part(at),
                };
                found = found.and_then(|mut found| {
                    found.extend(more?);
                    Ok(found)
                });
            }
            found
        })
    }

    /// The best of some sentences of a segment.
    fn part(&self, number: usize, segment: &Segment, sentences: Range<u32>) -> Result<Vec<Scored>> {
        let mut clauses = Vec::with_capacity(self.terms.len());
        for term in self.terms {
            if let Some(list) = &term.lists[number] {
                Clause::put(list, self.bm25.term(term.weight), &mut clauses);
            }
        }
        let part = Part {
            lengths: &segment.lengths,
            allowed: self
                .options
                .filter
                .map(|filter: &Filter| filter.segment(number)),
            sentences,
        };
        let (k, effort) = (self.options.k, self.options.effort);
        self.pool
            .with(|scratch| maxscore::best(clauses, &part, k, effort, &self.floor, scratch))
    }
}
