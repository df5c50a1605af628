//! The trie of pieces: a double array that is walked where it lies in the map.
//!
//! A unit is a `u32`. The units of a node's children lie at its base XOR their byte, so a step is one look at
//! one unit:
//!
//! ```text
//! bits 0..8    the byte that leads here; 0: the root, a value, or nothing at all
//! bit  8       a key ends here
//! bit  9       and no key goes on from here: bits 10..32 are the key's value
//! bits 10..32  the node's base; where a key ends and others go on, the unit at the base holds the value
//! ```
//!
//! Keys hold no zero byte, which leaves that byte to values. Whatever the units are, a walk ends: it takes a
//! step for each byte of the text and no more than it is told to, and looks at no unit outside the array.

use super::Damage;

/// A key ends at this node.
pub(super) const ENDS: u32 = 1 << 8;
/// No key goes on from this node.
pub(super) const LAST: u32 = 1 << 9;
/// Where base and value begin.
pub(super) const SHIFT: u32 = 10;
/// The most units, and the most values: what 22 bits can tell apart.
pub(super) const MOST_UNITS: usize = 1 << (32 - SHIFT);

/// A view on a trie whose values are below `values`.
#[derive(Clone, Copy)]
pub(super) struct Trie<'a> {
    units: &'a [[u8; 4]],
    /// Where the units begin, in bytes from the start of the section.
    start: u64,
    values: u32,
}

impl<'a> Trie<'a> {
    /// A trie over the whole units of `bytes`, which begin at `start`.
    pub(super) fn new(bytes: &'a [u8], start: u64, values: u32) -> Self {
        let (units, _) = bytes.as_chunks();
        Self {
            units,
            start,
            values,
        }
    }

    /// Tells of every key that is a prefix of the first `most` bytes of `text`, the shortest first: its
    /// length and its value.
    #[inline]
    pub(super) fn prefixes(
        &self,
        text: &[u8],
        most: usize,
        mut found: impl FnMut(usize, u32),
    ) -> Result<(), Damage> {
        let mut base = self.unit(0)? >> SHIFT;
        for (before, &byte) in text.iter().take(most).enumerate() {
            if byte == 0 {
                return Ok(());
            }
            let unit = self.unit(base as usize ^ usize::from(byte))?;
            if unit & 0xff != u32::from(byte) {
                return Ok(());
            }
            base = unit >> SHIFT;
            if unit & ENDS != 0 {
                let value = if unit & LAST != 0 {
                    base
                } else {
                    self.value(base as usize)?
                };
                if value >= self.values {
                    return Err(self.damage(base as usize, "a value is out of range"));
                }
                found(before + 1, value);
                if unit & LAST != 0 {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The longest key that is a prefix of the first `most` bytes of `text`: its length and its value.
    pub(super) fn longest(&self, text: &[u8], most: usize) -> Result<Option<(usize, u32)>, Damage> {
        let mut longest = None;
        self.prefixes(text, most, |len, value| longest = Some((len, value)))?;
        Ok(longest)
    }

    /// The value of a key of at most `most` bytes.
    pub(super) fn get(&self, key: &[u8], most: usize) -> Result<Option<u32>, Damage> {
        if key.len() > most {
            return Ok(None);
        }
        let longest = self.longest(key, most)?;
        Ok(longest.and_then(|(len, value)| (len == key.len()).then_some(value)))
    }

    #[inline]
    fn unit(&self, at: usize) -> Result<u32, Damage> {
        match self.units.get(at) {
            Some(&unit) => Ok(u32::from_le_bytes(unit)),
            None => Err(self.damage(at, "a trie leads out of its section")),
        }
    }

    /// The value that lies at a base. No byte leads to it.
    fn value(&self, at: usize) -> Result<u32, Damage> {
        let unit = self.unit(at)?;
        if unit & 0xff != 0 {
            return Err(self.damage(at, "a trie has a node where a value belongs"));
        }
        Ok(unit >> SHIFT)
    }

    #[cold]
    fn damage(&self, unit: usize, message: &'static str) -> Damage {
        Damage {
            at: self.start + 4 * unit as u64,
            message,
        }
    }
}
