//! The best k, and the score that a sentence must exceed to be one of them.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU32, Ordering as Memory};

/// A sentence and its score. The greater is the better; of equal scores, the earlier sentence.
#[derive(Clone, Copy, Debug)]
pub(in crate::text) struct Scored {
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

/// A score that k sentences are known to reach, shared by the parts of a search.
pub(super) struct Floor(AtomicU32);

impl Floor {
    /// Nothing is known yet.
    pub fn new() -> Floor {
        Floor(AtomicU32::new(0))
    }

    /// k sentences reach `score`, which is not negative.
    pub fn raise(&self, score: f32) {
        // Scores are not negative, and so in the order of their bits.
        self.0.fetch_max(score.to_bits(), Memory::Relaxed);
    }

    fn get(&self) -> f32 {
        f32::from_bits(self.0.load(Memory::Relaxed))
    }
}

/// The best k of one part of a search, whose sentences come in order.
pub(super) struct Best<'f> {
    k: usize,
    heap: BinaryHeap<Reverse<Scored>>,
    threshold: f32,
    floor: &'f Floor,
}

impl<'f> Best<'f> {
    /// None yet.
    pub fn new(k: usize, floor: &'f Floor) -> Best<'f> {
        let mut best = Best {
            k,
            heap: BinaryHeap::new(),
            threshold: f32::NEG_INFINITY,
            floor,
        };
        best.look_at_floor();
        best
    }

    /// A sentence that comes now is wanted only if its score is more.
    #[inline]
    pub fn threshold(&self) -> f32 {
        self.threshold
    }

    /// Heeds what the other parts have found. Sentences before theirs win when scores are equal, so theirs counts a
    /// little less.
    pub fn look_at_floor(&mut self) {
        self.threshold = self.threshold.max(self.floor.get().next_down());
    }

    /// Takes a sentence if it is one of the best so far.
    pub fn offer(&mut self, scored: Scored) {
        if scored.score <= self.threshold {
            return;
        }
        if self.heap.len() < self.k {
            self.heap.push(Reverse(scored));
        } else if let Some(mut worst) = self.heap.peek_mut() {
            *worst = Reverse(scored);
        }
        if self.heap.len() == self.k
            && let Some(Reverse(worst)) = self.heap.peek()
        {
            self.floor.raise(worst.score);
            self.threshold = self.threshold.max(worst.score);
        }
    }

    /// The best, in no order.
    pub fn into_vec(self) -> Vec<Scored> {
        self.heap
            .into_iter()
            .map(|Reverse(scored)| scored)
            .collect()
    }
}
