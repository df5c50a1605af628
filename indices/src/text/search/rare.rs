//! The rarest clauses of a query, as one list of sentences and of what all of them together add to each.
//!
//! They have few postings, which are sorted once: to go through a dozen of short lists window by window costs more. And the best sentences
//! mostly have them: what these clauses add up to in a sentence bounds its score from below, and the k-th largest of these
//! sums is a threshold to begin with. A search that knows nothing goes, in its first windows, through lists that it
//! can do without later.

use super::clause::Clause;
use super::maxscore::Part;
use super::window::Window;
use crate::error::Result;
use crate::kernels::sums::Span;

/// Postings of it at most, in an index of few sentences …
const POSTINGS: u32 = 512;
/// … and one more for so many sentences.
const SENTENCES_A_POSTING: u32 = 4096;

/// The sentences of the rarest clauses.
pub(super) struct Rare {
    /// Sentences, ascending, and sums.
    sums: Vec<(u32, f64)>,
    /// The next of them.
    at: usize,
    /// The same sums in the order in which the k-th is looked for.
    order: Vec<f64>,
}

impl Rare {
    /// None yet.
    pub fn new() -> Rare {
        Rare {
            sums: Vec::new(),
            at: 0,
            order: Vec::new(),
        }
    }

    /// Takes the rarest of `clauses`, which come in the order of their postings, the fewest first, and gives how many it took.
    pub fn take(&mut self, clauses: &[Clause<'_>], part: &Part<'_>) -> Result<usize> {
        self.sums.clear();
        self.at = 0;
        let mut left = POSTINGS + part.lengths.len() as u32 / SENTENCES_A_POSTING;
        let mut count = 0;
        for clause in clauses {
            let Some(rest) = left.checked_sub(clause.len()) else {
                break;
            };
            left = rest;
            count += 1;
            clause.for_each(part.sentences.clone(), part.lengths, |sentence, gain| {
                if part.allows(sentence) {
                    self.sums.push((sentence, gain));
                }
            })?;
        }
        self.sums.sort_unstable_by_key(|&(sentence, _)| sentence);
        self.sums.dedup_by(|later, sum| {
            let same = later.0 == sum.0;
            if same {
                sum.1 += later.1;
            }
            same
        });
        Ok(count)
    }

    /// A score that at least `k` sentences reach; 0 where nothing is known.
    pub fn known_score(&mut self, k: usize) -> f32 {
        let Some(place) = k.checked_sub(1).filter(|&place| place < self.sums.len()) else {
            return 0.0;
        };
        self.order.clear();
        self.order.extend(self.sums.iter().map(|&(_, sum)| sum));
        let (_, &mut sum, _) = self
            .order
            .select_nth_unstable_by(place, |a, b| b.total_cmp(a));
        // The search adds up in another order, which may round the other way.
        (sum as f32).next_down().max(0.0)
    }

    /// The next sentence.
    pub fn next(&self) -> Option<u32> {
        self.sums.get(self.at).map(|&(sentence, _)| sentence)
    }

    /// Adds the sums of the sentences before `end` in a window.
    pub fn add_to(&mut self, window: &mut Window, end: u32, span: Span<'_>) {
        let rest = &self.sums[self.at..];
        let count = rest
            .iter()
            .take_while(|&&(sentence, _)| sentence < end)
            .count();
        for &(sentence, sum) in &rest[..count] {
            window.add_each(&[sentence], span, |_, _| sum);
        }
        self.at += count;
    }
}
