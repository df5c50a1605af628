//! The best sentences for a query, without scoring all that have a term of it.
//!
//! MaxScore (Turtle and Flood, "Query Evaluation: Strategies and Optimizations", 1995), a window of sentences at a
//! time. Terms are ordered by the most that each can add to a score. As long as the first few together cannot lift a
//! sentence above the threshold, the score of the worst of the best k so far, a sentence that has no other term
//! is of no interest. So only the *essential* rest of the terms is gone through: what they add is added up in the
//! window, and every sentence found there is completed by looking it up in the lists of the others, those that can add
//! most first, until what is left to add cannot lift it above the threshold.
//!
//! The threshold is not unknown at the beginning either (`prime.rs`).
//!
//! What a term can add in a sentence of known length is bounded more tightly than what it can add at all
//! (`impacts.rs`): this is what spares most look-ups.
//!
//! All that is left out is left out for a proven reason, so that the result is that of `exhaustive.rs`. To the bit: scores
//! are added up in double precision in another order, which could show only where a term adds less than a 2⁻²⁹th of
//! the score.
//! With an effort below 1 the bounds are taken for smaller than they are, which proves nothing.

use std::ops::Range;

use super::best::{Best, Floor, Scored};
use super::cursor::Cursor;
use super::prime::{self, Sums};
use super::window::{Chance, WINDOW, Window};
use crate::error::Result;
use crate::text::bm25::TermScores;
use crate::text::postings::List;

/// Lists longer than this have their scores for tf 1 looked up, not computed.
const WORTH_A_TABLE: u32 = 512;

/// Going through this many postings costs as much as looking one sentence up.
const SCAN_FACTOR: f64 = 32.0;

/// One term of the query.
pub(super) struct Clause<'a> {
    cursor: Cursor<'a>,
    scores: TermScores<'a>,
    /// The scores for tf 1 and every length byte.
    table: Option<Box<[f32; 256]>>,
    /// The most that it adds to any score.
    most: f32,
}

impl<'a> Clause<'a> {
    /// The term whose postings are `list`.
    pub fn new(list: List<'a>, scores: TermScores<'a>) -> Result<Clause<'a>> {
        Ok(Clause {
            table: (list.df > WORTH_A_TABLE).then(|| Box::new(scores.table())),
            most: list.impacts.most(&scores),
            cursor: Cursor::new(list)?,
            scores,
        })
    }

    /// Its postings.
    pub fn list(&self) -> &List<'a> {
        self.cursor.list()
    }

    /// What it adds to the score of a sentence.
    #[inline]
    pub fn score(&self, tf: u32, length: u8) -> f32 {
        match (&self.table, tf) {
            (Some(table), 1) => table[usize::from(length)],
            _ => self.scores.score(tf, length),
        }
    }

    /// Adds this term's scores up to sentence `end` in the window that begins at `start`.
    fn add_to(&mut self, window: &mut Window, start: u32, end: u32, lengths: &[u8]) -> Result<()> {
        let Clause {
            cursor,
            scores,
            table,
            ..
        } = self;
        let length = |sentence: u32| lengths[sentence as usize];
        cursor.take_until(end, |sentences, tfs| match (&table, tfs) {
            (Some(table), None) => window.add(sentences, start, |sentence, _| {
                table[usize::from(length(sentence))]
            }),
            (Some(table), Some(tfs)) => {
                window.add(sentences, start, |sentence, at| match tfs[at] {
                    1 => table[usize::from(length(sentence))],
                    tf => scores.score(tf, length(sentence)),
                })
            }
            (None, tfs) => window.add(sentences, start, |sentence, at| {
                scores.score(tfs.map_or(1, |tfs| tfs[at]), length(sentence))
            }),
        })
    }
}

impl Clause<'_> {
    /// Adds this term's scores to the candidates of the window from `start` to `end`.
    fn complete(
        &mut self,
        window: &mut Window,
        start: u32,
        end: u32,
        lengths: &[u8],
    ) -> Result<()> {
        let share = f64::from(self.list().df) / lengths.len() as f64;
        let postings = share * f64::from(WINDOW);
        if postings < SCAN_FACTOR * window.len() as f64 {
            return self.scan(window, start, end, lengths);
        }
        window.sort();
        for at in 0..window.len() {
            let place = window.candidate(at);
            let tf = self.cursor.tf(start + place)?;
            if tf > 0 {
                let score = self.score(tf, lengths[(start + place) as usize]);
                window.add_to_candidate(place, score);
            }
        }
        Ok(())
    }

    /// The same, by going through all postings of the window.
    fn scan(&mut self, window: &mut Window, start: u32, end: u32, lengths: &[u8]) -> Result<()> {
        let Clause {
            cursor,
            scores,
            table,
            ..
        } = self;
        let bits = window.bitmap();
        let mut buffer = [0; 128];
        cursor.skip_to(start)?;
        cursor.take_until(end, |sentences, tfs| {
            let count = Window::members(sentences, start, &bits, &mut buffer);
            for &at in &buffer[..count] {
                let sentence = sentences[usize::from(at)];
                let length = lengths[sentence as usize];
                let score = match (&table, tfs.map_or(1, |tfs| tfs[usize::from(at)])) {
                    (Some(table), 1) => table[usize::from(length)],
                    (_, tf) => scores.score(tf, length),
                };
                window.add_to_candidate(sentence - start, score);
            }
        })
    }
}

/// What a search needs beside its query, kept for the next one.
pub(super) struct Scratch {
    window: Window,
    /// For each number of terms, the most that so many of the first terms add in a sentence of each length byte.
    bounds: Vec<[f32; 256]>,
    sums: Sums,
}

impl Scratch {
    /// Nothing yet.
    pub fn new() -> Scratch {
        Scratch {
            window: Window::new(),
            bounds: Vec::new(),
            sums: Sums::new(),
        }
    }

    /// The memory that it keeps because of the length of its query, in bytes.
    pub fn bytes(&self) -> usize {
        self.bounds.capacity() * size_of::<[f32; 256]>()
    }

    fn bound(&mut self, clauses: &[Clause<'_>], effort: f32) {
        self.bounds.clear();
        self.bounds.push([0.0; 256]);
        let mut sums = [0.0f64; 256];
        let mut own = [0.0; 256];
        for clause in clauses {
            clause.list().impacts.bounds(&clause.scores, &mut own);
            for (sum, own) in sums.iter_mut().zip(own) {
                *sum += f64::from(own * effort);
            }
            self.bounds.push(sums.map(|sum| (sum as f32).next_up()));
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

/// The best `k` of a part for the terms in `clauses`, in no order.
pub(super) fn best(
    mut clauses: Vec<Clause<'_>>,
    part: &Part<'_>,
    k: usize,
    effort: f32,
    floor: &Floor,
    scratch: &mut Scratch,
) -> Result<Vec<Scored>> {
    clauses.sort_by(|a, b| a.most.total_cmp(&b.most));
    scratch.bound(&clauses, effort);
    let Scratch {
        window,
        bounds,
        sums,
    } = scratch;
    // An earlier search that failed may have left scores behind.
    window.clear();
    let mut most = Vec::with_capacity(clauses.len());
    let mut sum = 0.0;
    for clause in &mut clauses {
        sum += f64::from(clause.most * effort);
        most.push((sum as f32).next_up());
        clause.cursor.skip_to(part.sentences.start)?;
    }
    // As bounds that are taken for smaller, so that the k sentences that reach it are not lost.
    floor.raise(effort.abs() * prime::known_score(&clauses, part, k, sums)?);
    let mut best = Best::new(k, floor);
    let mut essential = 0;
    loop {
        best.look_at_floor();
        // The threshold only rises.
        while essential < clauses.len() && most[essential] <= best.threshold() {
            essential += 1;
        }
        let (others, needed) = clauses.split_at_mut(essential);
        let mut first = u32::MAX;
        for clause in &mut *needed {
            first = first.min(clause.cursor.next()?.unwrap_or(u32::MAX));
        }
        if first >= part.sentences.end {
            break;
        }
        let start = first - first % WINDOW;
        let end = start.saturating_add(WINDOW).min(part.sentences.end);
        for clause in &mut *needed {
            clause.add_to(window, start, end, part.lengths)?;
        }
        let chance = |terms: usize| Chance {
            lengths: &part.lengths[start as usize..],
            left: &bounds[terms],
            threshold: f64::from(best.threshold()),
        };
        let allowed = part
            .allowed
            .map(|allowed| allowed.get(start as usize / 64..).unwrap_or_default());
        window.choose(allowed, chance(essential));
        for (number, clause) in others.iter_mut().enumerate().rev() {
            if window.len() == 0 {
                break;
            }
            clause.complete(window, start, end, part.lengths)?;
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
