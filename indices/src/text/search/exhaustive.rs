//! The best sentences for a query, by scoring all that have a term of it.
//!
//! Sentences are taken in windows of 4,096. In each window the query's terms are gone through one after the other,
//! and what a term adds is added up in an array with a place for every sentence of the window (32 KiB, which
//! stays in the first cache). Then the sentences that were touched are offered to a heap of the best k.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Scored;
use crate::error::Result;
use crate::text::bm25::TermScores;
use crate::text::postings::{Block, Postings};

/// Sentences to a window.
const WINDOW: usize = 4096;
/// Terms with more postings than this have their scores looked up, not computed.
const WORTH_A_TABLE: u32 = 8 * 1024;
/// Where a term occurs this often in a sentence, its score is computed after all.
const TABLED_TFS: usize = 8;

/// One term of a query on its way through its postings.
pub(in crate::text) struct Clause<'a> {
    postings: Postings<'a>,
    scores: TermScores<'a>,
    /// The scores for a `tf` below [`TABLED_TFS`] and every length byte.
    table: Option<Box<[[f32; 256]; TABLED_TFS]>>,
    block: Box<Block>,
    /// The next posting of the block.
    at: usize,
}

impl<'a> Clause<'a> {
    /// Begins with the first of `postings`.
    pub fn new(mut postings: Postings<'a>, scores: TermScores<'a>) -> Result<Clause<'a>> {
        let mut block = Box::new(Block::empty());
        postings.read(&mut block)?;
        Ok(Clause {
            table: (postings.df() > WORTH_A_TABLE).then(|| Box::new(scores.table())),
            postings,
            scores,
            block,
            at: 0,
        })
    }

    /// The next sentence that has the term.
    fn next(&self) -> Option<u32> {
        (self.at < self.block.len).then(|| self.block.sentences[self.at])
    }

    /// Adds this term's scores in the window that begins at sentence `start`.
    fn add_to(&mut self, window: &mut Window, start: u32, lengths: &[u8]) -> Result<()> {
        let end = u64::from(start) + WINDOW as u64;
        while self.at < self.block.len {
            let sentences = &self.block.sentences[self.at..self.block.len];
            let tfs = &self.block.tfs[self.at..self.block.len];
            let inside = match sentences.last() {
                Some(&last) if u64::from(last) < end => sentences.len(),
                _ => sentences.partition_point(|&sentence| u64::from(sentence) < end),
            };
            let found = sentences[..inside].iter().zip(tfs);
            match &self.table {
                Some(table) => {
                    for (&sentence, &tf) in found {
                        let length = lengths[sentence as usize];
                        let score = match table.get(tf as usize) {
                            Some(scores) => scores[usize::from(length)],
                            None => self.scores.score(tf, length),
                        };
                        window.add(sentence - start, score);
                    }
                }
                None => {
                    for (&sentence, &tf) in found {
                        let score = self.scores.score(tf, lengths[sentence as usize]);
                        window.add(sentence - start, score);
                    }
                }
            }
            self.at += inside;
            if self.at < self.block.len {
                break;
            }
            self.postings.read(&mut self.block)?;
            self.at = 0;
        }
        Ok(())
    }
}

/// The scores of a window's sentences; 0 where there is none, as a score is more.
pub(in crate::text) struct Window {
    sums: Box<[f64; WINDOW]>,
}

impl Window {
    /// No scores.
    pub fn new() -> Window {
        Window {
            sums: Box::new([0.0; WINDOW]),
        }
    }

    #[inline]
    fn add(&mut self, place: u32, score: f32) {
        self.sums[place as usize % WINDOW] += f64::from(score);
    }

    /// Hands out the scores above `threshold`, which `take` raises, and is empty again.
    fn drain(&mut self, mut threshold: f32, mut take: impl FnMut(u32, f32) -> f32) {
        for (sum, place) in self.sums.iter().zip(0..) {
            let score = *sum as f32;
            if score > threshold {
                threshold = take(place, score);
            }
        }
        self.sums.fill(0.0);
    }
}

/// The best `k` sentences for the terms in `clauses`, best first. `lengths` has a byte for every sentence.
pub(in crate::text) fn best(
    clauses: &mut Vec<Clause<'_>>,
    lengths: &[u8],
    k: usize,
    window: &mut Window,
) -> Result<Vec<Scored>> {
    // An earlier search that failed may have left scores behind.
    window.sums.fill(0.0);
    let mut heap: BinaryHeap<Reverse<Scored>> = BinaryHeap::new();
    let mut threshold = 0.0;
    while let Some(first) = clauses.iter().filter_map(Clause::next).min() {
        let start = first - first % WINDOW as u32;
        for clause in &mut *clauses {
            clause.add_to(window, start, lengths)?;
        }
        clauses.retain(|clause| clause.next().is_some());
        // Later sentences lose to earlier ones of the same score, so that only higher scores matter.
        window.drain(threshold, |place, score| {
            let scored = Scored {
                score,
                sentence: start + place,
            };
            if heap.len() < k {
                heap.push(Reverse(scored));
            } else if let Some(mut worst) = heap.peek_mut() {
                *worst = Reverse(scored);
            }
            if heap.len() == k {
                threshold = heap.peek().map_or(0.0, |worst| worst.0.score);
            }
            threshold
        });
    }
    Ok(heap
        .into_sorted_vec()
        .into_iter()
        .map(|Reverse(scored)| scored)
        .collect())
}
