//! Text into a sorted run: the postings of sentences in a row, by term.
//!
//! The terms of the sentences are written down one after the other, as numbers. When enough have come, one
//! counting sort brings the sentences of each term together, and the terms are put into the order of their bytes.
//! That is two passes over integers, where a list for each term would be an allocation for each term.

use super::terms::TermTable;
use crate::varint;

/// A term's posting lists are at least this long for a hint of the memory they will take as a run.
const RUN_BYTES_PER_TOKEN: usize = 2;

/// Sentences that are being inverted.
pub(super) struct Inversion {
    terms: TermTable,
    /// The number of each token's term.
    tokens: Vec<u32>,
    /// How many tokens there were at the end of each sentence but the last.
    ends: Vec<u32>,
    /// Memory that is not to be exceeded by much.
    budget: usize,
}

impl Inversion {
    /// For about `budget` bytes at a time.
    pub fn new(budget: usize) -> Inversion {
        Inversion {
            terms: TermTable::new(),
            tokens: Vec::new(),
            ends: Vec::new(),
            // Terms and tokens are counted in 32 bits.
            budget: budget.min(1 << 30),
        }
    }

    /// Adds a token of the sentence that is being added. Gives whether this is as much as there is memory for; then
    /// comes [`Inversion::run`].
    #[inline]
    pub fn add(&mut self, term: &str) -> bool {
        let number = self.terms.number(term.as_bytes());
        self.tokens.push(number);
        self.tokens.len() & 0xfff == 0 && self.is_full()
    }

    /// Ends the sentence that is being added. Gives whether this is as much as there is memory for.
    pub fn end_sentence(&mut self) -> bool {
        // `budget` keeps it under 2²⁸.
        self.ends.push(self.tokens.len() as u32);
        self.is_full()
    }

    fn is_full(&self) -> bool {
        // A token is counted as its number, its sentence and what it takes in the run; a term comes with its places
        // in the sort.
        let tokens = self.tokens.len() * (8 + RUN_BYTES_PER_TOKEN) + self.ends.len() * 4;
        tokens + self.terms.memory() + self.terms.len() * 24 > self.budget
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.ends.is_empty()
    }

    /// The run of what was added, whose sentences are numbered from 0: see [`super::runs`]. The inversion is empty
    /// then. A sentence that was not ended goes on as the next run's first.
    pub fn run(&mut self) -> Vec<u8> {
        let order = self.terms.sorted();
        let (places, sentences) = self.by_term();
        let mut run = Vec::with_capacity(self.tokens.len() * RUN_BYTES_PER_TOKEN);
        let mut postings = Vec::new();
        let mut before: &[u8] = &[];
        for number in order {
            let place = number as usize;
            postings.clear();
            put_postings(
                &sentences[places[place] as usize..places[place + 1] as usize],
                &mut postings,
            );
            let term = self.terms.term(number);
            let shared = before.iter().zip(term).take_while(|(a, b)| a == b).count();
            varint::put(&mut run, shared as u64);
            varint::put(&mut run, (term.len() - shared) as u64);
            run.extend_from_slice(&term[shared..]);
            varint::put(&mut run, postings.len() as u64);
            run.extend_from_slice(&postings);
            before = term;
        }
        self.terms.clear();
        self.tokens.clear();
        self.ends.clear();
        run
    }

    /// The sentences of all terms, term by term in the order of their numbers, a sentence as often as it has the
    /// term; and where each term's begin.
    fn by_term(&self) -> (Vec<u32>, Vec<u32>) {
        // The places are shifted by one while they are used as cursors.
        let mut places = vec![0u32; self.terms.len() + 2];
        for &token in &self.tokens {
            places[token as usize + 2] += 1;
        }
        let mut sum = 0;
        for place in &mut places {
            sum += *place;
            *place = sum;
        }
        let mut sentences = vec![0u32; self.tokens.len()];
        let mut start = 0;
        // What follows the last end is of the sentence after it.
        let ends = self.ends.iter().copied().chain([self.tokens.len() as u32]);
        for (sentence, end) in (0u32..).zip(ends) {
            for &token in &self.tokens[start as usize..end as usize] {
                let cursor = &mut places[token as usize + 1];
                sentences[*cursor as usize] = sentence;
                *cursor += 1;
            }
            start = end;
        }
        places.truncate(self.terms.len() + 1);
        (places, sentences)
    }
}

/// Writes down a term's sentences, ascending, each repeated as often as it has the term.
fn put_postings(sentences: &[u32], bytes: &mut Vec<u8>) {
    let mut next = 0;
    for group in sentences.chunk_by(|a, b| a == b) {
        let (sentence, tf) = (group[0], group.len());
        varint::put(bytes, u64::from(sentence - next) << 1 | u64::from(tf > 1));
        if tf > 1 {
            varint::put(bytes, tf as u64 - 2);
        }
        next = sentence + 1;
    }
}
