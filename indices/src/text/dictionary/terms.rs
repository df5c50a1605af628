//! All terms of a dictionary, in order.

use super::{COMMON_INPUTS, Dictionary, Many, Transition, address, unsigned};
use crate::error::Result;

/// Longer terms are damage: the analyzer cuts words at 255 UTF-16 units.
const MOST_BYTES: usize = 1 << 12;

/// Walks a dictionary. Terms ascend by their bytes, and their numbers count from 0.
///
/// Whatever the bytes are, a walk ends: every step goes deeper, back, or to the next transition; it gives up when it
/// is deeper than a term is long, or has gone further without meeting a term than a sound dictionary lets it.
pub(in crate::text) struct Terms<'a> {
    dictionary: &'a Dictionary,
    /// From the root to where this is.
    path: Vec<Place>,
    term: Vec<u8>,
    /// How many terms came.
    count: u32,
}

/// A node on the way, and how many of its transitions were taken.
struct Place {
    at: usize,
    sum: u64,
    taken: usize,
}

impl Dictionary {
    /// All terms, in order.
    pub fn terms(&self) -> Terms<'_> {
        Terms {
            dictionary: self,
            path: Vec::new(),
            term: Vec::new(),
            count: 0,
        }
    }

    /// The number of transitions of the node at `at`, and whether a term ends there.
    fn node(&self, at: usize) -> Option<(usize, bool)> {
        if at == 0 {
            return Some((0, true));
        }
        let bytes: &[u8] = &self.bytes;
        match *bytes.get(at)? {
            kind if kind >> 6 <= 1 => Some((Many::read(bytes, at)?.count, kind >> 6 == 1)),
            _ => Some((1, false)),
        }
    }

    /// The `nth` transition of the node at `at`, in the order of the inputs, and its input.
    fn nth(&self, at: usize, nth: usize) -> Option<(u8, Transition)> {
        let bytes: &[u8] = &self.bytes;
        if bytes.get(at)? >> 6 <= 1 {
            return Many::read(bytes, at)?.nth(bytes, nth);
        }
        let input = match bytes[at] & 0x3f {
            0 => *bytes.get(at.checked_sub(1)?)?,
            common => COMMON_INPUTS[usize::from(common) - 1],
        };
        self.step(at, input)?.map(|transition| (input, transition))
    }
}

impl Many {
    fn nth(&self, bytes: &[u8], nth: usize) -> Option<(u8, Transition)> {
        let falling = self.count.checked_sub(nth + 1)?;
        let inputs = bytes.get(self.inputs_end.checked_sub(self.count)?..self.inputs_end)?;
        let delta_at = self.deltas + falling * self.delta_size;
        let outputs = self.deltas - self.count * self.output_size;
        let output_at = outputs + falling * self.output_size;
        let transition = Transition {
            to: address(self.start, unsigned(bytes, delta_at, self.delta_size)?)?,
            output: unsigned(bytes, output_at, self.output_size)?,
        };
        Some((inputs[falling], transition))
    }
}

impl Terms<'_> {
    /// Goes to the next term. `false` at the end.
    pub fn next(&mut self) -> Result<bool> {
        let mut steps = 0;
        let mut fresh = None;
        if self.count == 0 && self.path.is_empty() {
            if self.dictionary.len == 0 {
                return Ok(false);
            }
            fresh = Some((self.dictionary.root, 0));
        }
        loop {
            steps += 1;
            if let Some((at, sum)) = fresh.take() {
                let Some((_, is_term)) = self.dictionary.node(at) else {
                    return Err(self.dictionary.damaged(at));
                };
                if self.path.len() > MOST_BYTES || steps > 2 * MOST_BYTES {
                    return Err(self.dictionary.damaged(at));
                }
                let taken = 0;
                self.path.push(Place { at, sum, taken });
                if is_term {
                    return self.meet(at, sum);
                }
            }
            let Some(place) = self.path.last_mut() else {
                return self.end();
            };
            let (at, taken) = (place.at, place.taken);
            let transition = match self.dictionary.node(at) {
                Some((count, _)) if taken < count => self.dictionary.nth(at, taken),
                Some(_) => {
                    self.path.pop();
                    self.term.pop();
                    continue;
                }
                None => None,
            };
            let Some((input, Transition { to, output })) = transition else {
                return Err(self.dictionary.damaged(at));
            };
            place.taken += 1;
            fresh = Some((to, place.sum.wrapping_add(output)));
            self.term.push(input);
        }
    }

    /// The term that was met last.
    pub fn term(&self) -> &[u8] {
        &self.term
    }

    /// The number of the term that was met last.
    pub fn number(&self) -> u32 {
        self.count.saturating_sub(1)
    }

    /// A term ends at the node at `at`: its number must be the next.
    fn meet(&mut self, at: usize, sum: u64) -> Result<bool> {
        let output = match self.dictionary.final_output(at) {
            Some(Some(output)) => output,
            _ => return Err(self.dictionary.damaged(at)),
        };
        if sum.wrapping_add(output) != u64::from(self.count) || self.count >= self.dictionary.len {
            return Err(self.dictionary.damaged(at));
        }
        self.count += 1;
        Ok(true)
    }

    fn end(&self) -> Result<bool> {
        match self.count == self.dictionary.len {
            true => Ok(false),
            false => Err(self.dictionary.damaged(self.dictionary.root)),
        }
    }
}
