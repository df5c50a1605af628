//! The dictionary: a term's number, from an `fst` map.
//!
//! The map is written by the crate `fst` (a minimal acyclic transducer: the bytes of a term lead from node to node,
//! and the numbers on the way add up to the term's). It is read here, because that crate trusts what it
//! reads: on damaged bytes it panics. This reader takes at most one step a byte and checks every access, so whatever
//! stands in the section it gives a number, nothing, or an error.
//!
//! Format 3 of `fst`, as far as a look-up needs it; all integers little-endian:
//!
//! ```text
//! version u64 | type u64 | nodes | number of keys u64 | root's address u64 | checksum u32
//! ```
//!
//! A node is read backwards from its address, which is its last byte. Address 0 is the final node without
//! transitions. The last byte tells three kinds of node apart:
//!
//! ```text
//!                                         11cccccc   one transition, to the node just before, without output
//!             output | delta | sizes | in 10cccccc   one transition
//! final output | outputs | deltas | inputs | index | sizes | n 0fnnnnnn   n transitions, f: final
//! ```
//!
//! `in` is absent where c numbers one of [`COMMON_INPUTS`] (from 1), n where it fits the last byte; `sizes` has the
//! bytes of a delta in its high half and of an output in its low half; inputs, deltas and outputs stand in
//! falling order; the index, of 256 bytes, is there from 33 transitions. A delta counts back from where the
//! node begins; 0 stands for address 0.

use morelet_mapped::Bytes;

use crate::error::Result;

#[cfg(feature = "build")]
mod terms;
#[cfg(feature = "build")]
pub(super) use terms::Terms;

/// The version of the map that is read.
const VERSION: u64 = 3;
/// The frequent inputs that take no byte of their own, as the format numbers them.
const COMMON_INPUTS: &[u8; 63] = b"te/oasripcnw.hlm-du012g=:bf3y5&_4v9678k%?xCDASFIBEjPTzRNM+LOqHG";
/// More transitions than this come with an index.
const INDEX_ABOVE: usize = 32;
/// What stands behind the nodes: number of keys, root, checksum.
const FOOTER: usize = 20;

/// Numbers of terms.
#[derive(Clone, Debug)]
pub(super) struct Dictionary {
    bytes: Bytes,
    root: usize,
    len: u32,
}

/// Where a byte of the term leads.
struct Transition {
    to: usize,
    output: u64,
}

impl Dictionary {
    /// The map in `bytes`, which must hold `len` terms.
    pub fn open(bytes: Bytes, len: u32) -> Result<Dictionary> {
        let Some(footer) = bytes.len().checked_sub(FOOTER).filter(|&at| at >= 16) else {
            return Err(bytes
                .corrupt(0, "the dictionary is shorter than its header and footer")
                .into());
        };
        let word = |at| unsigned(&bytes, at, 8);
        match (word(0), word(footer), word(footer + 8).map(usize::try_from)) {
            (Some(VERSION), Some(count), Some(Ok(root))) if count == u64::from(len) => {
                Ok(Dictionary { bytes, root, len })
            }
            (Some(VERSION), Some(count), _) => Err(bytes
                .corrupt(
                    footer as u64,
                    format!("the dictionary's number of terms: expected {len}, got {count}"),
                )
                .into()),
            (version, _, _) => Err(bytes
                .corrupt(
                    0,
                    format!(
                        "the dictionary's version: expected {VERSION}, got {}",
                        version.unwrap_or(0)
                    ),
                )
                .into()),
        }
    }

    /// The number of `term`, if the dictionary has it.
    pub fn get(&self, term: &str) -> Result<Option<u32>> {
        let (mut at, mut sum) = (self.root, 0u64);
        for input in term.bytes() {
            match self.step(at, input) {
                Some(Some(Transition { to, output })) => {
                    at = to;
                    sum = sum.wrapping_add(output);
                }
                Some(None) => return Ok(None),
                None => return Err(self.damaged(at)),
            }
        }
        match self.final_output(at) {
            Some(None) => Ok(None),
            Some(Some(output)) => match u32::try_from(sum.wrapping_add(output)) {
                Ok(number) if number < self.len => Ok(Some(number)),
                _ => Err(self.damaged(at)),
            },
            None => Err(self.damaged(at)),
        }
    }

    fn damaged(&self, at: usize) -> crate::Error {
        let at = at.min(self.bytes.len());
        self.bytes
            .corrupt(
                at as u64,
                "the dictionary leads out of itself or to a term that is not there",
            )
            .into()
    }

    /// Where `input` leads from the node at `at`: nowhere is `Some(None)`, damage is `None`.
    fn step(&self, at: usize, input: u8) -> Option<Option<Transition>> {
        if at == 0 {
            return Some(None);
        }
        let bytes: &[u8] = &self.bytes;
        let kind = *bytes.get(at)?;
        if kind >> 6 <= 1 {
            return Many::read(bytes, at)?.step(bytes, input);
        }
        let (own, before) = match kind & 0x3f {
            0 => (*bytes.get(at.checked_sub(1)?)?, at.checked_sub(1)?),
            common => (COMMON_INPUTS[usize::from(common) - 1], at),
        };
        if own != input {
            return Some(None);
        }
        if kind >> 6 == 3 {
            let to = before.checked_sub(1)?;
            return Some(Some(Transition { to, output: 0 }));
        }
        let end = before.checked_sub(1)?;
        let (delta_size, output_size) = sizes(*bytes.get(end)?)?;
        let delta_at = end.checked_sub(delta_size)?;
        let start = delta_at.checked_sub(output_size)?;
        Some(Some(Transition {
            to: address(start, unsigned(bytes, delta_at, delta_size)?)?,
            output: unsigned(bytes, start, output_size)?,
        }))
    }

    /// The output for a term that ends at the node at `at`: `Some(None)` where none does, `None` for damage.
    fn final_output(&self, at: usize) -> Option<Option<u64>> {
        if at == 0 {
            return Some(Some(0));
        }
        let bytes: &[u8] = &self.bytes;
        if bytes.get(at)? >> 6 != 1 {
            return Some(None);
        }
        let node = Many::read(bytes, at)?;
        unsigned(bytes, node.start, node.output_size).map(Some)
    }
}

/// A node of any number of transitions.
struct Many {
    count: usize,
    delta_size: usize,
    output_size: usize,
    /// Where the inputs end and the index may begin.
    inputs_end: usize,
    /// Where the deltas begin; the outputs end there.
    deltas: usize,
    /// Where the node begins.
    start: usize,
}

impl Many {
    fn read(bytes: &[u8], at: usize) -> Option<Many> {
        let kind = *bytes.get(at)?;
        let (count, before) = match kind & 0x3f {
            0 => match *bytes.get(at.checked_sub(1)?)? {
                1 => (256, at - 1),
                count => (usize::from(count), at - 1),
            },
            count => (usize::from(count), at),
        };
        let sizes_at = before.checked_sub(1)?;
        let (delta_size, output_size) = sizes(*bytes.get(sizes_at)?)?;
        let index = if count > INDEX_ABOVE { 256 } else { 0 };
        let inputs_end = sizes_at.checked_sub(index)?;
        let deltas = inputs_end.checked_sub(count + count * delta_size)?;
        let outputs = count + usize::from(kind & 0x40 != 0);
        Some(Many {
            count,
            delta_size,
            output_size,
            inputs_end,
            deltas,
            start: deltas.checked_sub(outputs * output_size)?,
        })
    }

    fn step(&self, bytes: &[u8], input: u8) -> Option<Option<Transition>> {
        let nth = if self.count > INDEX_ABOVE {
            usize::from(*bytes.get(self.inputs_end + usize::from(input))?)
        } else {
            let inputs = bytes.get(self.inputs_end - self.count..self.inputs_end)?;
            let falling = inputs.iter().position(|&own| own == input);
            falling.map_or(self.count, |falling| self.count - 1 - falling)
        };
        if nth >= self.count {
            return Some(None);
        }
        let falling = self.count - 1 - nth;
        let delta = unsigned(
            bytes,
            self.deltas + falling * self.delta_size,
            self.delta_size,
        )?;
        let outputs = self.deltas - self.count * self.output_size;
        Some(Some(Transition {
            to: address(self.start, delta)?,
            output: unsigned(
                bytes,
                outputs + falling * self.output_size,
                self.output_size,
            )?,
        }))
    }
}

/// The bytes of a delta and of an output.
fn sizes(byte: u8) -> Option<(usize, usize)> {
    let (delta, output) = (usize::from(byte >> 4), usize::from(byte & 15));
    (delta <= 8 && output <= 8).then_some((delta, output))
}

fn address(start: usize, delta: u64) -> Option<usize> {
    match usize::try_from(delta).ok()? {
        0 => Some(0),
        delta => start.checked_sub(delta),
    }
}

/// The integer of `size` bytes at `at`, at most 8; 0 for none.
fn unsigned(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let mut word = [0; 8];
    word[..size].copy_from_slice(bytes.get(at..at.checked_add(size)?)?);
    Some(u64::from_le_bytes(word))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use morelet_mapped::{Container, Kind, Writer};

    use super::*;

    fn open(path: &Path, map: &[u8], len: usize) -> Result<Dictionary> {
        let mut writer = Writer::create(path, Kind::TextIndex).unwrap();
        let mut section = writer.section("dictionary", 1, true).unwrap();
        section.put(map).unwrap();
        section.finish().unwrap();
        writer.finish().unwrap();
        let container = Container::open(path, Kind::TextIndex, Default::default()).unwrap();
        Dictionary::open(container.section("dictionary", 1..=1).unwrap(), len as u32)
    }

    /// Terms with nodes of every kind: many transitions from the root, long tails, prefixes of each other, and every
    /// byte that UTF-8 has.
    fn terms() -> BTreeMap<String, u64> {
        let mut terms: Vec<String> = vec![String::new(), "a".into(), "ab".into(), "abc".into()];
        terms.extend(
            (0x20u32..0x2000)
                .step_by(3)
                .filter_map(char::from_u32)
                .map(String::from),
        );
        terms.extend(
            (0..4000u32).map(|n| format!("{:x}term{}", n.wrapping_mul(0x9E37_79B9) % 7919, n % 13)),
        );
        terms.extend((0..300).map(|n| format!("x{}s", "y".repeat(n))));
        terms.extend(
            (0x1F300u32..0x1F400)
                .filter_map(char::from_u32)
                .map(|c| format!("e{c}")),
        );
        terms.sort();
        terms.dedup();
        terms.into_iter().zip(0..).collect()
    }

    #[test]
    fn numbers_are_those_that_the_crate_fst_finds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text.index");
        let terms = terms();
        // Ordinals first, then numbers that jump, whose outputs take more bytes.
        for factor in [1, 99_991] {
            let map =
                fst::Map::from_iter(terms.iter().map(|(term, number)| (term, number * factor)))
                    .unwrap();
            let mut dictionary = open(&path, map.as_fst().as_bytes(), terms.len()).unwrap();
            dictionary.len = u32::MAX;
            for term in terms.keys() {
                for wanted in [
                    term.clone(),
                    format!("{term}s"),
                    term.chars().skip(1).collect(),
                    format!("b{term}"),
                ] {
                    let expected = map.get(&wanted).map(|number| number as u32);
                    assert_eq!(dictionary.get(&wanted).unwrap(), expected, "{wanted:?}");
                }
            }
        }
    }

    #[test]
    fn all_terms_come_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text.index");
        for terms in [
            terms(),
            BTreeMap::new(),
            BTreeMap::from([(String::new(), 0)]),
        ] {
            let map = fst::Map::from_iter(terms.iter().map(|(term, &n)| (term, n))).unwrap();
            let dictionary = open(&path, map.as_fst().as_bytes(), terms.len()).unwrap();
            let mut walk = dictionary.terms();
            for (term, &number) in &terms {
                assert!(walk.next().unwrap());
                assert_eq!(
                    (walk.term(), u64::from(walk.number())),
                    (term.as_bytes(), number)
                );
            }
            assert!(!walk.next().unwrap());
        }
    }

    #[test]
    fn a_walk_through_damaged_bytes_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text.index");
        let terms: Vec<String> = terms().into_keys().step_by(29).collect();
        let sound = fst::Map::from_iter(terms.iter().zip(0..)).unwrap();
        let sound = sound.as_fst().as_bytes();
        let mut errors = 0;
        for seed in 0..400usize {
            let mut bytes = sound.to_vec();
            let at = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) % bytes.len();
            bytes[at] ^= 1 << (seed % 8);
            let Ok(dictionary) = open(&path, &bytes, terms.len()) else {
                continue;
            };
            let mut walk = dictionary.terms();
            let mut count = 0;
            errors += loop {
                match walk.next() {
                    Ok(true) => {}
                    Ok(false) => break 0,
                    Err(_) => break 1,
                }
                count += 1;
            };
            assert!(count <= terms.len());
        }
        assert!(errors > 100, "{errors}");
    }

    #[test]
    fn an_empty_map_has_no_terms() {
        let folder = tempfile::tempdir().unwrap();
        let map = fst::Map::from_iter::<&str, _>([]).unwrap();
        let dictionary = open(
            &folder.path().join("text.index"),
            map.as_fst().as_bytes(),
            0,
        )
        .unwrap();
        for term in ["", "a", "ab"] {
            assert_eq!(dictionary.get(term).unwrap(), None);
        }
    }

    #[test]
    fn damaged_bytes_give_an_error_or_some_number_in_range() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text.index");
        let terms: Vec<String> = terms().into_keys().step_by(29).collect();
        let sound = fst::Map::from_iter(terms.iter().zip(0..)).unwrap();
        let sound = sound.as_fst().as_bytes();
        let mut errors = 0;
        // The container's own writing takes the time, so many places are damaged at once.
        for seed in 0..400u64 {
            let mut bytes = sound.to_vec();
            let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            for _ in 0..=seed % 7 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let at = random as usize % bytes.len();
                bytes[at] = (random >> 32) as u8;
            }
            let Ok(dictionary) = open(&path, &bytes, terms.len()) else {
                errors += 1;
                continue;
            };
            for term in &terms {
                match dictionary.get(term) {
                    Ok(number) => {
                        assert!(number.is_none_or(|number| (number as usize) < terms.len()))
                    }
                    Err(_) => errors += 1,
                }
            }
        }
        assert!(errors > 1000, "{errors}");
        for len in 0..sound.len().min(200) {
            assert!(open(&path, &sound[..len], terms.len()).is_err());
        }
    }
}
