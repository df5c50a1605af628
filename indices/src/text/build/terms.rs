//! Terms and their numbers while they are collected: a hash table over one arena of bytes.
//!
//! A term that is met again costs a hash, one probe and, up to 8 bytes, one comparison of integers; a new one costs
//! its bytes and 32 more, and no allocation of its own.

use std::hash::{BuildHasher, RandomState};

/// Terms, numbered from 0 in the order in which they came.
pub(super) struct TermTable {
    /// The low half of a term's hash above its number plus one; 0 is free. A power of two, at most half full.
    slots: Vec<u64>,
    terms: Vec<Term>,
    bytes: Vec<u8>,
    /// Differs from process to process, so that no corpus can be made whose terms all collide.
    seeds: [u64; 2],
}

/// Where a term's bytes lie.
#[derive(Clone, Copy, Debug)]
struct Term {
    /// The first 8 bytes, high byte first, padded with zeros: orders terms as their bytes do, except where it is equal.
    prefix: u64,
    start: u32,
    len: u32,
}

/// What a term takes beside its bytes: an entry, and two to four slots.
pub(super) const TERM_BYTES: usize = 16 + 4 * 8;

impl TermTable {
    /// No terms.
    pub fn new() -> TermTable {
        let random = RandomState::new();
        TermTable {
            slots: vec![0; 1 << 12],
            terms: Vec::new(),
            bytes: Vec::new(),
            seeds: [random.hash_one(0), random.hash_one(1)],
        }
    }

    /// The number of terms.
    pub fn len(&self) -> usize {
        self.terms.len()
    }

    /// About how much memory this takes, in bytes.
    pub fn memory(&self) -> usize {
        self.bytes.len() + self.terms.len() * TERM_BYTES
    }

    /// The number of `term`, which is a new one if it was not met before. The bytes of all together stay below 4 GiB.
    #[inline]
    pub fn number(&mut self, term: &[u8]) -> u32 {
        let prefix = prefix(term);
        let hash = self.hash(prefix, term);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return self.insert(term, prefix, hash, at);
            }
            if (slot >> 32) as u32 == hash {
                let number = slot as u32 - 1;
                let known = self.terms[number as usize];
                if known.prefix == prefix
                    && known.len as usize == term.len()
                    && (term.len() <= 8 || self.term(number)[8..] == term[8..])
                {
                    return number;
                }
            }
            at = (at + 1) & mask;
        }
    }

    /// The bytes of term `number`.
    #[inline]
    pub fn term(&self, number: u32) -> &[u8] {
        let term = self.terms[number as usize];
        &self.bytes[term.start as usize..][..term.len as usize]
    }

    /// The numbers of all terms in the order of their bytes.
    pub fn sorted(&self) -> Vec<u32> {
        let mut order: Vec<(u64, u32)> = (0..)
            .zip(&self.terms)
            .map(|(number, term)| (term.prefix, number))
            .collect();
        order.sort_unstable_by(|a, b| {
            a.0.cmp(&b.0)
                .then_with(|| self.term(a.1).cmp(self.term(b.1)))
        });
        order.into_iter().map(|(_, number)| number).collect()
    }

    /// Forgets all terms and keeps the memory.
    pub fn clear(&mut self) {
        self.slots.fill(0);
        self.terms.clear();
        self.bytes.clear();
    }

    #[cold]
    fn insert(&mut self, term: &[u8], prefix: u64, hash: u32, at: usize) -> u32 {
        let number = self.terms.len() as u32;
        self.terms.push(Term {
            prefix,
            start: self.bytes.len() as u32,
            len: term.len() as u32,
        });
        self.bytes.extend_from_slice(term);
        self.slots[at] = u64::from(hash) << 32 | u64::from(number + 1);
        if self.terms.len() * 2 > self.slots.len() {
            self.grow();
        }
        number
    }

    fn grow(&mut self) {
        let mut slots = vec![0u64; self.slots.len() * 2];
        let mask = slots.len() - 1;
        for &slot in self.slots.iter().filter(|&&slot| slot != 0) {
            let mut at = (slot >> 32) as usize & mask;
            while slots[at] != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = slot;
        }
        self.slots = slots;
    }

    /// Products of 64 bits folded to half, over 8 bytes at a time.
    #[inline]
    fn hash(&self, first: u64, term: &[u8]) -> u32 {
        let fold = |a: u64, b: u64| {
            let product = u128::from(a) * u128::from(b);
            product as u64 ^ (product >> 64) as u64
        };
        let mut state = fold(first ^ self.seeds[0], self.seeds[1] ^ term.len() as u64);
        for chunk in term.get(8..).unwrap_or_default().chunks(8) {
            state = fold(state ^ prefix(chunk), self.seeds[1] | 1);
        }
        (state ^ state >> 32) as u32
    }
}

/// The first 8 bytes of `bytes`, high byte first, padded with zeros.
#[inline]
pub(super) fn prefix(bytes: &[u8]) -> u64 {
    let four = |at: usize| {
        u64::from(u32::from_be_bytes([
            bytes[at],
            bytes[at + 1],
            bytes[at + 2],
            bytes[at + 3],
        ]))
    };
    match bytes.len() {
        0 => 0,
        1..4 => {
            let (middle, last) = (bytes.len() / 2, bytes.len() - 1);
            // One byte is read up to three times; each time it lands in its place.
            u64::from(bytes[0]) << 56
                | u64::from(bytes[middle]) << (56 - 8 * middle)
                | u64::from(bytes[last]) << (56 - 8 * last)
        }
        len @ 4..8 => four(0) << 32 | four(len - 4) << (8 * (8 - len)),
        _ => four(0) << 32 | four(4),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_prefix_is_the_first_bytes_in_order() {
        let bytes = b"abcdefghijk";
        for len in 0..bytes.len() {
            let mut expected = [0; 8];
            for (to, from) in expected.iter_mut().zip(&bytes[..len]) {
                *to = *from;
            }
            assert_eq!(prefix(&bytes[..len]), u64::from_be_bytes(expected), "{len}");
        }
    }

    #[test]
    fn numbers_are_those_of_a_map_and_the_order_is_that_of_the_bytes() {
        let mut table = TermTable::new();
        for _ in 0..2 {
            let mut map: HashMap<Vec<u8>, u32> = HashMap::new();
            let mut state = 1u64;
            for _ in 0..100_000 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                // Few letters and zeros among them, so that prefixes are often equal.
                let len = (state >> 60) as usize + (state >> 58) as usize % 3;
                let term: Vec<u8> = (0..len).map(|at| (state >> (20 + at) & 1) as u8).collect();
                let next = map.len() as u32;
                assert_eq!(table.number(&term), *map.entry(term).or_insert(next));
            }
            assert_eq!(table.len(), map.len());
            let mut expected: Vec<_> = map.into_iter().collect();
            expected.sort();
            let expected: Vec<u32> = expected.into_iter().map(|(_, number)| number).collect();
            assert_eq!(table.sorted(), expected);
            table.clear();
        }
    }
}
