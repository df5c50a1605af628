//! The best sentences for a query, without scoring all that have a term of it.
//!
//! MaxScore (Turtle and Flood, "Query Evaluation: Strategies and Optimizations", 1995), a window of sentences at a
//! time, over clauses: a rare term is one, any other is two, its sentences as if each had it once, and the few that repeat it. Clauses are
//! ordered by the most that each can add to a score, for a posting of it. As long as the first few together cannot lift a
//! sentence above the threshold, the score of the worst of the best k so far, a sentence that has none of the others
//! is of no interest. So only the *essential* rest of the clauses is gone through: what they add is added up in the
//! window, and every sentence found there is completed by looking it up in the postings of the others, those that add
//! most for a posting first, until what is left to add cannot lift it above the threshold.
//!
//! The clauses with the fewest postings are always gone through; from them a threshold is known to begin with (`rare.rs`).
//!
//! What a clause can add in a sentence of known length is bounded more tightly than what it can add at all
//! (`impacts.rs`), and most tightly what a term adds that occurs once: this is what spares most look-ups.
//!
//! All that is left out is left out for a proven reason, so that the result is that of `exhaustive.rs`. To the bit: scores
//! are added up in double precision in another order, which could show only where a term adds less than a 2⁻²⁹th of
//! the score.
//! With an effort below 1 the bounds are taken for smaller than they are, which proves nothing.

use std::ops::Range;

use super::best::{Best, Floor, Scored};
use super::clause::{Bounded, Clause, Walk};
use super::rare::Rare;
use super::window::{WINDOW, Window};
use crate::error::Result;
use crate::kernels::sums::{Chance, Span};

/// More than sums of bounds lose by rounding.
const ROUNDED_UP: f64 = 1.0 + 1e-9;

/// What a search needs beside its query, kept for the next one.
pub(super) struct Scratch {
    window: Window,
    /// For each number of clauses, the most that so many of the first add in a sentence of each length byte.
    bounds: Vec<[f64; 256]>,
    rare: Rare,
}

impl Scratch {
    /// Nothing yet.
    pub fn new() -> Scratch {
        Scratch {
            window: Window::new(),
            bounds: Vec::new(),
            rare: Rare::new(),
        }
    }

    /// The memory that it keeps because of the length of its query, in bytes.
    pub fn bytes(&self) -> usize {
        self.bounds.capacity() * size_of::<[f64; 256]>()
    }

    fn bound(&mut self, clauses: &[Bounded<'_>], effort: f32) {
        self.bounds.clear();
        self.bounds.push([0.0; 256]);
        let mut sums = [0.0f64; 256];
        for clause in clauses {
            for (sum, &own) in sums.iter_mut().zip(clause.bounds.iter()) {
                *sum += own * f64::from(effort);
            }
            self.bounds.push(sums.map(|sum| sum * ROUNDED_UP));
        }
    }
}

/// The part of an index that is searched.
pub(super) struct Part<'a> {
    /// A byte for every sentence of the file.
    pub lengths: &'a [u8],
    /// A bit for every sentence that may be found; `None` for all.
    pub allowed: Option<&'a [u64]>,
    /// The sentences that are searched.
    pub sentences: Range<u32>,
}

impl Part<'_> {
    /// Whether a sentence may be found.
    pub fn allows(&self, sentence: u32) -> bool {
        let word = |allowed: &[u64]| allowed.get(sentence as usize / 64).copied().unwrap_or(0);
        self.allowed
            .is_none_or(|allowed| word(allowed) >> (sentence % 64) & 1 == 1)
    }
}

/// The best `k` of a part for these clauses, in no order.
pub(super) fn best(
    mut clauses: Vec<Clause<'_>>,
    part: &Part<'_>,
    k: usize,
    effort: f32,
    floor: &Floor,
    scratch: &mut Scratch,
) -> Result<Vec<Scored>> {
    clauses.sort_by_key(Clause::len);
    let taken = scratch.rare.take(&clauses, part)?;
    let mut clauses: Vec<_> = clauses.drain(taken..).map(Bounded::new).collect();
    clauses.sort_by(|a, b| a.density().total_cmp(&b.density()));
    scratch.bound(&clauses, effort);
    let Scratch {
        window,
        bounds,
        rare,
    } = scratch;
    // An earlier search that failed may have left scores behind.
    window.clear();
    let mut walks = Vec::with_capacity(clauses.len());
    let mut most = Vec::with_capacity(clauses.len());
    let mut sum = 0.0;
    for clause in clauses {
        sum += clause.most * f64::from(effort);
        most.push(sum * ROUNDED_UP);
        walks.push(Walk::begin(clause, part.sentences.start)?);
    }
    // Whatever the effort: what these k sentences are known to have alone keeps them.
    floor.raise(rare.known_score(k));
    let mut best = Best::new(k, floor);
    let mut essential = 0;
    loop {
        best.look_at_floor();
        // The threshold only rises.
        while essential < walks.len() && most[essential] <= f64::from(best.threshold()) {
            essential += 1;
        }
        let (others, needed) = walks.split_at_mut(essential);
        let mut first = rare.next().unwrap_or(u32::MAX);
        for walk in &mut *needed {
            first = first.min(walk.next()?.unwrap_or(u32::MAX));
        }
        if first >= part.sentences.end {
            break;
        }
        let start = first - first % WINDOW;
        let end = start.saturating_add(WINDOW).min(part.sentences.end);
        let span = Span {
            start,
            lengths: part.lengths,
        };
        rare.add_to(window, end, span);
        for walk in &mut *needed {
            walk.add_to(window, end, span)?;
        }
        let chance = |clauses: usize| Chance {
            left: &bounds[clauses],
            threshold: f64::from(best.threshold()),
        };
        let allowed = part
            .allowed
            .map(|allowed| allowed.get(start as usize / 64..).unwrap_or_default());
        window.choose(allowed, chance(essential));
        for (number, walk) in others.iter_mut().enumerate().rev() {
            if window.len() == 0 {
                break;
            }
            walk.complete(window, end, span)?;
            window.choose(None, chance(number));
        }
        window.drain(|place, sum| {
            best.offer(Scored {
                score: sum as f32,
                sentence: start + place,
            });
        });
    }
    Ok(best.into_vec())
}
