//! Postings in memory: as many as the memory allows.

use std::collections::HashMap;

use crate::varint;

/// What a term costs beside its bytes and its postings: the entries of map and list, and what allocations round up.
const TERM_BYTES: u64 = 220;

/// The postings of sentences in a row, by term.
#[derive(Default)]
pub(super) struct Inversion {
    places: HashMap<Box<str>, u32>,
    lists: Vec<List>,
    bytes: u64,
}

/// The postings of one term: gaps and tfs as variable-length integers.
#[derive(Default)]
pub(super) struct List {
    bytes: Vec<u8>,
    /// The first sentence that may come next.
    next: u32,
    /// The sentence that is being added, and how often it has the term so far.
    last: Option<(u32, u32)>,
}

impl Inversion {
    /// Counts one occurrence of `term` in `sentence`, which is not before the last one.
    pub fn add(&mut self, term: &str, sentence: u32) {
        let place = match self.places.get(term) {
            Some(&place) => place as usize,
            None => {
                let place = self.lists.len();
                // Fewer than 2³² terms fit the memory.
                self.places.insert(term.into(), place as u32);
                self.lists.push(List::default());
                self.bytes += TERM_BYTES + term.len() as u64;
                place
            }
        };
        let list = &mut self.lists[place];
        match &mut list.last {
            Some((last, tf)) if *last == sentence => *tf = tf.saturating_add(1),
            _ => {
                let before = list.bytes.capacity();
                list.close();
                list.last = Some((sentence, 1));
                self.bytes += (list.bytes.capacity() - before) as u64;
            }
        }
    }

    /// About how much memory this takes, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The terms in order, each with its postings: see [`Run`](super::runs::Run).
    pub fn into_sorted(self) -> impl Iterator<Item = (Box<str>, Vec<u8>)> {
        let Inversion {
            places, mut lists, ..
        } = self;
        let mut terms: Vec<(Box<str>, u32)> = places.into_iter().collect();
        terms.sort_unstable();
        terms.into_iter().map(move |(term, place)| {
            let mut list = std::mem::take(&mut lists[place as usize]);
            list.close();
            (term, list.bytes)
        })
    }
}

impl List {
    /// Writes down the sentence that is being added.
    fn close(&mut self) {
        if let Some((sentence, tf)) = self.last.take() {
            let gap = u64::from(sentence - self.next);
            self.next = sentence + 1;
            varint::put(&mut self.bytes, gap << 1 | u64::from(tf > 1));
            if tf > 1 {
                varint::put(&mut self.bytes, u64::from(tf - 2));
            }
        }
    }
}
